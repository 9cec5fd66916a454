"""Requests as frozen dataclasses: reading them from JSON or a query, and describing them for OpenAPI."""

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from digitscope.errors import DataError

LONGEST = 10_000
"""The most characters or items of a field without Bounds."""


@dataclass(frozen=True)
class Bounds:
    """The range of a number, both ends included, or of the length of a string or a list."""

    least: float
    most: float


def from_json(kind: Any, value: object, name: str = "the request") -> Any:
    """The value as the kind: a dataclass, int, float, str, bool, Literal, list, tuple[X, ...], X | None, each of them
    possibly Annotated with Bounds.

    Raises: DataError that names the field, what was expected and what came.
    """
    kind, bounds, is_optional = _taken_apart(kind)
    origin, parts = get_origin(kind), get_args(kind)
    if is_optional and value is None:
        return None
    if origin is Literal:
        if value not in parts or isinstance(value, bool):
            raise _wrong(name, "one of " + ", ".join(map(str, parts)), value)
        return value
    if is_dataclass(kind):
        return _dataclass_from_json(kind, value, name)
    if origin in (list, tuple):
        if not isinstance(value, list):
            raise _wrong(name, "a list", value)
        _check_bounds(len(value), bounds or Bounds(0, LONGEST), f"the number of items of {name}")
        return origin(from_json(parts[0], item, f"{name}[{i}]") for i, item in enumerate(value))
    return _scalar_from_json(kind, value, name, bounds)


def from_query(kind: Any, query: Mapping[str, str]) -> Any:
    """As `from_json`, for the fields of a query, whose values are strings.

    Raises: as `from_json`.
    """
    hints = get_type_hints(kind, include_extras=True)
    return from_json(kind, {name: _from_string(hints.get(name, str), value) for name, value in query.items()})


def schema(kind: Any) -> dict[str, Any]:
    """The kind as JSON Schema, as OpenAPI wants it."""
    kind, bounds, is_optional = _taken_apart(kind)
    described = _schema(kind, bounds)
    return {"anyOf": [described, {"type": "null"}]} if is_optional else described


def _schema(kind: Any, bounds: Bounds | None) -> dict[str, Any]:
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"enum": list(parts)}
    if is_dataclass(kind):
        hints = get_type_hints(kind, include_extras=True)
        return {
            "type": "object",
            "properties": {field.name: schema(hints[field.name]) for field in fields(kind)},
            "required": [field.name for field in fields(kind) if _is_required(field)],
            "additionalProperties": False,
        }
    if origin in (list, tuple):
        length = bounds or Bounds(0, LONGEST)
        return {"type": "array", "items": schema(parts[0]), "minItems": length.least, "maxItems": length.most}
    if kind is str:
        length = bounds or Bounds(0, LONGEST)
        return {"type": "string", "minLength": length.least, "maxLength": length.most}
    name = {int: "integer", float: "number", bool: "boolean"}[kind]
    return {"type": name} | ({"minimum": bounds.least, "maximum": bounds.most} if bounds else {})


def _dataclass_from_json(kind: Any, value: object, name: str) -> Any:
    if not isinstance(value, dict):
        raise _wrong(name, "an object with fields", value)
    hints = get_type_hints(kind, include_extras=True)
    if unknown := sorted(map(str, set(value) - set(hints))):
        raise DataError(f"{name} has an unknown field {unknown[0]}. The fields are {', '.join(hints)}.")
    values = {}
    for field in fields(kind):
        inner = field.name if name == "the request" else f"{name}.{field.name}"
        if field.name in value:
            values[field.name] = from_json(hints[field.name], value[field.name], inner)
        elif _is_required(field):
            raise DataError(f"{name} lacks the field {field.name}.")
    return kind(**values)


def _scalar_from_json(kind: Any, value: object, name: str, bounds: Bounds | None) -> object:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = _as_float(value)
    expected = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[kind]
    if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
        raise _wrong(name, expected, value)
    if isinstance(value, str):
        _check_bounds(len(value), bounds or Bounds(0, LONGEST), f"the length of {name}")
    elif bounds and isinstance(value, int | float):
        _check_bounds(value, bounds, name)
    return value


def _from_string(kind: Any, value: str) -> object:
    kind, _, _ = _taken_apart(kind)
    if get_origin(kind) is Literal:
        return next((part for part in get_args(kind) if str(part) == value), value)
    if kind is bool:
        return {"true": True, "false": False}.get(value, value)
    if kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            return value
    return value


def _taken_apart(kind: Any) -> tuple[Any, Bounds | None, bool]:
    """The kind without Annotated and without None; its Bounds, the innermost ones; and whether it may be None."""
    bounds, is_optional = None, False
    while True:
        origin, parts = get_origin(kind), get_args(kind)
        if origin is Annotated:
            kind, bounds = parts[:2]
        elif origin in (Union, types.UnionType):
            kind, is_optional = next(part for part in parts if part is not types.NoneType), True
        else:
            return kind, bounds, is_optional


def _is_required(field: Any) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _as_float(number: float) -> float:
    """The number as a float: infinite if it is a whole number beyond all of them."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _check_bounds(number: float, bounds: Bounds, name: str) -> None:
    if not bounds.least <= number <= bounds.most:
        raise DataError(f"{name} is expected from {bounds.least:g} to {bounds.most:g}; got {_as_float(number):g}.")


def _wrong(name: str, expected: str, value: object) -> DataError:
    shown = repr(value)
    return DataError(f"{name} is expected as {expected}; got {shown if len(shown) <= 60 else shown[:57] + '...'}.")
