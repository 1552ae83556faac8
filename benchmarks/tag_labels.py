"""How good labels from tags are, from the classifier to the walk, on frozen features: minutes instead of trainings.

    python benchmarks/tag_labels.py DATA TAGS --keep DIR [--split train_official] [--fit train_official] [--every 3]

The linear classifier is fitted on the tags of the split ``--fit``, with and without a bias and at several penalties.
Maps at several scales, and labels after affinities and walk, are scored with the masks of every so manieth photograph
of ``--split``: for diagnosis, a person with tags alone has no masks. Features are those of the encoder at stride 32, at
four scales and without mirroring; they are kept in ``--keep``, 1 MB a photograph. Scores are pooled over every fourth
pixel of each fourth row. The affinities, and the linear model of pixels that corrects the labels after the walk, are
learned on the photographs that are scored. One line of JSON a setting.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize
from torch import Tensor
from torch.nn import functional as F

from underpaint.core.classes import ClassTable
from underpaint.data.samples import TrainingImage
from underpaint.datasets.folder import DataFolder
from underpaint.datasets.hints import read_any_hints
from underpaint.datasets.open import open_dataset
from underpaint.features.bank import FeatureBank
from underpaint.features.rows import fit_rows, marked_rows
from underpaint.features.tag_linear import fit_tags, windows
from underpaint.hints.candidates import ImageKnowledge, build_candidates
from underpaint.hints.rasterise import UNKNOWN
from underpaint.hints.types import Hints
from underpaint.imagefiles.images import read_rgb
from underpaint.methods.sc_cam.labels import PairConfig, _Job, _pair_labels
from underpaint.methods.sc_cam.losses import affinity_loss
from underpaint.methods.sc_cam.pixels import DENSITY, PENALTY
from underpaint.methods.sc_cam.walk import WalkConfig, WalkedLabels, labelled
from underpaint.methods.tags.maps import Background, Scores, resized, scored, tagged
from underpaint.models.config import ModelConfig
from underpaint.models.embedding import LinearEmbedding
from underpaint.models.linear import LinearHead
from underpaint.models.network import Network
from underpaint.records import Head

Floats = npt.NDArray[np.float32]
Size = tuple[int, int]

SCALES = (0.5, 1.0, 1.5, 2.0)
LOOKS = {"1": (1.0,), "1, 2": (1.0, 2.0), "0.5 to 2": SCALES}
PENALTIES = (0.15, 0.3, 0.75, 2.3)
WALKS = ((8.0, 8.0, 0), (8.0, 8.0, 32), (16.0, 8.0, 0), (16.0, 8.0, 32), (16.0, 8.0, 64), (24.0, 8.0, 32))
BACKGROUNDS: tuple[tuple[Background, float], ...] = (
    *(("constant", level) for level in (0.1, 0.15, 0.2, 0.3)),
    *(("power", level) for level in (4.0, 8.0, 16.0)),
)
SURE = (0.0, 0.6)
MODEL_PENALTIES = (0.001, 0.003, 0.01, 0.03)
PASSES, RATE, BATCH = 10, 1e-2, 4


class Features:
    """Features of photographs at all scales, computed once and kept."""

    def __init__(self, data: DataFolder, folder: Path) -> None:
        self.data, self.folder = data, folder
        self.network = Network(ModelConfig(architecture="linear"), 2, needs={Head.TAGS}).eval()
        folder.mkdir(parents=True, exist_ok=True)

    @torch.inference_mode()
    def of(self, name: str, scales: tuple[float, ...] = SCALES) -> dict[str, Tensor]:
        """``d`` and the scale: deepest features; ``s16``: those at stride 16, scale 1."""
        path = self.folder / f"{name}.pt"
        held: dict[str, Tensor] = torch.load(path) if path.is_file() else {}
        if missing := [scale for scale in scales if f"d{scale:g}" not in held]:
            rgb = torch.from_numpy(read_rgb(self.data.images[name])).permute(2, 0, 1)[None].float() / 255
            image = self.network.normalised(rgb)
            for scale in missing:
                size = [max(32, 32 * round(side * scale / 32)) for side in image.shape[2:]]
                seen = F.interpolate(image, size, mode="bilinear", antialias=scale < 1)
                levels = self.network.encoder(seen.contiguous(memory_format=torch.channels_last))
                held[f"d{scale:g}"] = levels[5][0].half().contiguous()
                if scale == 1:
                    held["s16"] = levels[4][0].half().contiguous()
            torch.save(held, path)
        return held

    @torch.inference_mode()
    def wide(self, deepest: Tensor) -> Tensor:
        """(F, h, w) what a tag head works on."""
        return self.network.wide(deepest[None].float())[0]


def fit_with_bias(rows: Floats, present: npt.NDArray[np.bool_], penalty: float) -> Floats:
    """The weights of `fit_tags` with a bias beside them, for comparison."""
    level = float(np.sqrt(np.mean(np.square(rows, dtype=np.float64))))
    columns = np.concatenate([rows / level, np.ones((len(rows), 1), np.float32)], axis=1)
    signs = np.where(present, 1.0, -1.0)

    def problem(numbers: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        weights = numbers.reshape(present.shape[1], -1)
        margins = signs * (columns @ weights.T)
        slope = -signs / (1 + np.exp(np.minimum(margins, 80))) / len(columns)
        gradient = slope.T @ columns
        gradient[:, :-1] += 2 * penalty * weights[:, :-1]
        return float(
            np.logaddexp(0, -margins).mean(0).sum() + penalty * np.square(weights[:, :-1]).sum()
        ), gradient.ravel()

    start = np.zeros(present.shape[1] * columns.shape[1])
    found = minimize(problem, start, jac=True, method="L-BFGS-B", options={"maxiter": 300, "maxcor": 20}).x
    return np.asarray(found.reshape(present.shape[1], -1)[:, :-1] / level, np.float32)


class Score:
    """Confusion matrices by setting, of all photographs and of those with several tags."""

    def __init__(self, classes: ClassTable) -> None:
        self.classes = classes
        self.counts: dict[str, npt.NDArray[np.int64]] = defaultdict(self._empty)
        self.several: dict[str, npt.NDArray[np.int64]] = defaultdict(self._empty)

    def _empty(self) -> npt.NDArray[np.int64]:
        return np.zeros((len(self.classes), len(self.classes)), np.int64)

    def add(self, setting: str, labels: npt.NDArray[np.uint8], truth: npt.NDArray[np.uint8], tags: int) -> None:
        """Count a photograph."""
        known, size = truth != UNKNOWN, len(self.classes)
        pairs = truth[known].astype(np.int64) * size + labels[known]
        matrix = np.bincount(pairs, minlength=size * size).reshape(size, size)
        self.counts[setting] += matrix
        if tags > 1:
            self.several[setting] += matrix

    def say(self) -> None:
        """One line a setting."""
        for setting, matrix in self.counts.items():
            each = dict(zip(self.classes.names, _ious(matrix).round(1).tolist(), strict=True))
            scores = {
                "miou": _ious(matrix).mean().round(1),
                "several_tags": _ious(self.several[setting]).mean().round(1),
            }
            print(json.dumps({"labels": setting, **scores, **each}), flush=True)


def _ious(matrix: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    hit = np.diag(matrix)
    return np.asarray(100 * hit / np.maximum(matrix.sum(0) + matrix.sum(1) - hit, 1))


def responses(
    features: Features,
    held: dict[str, Tensor],
    weight: Floats,
    scales: tuple[float, ...],
    size: Size,
    rivals: npt.NDArray[np.int64] | None = None,
) -> Floats:
    """(C, ceil(H/4), ceil(W/4)) sums of the positive maps over the scales; the rivals compete for the cells."""
    cells = (-(-size[0] // 4), -(-size[1] // 4))
    total, signed = torch.zeros(len(weight), *cells), torch.zeros(len(weight), *cells)
    for scale in scales:
        maps = torch.einsum("cf,fhw->chw", torch.from_numpy(weight), features.wide(held[f"d{scale:g}"]))
        total += F.interpolate(maps.relu()[None], cells, mode="bilinear")[0]
        signed += F.interpolate(maps[None], cells, mode="bilinear")[0] / len(scales)
    if rivals is not None:
        among = torch.from_numpy(rivals)
        total[among] *= torch.exp(signed[among] - signed[among].amax(dim=0))
    return total.numpy()


def learned_embedding(
    cells: dict[str, list[Tensor]], pairs: dict[str, Tensor], background: int | None
) -> LinearEmbedding:
    """Trained on whole photographs with the loss of PSA."""
    torch.manual_seed(0)
    first = next(iter(cells.values()))
    embedding = LinearEmbedding([level.shape[0] for level in first]).train()
    names, rng = sorted(pairs), np.random.default_rng(0)
    steps = PASSES * len(names) // BATCH
    optimiser = torch.optim.AdamW(embedding.parameters(), RATE, weight_decay=1e-4)
    order: Iterator[str] = (names[i] for _ in range(PASSES + 1) for i in rng.permutation(len(names)))
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = RATE * (1 - step / steps)
        optimiser.zero_grad()
        for _ in range(BATCH):
            name = next(order)
            made = embedding([level[None].float() for level in cells[name]])
            labels = F.interpolate(pairs[name][None, None].float(), made.shape[2:], mode="nearest-exact")[0].byte()
            loss = affinity_loss(made, labels, background=background, form="feature", radius=5) / BATCH
            torch.autograd.backward(loss)
        optimiser.step()
    return embedding.eval()


@torch.inference_mode()
def say_modelled(
    data: DataFolder, network: Network, shares: dict[str, Scores], known: dict[str, ImageKnowledge]
) -> None:
    """Score the labels of linear models of pixels, fitted on what the walk is sure of in all photographs."""
    classes, bank, score = data.classes, FeatureBank(network, None), Score(data.classes)
    read = {name: read_rgb(data.images[name]) for name in shares}

    def images(sure: float) -> Iterator[TrainingImage]:
        for name, rgb in read.items():
            labels = labelled(shares[name], (rgb.shape[0], rgb.shape[1]), sure)
            said = known[name]
            made = build_candidates(said, labels, np.empty((0, 4)), (), classes.background)
            yield TrainingImage(name, rgb, rgb, Hints(image=name), made, ~said.absent, said.present)

    models = {}
    for sure in SURE:
        rows = marked_rows(images(sure), bank, len(classes), density=DENSITY)
        for penalty in MODEL_PENALTIES if sure == SURE[-1] else (PENALTY,):
            models[sure, penalty] = fit_rows(rows, classes.background, penalty=penalty * bank.penalties)
    for name, rgb in read.items():
        levels = [level[None].float() for level in bank.features(rgb).levels]
        truth, kept = data.mask(name).read(classes)[2::4, 2::4], shares[name]
        walked = resized(kept.values, (rgb.shape[0], rgb.shape[1]))[:, 2::4, 2::4]
        for (sure, penalty), model in models.items():
            head = LinearHead([level.shape[1] for level in levels], len(classes))
            head.set_weights(torch.from_numpy(model.weight), torch.from_numpy(model.bias))
            full = [side + -side % network.divisor for side in rgb.shape[:2]]
            found = F.interpolate(head(levels), full, mode="bilinear")[0, :, : rgb.shape[0], : rgb.shape[1]]
            mine = found.numpy()[kept.classes][:, 2::4, 2::4]
            mine = np.exp(mine - mine.max(axis=0))
            tags = len(tagged(known[name].present, classes.background))
            for setting, values in (("model", mine), ("model x walk", mine * walked)):
                labels = Scores(kept.classes, values, background=kept.background).labels()
                score.add(f"{setting}, sure {sure:g}, penalty {penalty:g}", labels, truth, tags)
    score.say()


def main() -> None:
    """Fit, look, walk, score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("tags", type=Path)
    parser.add_argument("--keep", type=Path, required=True)
    parser.add_argument("--split", default="train_official")
    parser.add_argument("--fit", default="train_official")
    parser.add_argument("--every", type=int, default=3)
    parser.add_argument("--most", type=int, help="at most so many of them")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    data = open_dataset(asked.data)
    classes, features = data.classes, Features(data, asked.keep)
    hints, _ = read_any_hints([asked.tags], data)
    known = {name: ImageKnowledge.of(hint, classes) for name, hint in hints.items()}
    fitted = [name for name in data.split(asked.fit) if name in known]
    rows = np.concatenate([windows(features.wide(features.of(name, (1.0,))["d1"]).numpy()) for name in fitted])
    present = np.repeat(np.stack([known[name].present for name in fitted]), 5, axis=0)
    told = present | np.repeat(np.stack([known[name].absent for name in fitted]), 5, axis=0)
    if classes.background is not None:
        told[:, classes.background] = False
    weights = {f"penalty {penalty}": fit_tags(rows, present, told, penalty=penalty) for penalty in PENALTIES}
    weights["penalty 0.75, with a bias"] = fit_with_bias(rows, present, 0.75)
    names = [name for name in data.split(asked.split) if name in known][:: asked.every][: asked.most]
    score, usual = Score(classes), weights["penalty 0.3"]
    cells: dict[str, list[Tensor]] = {}
    pairs: dict[str, Tensor] = {}
    for name in names:
        held, rgb, flags = features.of(name), read_rgb(data.images[name]), known[name].present
        tags, size = len(tagged(flags, classes.background)), (rgb.shape[0], rgb.shape[1])
        if not tags:
            continue
        truth = data.mask(name).read(classes)[2::4, 2::4]
        for fit, weight in weights.items():
            for looks, scales in LOOKS.items():
                if weight is not usual and scales != SCALES:
                    continue
                full = resized(responses(features, held, weight, scales, size), (truth.shape[0], truth.shape[1]))
                for kind, level in BACKGROUNDS:
                    made = scored(full, flags, background=classes.background, kind=kind, level=level)
                    setting = f"maps, {fit}, scales {looks}, background {kind} {level:g}"
                    score.add(setting, made.labels(), truth, tags)
        rivals = tagged(flags, classes.background)
        full = resized(responses(features, held, usual, SCALES, size, rivals), (truth.shape[0], truth.shape[1]))
        for kind, level in BACKGROUNDS:
            made = scored(full, flags, background=classes.background, kind=kind, level=level)
            score.add(f"maps, competing, background {kind} {level:g}", made.labels(), truth, tags)
        seen = _Job(name, rgb, responses(features, held, usual, SCALES, size, rivals), flags, classes.background)
        pairs[name] = torch.from_numpy(_pair_labels(seen, config=PairConfig())[1])
        cells[name] = [held["s16"], held["d1"]]
    score.say()
    embedding, walked = learned_embedding(cells, pairs, classes.background), Score(classes)
    shares: dict[str, Scores] = {}
    for name in pairs:
        held, truth, flags = features.of(name), data.mask(name).read(classes), known[name].present
        tags, size = len(tagged(flags, classes.background)), (truth.shape[0], truth.shape[1])
        with torch.inference_mode():
            found = embedding([level[None].float() for level in cells[name]])[0].numpy()
        objects = tagged(flags, classes.background)
        for words, among in {"": None, "competing, ": objects}.items():
            maps = responses(features, held, usual, SCALES, size, among)
            for alpha, exponent, steps in WALKS:
                maker = WalkedLabels(WalkConfig(walk_alpha=alpha, walk_exponent=exponent, walk_steps=steps), classes)
                made = maker.walked(maps, flags, found, size)
                labels = labelled(made, size, 0.0)
                setting = f"walk, {words}alpha {alpha:g}, exponent {exponent:g}, steps {steps}"
                walked.add(setting, labels[2::4, 2::4], truth[2::4, 2::4], tags)
                if among is not None and (alpha, exponent, steps) == WALKS[1]:
                    shares[name] = made
    walked.say()
    say_modelled(data, features.network, shares, known)


if __name__ == "__main__":
    main()
