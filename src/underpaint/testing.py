"""`check_method`, which tests whether a method follows the contract. It is also meant for methods of other packages."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import fields, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import torch
import yaml
from pydantic import ValidationError
from torch import Tensor, nn

from underpaint.core.classes import ClassTable
from underpaint.core.config import Config
from underpaint.core.errors import ConfigError
from underpaint.data.samples import Sample, TrainingImage, collate
from underpaint.features.bank import ImageFeatures
from underpaint.hints.candidates import Candidates, ImageKnowledge, build_candidates
from underpaint.hints.types import Hints, Kind
from underpaint.methods.base import Method
from underpaint.methods.inference import Fitting, Job, Result
from underpaint.methods.registry import heads_of, learner_of
from underpaint.methods.stage import OtherMethod, Stage
from underpaint.records import UNKNOWN, Batch, Head, NetOutput, Progress, Terms

SIZE = 40
"""Side of the toy images, in pixels; the toy network's stride is 4."""

CLASSES = ClassTable.of(("background", "disc", "bar"))

LATE = Progress(step=90, steps=100)
"""A late step of a training, at which every loss term is active."""


class ToyNetwork(nn.Module):
    """Two convolutions and every head, so that gradients can be tested.

    Args:
        classes: C, the number of classes.
        needs: The heads whose output is computed.
        subclasses: K, the number of sub-categories of every class.
    """

    def __init__(self, classes: int, needs: frozenset[Head], *, subclasses: int = 0) -> None:
        super().__init__()
        self.needs, self.subclasses = needs, subclasses
        self.body = nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
        self.head, self.tags = nn.Conv2d(8, classes, 1), nn.Linear(8, classes)
        self.variance = nn.Conv2d(8, 1, 1)
        self.sub = nn.Linear(8, classes * subclasses) if subclasses else None

    def forward(self, image: Tensor) -> NetOutput:
        """Return the logits at stride 4 and the outputs of the heads in ``needs``."""
        features = self.body(image)
        pooled = features.mean(dim=(2, 3))
        return NetOutput(
            logits=self.head(features),
            size=(image.shape[2], image.shape[3]),
            tag_logits=self.tags(pooled) if Head.TAGS in self.needs else None,
            tag_maps=self.tags(features.movedim(1, 3)).movedim(3, 1) if Head.TAGS in self.needs else None,
            sub_logits=self.sub(pooled).view(len(pooled), -1, self.subclasses) if self.sub is not None else None,
            features=features if Head.FEATURES in self.needs else None,
            variance=nn.functional.softplus(self.variance(features)) if Head.VARIANCE in self.needs else None,
            embedding=features if Head.EMBEDDING in self.needs else None,
        )


def toy_batch(kind: Kind | None, *, images: int = 2, seed: int = 0) -> Batch:
    """Make noisy images of a disc and a bar, with one kind of hint or with none.

    The right 15 % of the images is padding.
    """
    rng = np.random.default_rng(seed)
    samples = [_toy_sample(kind, rng, f"toy{i}") for i in range(images)]
    return collate(samples, torch.full((3,), 0.5), torch.full((3,), 0.5))


def _toy_sample(kind: Kind | None, rng: np.random.Generator, name: str) -> Sample:
    mask = np.zeros((SIZE, SIZE), np.uint8)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    mask[(rows - 10) ** 2 + (columns - 10) ** 2 < 36] = 1
    mask[22:28, 4:22] = 2
    colours = np.array([[0.3, 0.5, 0.3], [0.8, 0.3, 0.2], [0.2, 0.3, 0.8]])
    rgb = np.clip(colours[mask] + rng.normal(0, 0.08, (SIZE, SIZE, 3)), 0, 1)
    valid = np.ones((SIZE, SIZE), bool)
    valid[:, -6:] = False
    seeds = _toy_seeds(kind, mask)
    boxed = kind is Kind.BOX
    tagged = kind in (Kind.TAG, Kind.SCRIBBLE)
    present = np.array([tagged, tagged or boxed, tagged or boxed])
    knowledge = ImageKnowledge(present, np.zeros(3, bool), np.array([False, boxed, boxed]))
    boxes = np.array([[4.0, 4, 17, 17], [4, 22, 22, 28]]) if boxed else np.empty((0, 4))
    candidates = build_candidates(knowledge, seeds, boxes, (1, 2) if boxed else (), CLASSES.background)
    return Sample(
        rgb=torch.from_numpy(rgb).permute(2, 0, 1).float() * torch.from_numpy(valid),
        valid=torch.from_numpy(valid),
        candidates=candidates.index,
        sets=candidates.sets,
        tags=present,
        tags_known=present,
        boxes=boxes,
        box_classes=(1, 2) if boxed else (),
        image=name,
    )


