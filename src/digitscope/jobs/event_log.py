"""A training's results as event files, while it goes on: what `digitscope train --tensorboard` writes."""

from pathlib import Path
from types import TracebackType
from typing import Self

from digitscope.errors import DigitscopeError
from digitscope.files.atomic import check_new, unwritable
from digitscope.files.event_file import EVENTS, EventFile
from digitscope.files.opening import exists
from digitscope.jobs.train import Job, Summary
from digitscope.training import Epoch, Step


def check_event_folder(folder: Path, *, resumed: bool) -> None:
    """Checks, before work begins, that the folder can be written, and that it holds no other run, whose curves would be
    mixed with those of this.

    Raises: DigitscopeError otherwise.
    """
    try:
        names = [path.name for path in folder.iterdir()] if exists(folder) else []
        check_new(folder / EVENTS, "--tensorboard")
    except OSError as error:
        raise unwritable(folder, error) from error
    if not resumed and any(name.startswith(EVENTS) for name in names):
        raise DigitscopeError(
            f"{folder} holds the events of another run. Choose another --tensorboard, such as {folder / 'second'}, or "
            "continue that run with --resume."
        )


class EventLog:
    """Writes each result of the job to an event file in the folder.

    Raises: DigitscopeError whenever the file cannot be written.
    """

    def __init__(self, folder: Path, job: Job) -> None:
        self._step = int((job.training.run.history["step"] or [0])[-1] or 0)
        self._file = EventFile(folder, first_step=self._step + 1)

    def show(self, result: Step | Epoch) -> None:
        """An epoch's values belong to its last step."""
        if isinstance(result, Step):
            self._step = result.step
            scalars: dict[str, float | None] = {
                "loss/train": result.loss,
                "accuracy/train": result.accuracy,
                "step/learning rate": result.learning_rate,
                "step/gradient norm": result.gradient_norm,
                "step/images per second": result.examples_per_second,
            }
        else:
            scalars = {"loss/validation": result.validation_loss, "accuracy/validation": result.validation_accuracy}
        self._file.add(self._step, {tag: value for tag, value in scalars.items() if value is not None})

    def finish(self, summary: Summary) -> None:
        """The test accuracy belongs to the last step, too."""
        if summary.test is not None:
            self._file.add(self._step, {"accuracy/test": summary.test.accuracy})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.__exit__(kind, error, trace)
