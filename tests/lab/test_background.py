"""Values that are computed beside the requests."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from digitscope.errors import DataError
from digitscope.lab.background import Background, Progress

PATIENCE = 20.0


def test_a_value_is_computed_once_however_many_ask() -> None:
    calls: list[str] = []
    background = Background(4)

    def compute(report: Callable[[float], None]) -> str:
        calls.append("called")
        time.sleep(0.05)
        return "value"

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: background.ask("key", compute, PATIENCE), range(8)))
    assert found == ["value"] * 8
    assert calls == ["called"]
    assert background.look("key", 0) == "value"
    assert background.look("other", 0) is None


def test_a_request_does_not_wait_and_is_told_the_progress() -> None:
    background, go, reached = Background(4), threading.Event(), threading.Event()

    def compute(report: Callable[[float], None]) -> int:
        report(0.25)
        reached.set()
        assert go.wait(PATIENCE)
        return 3

    assert isinstance(background.ask("slow", compute, 0), Progress)
    assert reached.wait(PATIENCE)
    assert background.ask("slow", compute, 0) == Progress(0.25)
    assert background.look("slow", 0) == Progress(0.25)
    assert background.ask("next", lambda report: 4, 0) == Progress(0.0)  # one after the other
    go.set()
    assert background.ask("slow", compute, PATIENCE) == 3
    assert background.ask("next", compute, PATIENCE) == 4


def test_an_error_is_raised_where_it_is_asked_for_and_forgotten() -> None:
    background, errors = Background(4), [DataError("damaged")]

    def compute(report: Callable[[float], None]) -> str:
        if errors:
            raise errors.pop()
        return "well"

    with pytest.raises(DataError, match="damaged"):
        background.ask("key", compute, PATIENCE)
    assert background.ask("key", compute, PATIENCE) == "well"
    assert background.ask("another", lambda report: 1, PATIENCE) == 1  # the thread goes on


def test_the_values_used_last_stay() -> None:
    background, calls = Background(2), []

    def value(key: int) -> int:
        def compute(report: Callable[[float], None]) -> int:
            calls.append(key)
            return key

        found: int = background.ask(key, compute, PATIENCE)
        return found

    for key in (1, 2, 1, 3, 1):
        assert value(key) == key
    assert calls == [1, 2, 3]
    assert value(2) == 2
    assert calls == [1, 2, 3, 2]


def test_closing_ends_the_work_at_its_next_report() -> None:
    background, reached, ended = Background(2), threading.Event(), threading.Event()

    def compute(report: Callable[[float], None]) -> None:
        try:
            for _ in range(10_000):
                report(0.5)
                reached.set()
                time.sleep(0.01)
        finally:
            ended.set()

    background.ask("long", compute, 0)
    assert reached.wait(PATIENCE)
    background.close()
    assert ended.wait(5)
