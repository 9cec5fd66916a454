"""A training on the command line: shown, and stopped by Ctrl-C."""

import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple, NoReturn

from digitscope.cli.exit_status import INTERRUPTED, print_error
from digitscope.cli.view import View
from digitscope.jobs.event_log import EventLog
from digitscope.jobs.train import Job, Summary
from digitscope.training.parallel.ranks import Ranks


class Work(NamedTuple):
    """How a training is done, without effect on its outcome."""

    threads: int
    device: str
    checkpoint_every: float


def train_job(job: Job, view: View, work: Work, ranks: Ranks | None, resumption: str, events: Path | None) -> Summary:
    """Trains to the end and writes the model. On Ctrl-C it prints how to continue, the `resumption`, and exits.

    events: the folder for TensorBoard's event files
    """
    with job, ExitStack() as stack:
        log = None if events is None else stack.enter_context(EventLog(events, job))
        view.begin(job, work.threads, ranks)
        try:
            if _work(job, view, log, work, ranks):
                summary = job.finish(threads=work.threads)
                if log is not None:
                    log.finish(summary)
                return summary
            _stop(f"Stopped and saved. Continue with: {resumption}")
        except KeyboardInterrupt:
            _stop(f"Stopped. Continue from the last checkpoint with: {resumption}")


def _work(job: Job, view: View, log: EventLog | None, work: Work, ranks: Ranks | None) -> bool:
    """Trains to the end, and returns True; on Ctrl-C it saves the run and returns False."""
    with _interruption() as interrupted, view.live():
        for result in job.work(**work._asdict(), ranks=ranks):
            view.show(result)
            if log is not None:
                log.show(result)
            if interrupted:
                job.save()
                return False
    return True


def _stop(message: str) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # another Ctrl-C ends the process without a traceback
    print_error(message)
    sys.exit(INTERRUPTED)


@contextmanager
def _interruption() -> Iterator[list[int]]:
    """A list that is no longer empty once Ctrl-C was pressed. A second Ctrl-C stops the process at once."""
    pressed: list[int] = []

    def note(number: int, frame: object) -> None:
        pressed.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
