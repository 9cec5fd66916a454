"""Functions that a process of its own can import."""

from collections.abc import Callable

from digitscope.errors import TrainingError


def succeed(number: int, progress: Callable[[object], None]) -> int:
    print("this goes to standard error")
    for k in range(number):
        progress(k)
    return number * 2


def fail(progress: Callable[[object], None]) -> None:
    raise TrainingError("It cannot be learned.")


def crash(progress: Callable[[object], None]) -> None:
    raise ValueError("a defect")
