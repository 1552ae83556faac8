"""The loop: one network, one loss, one stage."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from underpaint.core.config import Config
from underpaint.core.errors import InterruptionError, LearningError
from underpaint.core.rng import derive
from underpaint.core.stop import stop_requests
from underpaint.data.hinted import HintedImages
from underpaint.data.sampling import BatchSampler, Sampling, SamplingConfig
from underpaint.methods.stage import Learner
from underpaint.models.network import Network
from underpaint.models.responses import response_maps
from underpaint.models.tensors import load_into
from underpaint.records import Batch, NetOutput, Progress, Terms
from underpaint.training.checkpoint import (
    Checkpoint,
    Logged,
    Tensors,
    load_checkpoint,
    optimiser_tensors,
    restore_optimiser,
    save_checkpoint,
)
from underpaint.training.config import TrainConfig
from underpaint.training.loading import explained, load_batches
from underpaint.training.optimise import WeightAverage, learning_rate, make_optimiser, set_rate
from underpaint.training.reporter import Reporter
from underpaint.training.run_folder import EventLog

LOG_EVERY = 10
"""Steps between two lines of the event log, each the mean over them."""

BAD_STEPS = 10
"""Steps in a row without a finite loss after which training stops."""


class Given:
    """A batch and where the training stands, in a form that Fabric does not look into.

    It would round every number of a batch to the arithmetic of the training: in bfloat16 a box's corner at 300 pixels
    to a multiple of 2, and colours to 8 bits. What may be rounded is for autocast to say.
    """

    def __init__(self, batch: Batch, progress: Progress) -> None:
        self.batch, self.progress = batch, progress


class LossModule(nn.Module):
    """Network and loss in one forward pass, so that precision and process groups wrap both."""

    def __init__(self, network: Network, learner: Learner[Config]) -> None:
        super().__init__()
        self.network = network
        self.learner = learner

    def forward(self, given: Given) -> Terms:
        """Loss terms of a batch."""
        batch, at = given.batch, given.progress
        out = self.network.on(batch)
        scales = self.learner.response_scales(at)
        if scales:
            out = replace(out, responses=self._responses(out, batch, scales))
        with torch.no_grad():
            labels = self.learner.make_labels(out, batch, at)
        return self.learner.loss(replace(out, labels=labels), batch, at)

    def _responses(self, out: NetOutput, batch: Batch, scales: tuple[float, ...]) -> Tensor:
        """(N, C, h, w) on the grid of the logits; the look at scale 1 is the one that has been taken already."""
        assert out.tag_maps is not None, f"{self.learner.name} asks for responses without a tag head"
        size = (out.logits.shape[2], out.logits.shape[3])
        self.network.eval()  # no dropout, and no batch statistics from other scales
        try:
            others = tuple(scale for scale in scales if scale != 1)
            total = response_maps(self.network, batch.image, scales=others, flip=False, size=size)
        finally:
            self.network.train()
        if 1 in scales:
            seen = out.tag_maps.detach().float().relu()
            total += F.interpolate(seen, size, mode="bilinear", align_corners=False)
        return total


class Meter:
    """Means of the loss terms and the rate since the last report.

    Args:
        first: Steps done before.
        logged: Where the log stood after them.
        batch: Images a step.
        events: Log of the run.
        reporter: Watches.
    """

    def __init__(self, first: int, logged: Logged, batch: int, events: EventLog, reporter: Reporter) -> None:
        self.batch, self.events, self.reporter = batch, events, reporter
        self.sums: dict[str, float] = defaultdict(float, logged.sums)
        self.since, self.begun, self.seconds = logged.since, first, time.perf_counter()

    def logged(self) -> Logged:
        """Where the log stands, for a checkpoint."""
        return Logged(self.since, dict(self.sums))

    def add(self, terms: Mapping[str, float]) -> None:
        """Count the terms of a step."""
        for name, value in terms.items():
            self.sums[name] += value

    def report(self, done: int, lr: float) -> None:
        """Log and show the means, and begin anew."""
        now = time.perf_counter()
        rate = (done - self.begun) * self.batch / (now - self.seconds)
        means = {f"loss/{name}": total / (done - self.since) for name, total in self.sums.items()}
        self.events.write("steps", done, lr=lr, images_per_second=rate, **means)
        self.reporter.advance(done, rate, means)
        self.sums.clear()
        self.since, self.begun, self.seconds = done, done, now


class Loop:
    """Trains one stage from its first step, or from its last checkpoint, to its end.

    Args:
        network: With its initial weights; trained in place.
        learner: Gives the loss.
        images: Training samples.
        config: Settings of the optimisation.
        stage: Name of the stage.
        inputs: Fingerprint of all that the stage's weights depend on; a checkpoint made from others is not taken.
        steps: Optimiser steps in the stage.
        seed: Of order and dropout.
        folder: Of the stage; checkpoints go to ``folder/checkpoints``.
        reporter: Watches.
        sampling: How often each image is drawn.
    """

    def __init__(
        self,
        network: Network,
        learner: Learner[Config],
        images: HintedImages,
        config: TrainConfig,
        *,
        stage: str,
        inputs: str,
        steps: int,
        seed: int,
        folder: Path,
        reporter: Reporter,
        sampling: SamplingConfig,
    ) -> None:
        self.sampling = Sampling.of(images, sampling)
        self.network, self.images, self.config = network, images, config
        self.stage, self.inputs, self.steps, self.seed = stage, inputs, steps, seed
        self.folder, self.reporter = folder, reporter
        self.fabric = make_fabric(config)
        self.network.to(memory_format=torch.channels_last)
        self.optimiser = make_optimiser(network, config)
        self.average = WeightAverage(network, config.ema) if config.ema else None
        self.first, self.logged = self._restore()
        self.module, self.wrapped = self.fabric.setup(LossModule(network, learner), self.optimiser)

    def _restore(self) -> tuple[int, Logged]:
        """Step to go on from, and what its event log has still to tell."""
        held = load_checkpoint(self.folder / "checkpoints", self.inputs)
        if held is None:
            return 0, Logged(0, {})
        load_into(self.network, held.weights, self.folder / "checkpoints")
        restore_optimiser(self.optimiser, held.optimiser)
        if self.average is not None and held.average is not None:
            self.average.state = held.average
        return held.step, held.logged

    def run(self, events: EventLog) -> Tensors:
        """Train to the end of the stage and return the weights that predict.

        Raises:
            LearningError: the loss was not finite `BAD_STEPS` times in a row; the last checkpoint is kept.
            RunError: the loading processes ended; the last checkpoint is kept.
            InterruptionError: a signal asked for the end; a checkpoint of the last step is kept.
        """
        self.network.train()
        self.reporter.start(self.stage, self.steps, self.first)
        meter = Meter(self.first, self.logged, self.config.batch, events, self.reporter)
        bad = 0
        where = f"stage {self.stage}"
        with stop_requests() as asked, explained(self.config.workers, where), closing(self._batches()) as batches:
            for done, parts in enumerate(batches, start=self.first + 1):
                progress = Progress(done - 1, self.steps, self.stage)
                terms, finite = self._step(parts, progress)
                if not finite:
                    bad = self._bad_step(bad + 1, progress, terms, events)
                    continue
                bad = 0
                if self.average is not None:
                    self.average.update(self.network, progress.step)
                meter.add(terms)
                if done % LOG_EVERY == 0 or done == self.steps:
                    meter.report(done, self.optimiser.param_groups[-1]["lr"])
                stop = asked.number if done < self.steps else None
                if stop or done % self.config.checkpoint_every == 0 or done == self.steps:
                    self._save(done, meter.logged())
                if stop:
                    raise InterruptionError(
                        f"interrupted after step {done} of {self.steps}",
                        fix="the same command goes on from here; `train` wants --resume with it",
                        number=stop,
                    )
        self._note_skipped(events)
        self.reporter.finish()
        return self.average.state if self.average is not None else self.network.state_dict()

    def _batches(self) -> Generator[list[Batch], None, None]:
        """The batches of each step from the first on, in ``accumulate`` parts."""
        config = self.config
        parts = config.accumulate
        sampling = self.sampling
        stream = BatchSampler(
            len(self.images),
            config.batch // parts,
            (self.first * parts, self.steps * parts),
            seed=derive(self.seed, "order"),
            group=sampling.group,
            share=sampling.share,
            weights=sampling.weights,
        )
        network = self.network
        loaded = load_batches(self.images, stream, workers=config.workers, mean=network.mean, std=network.std)
        held: list[Batch] = []
        with closing(loaded):
            for batch in loaded:
                held.append(batch)
                if len(held) == parts:
                    yield held
                    held = []

    def _step(self, parts: list[Batch], progress: Progress) -> tuple[dict[str, float], bool]:
        """One optimiser step; skipped where a term is not finite."""
        set_rate(self.optimiser, learning_rate(progress, self.config))
        self.optimiser.zero_grad(set_to_none=True)
        # Dropout draws from the global generator; seeding it from the step leaves no state to save.
        torch.manual_seed(derive(self.seed, self.stage, progress.step) % 2**63)
        totals: dict[str, float] = defaultdict(float)
        for batch in parts:
            terms: dict[str, Tensor] = self.module(Given(batch.to(self.fabric.device), progress))
            values = {name: float(value.detach()) for name, value in terms.items()}
            for name, value in values.items():
                totals[name] += value / len(parts)
            if not all(torch.isfinite(torch.tensor(list(values.values())))):
                return totals, False
            self.fabric.backward(torch.stack(list(terms.values())).sum() / len(parts))
        if self.config.gradient_clip:
            norm = self.fabric.clip_gradients(
                self.module, self.wrapped, max_norm=self.config.gradient_clip, error_if_nonfinite=False
            )
            if norm is not None and not bool(torch.isfinite(norm)):
                return {**totals, "gradient": float(norm)}, False
        self.wrapped.step()
        return totals, True

    def _bad_step(self, bad: int, progress: Progress, terms: Mapping[str, float], events: EventLog) -> int:
        names = [name for name, value in terms.items() if not torch.isfinite(torch.tensor(value))]
        events.write("not-finite", progress.step, terms=names)
        self.reporter.note(f"step {progress.step}: {', '.join(names)} not finite; step skipped")
        if bad >= BAD_STEPS:
            raise LearningError(
                f"{', '.join(names)} was not finite {bad} times in a row, up to step {progress.step}",
                where=f"stage {self.stage}",
                fix="lower train.lr; the last good checkpoint is kept",
            )
        return bad

    def _save(self, step: int, logged: Logged) -> None:
        save_checkpoint(
            self.folder / "checkpoints",
            Checkpoint(
                step,
                self.network.state_dict(),
                optimiser_tensors(self.optimiser),
                self.average.state if self.average is not None else None,
                logged,
            ),
            self.inputs,
        )

    def _note_skipped(self, events: EventLog) -> None:
        skipped = self.images.unreadable
        if skipped:
            events.write("unreadable", self.steps, images=sorted(skipped))
            self.reporter.note(f"{len(skipped)} unreadable image(s) were left out: {', '.join(sorted(skipped)[:5])}")


def make_fabric(config: TrainConfig) -> Fabric:
    """The device and the arithmetic of a recipe."""
    precision: Any = precision_of(config)
    return Fabric(accelerator="auto", devices=1, precision=precision)


def precision_of(config: TrainConfig) -> str:
    """The arithmetic that ``auto`` stands for on this machine, or the one asked for."""
    if config.precision != "auto":
        return config.precision
    return "bf16-mixed" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "32-true"
