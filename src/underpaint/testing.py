"""`check_method`: does a method keep the contract? For the methods here and for anybody's own."""

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
"""Late in training, when every term has set in."""


class ToyNetwork(nn.Module):
    """Two convolutions with every head: enough to send gradients through.

    Args:
        classes: C.
        needs: Heads to fill.
        subclasses: K, sub-categories of every class.
    """

    def __init__(self, classes: int, needs: frozenset[Head], *, subclasses: int = 0) -> None:
        super().__init__()
        self.needs, self.subclasses = needs, subclasses
        self.body = nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
        self.head, self.tags = nn.Conv2d(8, classes, 1), nn.Linear(8, classes)
        self.variance = nn.Conv2d(8, 1, 1)
        self.sub = nn.Linear(8, classes * subclasses) if subclasses else None

    def forward(self, image: Tensor) -> NetOutput:
        """Logits at stride 4 and the heads that are needed."""
        held = self.body(image)
        pooled = held.mean(dim=(2, 3))
        return NetOutput(
            logits=self.head(held),
            size=(image.shape[2], image.shape[3]),
            tag_logits=self.tags(pooled) if Head.TAGS in self.needs else None,
            tag_maps=self.tags(held.movedim(1, 3)).movedim(3, 1) if Head.TAGS in self.needs else None,
            sub_logits=self.sub(pooled).view(len(pooled), -1, self.subclasses) if self.sub is not None else None,
            features=held if Head.FEATURES in self.needs else None,
            variance=nn.functional.softplus(self.variance(held)) if Head.VARIANCE in self.needs else None,
            embedding=held if Head.EMBEDDING in self.needs else None,
        )


def toy_batch(kind: Kind | None, *, images: int = 2, seed: int = 0) -> Batch:
    """Images of a disc and a bar on noisy ground, with one kind of hint, or with none.

    The right fifth of the images is padding.
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
    # The bar is there, the disc is hidden from the tags of every second image, so that tags differ.
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
    """(C, H, W): for every class of the toy images a hill, smaller than what shows it, as response maps have it."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    places = ((18, 25, 3.0, 3.0), (10, 10, 2.8, 2.8), (25, 12, 2.5, 5.0))  # middle, and spread in pixels
    hills = [np.exp(-(((rows - y) / a) ** 2 + ((columns - x) / b) ** 2) / 2) for y, x, a, b in places]
    return np.stack(hills).astype(np.float32)


