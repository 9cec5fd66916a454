"""Arguments that are not arrays: of the right kind, or one clear error."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from digitscope.errors import ArgumentError, DigitscopeError

Error = type[DigitscopeError]

MAX_SIZE = 2**31 - 1
"""Of a side of an array."""
MAX_WHOLE = 2**128
"""Counts and seeds are smaller: a model file and a checkpoint hold no larger ones."""


def check_kind(name: str, value: object, expected: str, *kinds: type, error: Error = ArgumentError) -> None:
    """Raises: `error` unless the value is of one of the kinds; `expected` says in words what they are."""
    if not isinstance(value, kinds):
        raise error(f"{name} is expected as {expected}; got {shown(value)}.")


def check_number(
    name: str,
    value: Any,
    *,
    least: float | None = None,
    below: float | None = None,
    optional: bool = False,
    error: Error = ArgumentError,
) -> None:
    """Raises: `error` unless the value is a finite real number in that range, NumPy's included, or None if optional."""
    if optional and value is None:
        return
    if not (is_number(value) and (least is None or value >= least) and (below is None or value < below)):
        limits = ("" if least is None else f" from {least:g} on") + ("" if below is None else f", below {below:g}")
        raise error(f"{name} is expected as a number{limits}{' or None' * optional}; got {shown(value)}.")


def check_whole(
    name: str, value: Any, least: int | None = None, *, optional: bool = False, error: Error = ArgumentError
) -> None:
    """Raises: `error` unless the value is a whole number from `least` to below MAX_WHOLE, or None if it is optional."""
    if not (optional and value is None) and not (is_whole(value) and (least is None or value >= least)):
        limit = "" if least is None else f" from {least} on"
        raise error(f"{name} is expected as a whole number{limit}{' or None' * optional}; got {shown(value)}.")
    if value is not None and value >= MAX_WHOLE:
        raise error(f"{name} is expected to be below 2^128; got a larger number.")


def check_sizes(owner: str, **sizes: Any) -> None:
    """Raises: ArgumentError unless each is a whole number that the side of an array may have."""
    for name, size in sizes.items():
        check_whole(f"{owner}'s {name}", size)
        if size > MAX_SIZE:
            raise ArgumentError(f"{owner}'s {name} is expected up to {MAX_SIZE:,}; got {shown(size)}.")


def check_truth(name: str, value: object) -> None:
    """Raises: ArgumentError unless the value is True or False."""
    check_kind(name, value, "True or False", bool, np.bool_)


def check_function(
    name: str, value: object, expected: str = "a function", *, optional: bool = False, error: Error = ArgumentError
) -> None:
    """Raises: `error` unless the value can be called and is not a class, or is None if it is optional."""
    if not (optional and value is None) and (isinstance(value, type) or not callable(value)):
        raise error(f"{name} is expected as {expected}{' or None' * optional}; got {shown(value)}.")


def check_wholes(name: str, values: object, least: int | None = None) -> None:
    """Raises: ArgumentError unless the values are a list, a tuple or an array of whole numbers of at least `least`."""
    flat = values.tolist() if isinstance(values, np.ndarray) else values
    whole = isinstance(flat, Sequence) and all(is_whole(v) and (least is None or v >= least) for v in flat)
    if isinstance(flat, str | bytes) or not whole:
        limit = "" if least is None else f" from {least} on"
        raise ArgumentError(f"{name} is expected as a list of whole numbers{limit}; got {shown(values)}.")


def check_pairs(name: str, values: Any, *, error: Error = ArgumentError) -> None:
    """Raises: `error` unless the values are a sequence of pairs of whole numbers."""
    if not (isinstance(values, Sequence) and all(map(_is_pair, values))):
        raise error(f"{name} is expected as pairs of whole numbers; got {shown(values)}.")


def _is_pair(value: object) -> bool:
    return isinstance(value, Sequence) and len(value) == 2 and all(map(is_whole, value))


def is_number(value: object) -> bool:
    """Whether it is a finite real number, NumPy's included, and no truth value."""
    if not isinstance(value, int | float | np.integer | np.floating) or isinstance(value, bool):
        return False
    return bool(-sys.float_info.max <= value <= sys.float_info.max)


def is_whole(value: object) -> bool:
    """Whether it is an integer, NumPy's included, and no truth value."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def shown(value: object) -> str:
    """The value on one short line, for a message."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"a {type(value).__name__}"
