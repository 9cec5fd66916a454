"""The class in memory: phones, drawings, what is refused, and that all of it is bounded."""

import random
import threading
from collections import Counter

import numpy as np
import pytest

from digitscope.lab import class_session
from digitscope.lab.class_session import (
    FORGOTTEN,
    MAX_PHONES,
    PERIOD,
    SILENT,
    ClassSession,
    Refusal,
    confusion,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def session(clock: Clock) -> ClassSession:
    session = ClassSession(clock=clock, rng=random.Random(0))
    session.start()
    return session


def joined(session: ClassSession) -> str:
    phone = session.join()
    assert phone is not None
    return phone


def draw(session: ClassSession, clock: Clock, phone: str, meant: int, read: int | None) -> Refusal | None:
    clock.now += PERIOD
    return session.reserve(phone) or session.add(
        phone, meant, np.full((28, 28), meant, np.uint8), read, 0.9, (meant,), None
    )


def test_phones_draw_and_the_wall_counts(session: ClassSession, clock: Clock) -> None:
    a, b = joined(session), joined(session)
    assert len({a, b, joined(session)}) == 3
    for phone, meant, read in [(a, 7, 7), (b, 7, 1), (a, 4, None), (a, 7, 1)]:
        assert draw(session, clock, phone, meant, read) is None
    assert [drawing.number for drawing in session.drawings()] == [1, 2, 3, 4]
    counts = confusion(session.drawings())
    assert counts.shape == (10, 11)
    assert (counts[7, 7], counts[7, 1], counts[4, 10], counts.sum()) == (1, 2, 1, 4)
    view = session.view(a)
    assert (view.state, view.sent, view.right) == ("open", 3, 1)
    examples = session.examples()
    assert examples.labels.tolist() == [7, 7, 4, 7]
    assert examples.phones == [a, b, a, a]
    assert examples.images[2].max() == 4


def test_what_is_refused(session: ClassSession, clock: Clock) -> None:
    phone = joined(session)
    assert session.reserve(phone) is None
    clock.now += PERIOD - 0.01
    assert session.reserve(phone) == "early"
    clock.now += 0.01
    assert session.reserve(phone) is None
    clock.now += PERIOD
    assert session.reserve("someone") == "unknown"
    assert session.view("someone").state == "unknown"
    session.freeze(True)
    assert session.reserve(phone) == "frozen"
    assert session.view(phone).state == "frozen"
    session.freeze(False)
    assert session.reserve(phone) is None
    session.freeze(True)  # while the drawing was read
    assert session.add(phone, 1, np.zeros((28, 28), np.uint8), 1, 1.0, (1,), None) == "frozen"
    session.end()
    assert session.reserve(phone) == "closed"
    assert session.add(phone, 1, np.zeros((28, 28), np.uint8), 1, 1.0, (1,), None) == "closed"
    assert session.join() is None
    assert session.drawings() == []


def test_hidden_drawings_count_nowhere(session: ClassSession, clock: Clock) -> None:
    a, b = joined(session), joined(session)
    for phone, meant in [(a, 1), (b, 2), (a, 3), (b, 4)]:
        draw(session, clock, phone, meant, meant)
    assert session.hide(2, True)
    assert not session.hide(99, True)
    assert [d.meant for d in session.drawings()] == [1, 3, 4]
    assert [d.meant for d in session.drawings(hidden=True)] == [2]
    assert session.examples().labels.tolist() == [1, 3, 4]
    assert session.hide(2, False)
    assert [d.meant for d in session.drawings()] == [1, 2, 3, 4]
    assert session.mute(3)
    assert not session.mute(99)
    assert [d.meant for d in session.drawings()] == [2, 4]
    assert draw(session, clock, a, 5, 5) == "muted"
    assert draw(session, clock, b, 6, 6) is None
    session.clear()
    assert session.drawings() == session.drawings(hidden=True) == []
    assert session.view(b).sent == 0
    assert draw(session, clock, b, 6, 6) is None
    assert session.drawings()[0].number == 6  # numbers are not used again


def test_digits_are_asked_for_equally_often(session: ClassSession, clock: Clock) -> None:
    phones = [joined(session) for _ in range(10)]
    for _ in range(10):
        for phone in phones:
            asked = session.view(phone).asked
            assert asked is not None
            draw(session, clock, phone, asked, asked)
            assert session.view(phone).asked != asked
    counts = Counter(drawing.meant for drawing in session.drawings())
    assert sorted(counts) == list(range(10))
    assert max(counts.values()) - min(counts.values()) <= 3


def test_tasks(session: ClassSession, clock: Clock) -> None:
    phone = joined(session)
    session.ask_for("same", 4)
    assert session.view(phone).asked == session.view(joined(session)).asked == 4
    draw(session, clock, phone, 4, 4)
    assert session.view(phone).asked == 4
    session.ask_for("free", 4)
    assert session.view(phone).asked is None
    session.ask_for("each", 4)
    assert session.view(phone).asked is not None
    assert session.task == ("each", 4)


def test_a_full_class_makes_room_only_for_those_who_left(session: ClassSession, clock: Clock) -> None:
    first = joined(session)
    draw(session, clock, first, 1, 1)
    others = [joined(session) for _ in range(MAX_PHONES - 1)]
    assert session.join() is None
    clock.now += SILENT + 1
    for phone in others[1:]:
        session.view(phone)
    assert session.phones() == (MAX_PHONES, MAX_PHONES - 2)
    assert session.join() is not None  # in place of the silent one that drew nothing
    assert session.view(others[0]).state == "unknown"
    assert session.join() is None
    clock.now += FORGOTTEN
    for phone in others[1:]:
        session.view(phone)
    assert session.join() is not None  # the one that joined and never asked again
    assert session.join() is not None  # the one that drew
    assert session.view(first).state == "unknown"
    assert session.join() is None
    assert len(session.drawings()) == 1


def test_drawings_are_bounded(session: ClassSession, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_session, "MAX_DRAWINGS_PER_PHONE", 5)
    monkeypatch.setattr(class_session, "MAX_DRAWINGS", 7)
    a, b = joined(session), joined(session)
    assert [draw(session, clock, a, 1, 1) for _ in range(6)] == [None] * 5 + ["full"]
    assert [draw(session, clock, b, 1, 1) for _ in range(3)] == [None] * 2 + ["full"]
    assert len(session.drawings()) == 7
    clock.now += PERIOD
    assert session.add(b, 1, np.zeros((28, 28), np.uint8), 1, 1.0, (1,), None) == "full"


def test_every_change_has_a_new_version(session: ClassSession, clock: Clock) -> None:
    versions = [session.version]
    phone = joined(session)
    changes = [
        lambda: draw(session, clock, phone, 1, 1),
        lambda: session.hide(1, True),
        lambda: session.mute(1),
        lambda: session.freeze(True),
        lambda: session.ask_for("free", 0),
        session.clear,
        session.touch,
        session.end,
        session.start,
    ]
    for change in changes:
        change()
        versions.append(session.version)
    assert versions == sorted(set(versions))


def test_thirty_phones_at_once(clock: Clock) -> None:
    """Every drawing is counted once, whichever thread it comes from."""
    session = ClassSession(clock=clock)
    session.start()
    phones = [joined(session) for _ in range(30)]
    barrier = threading.Barrier(30)

    def pupil(phone: str) -> None:
        barrier.wait()
        for k in range(20):
            session.add(phone, k % 10, np.zeros((28, 28), np.uint8), k % 10, 1.0, (1,), k % 2 == 0)
            session.view(phone)

    threads = [threading.Thread(target=pupil, args=(phone,)) for phone in phones]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(d.number for d in session.drawings()) == list(range(1, 601))
    assert confusion(session.drawings()).diagonal().tolist() == [60] * 10
    assert {session.view(phone).sent for phone in phones} == {20}
