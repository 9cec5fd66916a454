"""A class that draws: who has joined, what they drew, and what was read. In memory only, and bounded."""

import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array

MAX_PHONES = 64
"""Phones that may be in a class at once."""
MAX_DRAWINGS = 3000
"""Drawings that a class keeps, about 1 kB each."""
MAX_DRAWINGS_PER_PHONE = 150
PERIOD = 1.5
"""Seconds that a phone waits between two drawings."""
SILENT = 30.0
"""Seconds after which a phone that asks for nothing counts as away. Phones ask every few seconds."""
FORGOTTEN = 600.0
"""Seconds after which a phone that is away makes room for another; if it drew nothing, SILENT."""
CLASSES = 10

Task = Literal["each", "same", "free"]
"""What the phones ask for: for each a digit of its own, for all the same digit, or what the pupil chooses."""
Refusal = Literal["closed", "frozen", "unknown", "early", "full", "muted"]
"""Why a drawing is not taken: the class has ended or is frozen, the phone is unknown, it sent one just before, or there
are too many drawings; a phone that was muted is not told."""


@dataclass(frozen=True, eq=False)
class ClassDrawing:
    """A drawing and what was read in it."""

    number: int
    """Counted from 1 in the order of arrival."""
    phone: str
    meant: int
    read: int | None
    """The digit that was read; None if it is not a digit."""
    probability: float
    plausible: tuple[int, ...]
    image: NDArray[np.uint8]
    """In MNIST's format, (28, 28)."""
    expected: bool | None = None
    """Whether the pupil expected it to be read as meant; None if they did not guess."""

    @property
    def is_right(self) -> bool:
        return self.read == self.meant


@dataclass(eq=False)
class _Phone:
    asked: int
    """The digit that it is asked for."""
    seen: float
    """When it last asked for something."""
    sent: int = 0
    right: int = 0
    last: float = -1e9
    """When it last sent a drawing."""
    muted: bool = False


@dataclass(frozen=True)
class PhoneView:
    """What a phone is told."""

    state: Literal["open", "frozen", "closed", "unknown"]
    task: Task = "each"
    asked: int | None = None
    sent: int = 0
    right: int = 0


