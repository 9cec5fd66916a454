"""Memory that a process shares with its worker processes.

`multiprocessing.shared_memory` has three disadvantages (docs/log.md): its blocks have names, so a block outlives
processes that are killed together; a full /dev/shm ends the process with a signal instead of an error; and before
Python 3.13 every process that attaches to a block deletes it when it ends. The memory here has no name on Linux and
macOS, and is freed when the last process that has it open ends, however it ends.
"""

import mmap
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from digitscope.nn import Params


class SharedMemory(NamedTuple):
    """Memory that processes started by this process can open."""

    memory: mmap.mmap
    handle: str
    """The argument of `open_memory` in a worker process."""
    inherited: tuple[int, ...] = ()
    """File descriptors that a worker process must inherit."""


@contextmanager
def share_memory(size: int) -> Iterator[SharedMemory]:
    """`size` bytes of zeros; processes that are started within this context can open them.

    Raises: OSError if there is not enough memory.
    """
    if sys.platform == "win32":
        name = f"digitscope-{secrets.token_hex(8)}"
        yield SharedMemory(mmap.mmap(-1, size, tagname=name), name)
        return
    directory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # files there are in memory
    with tempfile.TemporaryFile(dir=directory) as file:
        file.write(bytes(size))  # Reserves the pages: a lack of memory is an error now, not a signal later.
        file.flush()
        yield SharedMemory(mmap.mmap(file.fileno(), size), str(file.fileno()), (file.fileno(),))


def open_memory(handle: str, size: int) -> mmap.mmap:
    """The same memory in a worker process."""
    if sys.platform == "win32":
        return mmap.mmap(-1, size, tagname=handle)
    return mmap.mmap(int(handle), size)


class SharedBuffers:
    """Arrays in shared memory: the weights, and a gradient for each shard of a batch. All are float32."""

    def __init__(self, memory: mmap.mmap, params: Params, shards: int) -> None:
        sizes = [p.size for p in params.values()]
        self.weights, *self.grads = (
            {
                name: part.reshape(p.shape)
                for (name, p), part in zip(params.items(), np.split(row, np.cumsum(sizes)[:-1]), strict=True)
            }
            for row in np.frombuffer(memory, np.float32).reshape(1 + shards, -1)
        )

    @staticmethod
    def size(params: Params, shards: int) -> int:
        """Bytes that the buffers need."""
        return 4 * sum(p.size for p in params.values()) * (1 + shards)
