"""How the ranks of a training end: together."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from digitscope.cli.exit_status import FAILED, error_message, exit_status, system_message
from digitscope.errors import DigitscopeError, DivergenceError

if TYPE_CHECKING:
    from digitscope.training.parallel.ranks import Ranks


@contextmanager
def ending_together(ranks: "Ranks | None") -> Iterator[None]:
    """On an error, this rank prints its line and ends the others, which would wait for it forever."""
    try:
        yield
        if ranks is not None:
            ranks.share()  # Here the others sleep while rank 0 writes; MPI's own end would keep their processors busy.
    except BaseException as error:
        if ranks is None:
            raise
        if ranks.rank and isinstance(error, DivergenceError):
            ranks.share()  # Rank 0 meets the same error, and ends this process while it waits.
        ranks.abort(_status(error, ranks.rank))


def _status(error: BaseException, rank: int) -> int:
    """Prints the error, and returns the exit status."""

    def fail() -> None:
        raise error

    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else FAILED
    try:
        if rank == 0:
            return exit_status(fail)
        if isinstance(error, DigitscopeError | MemoryError | ImportError):
            line = error_message(error)
        elif isinstance(error, OSError):
            line = system_message(error)
        else:
            raise error
        print(f"Error on rank {rank}: {line}", file=sys.stderr, flush=True)
    except BaseException:
        traceback.print_exc()
        return 1
    return FAILED
