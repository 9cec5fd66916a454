"""Calls that are spread over threads."""

import os
import threading

import pytest

from digitscope.training import default_threads
from digitscope.training.parallel.threads import ThreadMap


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_every_call_is_made_once_and_results_keep_their_order(threads: int, count: int) -> None:
    calls: list[int] = []

    def square(i: int) -> int:
        calls.append(i)
        return i * i

    with ThreadMap(threads) as thread_map:
        for _ in range(3):
            assert thread_map(square, range(count)) == [i * i for i in range(count)]
    assert sorted(calls) == sorted(3 * list(range(count)))


def test_calls_run_at_the_same_time() -> None:
    together = threading.Barrier(2, timeout=10)
    with ThreadMap(2) as thread_map:
        assert sorted(thread_map(lambda _: together.wait(), range(2))) == [0, 1]


def test_one_thread_is_the_caller() -> None:
    with ThreadMap(1) as thread_map:
        assert set(thread_map(lambda _: threading.get_ident(), range(5))) == {threading.get_ident()}


@pytest.mark.parametrize("wrong", [0, 3, 5])
def test_an_error_in_any_call_reaches_the_caller_and_the_threads_go_on(wrong: int) -> None:
    def work(i: int) -> int:
        if i == wrong:
            raise ValueError(f"call {i}")
        return i

    with ThreadMap(2) as thread_map:
        with pytest.raises(ValueError, match=f"call {wrong}"):
            thread_map(work, range(6))
        assert thread_map(str, range(6)) == list("012345")


def test_threads_end_with_the_map() -> None:
    before = threading.active_count()
    with ThreadMap(4) as thread_map:
        thread_map(lambda _: None, range(8))
    assert threading.active_count() == before


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_default_threads_are_the_processors_that_this_process_may_use() -> None:
    own = os.sched_getaffinity(0)
    assert default_threads() == len(own)
    os.sched_setaffinity(0, {min(own)})
    try:
        assert default_threads() == 1
    finally:
        os.sched_setaffinity(0, own)
