"""Teaches a model in a process beside the server: single digits, or what a room asks for."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.datasets import load_data
from digitscope.errors import DigitscopeError
from digitscope.jobs.teach import TeachSettings, teach
from digitscope.lab.routes import ConflictError
from digitscope.lab.separate_process import SeparateProcess
from digitscope.model import Model
from digitscope.training import Step

Result = TypeVar("Result")
PATIENCE = 5.0
"""Seconds for which the end of a process is awaited."""


@dataclass(frozen=True, eq=False)
class TaughtModel:
    """What came of teaching a digit."""

    model: Model
    before: Array
    """The probabilities of the digit's image before, (classes,)."""
    after: Array
    """And after."""
    test_images: int
    test_correct_before: int
    test_correct_after: int
    problem: Literal["not_learned", "forgot"] | None
    """Why the model must not be used."""


def teach_digits(
    model: Model,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    settings: TeachSettings,
    progress: Callable[[float], object],
) -> TaughtModel:
    """Teaches the model the first of these digits so that it still reads the others, and measures both models on
    MNIST's test images. Tells its progress from 0 to 1.

    Raises: as `teach`.
    """
    data = load_data("mnist")
    report = rounds_progress(lambda share: progress(0.9 * share))
    result = teach(model, images, labels, data, settings=settings, callback=report)
    _, test_images, test_labels = data.evaluation_split
    progress(0.92)
    correct = []
    for tested in (model, result.model):
        correct.append(int((tested.predict(test_images) == test_labels).sum()))
        progress(0.96)
    return TaughtModel(
        model=result.model,
        before=result.before[0],
        after=result.after[0],
        test_images=len(test_images),
        test_correct_before=correct[0],
        test_correct_after=correct[1],
        problem=None if result.problem is None else "forgot" if result.learned.all() else "not_learned",
    )


def rounds_progress(progress: Callable[[float], object]) -> Callable[[Step], None]:
    """A callback of `teach` that tells its progress from 0 to 1, in steps of at least a hundredth.

    Another round is only needed if too little was learned: each has half of what remains.
    """
    rounds, last, told = -1, 0, -1.0

    def report(step: Step) -> None:
        nonlocal rounds, last, told
        rounds += rounds < 0 or step.step <= last
        last = step.step
        share = 1 - 0.5**rounds * (1 - 0.5 * step.step / step.steps)
        if share >= told + 0.01:
            told = share
            progress(share)

    return report


class Lesson:
    """One lesson at a time: none yet, running, or its result. Its methods may be called from any thread."""

    def __init__(self, teacher: threading.Lock, changed: Callable[[dict[str, object]], object]) -> None:
        """teacher: is held while a lesson runs, so that only one of all that share it does

        changed: is called with each new state
        """
        self._teacher = teacher
        self._changed = changed
        self._lock = threading.Lock()
        self._process: SeparateProcess | None = None
        self._thread: threading.Thread | None = None
        self._number = 0
        self._state: dict[str, object] = {"status": "none"}

    @property
    def state(self) -> dict[str, object]:
        """The lesson for the page."""
        with self._lock:
            return self._state

    def start(
        self, work: Callable[..., Result], arguments: tuple[object, ...], keep: Callable[[Result], dict[str, object]]
    ) -> dict[str, object]:
        """Begins to teach and returns the state. `work` is called in a process of its own, with the arguments and a
        function for its progress from 0 to 1; `keep` stores its result and returns what is said about it.

        Raises: ConflictError if another lesson is running.
        """
        if not self._teacher.acquire(blocking=False):
            raise ConflictError("The network is learning already, here or in another room. Wait until it is done.")
        with self._lock:
            try:
                process = SeparateProcess(work, *arguments)
            except BaseException:
                self._teacher.release()
                raise
            self._process = process
            self._number += 1
            self._state = state = {"lesson": self._number, "status": "running", "share": 0.0}
            waiting = (self._number, process, keep)
            self._thread = threading.Thread(target=self._wait, args=waiting, daemon=True)
            self._thread.start()
        self._changed(state)
        return state

    def cancel(self) -> None:
        """Ends a lesson that is running, without a result."""
        with self._lock:
            if self._state["status"] != "running" or self._process is None:
                return
            process, self._process, thread = self._process, None, self._thread
            self._state = state = {"lesson": self._number, "status": "none"}
        process.end()
        if thread is not None:
            thread.join(PATIENCE)
        self._changed(state)

    def clear(self) -> None:
        """Forgets the result, or ends a lesson that is running."""
        self.cancel()
        state: dict[str, object] = {"status": "none"}
        with self._lock:
            self._state = state
        self._changed(state)

    def _wait(self, number: int, process: SeparateProcess, keep: Callable[[Result], dict[str, object]]) -> None:
        try:
            result: Result = process.result(lambda share: self._set(number, {"status": "running", "share": share}))
            self._set(number, {"status": "done", **keep(result)})
        except DigitscopeError as error:
            self._set(number, {"status": "failed", "error": str(error)})
        finally:
            self._teacher.release()

    def _set(self, number: int, state: dict[str, object]) -> None:
        with self._lock:
            if number != self._number or self._state["status"] != "running":  # cancelled
                return
            self._state = state = {"lesson": number, **state}
        self._changed(state)
