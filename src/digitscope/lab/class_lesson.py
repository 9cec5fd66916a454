"""What a class teaches the network, computed beside the server."""

import threading
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from digitscope.errors import DigitscopeError
from digitscope.jobs.teach import TeachSettings
from digitscope.jobs.teach_class import CLASS_SETTINGS, NOT_A_DIGIT, ClassLesson, teach_class
from digitscope.lab.class_session import Examples
from digitscope.lab.encoding import encoded
from digitscope.lab.routes import ConflictError
from digitscope.lab.separate_process import SeparateProcess
from digitscope.model import Model
from digitscope.training import Step

SHOWN = 60
"""Held-out drawings that are shown with both answers, those whose answer changed first."""

Status = Literal["none", "running", "done", "failed"]


class LessonJob:
    """The class's lesson: none yet, running, or its result. Its methods may be called from any thread."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._process: SeparateProcess | None = None
        self._number = 0
        self._status: Status = "none"
        self._share = 0.0
        self._outcome: dict[str, object] | None = None
        self._error: str | None = None

    def start(
        self, model: Model, examples: Examples, seed: int, keep: Callable[[ClassLesson], dict[str, object]]
    ) -> None:
        """Begins to teach the model. `keep` stores the result and returns what is known about it.

        Raises: ConflictError if a lesson is running; OSError if no process can be started.
        """
        with self._lock:
            if self._status == "running":
                raise ConflictError("The network is learning from the class already. Wait until it is done.")
            self._process = process = SeparateProcess(
                teach_beside, model, examples.images, examples.labels, examples.phones, CLASS_SETTINGS, seed
            )
            self._number += 1
            self._status, self._share, self._outcome, self._error = "running", 0.0, None, None
            number = self._number
        threading.Thread(target=self._wait, args=(number, process, examples, keep), daemon=True).start()
        self._changed()

    def cancel(self) -> None:
        """Ends a lesson that is running, without a result."""
        with self._lock:
            if self._status != "running" or self._process is None:
                return
            self._number += 1
            self._status = "none"
            process = self._process
        process.end()
        self._changed()

    def clear(self) -> None:
        """Forgets the result."""
        self.cancel()
        with self._lock:
            self._status, self._outcome, self._error = "none", None, None
        self._changed()

    def state(self) -> dict[str, object]:
        """The lesson for the page."""
        with self._lock:
            return {"status": self._status, "share": self._share, "error": self._error, "outcome": self._outcome}

    def _wait(
        self,
        number: int,
        process: SeparateProcess,
        examples: Examples,
        keep: Callable[[ClassLesson], dict[str, object]],
    ) -> None:
        try:
            lesson: ClassLesson = process.result(lambda share: self._report(number, share))
            outcome = {**lesson_figures(lesson, examples.images), **keep(lesson)}
        except DigitscopeError as error:
            self._finish(number, "failed", None, str(error))
        else:
            self._finish(number, "done", outcome, None)

    def _report(self, number: int, share: float) -> None:
        with self._lock:
            if number != self._number:
                return
            self._share = share
        self._changed()

    def _finish(self, number: int, status: Status, outcome: dict[str, object] | None, error: str | None) -> None:
        with self._lock:
            if number != self._number:  # cancelled
                return
            self._status, self._error, self._process = status, error, None
            self._outcome = None if outcome is None else {"id": number, **outcome}
        self._changed()


def teach_beside(
    model: Model,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    phones: list[str],
    settings: TeachSettings,
    seed: int,
    progress: Callable[[float], None],
) -> ClassLesson:
    """`teach_class` with its progress from 0 to 1, about fifty times."""
    rounds, last = -1, 0
    told = -1.0

    def report(step: Step) -> None:
        nonlocal rounds, last, told
        rounds += step.step <= last or rounds < 0
        last = step.step
        # A round more is needed only if too few drawings are learned: its share is half of what remains.
        share = 1 - 0.5**rounds * (1 - 0.5 * step.step / step.steps)
        if share >= told + 0.02:
            told = share
            progress(share)

    return teach_class(model, images, labels, phones, settings=settings, seed=seed, callback=report)


def lesson_figures(lesson: ClassLesson, images: NDArray[np.uint8]) -> dict[str, Any]:
    """What the page shows of a lesson. `images`: all drawings that the lesson was given."""
    right_before, right_after = lesson.before == lesson.labels, lesson.after == lesson.labels
    order = sorted(range(len(lesson.labels)), key=lambda i: (bool(right_before[i] == right_after[i]), i))
    result = lesson.result
    return {
        "learned": len(lesson.learned),
        "writers_learned": lesson.writers_learned,
        "writers_held_out": lesson.writers_held_out,
        "held_out": len(lesson.labels),
        "before": lesson.correct_before,
        "after": lesson.correct_after,
        "fixed": int((right_after & ~right_before).sum()),
        "broken": int((right_before & ~right_after).sum()),
        "mnist": result.evaluated,
        "mnist_before": result.correct_before,
        "mnist_after": result.correct_after,
        "learned_read": int(result.learned.sum()),
        "drawings": [
            {
                "image": encoded(images[lesson.held_out[i]]),
                "meant": int(lesson.labels[i]),
                "before": _digit(lesson.before[i]),
                "after": _digit(lesson.after[i]),
            }
            for i in order[:SHOWN]
        ],
    }


def _digit(read: int) -> int | None:
    return None if read == NOT_A_DIGIT else int(read)
