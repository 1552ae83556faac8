"""What ranks say to each other, how they share parts, statistics and work, and which calls are refused; in threads."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest
import torch
from tests.tiny import TINY
from tests.training.thread_ranks import in_threads
from torch import nn

from underpaint import plan, train
from underpaint.core.errors import ConfigError, DataError, RunError
from underpaint.data.sampling import BatchSampler, OwnBatches
from underpaint.training.config import RunConfig, TrainConfig
from underpaint.training.launched import Launch, launched, started_for
from underpaint.training.ranks import Ranks
from underpaint.training.spread import Spread, Work
from underpaint.training.summing import RunningStatistics, sum_gradients

TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "RANK": "1", "WORLD_SIZE": "4", "GROUP_WORLD_SIZE": "2"}
SRUN = {"SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_NUM_NODES": "2", "SLURM_NTASKS_PER_NODE": "2"}


@pytest.mark.parametrize(
    ("devices", "nodes", "parts", "fits", "batch"), [(2, 1, 3, 4, 8), (2, 2, 2, 4, 8), (3, 1, 1, 3, 9)]
)
def test_devices_that_cannot_share_the_parts_are_refused(
    devices: int, nodes: int, parts: int, fits: int, batch: int
) -> None:
    settings = {"devices": devices, "nodes": nodes, "accumulate": parts}
    with pytest.raises(ConfigError, match=rf"cannot share {parts} part\(s\).*such as {fits} with train.batch={batch}"):
        TrainConfig.parse(settings)
    assert TrainConfig.parse(settings | {"accumulate": fits, "batch": batch}).ranks == devices * nodes


def test_weights_do_not_depend_on_the_number_of_devices() -> None:
    settings = {"method": {"name": "partial"}, "train": {"batch": 8, "accumulate": 4}}
    one = RunConfig.parse(settings)
    four = RunConfig.parse({**settings, "train": {"batch": 8, "accumulate": 4, "devices": 2, "nodes": 2}})
    assert one != four
    assert one.decisive() == four.decisive()


def test_more_devices_than_the_machine_has_are_refused_before_a_folder_is_made(
    scenes: Any, scribbles: Any, tmp_path: Any
) -> None:
    many = ["train.devices=1000", "train.accumulate=1000", "train.batch=2000"]
    with pytest.raises(ConfigError, match=r"train\.devices=1000, and this machine has \d+"):
        train(scenes, tmp_path / "run", hints=scribbles, method="partial", settings=[*TINY, *many])
    assert not (tmp_path / "run").exists()


def test_minutes_are_refused_with_several_devices(scenes: Any, scribbles: Any) -> None:
    settings = [*TINY, "views.crop=[32,32]", "train.batch=4", "train.accumulate=2", "train.devices=2"]
    with pytest.raises(ConfigError, match="timed on one device"):
        plan(scenes, hints=scribbles, method="partial", settings=settings, minutes=1)


def test_the_environment_of_a_launcher_is_read() -> None:
    assert launched({}) is None
    assert launched(TORCHRUN) == Launch("torchrun", 1, 4, 2)
    assert launched(SRUN) == Launch("srun", 3, 4, 2)
    assert launched(TORCHRUN | {"WORLD_SIZE": "1"}) is None
    batch_script = {"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}
    assert launched(batch_script) is None


def test_a_launch_must_be_what_the_settings_say() -> None:
    assert started_for(2, 2, TORCHRUN) == Launch("torchrun", 1, 4, 2)
    assert started_for(2, 2, SRUN) == Launch("srun", 3, 4, 2)
    assert started_for(2, 1, {}) is None, "processes of this machine are started by underpaint"
    assert started_for(1, 1, SRUN) is None, "srun may start trainings that have nothing to do with each other"
    with pytest.raises(ConfigError, match=r"set train\.devices=2 and train\.nodes=2"):
        started_for(1, 1, TORCHRUN)
    with pytest.raises(ConfigError, match=r"srun started 4 processes on 2 machine\(s\)"):
        started_for(4, 1, SRUN)
    with pytest.raises(ConfigError, match="--ntasks-per-node=2"):
        started_for(2, 2, {name: value for name, value in SRUN.items() if name != "SLURM_NTASKS_PER_NODE"})
    with pytest.raises(ConfigError, match="torchrun or srun on every machine"):
        started_for(1, 2, {})


@pytest.mark.parametrize("count", [2, 3])
def test_the_parts_of_all_ranks_are_the_batches_of_one(count: int) -> None:
    parts = 6
    whole = list(BatchSampler(7, 2, (0, 4 * parts), seed=3))
    shares = [parts // count * rank for rank in range(count)]
    own = [
        list(OwnBatches(BatchSampler(7, 2, (2 * parts, 4 * parts), seed=3), parts, range(at, at + parts // count)))
        for at in shares
    ]
    for step in range(2):
        each = parts // count
        together = [keys for mine in own for keys in mine[step * each : (step + 1) * each]]
        assert together == whole[(2 + step) * parts : (3 + step) * parts]


def test_ranks_gather_in_order_and_follow_the_leader() -> None:
    def work(ranks: Ranks) -> tuple[list[int], str, range]:
        said = ranks.gather("here", 10 * ranks.rank)
        return said, ranks.on_leader("there", lambda: f"rank {ranks.rank}"), ranks.own(6)

    assert in_threads(3, work) == [([0, 10, 20], "rank 0", range(2 * r, 2 * r + 2)) for r in range(3)]


def test_the_error_of_a_rank_is_that_of_all_and_the_leader_shows_it() -> None:
    def work(ranks: Ranks) -> None:
        if ranks.rank == 1:
            raise DataError("the photograph is torn")
        ranks.gather("a step", ranks.rank)
        raise AssertionError("the error of the other rank was not heard")

    errors = in_threads(3, work)
    assert [str(error) for error in errors] == ["the photograph is torn"] * 3
    assert [error.shown_by_leader for error in errors if isinstance(error, DataError)] == [False, True, True]


def test_ranks_that_do_different_things_stop() -> None:
    errors = in_threads(2, lambda ranks: ranks.gather(f"place {ranks.rank}", None))
    assert all(isinstance(error, RunError) and "different things: place 0; place 1" in str(error) for error in errors)


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, momentum=0.3), nn.Conv2d(4, 2, 1), nn.Conv2d(2, 2, 1))


def _learn(network: nn.Sequential, images: torch.Tensor) -> None:
    network[:3](images).square().sum().backward()


@pytest.mark.parametrize("count", [2, 4])
def test_gradients_and_statistics_are_those_of_one_process(count: int) -> None:
    parts = torch.randn(4, 2, 3, 5, 5, generator=torch.Generator().manual_seed(1))
    alone = _network().train()
    for images in parts:
        _learn(alone, images)

    def work(ranks: Ranks) -> nn.Sequential:
        network = networks[ranks.rank]
        statistics = RunningStatistics(network, ranks)
        for number in ranks.own(4):
            _learn(network, parts[number])
        statistics.merge()
        sum_gradients(network, ranks)
        return network

    networks = [_network().train() for _ in range(count)]  # here: the generator of the weights is that of all threads
    for network in in_threads(count, work):
        assert isinstance(network, nn.Sequential), network
        for (name, one), other in zip(alone.named_parameters(), network.parameters(), strict=True):
            if one.grad is None:
                assert other.grad is None, f"{name} is not used, and would get weight decay"
                continue
            assert other.grad is not None
            torch.testing.assert_close(other.grad, one.grad, rtol=1e-5, atol=1e-5)
        for (name, kept), held in zip(alone.named_buffers(), network.buffers(), strict=True):
            torch.testing.assert_close(held, kept, rtol=1e-6, atol=1e-6, msg=name)


def test_a_gradient_of_one_rank_alone_reaches_all() -> None:
    def work(ranks: Ranks) -> list[float | None]:
        network = nn.ParameterList([nn.Parameter(torch.zeros(1)) for _ in range(3)])
        if ranks.rank == 1:
            network[0].grad = torch.full((1,), 5.0)
        network[1].grad = torch.tensor([float(ranks.rank + 1)])
        sum_gradients(network, ranks)
        return [None if each.grad is None else float(each.grad) for each in network]

    assert in_threads(2, work) == [[5.0, 3.0, None]] * 2


def _spread(ranks: Ranks, jobs: Any, seen: dict[int, list[int]]) -> list[Any]:
    def work_for(task: str) -> Work:
        def square(job: int) -> tuple[str, int]:
            if job < 0:
                raise DataError(f"job {job} cannot be done")
            seen[ranks.rank].append(job)
            return task, job * job

        return Work(square)

    spread = Spread(ranks, work_for)
    if not ranks.is_leader:
        spread.follow()
        return []
    results = list(spread.shared("outer", jobs(spread)))
    spread.end()
    return results


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("number", [0, 1, 5, 6])
def test_shared_work_gives_results_in_order(count: int, number: int) -> None:
    seen: dict[int, list[int]] = {rank: [] for rank in range(count)}
    leader, *others = in_threads(count, lambda ranks: _spread(ranks, lambda _: range(number), seen))
    assert leader == [("outer", job * job) for job in range(number)]
    assert others == [[]] * (count - 1)
    assert sorted(chain.from_iterable(seen.values())) == list(range(number))
    assert max(len(jobs) for jobs in seen.values()) <= -(-number // count), "the work is not spread evenly"


def test_work_may_begin_while_other_work_is_handed_out() -> None:
    """The jobs of a label maker need the predictions of the network, which all ranks compute when they are needed."""

    def jobs(spread: Spread) -> Iterator[int]:
        for job in range(4):
            if job in (0, 3):
                assert list(spread.shared("inner", range(3))) == [("inner", 0), ("inner", 1), ("inner", 4)]
            yield job

    seen: dict[int, list[int]] = {0: [], 1: []}
    assert in_threads(2, lambda ranks: _spread(ranks, jobs, seen))[0] == [("outer", job * job) for job in range(4)]


def test_results_that_nobody_takes_do_not_stop_the_ranks() -> None:
    def work(ranks: Ranks) -> list[int]:
        spread = Spread(ranks, lambda factor: Work(lambda job: factor * job))
        if not ranks.is_leader:
            spread.follow()
            return []
        first = spread.shared(10, range(9))
        some = [next(first), next(first), next(first)]
        first.close()
        some += spread.shared(-1, range(3))
        spread.end()
        return some

    assert in_threads(2, work) == [[0, 10, 20, 0, -1, -2], []]


def test_the_error_of_shared_work_is_that_of_all_ranks() -> None:
    seen: dict[int, list[int]] = {0: [], 1: []}
    errors = in_threads(2, lambda ranks: _spread(ranks, lambda _: [1, -7, 2, 3, 4, 5], seen))
    assert [str(error) for error in errors] == ["job -7 cannot be done"] * 2
