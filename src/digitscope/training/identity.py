"""A description of a plan that is the same in every process, so that a checkpoint knows which plan it belongs to."""

import copyreg
import dataclasses
import functools
import hashlib
import json
import math
import types
from typing import Any

import numpy as np

from digitscope.errors import TrainingError


def describe(value: object) -> Any:
    """The value as JSON. Equal descriptions mean the same kind of object in the same state.

    - Numbers, strings and None are themselves; lists and tuples are lists of descriptions.
    - A dataclass is its qualified class name with its fields, any other object with what pickle would save.
    - An array is its type, its shape and a digest of its numbers.
    - A function is its module and qualified name, with its default arguments and the variables it encloses. Its code
      is not compared, so two lambdas in one place that enclose equal values count as the same.

    Raises: TrainingError for an object that has no such state, such as an open file.
    """
    return _describe(value, ())


def _describe(value: Any, within: tuple[int, ...]) -> Any:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, bytes):
        return {"class": "bytes", "hex": value.hex()}
    if id(value) in within:
        return {"cycle": len(within) - within.index(id(value))}
    within = (*within, id(value))

    def inner(part: object) -> Any:
        return _describe(part, within)

    if isinstance(value, np.generic):
        return inner(value.item())
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return {"class": "numpy.ndarray", "dtype": str(value.dtype), "shape": list(value.shape), "sha256": digest}
    if type(value) in (list, tuple):
        return [inner(part) for part in value]
    if type(value) in (set, frozenset):
        return {"class": _name(type(value)), "items": sorted(map(inner, value), key=_dumps)}
    if type(value) is dict:
        return {"class": "dict", "items": sorted(([inner(k), inner(v)] for k, v in value.items()), key=_dumps)}
    if isinstance(value, type):
        return {"type": _name(value)}
    if isinstance(value, functools.partial):
        return {"partial": inner(value.func), "arguments": inner(value.args), **_fields(value.keywords, inner)}
    if isinstance(value, types.MethodType):
        return {"method": value.__name__, "self": inner(value.__self__)}
    if isinstance(value, types.FunctionType):
        return _describe_function(value, inner)
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {"class": _name(type(value)), **_fields(fields, inner)}
    return _describe_object(value, inner)


def _describe_function(function: types.FunctionType, inner: Any) -> dict[str, Any]:
    description: dict[str, Any] = {"function": _name(function)}
    enclosed = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    empty = types.CellType()  # of a variable that has no value yet
    for name, values in (
        ("encloses", {name: cell.cell_contents for name, cell in enclosed.items() if cell != empty}),
        ("defaults", function.__defaults__),
        ("keyword_defaults", function.__kwdefaults__),
    ):
        if values:
            description[name] = _fields(values, inner) if isinstance(values, dict) else inner(values)
    return description


def _describe_object(value: object, inner: Any) -> dict[str, Any]:
    """By what pickle saves: how to construct the object, and its state."""
    try:
        reducer = copyreg.dispatch_table.get(type(value))
        reduced = value.__reduce_ex__(4) if reducer is None else reducer(value)
    except TypeError as error:
        raise TrainingError(
            f"A plan is expected to consist of objects that a checkpoint can describe; got a {_name(type(value))} "
            f"({error}). Give a function of a module, or an object of a class with plain attributes."
        ) from error
    if isinstance(reduced, str):  # the name of a global object
        return {"global": f"{getattr(value, '__module__', None) or 'builtins'}.{reduced}"}
    _, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
    description: dict[str, Any] = {"class": _name(type(value))}
    for name, part in (
        ("arguments", [argument for argument in arguments if argument is not type(value)]),
        ("items", list(items or ())),
        ("pairs", dict(pairs or ())),
    ):
        if part:
            description[name] = inner(part)
    if isinstance(state, dict):
        return {**description, **_fields(state, inner)}
    return description if state is None else {**description, "state": inner(state)}


def difference(expected: Any, got: Any, where: str = "plan") -> str | None:
    """The first place at which two descriptions differ, with both values; None if they are equal."""
    if isinstance(expected, dict) and isinstance(got, dict) and expected.keys() == got.keys():
        parts = [(f"{where}.{name}", expected[name], got[name]) for name in expected]
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        parts = [(f"{where}[{i}]", *pair) for i, pair in enumerate(zip(expected, got, strict=True))]
    else:
        return None if expected == got else f"{where}: expected {_short(expected)}, got {_short(got)}"
    return next(filter(None, (difference(a, b, place) for place, a, b in parts)), None)


def _short(description: Any) -> str:
    if isinstance(description, dict):
        for kind in ("class", "function", "type", "global", "method"):
            if kind in description:
                return str(description[kind])
    text = _dumps(description)
    return text if len(text) <= 100 else f"{text[:97]}..."


def _fields(values: dict[Any, Any], inner: Any) -> dict[str, Any]:
    return {str(name): inner(value) for name, value in values.items()}


def _name(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def _dumps(description: Any) -> str:
    return json.dumps(description, sort_keys=True)
