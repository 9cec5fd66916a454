"""Teaches a model single digits, in a process beside the server."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

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

Status = Literal["none", "running", "done", "failed"]


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
    rounds, last = -1, 0

    def report(step: Step) -> None:
        nonlocal rounds, last
        rounds += rounds < 0 or step.step <= last
        last = step.step
        # Another round is only needed if the digit was not learned: each has half of what remains.
        progress(0.9 * (1 - 0.5**rounds * (1 - 0.5 * step.step / step.steps)))

    result = teach(model, images, labels, data, settings=settings, callback=report)
    assert data.x_test is not None
    progress(0.92)
    correct = []
    for tested in (model, result.model):
        correct.append(int((tested.predict(data.x_test) == data.y_test).sum()))
        progress(0.96)
    return TaughtModel(
        model=result.model,
        before=result.before[0],
        after=result.after[0],
        test_images=len(data.x_test),
        test_correct_before=correct[0],
        test_correct_after=correct[1],
        problem=None if result.problem is None else "forgot" if result.learned.all() else "not_learned",
    )


class Lesson:
    """One lesson at a time: none yet, running, or its result. Its methods may be called from any thread."""

    def __init__(self, changed: Callable[[dict[str, object]], object]) -> None:
        """changed: is called with each new state."""
        self._changed = changed
        self._lock = threading.Lock()
        self._process: SeparateProcess | None = None
        self._number = 0
        self._state: dict[str, object] = {"status": "none"}

    @property
    def state(self) -> dict[str, object]:
        """The lesson for the page."""
        with self._lock:
            return self._state

    def start(
        self,
        model: Model,
        images: NDArray[np.uint8],
        labels: NDArray[np.int64],
        settings: TeachSettings,
        keep: Callable[[TaughtModel], dict[str, object]],
    ) -> dict[str, object]:
        """Begins to teach and returns the state. `keep` stores the result and returns what is said about it.

        Raises: ConflictError if another lesson is running.
        """
        with self._lock:
            if self._state["status"] == "running":
                raise ConflictError("The network is learning another digit already. Wait until it is done.")
            self._process = process = SeparateProcess(teach_digits, model, images, labels, settings)
            self._number += 1
            number = self._number
            self._state = {"lesson": number, "status": "running", "share": 0.0}
            state = self._state
        threading.Thread(target=self._wait, args=(number, process, keep), daemon=True).start()
        self._changed(state)
        return state

    def cancel(self) -> None:
        """Ends a lesson that is running, without a result."""
        with self._lock:
            if self._state["status"] != "running" or self._process is None:
                return
            process, self._process = self._process, None
            self._state = state = {"lesson": self._number, "status": "none"}
        process.end()
        self._changed(state)

    def _wait(self, number: int, process: SeparateProcess, keep: Callable[[TaughtModel], dict[str, object]]) -> None:
        try:
            taught: TaughtModel = process.result(lambda share: self._set(number, {"status": "running", "share": share}))
            self._set(number, {"status": "done", **keep(taught)})
        except DigitscopeError as error:
            self._set(number, {"status": "failed", "error": str(error)})

    def _set(self, number: int, state: dict[str, object]) -> None:
        with self._lock:
            if number != self._number or self._state["status"] != "running":  # cancelled
                return
            self._state = state = {"lesson": number, **state}
        self._changed(state)
