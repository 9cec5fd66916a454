"""Runs one case: a damaged file and the code that reads it."""

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digitscope.errors import DigitscopeError

SECONDS = 10.0
"""Maximum time for a case."""
MESSAGE = 1000
"""Maximum length of a message, in characters."""


@dataclass(frozen=True)
class Target:
    """A target of fuzzing: undamaged files, a function that damages them, and the code that reads them."""

    files: Callable[[], Mapping[str, bytes]]
    """The undamaged files by name, created once; a damaged file keeps the name, including its suffix."""
    mutate: Callable[[bytes, np.random.Generator], bytes]
    use: Callable[[Path], None]
    """Reads a damaged file and checks the answers. It may return, or raise a DigitscopeError; all else is a failure,
    warnings included."""
    quick_cases: int
    """Cases that the tests run: those of about a second."""


@dataclass(frozen=True)
class Outcome:
    """The result of a case."""

    refused: bool
    seconds: float
    failure: str | None
    """One line that names the damaged file; None if the case ended as it should."""


def run_case(target: Target, case: int, folder: Path, *, seed: int = 0) -> Outcome:
    """Depends on `seed` and the number of the case only. The damaged file of a failure stays in `folder`."""
    rng = np.random.default_rng([seed, case])
    files = target.files()
    name = sorted(files)[int(rng.integers(len(files)))]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{case}-{name}"
    path.write_bytes(target.mutate(files[name], rng))
    began = time.perf_counter()
    error = _use(target, path)
    seconds = time.perf_counter() - began
    failure = f"{seconds:.1f} seconds" if seconds > SECONDS else _judge(error)
    if failure is None:
        path.unlink()
    return Outcome(isinstance(error, DigitscopeError), seconds, failure and f"{path}: {failure}")


def _use(target: Target, path: Path) -> Exception | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            target.use(path)
    except Exception as error:
        return error
    return None


def _judge(error: Exception | None) -> str | None:
    """The fault in the result of a case."""
    if error is None:
        return None
    text = str(error)
    if not isinstance(error, DigitscopeError):
        return f"{type(error).__name__}: {text:.100}"
    if len(text) > MESSAGE or not text.isprintable():
        return f"a message of {len(text)} characters: {text[:100]!r}"
    return None
