import threading

import pytest

from digitscope.training.parallel.threads import Team, default_threads


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("pieces", [0, 1, 2, 40])
def test_every_piece_is_worked_once(threads: int, pieces: int) -> None:
    done = [0] * pieces

    def work(piece: int) -> None:
        done[piece] += 1

    with Team(threads) as team:
        for _ in range(3):
            team.run(work, pieces)
    assert done == [3] * pieces


def test_threads_work_at_the_same_time() -> None:
    together = threading.Barrier(2, timeout=10)

    def meet(_: int) -> None:
        together.wait()

    with Team(2) as team:
        team.run(meet, 2)
    assert not together.broken


def test_an_error_in_any_piece_reaches_the_caller_and_the_team_goes_on() -> None:
    def work(piece: int) -> None:
        if piece == 3:
            raise ValueError("piece 3")

    with Team(2) as team:
        with pytest.raises(ValueError, match="piece 3"):
            team.run(work, 6)
        done: list[int] = []
        team.run(done.append, 6)
        assert sorted(done) == [0, 1, 2, 3, 4, 5]


def test_threads_end_with_the_team() -> None:
    before = threading.active_count()
    with Team(4) as team:
        team.run(lambda _: None, 8)
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join(timeout=1)
    assert threading.active_count() <= before


def test_there_is_at_least_one_processor() -> None:
    assert default_threads() >= 1