def _toy_seeds(kind: Kind | None, mask: np.ndarray) -> np.ndarray:
    seeds = np.full_like(mask, UNKNOWN)
    if kind is Kind.MASK:
        return mask.copy()
    if kind is Kind.SCRIBBLE:
        for row, columns in ((10, slice(7, 14)), (25, slice(6, 20)), (18, slice(2, 24))):
            seeds[row, columns] = mask[row, columns]
    if kind is Kind.CLICK:
        for row, column in ((10, 10), (25, 12), (18, 20)):
            seeds[row, column] = mask[row, column]
    return seeds


def toy_responses() -> npt.NDArray[np.float32]:
    """Return (C, H, W) class activation maps: for each class a Gaussian that is smaller than the object."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    places = ((18, 25, 3.0, 3.0), (10, 10, 2.8, 2.8), (25, 12, 2.5, 5.0))  # centre and standard deviation in pixels
    gaussians = [np.exp(-(((rows - y) / a) ** 2 + ((columns - x) / b) ** 2) / 2) for y, x, a, b in places]
    return np.stack(gaussians).astype(np.float32)


class ToyInference:
    """The outputs of a network for one toy image, and a list of the labels that a method made from them.

    Args:
        folder: The folder in which the method stores its files.
        earlier: The folder of the stage before, or None.
    """

    def __init__(self, folder: Path, earlier: Path | None = None) -> None:
        self.classes, self.folder, self.earlier = CLASSES, folder, earlier
        rng = np.random.default_rng(0)
        sample = _toy_sample(Kind.SCRIBBLE, rng, "toy")
        rgb = (sample.rgb.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        every = np.ones(len(CLASSES), bool)
        self._image = TrainingImage(
            "toy", rgb, rgb, Hints("toy"), Candidates(sample.sets, sample.candidates), every, every
        )
        self._scores = rng.dirichlet(np.ones(len(CLASSES)), (SIZE, SIZE)).transpose(2, 0, 1).astype(np.float32)
        self.bank = ToyBank()
        self.written: list[npt.NDArray[Any]] = []

    def images(self) -> Iterator[TrainingImage]:
        """Yield the image."""
        yield self._image

    def probabilities(self, image: TrainingImage, *, scales: tuple[float, ...], flip: bool) -> npt.NDArray[np.float32]:
        """Return random probabilities, the same in every call."""
        return self._scores

    def responses(self, image: TrainingImage, *, scales: tuple[float, ...], flip: bool) -> npt.NDArray[np.float32]:
        """Return the maps of `toy_responses`."""
        return toy_responses()

    def pooled(self, image: TrainingImage) -> npt.NDArray[np.float32]:
        """Return eight random numbers."""
        return np.random.default_rng(2).normal(size=8).astype(np.float32)

    def embedding(self, image: TrainingImage) -> npt.NDArray[np.float32]:
        """Return the colours at stride 4: similar within a shape and different between shapes."""
        cells = image.rgb.reshape(SIZE // 4, 4, SIZE // 4, 4, 3).mean(axis=(1, 3)) / 255
        return np.asarray(8 * cells.transpose(2, 0, 1), dtype=np.float32)

    def each(self, work: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        """Do the jobs one after the other."""
        return map(work, jobs)

    def write_labels(self, name: str, labels: npt.NDArray[np.uint8]) -> None:
        """Append the labels to ``written``."""
        self.written.append(labels)

    def write_soft(self, name: str, probabilities: npt.NDArray[np.float32]) -> None:
        """Append the soft labels to ``written``."""
        self.written.append(probabilities)

    def write_subtags(self, name: str, subtags: npt.NDArray[np.int8]) -> None:
        """Append the sub-tags to ``written``."""
        self.written.append(subtags)


def check_method(method: type[Method[Config]]) -> None:
    """Test a method against the contract on toy batches, in about a second.

    It checks that the method can be made with its default settings, that the settings can be written and read as YAML,
    and that an unknown setting is refused. For every kind of hint that the method accepts, and for a batch without
    hints, the loss terms must be finite scalars with a gradient, have the same names, and be the same in every call.
    The batch must not change. At least one kind must give the network a gradient that is not zero. Padding must have no
    influence, and every numeric setting must have one.

    Example:
        >>> from underpaint import check_method
        >>> from underpaint.methods.partial.method import Partial  # or the class of your own method
        >>> check_method(Partial)

    Args:
        method: The class, as in the registry.

    Raises:
        AssertionError: The method breaks a rule, which the message names.
    """
    made = method(_settings(method), CLASSES)
    stages = made.stages()
    assert stages, f"{method.name}: a method must have at least one stage"
    assert len({stage.name for stage in stages}) == len(stages), f"{method.name}: stages need unique names"
    for stage in _own(made):
        _check_stage(made, stage)
    for stage in stages:
        if stage.network.fitted:
            assert _fitted(made, stage) == _fitted(made, stage), f"{made.name}: two fits of a stage differ"
    _check_numbers(method)


def _own(made: Method[Config]) -> list[Stage]:
    """Return the stages that are trained with a loss of this method, not with that of another one."""
    stages = (stage for stage in made.stages() if not isinstance(stage.learner, OtherMethod))
    return [stage for stage in stages if not stage.network.fitted]


class ToyBank:
    """A feature bank whose features are the colours of an image and products of them."""

    penalties = np.ones(9)

    def features(self, rgb: npt.NDArray[np.uint8]) -> ImageFeatures:
        """Return nine features at stride 1."""
        colours = torch.from_numpy(rgb).permute(2, 0, 1).half() / 255
        return ImageFeatures((torch.cat([colours, colours**2, colours.roll(1, 0) * colours]),), rgb.shape[:2])

    def stream(self, images: Iterable[npt.NDArray[np.uint8]]) -> Generator[ImageFeatures, None, None]:
        """Yield the features of many images."""
        yield from map(self.features, images)


def _fitted(made: Method[Config], stage: Stage) -> tuple[bytes, bytes]:
    """Fit the weights of a stage, check their shapes, and return their bytes."""
    with TemporaryDirectory() as folder:
        image = next(ToyInference(Path(folder)).images())
    fitting = Fitting(lambda: iter([image]), ToyBank(), 0, lambda: _toy_pooled(image))
    model = learner_of(made, stage).fit(stage, fitting)
    where = f"{made.name}, stage {stage.name}"
    assert (model.weight.shape, model.bias.shape) == ((len(CLASSES), 9), (len(CLASSES),)), f"{where}: shapes of weights"
    assert np.isfinite(model.weight).all(), f"{where}: the weights are not finite"
    assert np.isfinite(model.bias).all(), f"{where}: the biases are not finite"
    return model.weight.tobytes(), model.bias.tobytes()


def _toy_pooled(image: TrainingImage) -> Iterator[tuple[TrainingImage, npt.NDArray[np.float32]]]:
    """Yield one image with the disc and one with the bar, each with the features of two windows."""
    for label in (1, 2):
        present = np.arange(len(CLASSES)) == label
        windows = np.random.default_rng(label).random((2, 9), dtype=np.float32)
        yield replace(image, present=present, allowed=present | (np.arange(len(CLASSES)) == 0)), windows


def _check_stage(made: Method[Config], stage: Stage) -> None:
    where = f"{made.name}, stage {stage.name}"
    names: set[frozenset[str]] = set()
    reached = False
    for kind in (*sorted(made.accepts), None):
        batch = _staged(toy_batch(kind), stage)
        for part in (batch, _first(batch)):
            terms, network = _terms(made, stage, part)
            names.add(frozenset(terms))
            _check_terms(made, stage, part, terms, kind)
            reached |= kind is not None and _gradient(terms, network) > 0
    assert reached, f"{where}: no accepted kind of hint gives the network a gradient"
    assert len(names) == 1, f"{where}: the names of the terms depend on the batch: {sorted(map(sorted, names))}"
    _check_padding(made, stage)


def _staged(batch: Batch, stage: Stage) -> Batch:
    """Add sub-tags to the batch if the stage learns from them: for every class the first sub-category."""
    if not stage.network.subclasses:
        return batch
    subtags = torch.zeros((len(batch.ids), len(CLASSES), stage.network.subclasses), dtype=torch.int8)
    subtags[:, :, 0] = 1
    return replace(batch, subtags=subtags)


def _settings(method: type[Method[Config]]) -> Config:
    settings = method.Settings()
    text = yaml.safe_dump(settings.model_dump(mode="json"))
    assert method.Settings.parse(yaml.safe_load(text)) == settings, f"{method.name}: YAML changes the settings"
    try:
        method.Settings.parse({"no_such_setting": 1})
    except ConfigError:
        return settings
    raise AssertionError(f"{method.name}: an unknown setting is accepted")


def _terms(made: Method[Config], stage: Stage, batch: Batch, progress: Progress = LATE) -> tuple[Terms, nn.Module]:
    torch.manual_seed(0)
    learner = learner_of(made, stage)
    network = ToyNetwork(len(CLASSES), heads_of(made, stage), subclasses=stage.network.subclasses)
    at = replace(progress, stage=stage.name)
    out = network(batch.image)
    if learner.response_scales(at):
        out = replace(out, responses=torch.from_numpy(toy_responses()).expand(len(batch.ids), -1, -1, -1))
    with torch.no_grad():
        labels = learner.make_labels(out, batch, at)
    return learner.loss(replace(out, labels=labels), batch, at), network


def _check_terms(made: Method[Config], stage: Stage, batch: Batch, terms: Terms, kind: Kind | None) -> None:
    where = f"{made.name}, stage {stage.name}, on {kind or 'no hints'}"
    before = {item.name: getattr(batch, item.name) for item in fields(batch)}
    copies = {name: value.clone() for name, value in before.items() if isinstance(value, Tensor)}
    again, _ = _terms(made, stage, batch)
    for name, value in copies.items():
        assert torch.equal(value, before[name]), f"{where}: the method changed {name} of the batch"
    for name, term in terms.items():
        assert term.ndim == 0, f"{where}: term {name!r} has shape {tuple(term.shape)}, but must be a scalar"
        assert bool(torch.isfinite(term)), f"{where}: term {name!r} is {float(term.detach())}"
        assert term.requires_grad, f"{where}: term {name!r} has no gradient; return `nothing(out.logits)`"
        assert torch.equal(term, again[name]), f"{where}: term {name!r} differs between two calls"


def _gradient(terms: Terms, network: nn.Module) -> float:
    torch.autograd.backward(torch.stack(list(terms.values())).sum())
    found = [p.grad.abs().max() for p in network.parameters() if p.grad is not None]
    assert all(bool(torch.isfinite(value)) for value in found), "a gradient is not finite"
    return max((float(value) for value in found), default=0.0)


def _check_padding(made: Method[Config], stage: Stage) -> None:
    """Check that other candidates on padding give the same loss terms."""
    for kind in sorted(made.accepts):
        batch = _staged(toy_batch(kind), stage)
        scrambled = replace(batch, candidates=batch.candidates.masked_fill(~batch.valid, batch.sets.shape[1] - 1))
        first, second = _terms(made, stage, batch)[0], _terms(made, stage, scrambled)[0]
        for name in first:
            assert torch.equal(first[name], second[name]), f"{made.name} on {kind}: padding changes term {name!r}"


def _check_numbers(method: type[Method[Config]]) -> None:
    """Check that every numeric setting, if it alone changes, changes a stage, a label between stages or a loss term.

    The other settings have their defaults, or one setting with a fixed list of values has another of these values.
    """
    for name, value in method.Settings().model_dump().items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        pairs = ((base, base.model_copy(update={name: new})) for base in _bases(method) for new in _others(value))
        assert any(_differs(method, *pair) for pair in pairs), f"{method.name}: {name} has no influence"


def _bases(method: type[Method[Config]]) -> Iterator[Config]:
    base = method.Settings()
    yield base
    for name, field in method.Settings.model_fields.items():
        for word in get_args(field.annotation):
            if isinstance(word, str | int) and word != getattr(base, name):
                yield base.model_copy(update={name: word})


def _others(value: float) -> Iterator[float]:
    if isinstance(value, int):
        yield from (value + 1, max(value - 1, 1))
    else:
        yield from (value * 2 + 0.5, value / 4, 0.9)  # 0.9 is for thresholds between 0 and 1


def _differs(method: type[Method[Config]], one: Config, other: Config) -> bool:
    try:
        if _between(method(one, CLASSES)) != _between(method(other, CLASSES)):
            return True
    except ValidationError:  # the number is out of range, and a stage refuses it
        return False
    for kind in sorted(method.accepts):
        batch = toy_batch(kind)
        if kind in (Kind.SCRIBBLE, Kind.TAG):  # one class is absent, for terms on absent classes
            sets = batch.sets.clone()
            sets[:, 0, 1] = False
            batch = replace(batch, sets=sets)
        made = [method(settings, CLASSES) for settings in (one, other)]
        pairs = zip(*map(_own, made), strict=True)
        for pair, progress in product(pairs, (Progress(0, 100), Progress(10, 100), LATE)):
            staged = _staged(batch, pair[0])
            values = [_values(each, stage, staged, progress) for each, stage in zip(made, pair, strict=True)]
            if values[0] != values[1]:
                return True
    return False


def _between(made: Method[Config]) -> tuple[object, ...]:
    """Return the stages, the weights of the fitted ones, and the bytes of the labels made between stages."""
    written: list[npt.NDArray[Any]] = []
    earlier: Path | None = None
    with TemporaryDirectory() as root:
        for stage in made.stages()[1:]:
            if stage.labels is None:
                earlier = None
                continue
            folder = Path(root, stage.name)
            folder.mkdir()
            infer = ToyInference(folder, earlier)
            stage.labels.make(infer)
            written += infer.written
            earlier = folder
    fitted = [_fitted(made, stage) for stage in made.stages() if stage.network.fitted]
    return [_outline(stage) for stage in made.stages()], fitted, [array.tobytes() for array in written]


def _outline(stage: Stage) -> Stage:
    """Return the stage without its loss and label maker, whose settings are tested by their results."""
    other = stage.learner if isinstance(stage.learner, OtherMethod) else None
    return stage.model_copy(update={"learner": other, "labels": None})


def _values(made: Method[Config], stage: Stage, batch: Batch, progress: Progress) -> list[float]:
    return [float(term.detach()) for term in _terms(made, stage, batch, progress)[0].values()]


def _first(batch: Batch) -> Batch:
    """Return a batch of only the first image."""
    named = [item.name for item in fields(batch) if item.name not in ("mean", "std")]
    kept = {name: value[:1] for name in named if isinstance(value := getattr(batch, name), Tensor | tuple)}
    return replace(batch, **kept)  # type: ignore[arg-type]  # the record's own fields
