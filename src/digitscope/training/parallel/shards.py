"""One shard of a batch: its gradient, computed here or by a helper, a process beside this one."""

import mmap
import os
import pickle
import secrets
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Thread
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

import numpy as np

from digitscope.arrays import Array
from digitscope.nn import Loss, Network, Params, to_batch
from digitscope.training.parallel.blas import blas_threads
from digitscope.training.parallel.device import Transfer
from digitscope.training.parallel.memory import keep_freed_memory

PATIENCE = 0.005
"""Seconds that a process looks for the next message before it goes to sleep."""

Augmentation = Callable[[Array, np.random.Generator], Array]
"""(images uint8 (N, H, W), rng) -> a network's input, float32 (H W, N)"""


class Task(NamedTuple):
    """What a gradient depends on, whatever the shard."""

    learner: Network
    loss: Loss
    images: Array
    labels: Array
    augment: Augmentation | None
    """What is done to images before the network learns from them."""
    transfer: Transfer | None = None
    """What brings its input to the network's device."""


class Shard(NamedTuple):
    """A part of a batch, learned from at once."""

    rows: slice | Array
    """Which of the task's images."""
    share: float
    """The shard's size over the batch's: the loss of the batch is sum(share * loss of shard)."""
    rng: np.random.Generator
    """Where its randomness comes from; learning moves it on."""


class ShardResult(NamedTuple):
    """What a shard adds to its batch."""

    loss: float
    right: int
    """Images with the label of their largest output."""
    grads: Params


def learn(task: Task, shard: Shard) -> ShardResult:
    """The shard's part of its batch's loss, how many images it got right, and its part of the gradient."""
    rows, share, rng = shard
    images, labels = task.images[rows], task.labels[rows]
    with np.errstate(over="ignore", invalid="ignore"):  # What overflows makes the loss not finite, which is looked at.
        inputs = to_batch(images) if task.augment is None else task.augment(images, rng)
        if task.transfer is not None:
            inputs, labels = task.transfer(inputs), task.transfer(labels)
        outputs, backward = task.learner.forward(inputs, training=True, rng=rng, need_dx=False)
        loss, loss_backward = task.loss.forward(outputs, labels)
        right, grads = task.loss.count_right(outputs, labels), backward(loss_backward(share))[1]
        return ShardResult(share * loss, right, grads)


