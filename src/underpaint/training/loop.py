"""The training loop of one stage: one network and one loss."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import chain
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
from underpaint.data.sampling import BatchSampler, OwnBatches, Sampling, SamplingConfig
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
from underpaint.training.ranks import Ranks
from underpaint.training.reporter import Reporter
from underpaint.training.run_folder import EventLog
from underpaint.training.summing import RunningStatistics, sum_gradients

LOG_EVERY = 10
"""Number of steps between two lines of the event log. A line has the means over these steps."""

BAD_STEPS = 10
"""Number of consecutive steps without a finite loss after which training stops."""

WARM, TIMED = 2, 6
"""Steps before `Loop.step_seconds` looks at the clock (memory is claimed, kernels are compiled), and steps it times."""


class BatchAtStep:
    """A batch and the progress of the training, in a class whose tensors Fabric does not convert.

    Fabric would round every number of a batch to the precision of the training: in bfloat16 the corner of a box at 300
    pixels becomes a multiple of 2, and colours have 8 bits. Autocast decides instead what is rounded.
    """

    def __init__(self, batch: Batch, progress: Progress) -> None:
        self.batch, self.progress = batch, progress


class LossModule(nn.Module):
    """Network and loss in one forward pass, so that the precision setting applies to both.

    Args:
        network: The network.
        learner: The loss.
        teacher: The average of the weights from whose output labels are made; None for the output of the step.
    """

    def __init__(self, network: Network, learner: Learner[Config], teacher: WeightAverage | None = None) -> None:
        super().__init__()
        self.network, self.teacher = network, teacher
        self.learner = learner

    def forward(self, given: BatchAtStep) -> Terms:
        """Loss terms of a batch."""
        batch, at = given.batch, given.progress
        out = self.network.on(batch)
        scales = self.learner.response_scales(at)
        if scales:
            out = replace(out, responses=self._responses(out, batch, scales))
        with torch.no_grad():
            seen = out if self.teacher is None else self._taught(batch, self.teacher.state)
            labels = self.learner.make_labels(seen, batch, at)
        return self.learner.loss(replace(out, labels=labels), batch, at)

    def _taught(self, batch: Batch, state: Tensors) -> NetOutput:
        """The output of the network with these weights, without dropout and batch statistics."""
        self.network.eval()
        try:
            return self.network.on(batch, state)
        finally:
            self.network.train()

    def _responses(self, out: NetOutput, batch: Batch, scales: tuple[float, ...]) -> Tensor:
        """(N, C, h, w) class activation maps on the grid of the logits. Scale 1 uses the output of the step itself."""
        assert out.tag_maps is not None, f"{self.learner.name} needs class activation maps, but has no tag head"
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
    """Means of the loss terms, and the number of images per second, since the last report.

    Args:
        first: Number of steps done by earlier sessions.
        logged: State of the event log after these steps.
        batch: Number of images in a step.
        events: Event log of the run.
        reporter: Is told about progress.
    """

    def __init__(self, first: int, logged: Logged, batch: int, events: EventLog, reporter: Reporter) -> None:
        self.batch, self.events, self.reporter = batch, events, reporter
        self.sums: dict[str, float] = defaultdict(float, logged.sums)
        self.since, self.begun, self.seconds = logged.since, first, time.perf_counter()

    def logged(self) -> Logged:
        """State of the event log, for a checkpoint."""
        return Logged(self.since, dict(self.sums))

    def add(self, terms: Mapping[str, float]) -> None:
        """Add the loss terms of a step."""
        for name, value in terms.items():
            self.sums[name] += value

    def report(self, done: int, lr: float) -> None:
        """Log and show the means, and reset the sums."""
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
        network: The network with its initial weights; it is trained in place.
        learner: Computes the loss.
        images: The training samples.
        config: Settings of the optimisation.
        stage: Name of the stage.
        inputs: Fingerprint of everything that the weights of the stage depend on. A checkpoint with another fingerprint
            is not used.
        steps: Number of optimiser steps in the stage.
        seed: Seed of the order of the images and of dropout.
        folder: Folder of the stage; checkpoints are written to ``folder/checkpoints``.
        reporter: Is told about progress.
        sampling: Settings that decide how often each image is drawn.
        ranks: The processes that train together; None for this one alone. All of them run the same loop: each computes
            its parts of every batch, and the leader alone writes.
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
        ranks: Ranks | None = None,
    ) -> None:
        self.ranks = ranks or Ranks(make_fabric(config))
        self.sampling = Sampling.of(images, sampling)
        self.network, self.images, self.config = network, images, config
        self.stage, self.inputs, self.steps, self.seed = stage, inputs, steps, seed
        self.folder, self.reporter = folder, reporter
        self.fabric = self.ranks.fabric
        self.network.to(memory_format=torch.channels_last)
        self.optimiser = make_optimiser(network, config)
        self.average = WeightAverage(network, config.ema) if config.ema else None
        fresh = network.linear is None
        self.teacher = WeightAverage(network, learner.teacher, fresh=fresh) if learner.teacher else None
        self.first, self.logged = self._restore()
        for average in (self.average, self.teacher):
            if average is not None:
                average.to(self.fabric.device)
        self.module, self.wrapped = self.fabric.setup(LossModule(network, learner, self.teacher), self.optimiser)

    def _restore(self) -> tuple[int, Logged]:
        """The number of steps done before, and the state of the event log after them."""
        held = self.ranks.on_leader("reading the checkpoint", self._initial_checkpoint)
        if held is None:
            return 0, Logged(0, {})
        load_into(self.network, held.weights, self.folder / "checkpoints")
        restore_optimiser(self.optimiser, held.optimiser)
        if self.average is not None and held.average is not None:
            self.average.load(held.average)
        if self.teacher is not None and held.teacher is not None:
            self.teacher.load(held.teacher)
        return held.step, held.logged

    def _initial_checkpoint(self) -> Checkpoint | None:
        """The last checkpoint. For several ranks without one, the initial state, so that all begin with the same."""
        held = load_checkpoint(self.folder / "checkpoints", self.inputs)
        if held is not None or self.ranks.count == 1:
            return held
        return self._checkpoint(0, Logged(0, {}))

    def _checkpoint(self, step: int, logged: Logged) -> Checkpoint:
        average, teacher = (None if each is None else each.state for each in (self.average, self.teacher))
        return Checkpoint(step, self.network.state_dict(), optimiser_tensors(self.optimiser), average, teacher, logged)

    def run(self, events: EventLog) -> Tensors:
        """Train to the end of the stage.

        Args:
            events: Event log of the run; `Unlogged` on a rank that does not lead.

        Returns:
            The state of the trained network: the weight average if there is one, otherwise the last weights.

        Raises:
            LearningError: The loss was not finite `BAD_STEPS` times in a row; the last checkpoint is kept.
            RunError: The loading processes ended; the last checkpoint is kept.
            InterruptionError: The process received a signal to stop; a checkpoint of the last step is kept.
        """
        self.network.train()
        self.reporter.start(self.stage, self.steps, self.first)
        meter = Meter(self.first, self.logged, self.config.batch, events, self.reporter)
        bad = 0
        where = f"stage {self.stage}"
        with (
            stop_requests() as asked,
            explained(self.config.workers, where),
            closing(self._batches(self.steps)) as batches,
        ):
            for done, parts in enumerate(batches, start=self.first + 1):
                progress = Progress(done - 1, self.steps, self.stage)
                terms, finite = self._step(parts, progress)
                if not finite:
                    bad = self._bad_step(bad + 1, progress, terms, events)
                    continue
                bad = 0
                for average in (self.average, self.teacher):
                    if average is not None:
                        average.update(self.network, progress.step)
                meter.add(terms)
                if done % LOG_EVERY == 0 or done == self.steps:
                    meter.report(done, self.optimiser.param_groups[-1]["lr"])
                number = max(self.ranks.gather("the end of a step", asked.number or 0))  # of a signal to any rank
                stop = number if done < self.steps else 0
                if stop or done % self.config.checkpoint_every == 0 or done == self.steps:
                    self.ranks.on_leader("writing a checkpoint", partial(self._save, done, meter.logged()))
                if stop:
                    raise InterruptionError(
                        f"interrupted after step {done} of {self.steps}",
                        fix="give the same command again to continue from here; `train` needs --resume for it",
                        number=stop,
                    )
        self._note_skipped(events)
        self.reporter.finish()
        return self.average.state if self.average is not None else self.network.state_dict()

    def step_seconds(self) -> float:
        """Seconds of a step, loading included: the mean of `TIMED` steps after `WARM` others, as the stage will end.

        The last step has every loss term, also those that begin late. The network is changed, nothing is written.

        Raises:
            RunError: The loading processes ended.
        """
        self.network.train()
        last = Progress(self.steps - 1, self.steps, self.stage)
        where = f"timing of stage {self.stage}"
        with explained(self.config.workers, where), closing(self._batches(WARM + TIMED)) as batches:
            for number, parts in enumerate(batches):
                if number == WARM:
                    began = time.perf_counter()
                self._step(parts, last)
        return (time.perf_counter() - began) / TIMED

    def _batches(self, steps: int) -> Generator[list[Batch], None, None]:
        """This rank's parts of the batch of each step from `first` on up to ``steps``."""
        config = self.config
        parts = config.accumulate
        own = self.ranks.own(parts)
        sampling = self.sampling
        every = BatchSampler(
            len(self.images),
            config.batch // parts,
            (self.first * parts, steps * parts),
            seed=derive(self.seed, "order"),
            group=sampling.group,
            share=sampling.share,
            weights=sampling.weights,
        )
        stream = every if len(own) == parts else OwnBatches(every, parts, own)
        network = self.network
        loaded = load_batches(self.images, stream, workers=config.workers, mean=network.mean, std=network.std)
        held: list[Batch] = []
        with closing(loaded):
            for batch in loaded:
                held.append(batch)
                if len(held) == len(own):
                    yield held
                    held = []

    def _step(self, parts: list[Batch], progress: Progress) -> tuple[dict[str, float], bool]:
        """One optimiser step, which is skipped if a loss term is not finite."""
        set_rate(self.optimiser, learning_rate(progress, self.config))
        self.optimiser.zero_grad(set_to_none=True)
        statistics = RunningStatistics(self.network, self.ranks)
        own: list[dict[str, float]] = []
        for number, batch in zip(self.ranks.own(self.config.accumulate), parts, strict=True):
            own.append(self._part(number, batch, progress))
            if not _finite(own[-1]):
                break
        totals: dict[str, float] = defaultdict(float)
        for values in chain.from_iterable(self.ranks.gather("the loss of a step", own)):
            for name, value in values.items():
                totals[name] += value / self.config.accumulate
            if not _finite(values):
                statistics.restore()
                return totals, False
        statistics.merge()
        sum_gradients(self.network, self.ranks)
        if self.config.gradient_clip:
            norm = self.fabric.clip_gradients(
                self.module, self.wrapped, max_norm=self.config.gradient_clip, error_if_nonfinite=False
            )
            if norm is not None and not bool(torch.isfinite(norm)):
                return {**totals, "gradient": float(norm)}, False
        self.wrapped.step()
        return totals, True

    def _part(self, number: int, batch: Batch, progress: Progress) -> dict[str, float]:
        """The loss terms of a part of a batch, whose gradients are added to those of this rank's parts before it."""
        # Dropout uses the global generator. Because it is seeded from the step and the part, a checkpoint need not save
        # its state, and it does not matter which rank computes the part.
        part = (number,) if number else ()
        torch.manual_seed(derive(self.seed, self.stage, progress.step, *part) % 2**63)
        terms: dict[str, Tensor] = self.module(BatchAtStep(batch.to(self.fabric.device), progress))
        values = {name: float(value.detach()) for name, value in terms.items()}
        if _finite(values):
            self.fabric.backward(torch.stack(list(terms.values())).sum() / self.config.accumulate)
        return values

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
        save_checkpoint(self.folder / "checkpoints", self._checkpoint(step, logged), self.inputs)

    def _note_skipped(self, events: EventLog) -> None:
        skipped: dict[str, str] = {}
        for unreadable in self.ranks.gather("the end of a stage", self.images.unreadable):
            skipped |= unreadable
        if skipped:
            events.write("unreadable", self.steps, images=sorted(skipped))
            self.reporter.note(f"{len(skipped)} unreadable image(s) were left out: {', '.join(sorted(skipped)[:5])}")


def _finite(values: Mapping[str, float]) -> bool:
    return all(math.isfinite(value) for value in values.values())


def make_fabric(config: TrainConfig) -> Fabric:
    """One device, with the precision that the settings ask for."""
    precision: Any = precision_of(config)
    return Fabric(accelerator="auto", devices=1, precision=precision)


def precision_of(config: TrainConfig) -> str:
    """The precision that is set, or the one that ``auto`` means on this machine."""
    if config.precision != "auto":
        return config.precision
    return "bf16-mixed" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "32-true"
