"""Progress of a training on the terminal, and its summary."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.cells import cell_len
from rich.live import Live
from rich.padding import Padding

from digitscope.cli.console import Output, literal
from digitscope.cli.learning_screen import LearningScreen
from digitscope.cli.next_steps import next_steps
from digitscope.jobs.train import Job, Summary
from digitscope.metrics import most_confused, percentage
from digitscope.training import Epoch, Step
from digitscope.training.parallel.ranks import Ranks

EPOCH_LINES = 20
"""Approximate maximum number of epochs that are printed, each on its own line."""
REFRESH_SECONDS = 0.2
"""Minimum time between two drawings of the screen."""
REFRESH_SHARE = 0.01
"""Maximum fraction of the time that is spent on drawing the screen."""


class View:
    """Shows curves and digits on a terminal, plain lines elsewhere or if `plain`, and nothing if `quiet`."""

    def __init__(self, *, quiet: bool, plain: bool = False) -> None:
        self.console = Output(quiet=quiet, soft_wrap=True, force_terminal=False if plain else None)
        self.is_live = self.console.is_interactive and not quiet
        self.last: Step | None = None

    def begin(self, job: Job, threads: int, ranks: Ranks | None = None) -> None:
        """Prints the recipe, the data and the settings."""
        run, data = job.training.run, job.data
        images, held_out = len(job.training.images), len(job.training.validation[0])
        self.epochs = run.epochs
        self.screen = LearningScreen(run, *job.watched, run.epochs * run.plan.batches(images))
        self.live_screen = Live(self.screen, console=self.console, auto_refresh=False, vertical_overflow="crop")
        self.next_refresh = 0.0
        parameters = sum(p.size for p in run.network.params.values())
        on_ranks = "" if ranks is None else f"{ranks.size} rank{'s' * (ranks.size > 1)} with "
        self._print(f"[bold]{job.recipe.name}[/]: {job.recipe.title}")
        self._print(
            f"{literal(data.name)}: {images:,} training images, {held_out:,} validation images; "
            f"{parameters:,} parameters; {on_ranks}{threads} thread{'s' * (threads > 1)}; seed {job.settings.seed}"
        )
        shards = run.plan.shards(images)
        if ranks is not None and ranks.size > shards:
            self._print(
                f"[bold]Note:[/] a batch has {shards} shard{'s' * (shards > 1)}, so {ranks.size - shards} of the "
                f"{ranks.size} ranks compute no gradients."
            )
        for notice in job.training.notices:
            self._print(f"[bold]Note:[/] {literal(notice)}")
        if run.epoch or run.batch:
            self._print(f"continuing after epoch {run.epoch} and step {run.batch} of the next epoch")

    def _print(self, text: str) -> None:
        """On a terminal lines are wrapped between words."""
        self.console.print(text, soft_wrap=not self.is_live)

    @contextmanager
    def live(self) -> Iterator[None]:
        """Shows the training on a terminal while the context is active; its last state stays."""
        if not self.is_live:
            yield
            return
        with self.live_screen:
            self.live_screen.refresh()
            yield

    def show(self, result: Step | Epoch) -> None:
        """Draws the screen on a terminal; elsewhere prints a line after an epoch."""
        if isinstance(result, Step):
            self.last = result
            self.screen.images_per_second = result.examples_per_second
        if self.is_live:
            self._refresh()
        elif isinstance(result, Epoch) and (
            result.epoch % max(1, -(-self.epochs // EPOCH_LINES)) == 0 or result.epoch == self.epochs
        ):
            assert result.validation_accuracy is not None
            train_loss = f"  train loss {self.last.loss:.4f}" if self.last else ""
            self.console.print(
                f"epoch {result.epoch:>{len(str(self.epochs))}}/{self.epochs}{train_loss}"
                f"  validation loss {result.validation_loss:.4f}  accuracy {percentage(result.validation_accuracy)} %"
                f"  {result.seconds:.1f} s"
            )

    def _refresh(self) -> None:
        began = time.monotonic()
        if began < self.next_refresh:
            return
        self.live_screen.refresh()
        now = time.monotonic()
        self.next_refresh = now + max(REFRESH_SECONDS, (now - began) / REFRESH_SHARE)

    def summarize(self, job: Job, summary: Summary) -> None:
        """Prints the accuracy, the most frequent confusions, the files, what the losses mean, and what to do next."""
        rows = []
        if summary.test:
            low, high = map(percentage, summary.test.interval)
            accuracy = percentage(summary.test.accuracy)
            rows.append(("test accuracy", f"{accuracy} % (95 % interval {low} to {high})"))
            confused = most_confused(summary.test.confusion)
            if confused:
                counts = ", ".join(f"{true} read as {read} ({count})" for true, read, count in confused)
                rows.append(("most often confused", counts))
        else:
            rows.append(("test accuracy", f"none: {job.data.name} has no test images"))
        rows += [
            ("validation accuracy", f"{percentage(summary.validation_accuracy)} %"),
            ("training", f"{summary.train_seconds:.1f} s, {summary.epochs} epoch{'s' * (summary.epochs > 1)}"),
            ("parameters", f"{summary.parameters:,}"),
            ("model", str(summary.model)),
            ("report", str(summary.report)),
        ]
        self.console.print()
        self._print_rows(rows)
        for note in summary.loss_notes:
            self.console.print()
            self._print(literal(note))
        self.console.print("\n[bold]What you can do next[/]")
        self._print_rows(next_steps(job, summary), soft_wrap=True)  # commands that are copied

    def _print_rows(self, rows: Sequence[tuple[str, str]], *, soft_wrap: bool = False) -> None:
        """Names and values in two columns. On a terminal, a value that does not fit beside its name is below it,
        wrapped between words unless `soft_wrap`.
        """
        margin = max(len(name) for name, _ in rows) + 2
        for name, value in rows:
            if self.is_live and margin + cell_len(value) > self.console.width:
                self.console.print(f"[dim]{literal(name)}[/]")
                value = f"  {literal(value)}"
                self.console.print(value if soft_wrap else Padding.indent(value.strip(), 2), soft_wrap=soft_wrap)
            else:
                self.console.print(f"[dim]{literal(name):<{margin}}[/]{literal(value)}", soft_wrap=True)
