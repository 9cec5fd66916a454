"""Ranks: processes that `mpiexec` started together, on one machine or several, and that train one network.

Each rank has the whole run and all images. It computes the gradients of its own shards and receives those of the
others; then all ranks add the same gradients in the same order. So after each step all have the same weights, which
need not be sent. MPI itself could add the gradients on their way, but it does not promise an order.
"""

import os
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from itertools import pairwise
from typing import Any, NoReturn, TypeVar

import numpy as np

from digitscope.errors import TrainingError
from digitscope.nn import Params
from digitscope.training.parallel.shards import Shard, ShardResult

Item = TypeVar("Item")

_SIZES = "OMPI_COMM_WORLD_SIZE", "PMI_SIZE"
"""The environment variables in which Open MPI, and MPICH with its relatives, tell a process the number of ranks."""
_SLURM_SIZE, _SLURM_RANK = "SLURM_STEP_NUM_TASKS", "PMIX_RANK"
"""Slurm's; it sets the first one for processes that have nothing to do with MPI, too."""
_POLL_SECONDS = 0.05


class Ranks:
    """The ranks of one training. Every method that communicates has to be called by all of them, in the same order."""

    def __init__(self, communicator: Any) -> None:
        """communicator: an `mpi4py.MPI.Comm`"""
        self.communicator = communicator
        self.rank, self.size = int(communicator.rank), int(communicator.size)

    def part(self, items: Sequence[Item]) -> Sequence[Item]:
        """This rank's part of a sequence: consecutive items, as many as each other rank has, or one more."""
        start, stop = self._bounds(len(items))[self.rank : self.rank + 2]
        return items[start:stop]

    def gather(self, part: Sequence[Item]) -> list[Item]:
        """The parts of all ranks, in their order."""
        return [item for items in self.communicator.allgather(list(part)) for item in items]

    def share(self, value: Any = None) -> Any:
        """The value that rank 0 gives; the other ranks give none. Ranks that wait for another one sleep."""
        request = self.communicator.Ibarrier()
        while not request.Test():
            time.sleep(_POLL_SECONDS)
        return self.communicator.bcast(value)

    def check_device(self, device: str) -> None:
        """Raises: TrainingError unless the device is the CPU."""
        if device != "cpu":
            raise TrainingError(f"Ranks train on the cpu; got the device {device}. Train on it without mpiexec.")

    def threads(self) -> int:
        """The processors of this machine for each rank on it. mpiexec may have assigned other processors to each."""
        from mpi4py import MPI

        own = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
        neighbours = self.communicator.Split_type(MPI.COMM_TYPE_SHARED).allgather(own)
        return max(1, len(set.union(*neighbours)) // len(neighbours))

    def abort(self, status: int) -> NoReturn:
        """Ends the processes of all ranks."""
        self.communicator.Abort(status)
        raise AssertionError("MPI ends this process")

    def _bounds(self, count: int) -> list[int]:
        return [count * rank // self.size for rank in range(self.size + 1)]


class GradientExchange:
    """The gradients of the shards of a batch, each computed by one rank and known to all."""

    def __init__(self, ranks: Ranks, params: Params, shards: int) -> None:
        """`shards` is the largest number of shards of a batch."""
        self.ranks = ranks
        fields = [(name, p.dtype, p.shape) for name, p in params.items()]
        self._rows = np.zeros(shards, np.dtype([("loss", np.float64), ("right", np.int64), *fields], align=True))
        self._names = list(params)
        self._bounds = ranks._bounds(shards)

    def gradients(
        self, shards: Sequence[Shard], compute: Callable[[Sequence[Shard]], Sequence[ShardResult]]
    ) -> list[ShardResult]:
        """The results of all shards of a batch; `compute` gives those of this rank's shards.

        A shard belongs to the same rank in each batch, because its generator is advanced there.
        """
        from mpi4py import MPI

        rows, bounds = self._rows, [min(bound, len(shards)) for bound in self._bounds]
        start, stop = bounds[self.ranks.rank : self.ranks.rank + 2]
        for i, result in enumerate(compute(shards[start:stop]), start):
            rows["loss"][i], rows["right"][i] = result.loss, result.right
            for name in self._names:
                rows[name][i] = result.grads[name]
        starts = [rows.itemsize * bound for bound in bounds]
        sizes = [after - before for before, after in pairwise(starts)]
        message = [rows.view(np.uint8), sizes, starts[:-1], MPI.BYTE]
        self.ranks.communicator.Allgatherv(MPI.IN_PLACE, message)
        return [
            ShardResult(float(rows["loss"][i]), int(rows["right"][i]), {name: rows[name][i] for name in self._names})
            for i in range(len(shards))
        ]

    def share_generators(self, generators: Sequence[np.random.Generator]) -> None:
        """Brings the generator of each shard to where it is on the rank that uses it."""
        states = self.ranks.gather([generator.bit_generator.state for generator in self.ranks.part(generators)])
        for generator, state in zip(generators, states, strict=True):
            generator.bit_generator.state = state


def started_ranks() -> int:
    """The number of ranks that `mpiexec` started this process with; 1 without it."""
    names = (*_SIZES, _SLURM_SIZE) if _SLURM_RANK in os.environ else _SIZES
    return next((int(os.environ[name]) for name in names if name in os.environ), 1)


def mpi_ranks() -> Ranks | None:
    """The ranks that `mpiexec` started; None if this process was not started by it, or is the only one.

    Raises: TrainingError if there is no mpi4py, or one of another MPI than mpiexec's, or if the ranks have different
        versions of Digitscope or NumPy.
    """
    started = started_ranks()
    if started == 1:
        return None
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: there is no MPI library
        raise TrainingError(
            f"A training on several ranks needs mpi4py and the MPI library of mpiexec ({error}). Install "
            "'digitscope[mpi]', or train without mpiexec."
        ) from error
    ranks = Ranks(MPI.COMM_WORLD)
    if started != ranks.size:
        raise TrainingError(
            f"mpiexec started {started} ranks, but mpi4py finds {ranks.size}: it uses another MPI library. Use the "
            f"mpiexec of {MPI.Get_library_version().split(',')[0].strip()}, or install mpi4py for yours."
        )
    installed = ranks.communicator.allgather({name: version(name) for name in ("digitscope", "numpy")})
    for rank, versions in enumerate(installed):
        if versions != installed[0]:
            raise TrainingError(f"All ranks expect the versions of rank 0, {installed[0]}; rank {rank} has {versions}.")
    return ranks
