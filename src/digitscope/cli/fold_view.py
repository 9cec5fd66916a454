"""Progress of a cross-validation on the terminal."""

from collections.abc import Generator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from digitscope.cli.console import Output
    from digitscope.jobs.cross_validation import Progress

T = TypeVar("T")


def show_folds(work: "Generator[Progress, None, T]", console: "Output", *, folds: int, members: int = 1) -> T:
    """Does the work to its end and returns its result. Each fold's accuracy is printed; on a terminal, a line that goes
    away again shows the epochs.
    """
    from rich.status import Status

    from digitscope.jobs.cross_validation import FoldScore
    from digitscope.metrics import percentage

    status = Status("", console=console)
    if console.is_terminal and not console.quiet:
        status.start()
    try:
        while True:
            progress = next(work)
            if isinstance(progress, FoldScore):
                console.print(
                    f"fold {progress.fold + 1} of {folds}: accuracy {percentage(progress.accuracy)} % on "
                    f"{progress.images:,} images"
                )
                continue
            number = progress.part.partition("-")[2]
            part = f"fold {number} of {folds}" if number else "all images"
            member = f", network {progress.member + 1} of {members}" if members > 1 else ""
            status.update(f"{part}{member}, epoch {progress.epoch} of {progress.epochs}")
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        status.stop()
