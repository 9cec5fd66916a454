"""Progress of a training on the terminal, and its summary."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from digitscope.jobs.train import Job, Summary
from digitscope.metrics import most_confused
from digitscope.training import Epoch, Step

EPOCH_LINES = 20
"""Approximate maximum number of epochs that are printed, each on its own line."""


class View:
    """Shows a progress bar on a terminal, plain lines elsewhere, and nothing if `quiet`."""

    def __init__(self, *, quiet: bool) -> None:
        self.console = Console(quiet=quiet, highlight=False, soft_wrap=True)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn(
                "loss {task.fields[loss]:.4f}  accuracy {task.fields[accuracy]:.2%}  {task.fields[rate]:,.0f}/s"
            ),
            TimeRemainingColumn(compact=True),
            console=self.console,
            transient=True,
            disable=quiet or not self.console.is_terminal,
        )
        self.task = self.progress.add_task("", total=None, loss=0.0, accuracy=0.0, rate=0.0)
        self.last: Step | None = None

    def begin(self, job: Job, threads: int) -> None:
        """Prints the recipe, the data and the settings."""
        run, data = job.training.run, job.data
        images, held_out = len(job.training.images), len(job.training.validation[0])
        self.epochs = run.epochs
        parameters = sum(p.size for p in run.network.params.values())
        self.console.print(f"[bold]{job.recipe.name}[/]: {job.recipe.title}")
        self.console.print(
            f"{data.name}: {images:,} training images, {held_out:,} validation images; "
            f"{parameters:,} parameters; {threads} thread{'s' * (threads > 1)}; seed {job.settings.seed}"
        )
        for notice in job.training.notices:
            self.console.print(f"[bold]Note:[/] {escape(notice)}")
        if run.epoch or run.batch:
            self.console.print(f"continuing after epoch {run.epoch}, step {run.batch} of the next")

    @contextmanager
    def live(self) -> Iterator[None]:
        """Shows the progress bar while the context is active."""
        with self.progress:
            yield

    def show(self, result: Step | Epoch) -> None:
        """Updates the progress bar after a step; prints a line after an epoch."""
        if isinstance(result, Step):
            self.last = result
            self.progress.update(
                self.task,
                description=f"epoch {result.epoch}/{self.epochs}",
                completed=result.step,
                total=result.steps,
                loss=result.loss,
                accuracy=result.accuracy,
                rate=result.examples_per_second,
            )
        elif result.epoch % max(1, -(-self.epochs // EPOCH_LINES)) == 0 or result.epoch == self.epochs:
            train_loss = f"  train loss {self.last.loss:.4f}" if self.last else ""
            self.console.print(
                f"epoch {result.epoch:>{len(str(self.epochs))}}/{self.epochs}{train_loss}"
                f"  validation loss {result.validation_loss:.4f}  accuracy {result.validation_accuracy:.2%}"
                f"  {result.seconds:.1f} s"
            )

    def summarize(self, job: Job, summary: Summary) -> None:
        """Prints the accuracy, the most frequent confusions, the time and the files."""
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column()
        if summary.test:
            low, high = summary.test.interval
            table.add_row(
                "test accuracy", f"[bold]{summary.test.accuracy:.2%}[/]  (95% interval {low:.2%} to {high:.2%})"
            )
            confused = most_confused(summary.test.confusion)
            if confused:
                table.add_row(
                    "most often confused",
                    ", ".join(f"{true} read as {read} ({count})" for true, read, count in confused),
                )
        else:
            table.add_row("test accuracy", f"none: {job.data.name} has no test images")
        table.add_row("validation accuracy", f"{summary.validation_accuracy:.2%}")
        table.add_row("training", f"{summary.train_seconds:.1f} s, {summary.epochs} epochs")
        table.add_row("parameters", f"{summary.parameters:,}")
        table.add_row("model", str(summary.model))
        table.add_row("report", str(summary.report))
        self.console.print()
        self.console.print(table)
