"""How good the labels are that methods for tags make on the training images, and what they cost.

A user with tags alone has no masks to compare with: on training images it is for diagnosis, and nothing is chosen by
it; ``walk`` and ``reliable`` are for choosing on a split that is neither trained nor tested on.

    python benchmarks/labels.py quality DATA RUN --hints H [--split train] [--artifacts DIR] [--every 4]
    python benchmarks/labels.py walk DATA RUN [--split val] [--artifacts DIR] [--every 4]
    python benchmarks/labels.py reliable DATA RUN [--split val] [--every 4]
    python benchmarks/labels.py step [--threads 2] [--rounds 5] [--classes 7] [--no-background]

``quality`` prints one line of JSON for every background score of the response maps (the classifier that the run kept,
at the scales of its method), for every set of hard labels among the run's artifacts, and for every stage's minutes.
``walk`` prints the labels' score for every background score, sharpening and length of `sc-cam`'s random walk.
``reliable`` compares the reliable pixels of `rrm` by its two refiners: their share, how many of them are right, and the
seconds a photograph.
``step`` prints the parts of a training step of `rrm` at batch 8, crop 256: what a plain step takes, and what looks,
labels and energy add. On a machine with other work the seconds of the cores say more than those of the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from underpaint import plan
from underpaint.core.classes import ClassTable
from underpaint.data.hinted import HintedImages
from underpaint.data.pseudo import PseudoLabels
from underpaint.datasets.folder import DataFolder
from underpaint.datasets.open import open_dataset
from underpaint.evaluation.compare import ImageCounts, count_image, evaluation
from underpaint.features.bank import FeatureBank
from underpaint.hints.rasterise import UNKNOWN, Mask
from underpaint.imagefiles.masks import read_index_mask
from underpaint.losses.candidates import seed_cross_entropy
from underpaint.methods.rrm.labels import reliable_labels
from underpaint.methods.rrm.losses import gated_dense_energy
from underpaint.methods.rrm.method import Rrm, RrmConfig
from underpaint.methods.sc_cam.method import ScCamConfig
from underpaint.methods.sc_cam.walk import WalkConfig, WalkedLabels, labelled
from underpaint.methods.tags.maps import resized, scored
from underpaint.methods.tags.refine import Refiner
from underpaint.models.config import ModelConfig
from underpaint.models.network import Network
from underpaint.models.responses import response_maps
from underpaint.predict.responses import CamPredictor
from underpaint.records import Batch, Head, Progress
from underpaint.simulate.mixture import simulate_tags
from underpaint.training.run_folder import read_events
from underpaint.training.stage_inference import StageInference
from underpaint.workflows.run import Run

CONSTANTS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
POWERS = (2.0, 4.0, 8.0, 16.0, 32.0)
WALKS = [(alpha, 8.0, steps) for alpha in (4.0, 8.0, 16.0) for steps in (0, 8, 16, 32, 64, 256)]
LOOKS = (0.5, 1.0, 1.5, 2.0)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    quality = verbs.add_parser("quality")
    quality.add_argument("data", type=Path)
    quality.add_argument("run", type=Path)
    quality.add_argument("--hints", type=Path, required=True)
    quality.add_argument("--split", default="train")
    quality.add_argument("--artifacts", type=Path, help="where the run kept its stages, if not in itself")
    quality.add_argument("--every", type=int, default=1, help="score every so manieth image")
    for name in ("walk", "reliable"):
        verb = verbs.add_parser(name)
        verb.add_argument("data", type=Path)
        verb.add_argument("run", type=Path)
        verb.add_argument("--split", default="val")
        verb.add_argument("--every", type=int, default=1, help="score every so manieth image")
        if name == "walk":
            verb.add_argument("--artifacts", type=Path, help="where the run kept its stages, if not in itself")
    step = verbs.add_parser("step")
    step.add_argument("--threads", type=int, default=torch.get_num_threads())
    step.add_argument("--rounds", type=int, default=5)
    step.add_argument("--classes", type=int, default=7)
    step.add_argument("--no-background", action="store_true")
    asked = parser.parse_args()
    if asked.verb == "quality":
        measure_quality(asked)
    elif asked.verb == "walk":
        measure_walk(asked)
    elif asked.verb == "reliable":
        measure_reliable(asked)
    else:
        measure_step(asked)


def say(**values: object) -> None:
    """One line of JSON."""
    print(json.dumps(values), flush=True)


def score(counts: list[ImageCounts], classes: ClassTable, split: str) -> dict[str, float | None]:
    """Pooled mIoU and boundary IoU of labels."""
    found = evaluation(classes, split, counts)
    return {"miou": found.scores.miou, "boundary_iou": found.boundary.mean}


def measure_quality(asked: argparse.Namespace) -> None:
    """Response maps at every background score, then the labels of every artifact, then the time of every stage."""
    run = Run(asked.run)
    planned = plan(asked.data, hints=[asked.hints], lenient=True, split=asked.split, method=run.config.method.name)
    data, classes = planned.data, run.classes
    images = HintedImages(data, planned.hints, run.config.views, seed=0)
    scales = tuple(run.config.method.settings["scales"])
    responder = CamPredictor(run.tag_network(), scales=scales, flip=True)
    kinds = [("constant", level) for level in CONSTANTS] + [("power", level) for level in POWERS]
    counts: dict[str, list[ImageCounts]] = defaultdict(list)
    shares: dict[str, list[float]] = defaultdict(list)
    store = asked.artifacts or asked.run / "artifacts"
    made = {path.name: PseudoLabels(path, classes) for path in sorted(store.glob("labels-*"))}
    for still in list(images.training_images())[:: asked.every]:
        truth = read_index_mask(data.masks[still.name], classes)
        full = resized(responder.coarse(still.rgb), (truth.shape[0], truth.shape[1]))
        for kind, level in kinds if classes.background is not None else kinds[:1]:
            scores = scored(
                full,
                still.present,
                background=classes.background,
                kind="power" if kind == "power" else "constant",
                level=level,
            )
            counts[f"cam {kind} {level}"].append(count_image(still.name, truth, scores.labels(), classes))
        for name, held in made.items():
            labels = held.labels(still.name, classes)
            if labels is not None:
                known: Mask = np.where(labels == UNKNOWN, UNKNOWN, truth).astype(np.uint8)
                shares[name].append(float((labels != UNKNOWN).mean()))
                counts[name].append(count_image(still.name, known, np.where(labels == UNKNOWN, 0, labels), classes))
    for name, found in counts.items():
        share = statistics.mean(shares[name]) if name in shares else 1.0
        say(labels=name, share=share, images=len(found), **score(found, classes, asked.split))
    for stage, seconds in stage_seconds(run).items():
        say(stage=stage, minutes=round(seconds / 60, 2))


def tagged_images(data: DataFolder, run: Run, asked: argparse.Namespace) -> tuple[HintedImages, dict[str, Mask]]:
    """Images of a split with the tags that their masks show, and the masks."""
    names = sorted(data.split(asked.split))[:: asked.every]
    truths = {name: read_index_mask(data.masks[name], run.classes) for name in names}
    hints = {name: simulate_tags(truth, run.classes, image=name) for name, truth in truths.items()}
    return HintedImages(data, hints, run.config.views, seed=0), truths


def measure_reliable(asked: argparse.Namespace) -> None:
    """Reliable pixels of the last classifier's maps, by CRF and by PAR."""
    run = Run(asked.run)
    images, truths = tagged_images(open_dataset(asked.data), run, asked)
    behind = run.classes.background
    refiners: tuple[Refiner, ...] = ("crf", "par")
    rules = {name: Rrm(RrmConfig(refiner=name), run.classes).rule() for name in refiners}
    stride = RrmConfig().label_stride
    responder = CamPredictor(run.tag_network(), scales=RrmConfig().scales, flip=False)
    sums: dict[str, Counter[str]] = {name: Counter() for name in rules}
    seconds: dict[str, float] = dict.fromkeys(rules, 0.0)
    for still in images.training_images():
        responses = responder.coarse(still.rgb)
        size = (still.rgb.shape[1] // stride, still.rgb.shape[0] // stride)
        small = np.array(Image.fromarray(still.rgb).resize(size, Image.Resampling.BOX))
        truth = truths[still.name][stride // 2 :: stride, stride // 2 :: stride][: size[1], : size[0]]
        valid = np.ones(truth.shape, bool)
        for name, rule in rules.items():
            began = time.process_time()
            labels = reliable_labels(responses, still.present, small, valid, background=behind, rule=rule)
            seconds[name] += time.process_time() - began
            known, right = (labels != UNKNOWN) & (truth != UNKNOWN), labels == truth
            ground, thing = known & (labels == behind), known & (labels != behind)
            sums[name].update(
                pixels=int((truth != UNKNOWN).sum()),
                behind=int((truth == behind).sum()),
                ground=int(ground.sum()),
                thing=int(thing.sum()),
                ground_right=int((ground & right).sum()),
                thing_right=int((thing & right).sum()),
            )
    for refiner, count in sums.items():
        say(
            refiner=refiner,
            images=len(truths),
            labelled=round((count["ground"] + count["thing"]) / count["pixels"], 3),
            background_found=round(count["ground_right"] / count["behind"], 3),
            background_right=round(count["ground_right"] / count["ground"], 3),
            objects_right=round(count["thing_right"] / count["thing"], 3),
            core_seconds=round(seconds[refiner] / len(truths), 3),
        )


def measure_walk(asked: argparse.Namespace) -> None:
    """Labels of the walk on a split whose tags are read off its masks."""
    run = Run(asked.run)
    data, classes = open_dataset(asked.data), run.classes
    store = asked.artifacts or asked.run / "artifacts"
    held = max(store.glob("trained-affinity-*/weights.safetensors"), key=lambda path: path.stat().st_mtime)
    settings = run.config.method.settings
    decodes = settings["affinity_encoder"] == "trained"
    network = Network(
        run.config.model, len(classes), needs=frozenset({Head.EMBEDDING}), decodes=decodes, pretrained=False
    )
    network.load_state_dict(load_file(held))
    images, truths = tagged_images(data, run, asked)
    bank = FeatureBank.frozen(run.config.model, None)
    infer = StageInference(network.eval(), images, asked.run, store=asked.run, given={}, bank=lambda: bank)
    responder = CamPredictor(run.tag_network(), scales=tuple(settings["scales"]), flip=True)
    counts: dict[str, list[ImageCounts]] = defaultdict(list)
    for still in images.training_images():
        responses, embedding = responder.coarse(still.rgb), infer.embedding(still)
        truth = truths[still.name]
        for alpha, exponent, steps in WALKS:
            changed = {"walk_alpha": alpha, "walk_exponent": exponent, "walk_steps": steps}
            maker = WalkedLabels(ScCamConfig.parse(settings | changed).part(WalkConfig), classes)
            labels = labelled(maker.walked(responses, still.present, embedding, truth.shape), truth.shape, 0.0)
            counts[f"alpha {alpha} exponent {exponent} steps {steps}"].append(
                count_image(still.name, truth, labels, classes)
            )
    for name, found in counts.items():
        say(walk=name, images=len(found), **score(found, classes, asked.split))


def stage_seconds(run: Run) -> dict[str, float]:
    """Training time of every stage that the run trained itself, from the rates in its log."""
    seconds: dict[str, float] = defaultdict(float)
    done: dict[str, int] = defaultdict(int)
    for event, _ in read_events(run.root / "events.jsonl"):
        if event["event"] == "steps":
            images = (event["step"] - done[event["stage"]]) * run.config.train.batch
            seconds[event["stage"]] += images / event["images_per_second"]
            done[event["stage"]] = event["step"]
    return seconds


def toy(classes: int, size: int, mean: torch.Tensor, std: torch.Tensor) -> Batch:
    """Eight smooth images with two tagged classes each."""
    draw = torch.Generator().manual_seed(0)
    rgb = torch.rand(8, 3, size // 8, size // 8, generator=draw)
    rgb = torch.nn.functional.interpolate(rgb, size=(size, size), mode="bilinear").clamp(0, 1)
    tags = torch.zeros(8, classes, dtype=torch.bool)
    for n in range(8):
        tags[n, [1 + n % (classes - 1), 1 + (n + 2) % (classes - 1)]] = True
    return Batch(
        rgb=rgb,
        valid=torch.ones(8, size, size, dtype=torch.bool),
        candidates=torch.zeros(8, size, size, dtype=torch.uint8),
        sets=torch.ones(8, 1, classes, dtype=torch.bool),
        tags=tags,
        tags_known=torch.ones_like(tags),
        boxes=(torch.zeros(0, 4),) * 8,
        box_classes=(torch.zeros(0, dtype=torch.long),) * 8,
        ids=tuple(map(str, range(8))),
        mean=mean,
        std=std,
    )


def measure_step(asked: argparse.Namespace) -> None:
    """Parts of a step, each the median over the rounds."""
    torch.set_num_threads(asked.threads)
    names = ("background", *(f"class{i}" for i in range(1, asked.classes)))
    classes = ClassTable.of(names, None if asked.no_background else "background")
    network = Network(ModelConfig(), asked.classes, needs=frozenset({Head.TAGS})).train()
    network.to(memory_format=torch.channels_last)
    batch = toy(asked.classes, 256, network.mean, network.std)
    seeds = torch.randint(0, asked.classes, (8, 256, 256), generator=torch.Generator().manual_seed(1)).byte()

    def plain() -> None:
        network.zero_grad()
        torch.autograd.backward(seed_cross_entropy(network.on(batch), seeds))

    out = network.on(batch)
    grid = (out.logits.shape[2], out.logits.shape[3])

    def look(scale: float) -> None:
        response_maps(network, batch.image, scales=(scale,), flip=False, size=grid)

    seen = replace(out, responses=response_maps(network, batch.image, scales=RrmConfig().scales, flip=False, size=grid))
    makers = {
        f"labels {refiner} stride {stride}": Rrm(RrmConfig(refiner=refiner, label_stride=stride), classes)
        for refiner in ("crf", "par")
        for stride in (1, 2, 4)
    }
    coarse = makers["labels crf stride 2"].make_labels(seen, batch, Progress(0, 1))
    assert coarse is not None

    def energy() -> None:
        logits = out.logits.detach().requires_grad_()
        reach = 100 * logits.shape[2] / 256
        torch.autograd.backward(
            gated_dense_energy(
                logits, batch.rgb, batch.valid, coarse, sigma_xy=reach, sigma_rgb=15 / 255, gradient="reference"
            )
        )

    whole = timed(plain, asked.rounds)
    say(part="plain step", seconds=round(whole[0], 3), core_seconds=round(whole[1], 3), threads=asked.threads)
    works: dict[str, Callable[[], object]] = {f"look at {scale}": partial(look, scale) for scale in LOOKS if scale != 1}
    works["energy"] = energy
    for name, maker in makers.items():
        works[name] = partial(maker.make_labels, seen, batch, Progress(0, 1))
    for name, work in works.items():
        clock, cores = timed(work, asked.rounds)
        share = round(cores / whole[1], 3)
        say(part=name, seconds=round(clock, 3), core_seconds=round(cores, 3), share_of_plain_step=share)


def timed(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median seconds of a call, by the clock and of all cores together, after one call to warm up."""
    work()
    clock, cores = [], []
    for _ in range(rounds):
        began = time.perf_counter(), time.process_time()
        work()
        clock.append(time.perf_counter() - began[0])
        cores.append(time.process_time() - began[1])
    return statistics.median(clock), statistics.median(cores)


if __name__ == "__main__":
    main()