class ToyInference:
    """A network's view of one toy image, and a list of what a method made of it.

    Args:
        folder: For whatever the method keeps.
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
        self.written: list[npt.NDArray[Any]] = []

    def images(self) -> Iterator[TrainingImage]:
        """The one image."""
        yield self._image

    def probabilities(self, image: TrainingImage, *, scales: tuple[float, ...], flip: bool) -> npt.NDArray[np.float32]:
        """Random, the same every time."""
        return self._scores

    def features(self, image: TrainingImage) -> npt.NDArray[np.float32]:
        """Eight channels at stride 4."""
        return np.random.default_rng(1).normal(size=(8, SIZE // 4, SIZE // 4)).astype(np.float32)

    def responses(self, image: TrainingImage, *, scales: tuple[float, ...], flip: bool) -> npt.NDArray[np.float32]:
        """Hills, the same every time."""
        return toy_responses()

    def pooled(self, image: TrainingImage) -> npt.NDArray[np.float32]:
        """Eight numbers."""
        return np.random.default_rng(2).normal(size=8).astype(np.float32)

    def embedding(self, image: TrainingImage) -> npt.NDArray[np.float32]:
        """The colours at stride 4, far apart between the shapes and near within."""
        cells = image.rgb.reshape(SIZE // 4, 4, SIZE // 4, 4, 3).mean(axis=(1, 3)) / 255
        return np.asarray(8 * cells.transpose(2, 0, 1), dtype=np.float32)

    def each(self, work: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        """One after the other."""
        return map(work, jobs)

    def write_labels(self, name: str, labels: npt.NDArray[np.uint8]) -> None:
        """Keep them."""
        self.written.append(labels)

    def write_soft(self, name: str, probabilities: npt.NDArray[np.float32]) -> None:
        """Keep them."""
        self.written.append(probabilities)

    def write_subtags(self, name: str, subtags: npt.NDArray[np.int8]) -> None:
        """Keep them."""
        self.written.append(subtags)


def check_method(method: type[Method[Config]]) -> None:
    """Test a method against the contract on toy batches, in about a second.

    Checks: the defaults construct and survive YAML; an unknown setting is refused; for every kind that the method
    accepts, and for a batch about which nothing is known, the terms are scalars with the same names, finite, on the
    graph, and repeatable; the batch stays as it was; some accepted kind sends a gradient to the network; padding has no
    influence; every number among the settings has one.

    Example:
        >>> from underpaint import check_method
        >>> from underpaint.methods.partial.method import Partial  # or the class of your own method
        >>> check_method(Partial)

    Args:
        method: The class, as it would stand in the registry.

    Raises:
        AssertionError: naming the rule that is broken.
    """
    made = method(_settings(method), CLASSES)
    stages = made.stages()
    assert stages, f"{method.name}: there must be one stage or more"
    assert len({stage.name for stage in stages}) == len(stages), f"{method.name}: stages need unique names"
    for stage in _own(made):
        _check_stage(made, stage)
    for stage in stages:
        if stage.network.fitted:
            assert _fitted(made, stage) == _fitted(made, stage), f"{made.name}: the fit changes from call to call"
    _check_numbers(method)


def _own(made: Method[Config]) -> list[Stage]:
    """The stages that a loss of the method trains, not that of another method."""
    stages = (stage for stage in made.stages() if not isinstance(stage.learner, OtherMethod))
    return [stage for stage in stages if not stage.network.fitted]


class ToyBank:
    """Colours of an image, and products of them, as its features."""

    penalties = np.ones(9)

    def features(self, rgb: npt.NDArray[np.uint8]) -> ImageFeatures:
        """Nine features at stride 1."""
        colours = torch.from_numpy(rgb).permute(2, 0, 1).half() / 255
        return ImageFeatures((torch.cat([colours, colours**2, colours.roll(1, 0) * colours]),), rgb.shape[:2])

    def stream(self, images: Iterable[npt.NDArray[np.uint8]]) -> Generator[ImageFeatures, None, None]:
        """The same of many images."""
        yield from map(self.features, images)


def _fitted(made: Method[Config], stage: Stage) -> tuple[bytes, bytes]:
    """The weights of a stage that is fitted, after a check of their shapes."""
    with TemporaryDirectory() as folder:
        image = next(ToyInference(Path(folder)).images())
    fitting = Fitting(lambda: iter([image]), ToyBank(), 0, lambda: _toy_pooled(image))
    model = learner_of(made, stage).fit(stage, fitting)
    said = f"{made.name}, stage {stage.name}"
    assert (model.weight.shape, model.bias.shape) == ((len(CLASSES), 9), (len(CLASSES),)), f"{said}: shapes of weights"
    assert np.isfinite(model.weight).all(), f"{said}: the weights are not finite"
    assert np.isfinite(model.bias).all(), f"{said}: the biases are not finite"
    return model.weight.tobytes(), model.bias.tobytes()


def _toy_pooled(still: TrainingImage) -> Iterator[tuple[TrainingImage, npt.NDArray[np.float32]]]:
    """One image with the disc and one with the bar, two windows of each."""
    for label in (1, 2):
        present = np.arange(len(CLASSES)) == label
        looks = np.random.default_rng(label).random((2, 9), dtype=np.float32)
        yield replace(still, present=present, allowed=present | (np.arange(len(CLASSES)) == 0)), looks


def _check_stage(made: Method[Config], stage: Stage) -> None:
    said = f"{made.name}, stage {stage.name}"
    names: set[frozenset[str]] = set()
    reached = False
    for kind in (*sorted(made.accepts), None):
        batch = _staged(toy_batch(kind), stage)
        for part in (batch, _first(batch)):
            terms, network = _terms(made, stage, part)
            names.add(frozenset(terms))
            _check_terms(made, stage, part, terms, kind)
            reached |= kind is not None and _gradient(terms, network) > 0
    assert reached, f"{said}: no accepted kind of hint sends a gradient to the network"
    assert len(names) == 1, f"{said}: the names of the terms change with the batch: {sorted(map(sorted, names))}"
    _check_padding(made, stage)


def _staged(batch: Batch, stage: Stage) -> Batch:
    """The batch with sub-tags, where a stage learns from them: of every class the first."""
    if not stage.network.subclasses:
        return batch
    subtags = torch.zeros((len(batch.ids), len(CLASSES), stage.network.subclasses), dtype=torch.int8)
    subtags[:, :, 0] = 1
    return replace(batch, subtags=subtags)


def _settings(method: type[Method[Config]]) -> Config:
    settings = method.Settings()
    text = yaml.safe_dump(settings.model_dump(mode="json"))
    assert method.Settings.parse(yaml.safe_load(text)) == settings, f"{method.name}: settings do not survive YAML"
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
    said = f"{made.name}, stage {stage.name}, on {kind or 'no hints'}"
    before = {item.name: getattr(batch, item.name) for item in fields(batch)}
    copies = {name: value.clone() for name, value in before.items() if isinstance(value, Tensor)}
    again, _ = _terms(made, stage, batch)
    for name, value in copies.items():
        assert torch.equal(value, before[name]), f"{said}: the batch's {name} was changed"
    for name, term in terms.items():
        assert term.ndim == 0, f"{said}: term {name!r} is no scalar but {tuple(term.shape)}"
        assert bool(torch.isfinite(term)), f"{said}: term {name!r} is {float(term.detach())}"
        assert term.requires_grad, f"{said}: term {name!r} is not on the graph; return `nothing(out.logits)`"
        assert torch.equal(term, again[name]), f"{said}: term {name!r} changes from call to call"


def _gradient(terms: Terms, network: nn.Module) -> float:
    torch.autograd.backward(torch.stack(list(terms.values())).sum())
    found = [p.grad.abs().max() for p in network.parameters() if p.grad is not None]
    assert all(bool(torch.isfinite(value)) for value in found), "a gradient is not finite"
    return max((float(value) for value in found), default=0.0)


def _check_padding(made: Method[Config], stage: Stage) -> None:
    """What lies on padding must not matter: other candidates there give the same terms."""
    for kind in sorted(made.accepts):
        batch = _staged(toy_batch(kind), stage)
        scrambled = replace(batch, candidates=batch.candidates.masked_fill(~batch.valid, batch.sets.shape[1] - 1))
        first, second = _terms(made, stage, batch)[0], _terms(made, stage, scrambled)[0]
        for name in first:
            assert torch.equal(first[name], second[name]), f"{made.name} on {kind}: padding changes term {name!r}"


def _check_numbers(method: type[Method[Config]]) -> None:
    """Every numeric setting, changed alone, changes a stage, a label made between two, or some term at some time.

    Under the defaults, or under another choice of one setting that is a choice between words or numbers.
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
        yield from (value * 2 + 0.5, value / 4, 0.9)  # the last for thresholds of shares


