"""Requests are read into frozen dataclasses, and errors name the field."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest

from digitscope.errors import DataError
from digitscope.lab.requests import Bounds, from_json, from_query, schema


@dataclass(frozen=True)
class Point:
    x: float
    y: float = 0.0


@dataclass(frozen=True)
class Everything:
    count: Annotated[int, Bounds(0, 9)]
    name: Annotated[str, Bounds(1, 5)] = "a"
    kind: Literal["ink", "paper"] = "ink"
    size: Literal[1, 2] = 1
    deep: bool = False
    rate: float | None = None
    points: tuple[Point, ...] = ()
    digits: Annotated[list[int], Bounds(0, 3)] | None = None


def test_a_request_of_every_kind() -> None:
    value = {"count": 3, "points": [{"x": 1}, {"x": 2.5, "y": -1}], "rate": 2, "digits": [1, 2], "deep": True}
    expected = Everything(3, rate=2.0, points=(Point(1.0), Point(2.5, -1.0)), digits=[1, 2], deep=True)
    assert from_json(Everything, value) == expected
    assert isinstance(from_json(Everything, value).rate, float)
    assert from_json(Everything, {"count": 0, "rate": None}) == Everything(0)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "the request is expected as an object with fields; got []."),
        ({}, "the request lacks the field count."),
        ({"count": 3, "colour": 1}, "the request has an unknown field colour. The fields are count, name,"),
        ({"count": "3"}, "count is expected as a whole number; got '3'."),
        ({"count": True}, "count is expected as a whole number; got True."),
        ({"count": 3.0}, "count is expected as a whole number; got 3.0."),
        ({"count": 10}, "count is expected from 0 to 9; got 10."),
        ({"count": -(10**400)}, "count is expected from 0 to 9; got -inf."),
        ({"count": 3, "name": ""}, "the length of name is expected from 1 to 5; got 0."),
        ({"count": 3, "kind": "wood"}, "kind is expected as one of ink, paper; got 'wood'."),
        ({"count": 3, "kind": []}, "kind is expected as one of ink, paper; got []."),
        ({"count": 3, "size": True}, "size is expected as one of 1, 2; got True."),
        ({"count": 3, "deep": 1}, "deep is expected as true or false; got 1."),
        ({"count": 3, "rate": float("nan")}, "rate is expected as a number; got nan."),
        ({"count": 3, "rate": 10**400}, "rate is expected as a number; got inf."),
        ({"count": 3, "points": 5}, "points is expected as a list; got 5."),
        ({"count": 3, "points": [{"x": 1}, {"y": 1}]}, "points[1] lacks the field x."),
        ({"count": 3, "points": [{"x": "1" * 100}]}, "points[0].x is expected as a number; got '1111"),
        ({"count": 3, "digits": [1, 2, 3, 4]}, "the number of items of digits is expected from 0 to 3; got 4."),
    ],
)
def test_what_is_wrong_is_named(value: Any, message: str) -> None:
    with pytest.raises(DataError) as raised:
        from_json(Everything, value)
    assert str(raised.value).startswith(message)


def test_a_query_is_a_request_of_strings() -> None:
    query = {"count": "3", "kind": "paper", "size": "2", "deep": "true", "rate": "0.5"}
    assert from_query(Everything, query) == Everything(3, kind="paper", size=2, deep=True, rate=0.5)
    for name, value in (("count", "three"), ("deep", "yes"), ("size", "3"), ("rate", "nan")):
        with pytest.raises(DataError, match=f"{name} is expected as"):
            from_query(Everything, {"count": "3", name: value})


def test_the_schema_describes_the_same() -> None:
    described = schema(Everything)
    assert described["required"] == ["count"]
    properties = described["properties"]
    assert properties["count"] == {"type": "integer", "minimum": 0, "maximum": 9}
    assert properties["name"] == {"type": "string", "minLength": 1, "maxLength": 5}
    assert properties["kind"] == {"enum": ["ink", "paper"]}
    assert properties["rate"] == {"anyOf": [{"type": "number"}, {"type": "null"}]}
    assert properties["points"]["items"]["required"] == ["x"]
    assert properties["digits"]["anyOf"][0]["maxItems"] == 3
