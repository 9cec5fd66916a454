"""What you can do with a model that was just trained."""

import sys

from digitscope.cli.shell import PROGRAM, quoted
from digitscope.jobs.train import Job, Summary


def next_steps(job: Job, summary: Summary) -> list[tuple[str, str]]:
    """Goals and the commands that reach them, ready to be pasted into a shell."""
    model = quoted(summary.model)
    data = "" if job.settings.data == "mnist" else f" --data {quoted(job.settings.data)}"
    height, width = job.data.x_train.shape[1:]
    steps = [("read a digit", f"{PROGRAM} predict {model} my.png")]
    if (height, width, job.data.classes) == (28, 28, 10):
        steps.append(("read numbers", f"{PROGRAM} read {model} photo.jpg"))
    if summary.test is not None:
        steps.append(("test its robustness", f"{PROGRAM} evaluate {model} --robust{data}"))
    steps.append(("correct its mistakes", f"{PROGRAM} teach {model} my.png=7{data}"))
    steps.append(("look inside", f"{PROGRAM} look {model} my.png"))
    opener = {"darwin": "open", "win32": "explorer"}.get(sys.platform, "xdg-open")
    return [*steps, ("open the report", f"{opener} {quoted(summary.report)}")]