def _differs(method: type[Method[Config]], one: Config, other: Config) -> bool:
    try:
        if _between(method(one, CLASSES)) != _between(method(other, CLASSES)):
            return True
    except ValidationError:  # a number beyond what the settings accept, which a stage refuses
        return False
    for kind in sorted(method.accepts):
        batch = toy_batch(kind)
        if kind in (Kind.SCRIBBLE, Kind.TAG):  # with a class that the image does not show, for terms on absent classes
            sets = batch.sets.clone()
            sets[:, 0, 1] = False
            batch = replace(batch, sets=sets)
        made = [method(settings, CLASSES) for settings in (one, other)]
        pairs = zip(*map(_own, made), strict=True)
        for pair, progress in product(pairs, (Progress(0, 100), Progress(10, 100), LATE)):
            seen = _staged(batch, pair[0])
            values = [_values(each, stage, seen, progress) for each, stage in zip(made, pair, strict=True)]
            if values[0] != values[1]:
                return True
    return False


def _between(made: Method[Config]) -> tuple[object, ...]:
    """The stages, the weights of those that are fitted, and the bytes of what is made before each but the first."""
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
    """The stage without its own loss and label maker: whether their settings matter shows in what they return."""
    other = stage.learner if isinstance(stage.learner, OtherMethod) else None
    return stage.model_copy(update={"learner": other, "labels": None})


def _values(made: Method[Config], stage: Stage, batch: Batch, progress: Progress) -> list[float]:
    return [float(term.detach()) for term in _terms(made, stage, batch, progress)[0].values()]


def _first(batch: Batch) -> Batch:
    """The batch's first image alone."""
    named = [item.name for item in fields(batch) if item.name not in ("mean", "std")]
    kept = {name: value[:1] for name in named if isinstance(value := getattr(batch, name), Tensor | tuple)}
    return replace(batch, **kept)  # type: ignore[arg-type]  # the record's own fields