@dataclass(frozen=True, eq=False)
class Examples:
    """Drawings to learn from or to download: images (N, 28, 28), labels (N,), and who drew each."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    phones: list[str] = field(repr=False)


class ClassSession:
    """One class. Its methods may be called from any thread.

    A phone is known by a random id that it alone has. Nothing else about it or its owner is kept.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, rng: random.Random | None = None) -> None:
        self._clock = clock
        self._rng = rng or random.Random()
        self._lock = threading.RLock()
        self._is_open = False
        self._is_frozen = False
        self._task: Task = "each"
        self._digit = 7
        self._phones: dict[str, _Phone] = {}
        self._drawings: list[ClassDrawing] = []
        self._hidden: set[int] = set()
        self._next = 1
        self.version = 0
        """Increases with every change that a page may show."""

    def start(self) -> None:
        """Opens the class, or opens it again; drawings stay."""
        with self._lock:
            self._is_open, self._is_frozen = True, False
            self.version += 1

    def touch(self) -> None:
        """Says that something else has changed that pages show."""
        with self._lock:
            self.version += 1

    def end(self) -> None:
        """No phone may join or send any more; phones are forgotten, drawings stay."""
        with self._lock:
            self._phones.clear()
            self._is_open = self._is_frozen = False
            self.version += 1

    def freeze(self, frozen: bool) -> None:
        """Drawings are not taken until the class goes on."""
        with self._lock:
            self._is_frozen = frozen
            self.version += 1

    def ask_for(self, task: Task, digit: int) -> None:
        """What the phones ask for from now on. `digit` is that of the task "same"."""
        with self._lock:
            self._task, self._digit = task, digit
            self.version += 1
            for phone in self._phones.values():
                phone.asked = self._choose_digit(phone.asked)

    def clear(self) -> None:
        """Forgets all drawings."""
        with self._lock:
            self._drawings.clear()
            self._hidden.clear()
            for phone in self._phones.values():
                phone.sent = phone.right = 0
            self.version += 1

    def hide(self, number: int, hidden: bool) -> bool:
        """Hides a drawing or shows it again. Whether there is one of this number."""
        with self._lock:
            known = any(drawing.number == number for drawing in self._drawings)
            if known:
                (self._hidden.add if hidden else self._hidden.discard)(number)
                self.version += 1
            return known

    def mute(self, number: int) -> bool:
        """Hides all drawings of the phone that sent this one, and takes no more from it. Whether it is known."""
        with self._lock:
            found = next((drawing.phone for drawing in self._drawings if drawing.number == number), None)
            if found is None:
                return False
            if found in self._phones:
                self._phones[found].muted = True
            self._hidden.update(drawing.number for drawing in self._drawings if drawing.phone == found)
            self.version += 1
            return True

    def join(self) -> str | None:
        """The id of a new phone; None if the class is not open or full."""
        with self._lock:
            if not self._is_open or not self._make_room():
                return None
            name = secrets.token_urlsafe(16)
            self._phones[name] = _Phone(self._choose_digit(None), self._clock())
            self.version += 1
            return name

    def view(self, name: str) -> PhoneView:
        """What a phone shows."""
        with self._lock:
            phone = self._phones.get(name)
            if not self._is_open:
                return PhoneView("closed")
            if phone is None:
                return PhoneView("unknown")
            phone.seen = self._clock()
            asked = None if self._task == "free" else phone.asked
            state: Literal["open", "frozen"] = "frozen" if self._is_frozen else "open"
            return PhoneView(state, self._task, asked, phone.sent, phone.right)

    def reserve(self, name: str) -> Refusal | None:
        """Asks, before a drawing is read, whether it will be taken. If so, the phone then waits for PERIOD."""
        with self._lock:
            phone = self._phones.get(name)
            if not self._is_open:
                return "closed"
            if phone is None:
                return "unknown"
            phone.seen = now = self._clock()
            if self._is_frozen:
                return "frozen"
            if now - phone.last < PERIOD:
                return "early"
            if len(self._drawings) >= MAX_DRAWINGS or phone.sent >= MAX_DRAWINGS_PER_PHONE:
                return "full"
            phone.last = now
            return "muted" if phone.muted else None

    def add(
        self,
        name: str,
        meant: int,
        image: NDArray[np.uint8],
        read: int | None,
        probability: float,
        plausible: tuple[int, ...],
        expected: bool | None,
    ) -> Refusal | None:
        """Keeps a drawing that was read. Why not, if the class ended or was frozen meanwhile."""
        with self._lock:
            phone = self._phones.get(name)
            if not self._is_open or phone is None:
                return "closed"
            if self._is_frozen:
                return "frozen"
            if len(self._drawings) >= MAX_DRAWINGS:
                return "full"
            drawing = ClassDrawing(self._next, name, meant, read, probability, plausible, image, expected)
            self._drawings.append(drawing)
            self._next += 1
            phone.sent += 1
            phone.right += drawing.is_right
            phone.asked = self._choose_digit(phone.asked)
            self.version += 1
            return None

    @property
    def is_open(self) -> bool:
        return self._is_open

    @property
    def is_frozen(self) -> bool:
        return self._is_frozen

    @property
    def task(self) -> tuple[Task, int]:
        """What the phones ask for, and the digit of the task "same"."""
        with self._lock:
            return self._task, self._digit

    def phones(self) -> tuple[int, int]:
        """The number of phones, and how many of them asked for something lately."""
        with self._lock:
            now = self._clock()
            return len(self._phones), sum(now - phone.seen < SILENT for phone in self._phones.values())

    def drawings(self, *, hidden: bool = False) -> list[ClassDrawing]:
        """The drawings in the order of arrival; `hidden`: only those that are hidden, instead of only the others."""
        with self._lock:
            return [drawing for drawing in self._drawings if (drawing.number in self._hidden) == hidden]

    def examples(self) -> Examples:
        """What the class may learn and download: all drawings that are not hidden."""
        shown = self.drawings()
        images = np.stack([d.image for d in shown]) if shown else np.zeros((0, 28, 28), np.uint8)
        return Examples(images, np.array([d.meant for d in shown], np.int64), [d.phone for d in shown])

    def _choose_digit(self, former: int | None) -> int:
        """The digit to ask a phone for: one that was asked for least often, so that all digits come equally often."""
        if self._task == "same":
            return self._digit
        counts = Counter(phone.asked for phone in self._phones.values())
        counts.update(drawing.meant for drawing in self._drawings)
        digits = [digit for digit in range(CLASSES) if digit != former]
        least = min(counts[digit] for digit in digits)
        return self._rng.choice([digit for digit in digits if counts[digit] == least])

    def _make_room(self) -> bool:
        """Whether one more phone may join, if need be in place of one that left without drawing."""
        if len(self._phones) < MAX_PHONES:
            return True
        now = self._clock()
        idle = [
            (phone.seen, name)
            for name, phone in self._phones.items()
            if now - phone.seen > (SILENT if phone.sent == 0 else FORGOTTEN)
        ]
        if not idle:
            return False
        del self._phones[min(idle)[1]]
        return True


def confusion(drawings: list[ClassDrawing]) -> Array:
    """How often each digit was meant (rows) and read (columns); the last column counts "not a digit". (10, 11)"""
    counts = np.zeros((CLASSES, CLASSES + 1), np.int64)
    for drawing in drawings:
        counts[drawing.meant, CLASSES if drawing.read is None else drawing.read] += 1
    return counts