class WorkerPool:
    """Processes that learn shards: two threads of Python wait for each other around every call of NumPy, processes
    do not.

    Weights and gradients lie in memory that all of them see (`SharedBuffers`). By pipes they are sent the images when
    they start, and then which of them are in their shards; losses come back. So it does not matter who computes which
    shard, and those of a worker that fails (it was killed; the network has a layer that only the main script knows) are
    computed here. Workers join in when they have started, some tenths of a second after the others began.
    """

    def __init__(self, count: int, task: Task, shards: int) -> None:
        self.count, self.task, self.shards = count, task, shards
        self.ready: list[subprocess.Popen[bytes]] = []
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        if self.count and sys.executable:
            params = self.task.learner.params
            size = 4 * sum(p.size for p in params.values()) * (1 + self.shards)  # bytes
            # Where there is no such memory, or no other process may be started, all is learned here.
            with suppress(OSError), _share(size) as shared:
                self._board = SharedBuffers(shared.memory, params, self.shards)
                for _ in range(self.count):
                    self._processes.append(_start(shared, self.shards))
        for process in self._processes:
            Thread(target=self._welcome, args=(process,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
            for pipe in _pipes(process):
                with suppress(OSError):
                    pipe.close()

    def learn(self, shards: Sequence[Shard]) -> list[ShardResult]:
        """As `learn` for each shard of a batch, with the helpers that are ready."""
        helpers = list(self.ready)
        if helpers:
            _copy(self.task.learner.params, self._board.weights)
        deals = [range(i, len(shards), len(helpers) + 1) for i in range(len(helpers) + 1)]
        for helper, deal in zip(helpers, deals, strict=False):
            with suppress(OSError):  # One that is gone is noticed below.
                _send(_pipes(helper)[0], [(i, *_pack(shards[i])) for i in deal])
        learned = {i: learn(self.task, shards[i]) for i in deals[-1]}
        for helper, deal in zip(helpers, deals, strict=False):
            try:
                answers = _receive(_pipes(helper)[1])
            except (OSError, EOFError, pickle.PickleError):
                self.ready.remove(helper)
                learned.update({i: learn(self.task, shards[i]) for i in deal})
            else:
                for i, (loss, right, state) in zip(deal, answers, strict=True):
                    shards[i].rng.bit_generator.state = state
                    learned[i] = ShardResult(loss, right, self._board.grads[i])
        return [learned[i] for i in range(len(shards))]

    def _welcome(self, process: subprocess.Popen[bytes]) -> None:
        """Tells a helper what it is to do, and has it join in once it is ready."""
        # A network, loss or augmentation that cannot be sent is no error: then all is learned here.
        with suppress(OSError, ValueError, TypeError, AttributeError, pickle.PickleError):
            tasks, answers = _pipes(process)
            _send(tasks, self.task)
            if answers.read(1):
                self.ready.append(process)


def _pack(shard: Shard) -> tuple[slice | Array, float, Mapping[str, Any]]:
    """A shard as it is sent: a generator's state takes a tenth of the time that the generator takes."""
    return shard.rows, shard.share, shard.rng.bit_generator.state


def _send(pipe: IO[bytes], what: object) -> None:
    pickle.dump(what, pipe, protocol=5)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    """What comes next. The next message is often near, and to wake a process up takes longer than many messages: so
    this looks for it a while, in which others may have the processor, before it sleeps until it comes.
    """
    if hasattr(select, "poll"):  # Windows has none
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        end = time.perf_counter() + PATIENCE
        while not poll.poll(0) and time.perf_counter() < end:
            os.sched_yield()
    return pickle.load(pipe)


class SharedBuffers:
    """Memory that a process and its helpers see: the weights, and a gradient for each shard of a batch."""

    def __init__(self, memory: mmap.mmap, params: Params, shards: int) -> None:
        sizes = [p.size for p in params.values()]
        self.weights, *self.grads = (
            {
                name: part.reshape(p.shape)
                for (name, p), part in zip(params.items(), np.split(row, np.cumsum(sizes)[:-1]), strict=True)
            }
            for row in np.frombuffer(memory, np.float32).reshape(1 + shards, -1)
        )


def _copy(arrays: Params, into: Params) -> None:
    for name, place in into.items():
        place[...] = arrays[name]


class _Shared(NamedTuple):
    """Memory that other processes can open; it is gone when the last of them ends."""

    memory: mmap.mmap
    handle: str
    inherited: tuple[int, ...] = ()
    """What a process must inherit to open it."""


@contextmanager
def _share(size: int) -> Iterator[_Shared]:
    """So many bytes of zeros; processes that are started within this context can open them."""
    if sys.platform == "win32":
        name = f"digitscope-{secrets.token_hex(8)}"
        yield _Shared(mmap.mmap(-1, size, tagname=name), name)
        return
    directory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # in memory, where there is one
    with tempfile.TemporaryFile(dir=directory) as file:
        file.write(bytes(size))  # so that a lack of room is an error now, not a signal later
        file.flush()
        yield _Shared(mmap.mmap(file.fileno(), size), str(file.fileno()), (file.fileno(),))


def _open(handle: str, size: int) -> mmap.mmap:
    if sys.platform == "win32":
        return mmap.mmap(-1, size, tagname=handle)
    return mmap.mmap(int(handle), size)


def _start(shared: _Shared, shards: int) -> subprocess.Popen[bytes]:
    """A process that serves, of the same interpreter with the same modules.

    It is away from the terminal, whose Ctrl-C is for this process: it ends when nobody sends shards any more.
    """
    return subprocess.Popen(
        [
            *(sys.executable, "-P", "-c", "from digitscope.training.parallel.shards import serve; serve()"),
            *(shared.handle, str(len(shared.memory)), str(shards)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        pass_fds=shared.inherited,
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # which is Windows's
    )


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def serve() -> None:
    """A helper's work: shards from its standard input, what was learned to its standard output, until the end."""
    handle, size, shards = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    tasks, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # What a layer prints is for people.
    keep_freed_memory()
    rng = np.random.default_rng()
    # Whatever goes wrong goes wrong again where the shard comes from, and is told there.
    with blas_threads(1), suppress(Exception):
        task: Task = pickle.load(tasks)
        board = SharedBuffers(_open(handle, size), task.learner.params, shards)
        answers.write(b"!")
        answers.flush()
        while True:
            deal: list[tuple[int, slice | Array, float, Mapping[str, Any]]] = _receive(tasks)
            task.learner.params = board.weights
            figures = []
            for i, rows, share, state in deal:
                rng.bit_generator.state = state
                learned = learn(task, Shard(rows, share, rng))
                _copy(learned.grads, board.grads[i])
                figures.append((learned.loss, learned.right, rng.bit_generator.state))
            _send(answers, figures)
