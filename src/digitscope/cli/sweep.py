"""digitscope sweep."""

import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digitscope.cli.options import FilePath, data_option, json_option, recipe_option, threads_option
from digitscope.cli.ranks import ending_together

if TYPE_CHECKING:
    from digitscope.jobs.sweep import SweepJob, SweepTrial

SHOWN = 10
"""The number of trials in the table on the terminal; the file has all."""


@click.command(short_help="Search for good settings of a recipe.")
@click.option(
    "--try",
    "tried",
    multiple=True,
    required=True,
    metavar="SETTING=VALUES",
    help="A setting of `digitscope train` and its values: learning-rate=0.001..0.1, dropout=0,0.25,0.5, "
    "batch-size=32..256, layers=64,32x32, optimizer=adam,nesterov. May be repeated.",
)
@recipe_option("The network, and the settings that are not tried; see `digitscope recipes`. [default: convnet]")
@data_option
@click.option(
    "--trials", type=click.IntRange(1), default=20, show_default=True, metavar="N", help="Settings that are tried."
)
@click.option("--epochs", type=click.IntRange(1), metavar="N", help="Epochs of a trial that is not stopped early.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Seed of all random numbers."
)
@click.option(
    "--out",
    "folder",
    type=FilePath(),
    metavar="DIR",
    help="The folder to write to. A sweep that was stopped there continues. [default: sweeps/RECIPE]",
)
@threads_option
@json_option
def sweep(
    tried: tuple[str, ...],
    recipe: str | None,
    source: str,
    trials: int,
    epochs: int | None,
    seed: int,
    folder: Path | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Try settings of a recipe, and find the best by the accuracy on the validation images. Writes the table trials.csv
    and the plot trials.png.

    Optuna (the extra digitscope[sweep]) chooses the settings, at first at random, then close to the good ones. After 1,
    3, 9 and so on epochs a trial goes on only if it is among the best third so far (successive halving). After an
    interruption of any kind, the same command continues where it stopped.

    \b
    Examples:
      digitscope sweep --recipe mlp --try learning-rate=0.001..0.1 --trials 4
      digitscope sweep --data train.csv --try layers=32,64 --trials 2 --out kaggle
      mpiexec -n 4 digitscope sweep ...  four at a time: see docs/scale.md
    """
    from digitscope.cli.console import Output
    from digitscope.cli.exit_status import INTERRUPTED, print_error
    from digitscope.jobs.sweep import SweepJob
    from digitscope.jobs.train import Settings
    from digitscope.recipes import DEFAULT
    from digitscope.training import thread_count
    from digitscope.training.parallel.ranks import mpi_ranks

    choices = _choices(tried)
    settings = Settings(recipe or DEFAULT, source, epochs=epochs, seed=seed)
    out = Path("sweeps", settings.recipe) if folder is None else folder
    ranks = mpi_ranks()
    with ending_together(ranks):
        is_first = ranks is None or ranks.rank == 0
        if not is_first:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Rank 0 stops the sweep.
        console = Output(quiet=as_json or not is_first, soft_wrap=True, force_terminal=None if ranks is None else False)
        threads = thread_count(threads) if threads or ranks is None else ranks.threads()
        with SweepJob(settings, choices, out, trials=trials, threads=threads, ranks=ranks) as job:
            if job.done:
                console.print(f"continuing after trial {len(job.done)}")
            try:
                _work(job, console)
            except KeyboardInterrupt:
                print_error("Stopped. The same command continues from the last checkpoint.")
                sys.exit(INTERRUPTED)
        if is_first:
            _show(job, console, as_json)


def _choices(tried: Sequence[str]) -> dict[str, Any]:
    """The choices of each setting, by its name."""
    from digitscope.errors import TrainingError
    from digitscope.jobs.sweep import Choices

    choices: dict[str, Choices] = {}
    for text in tried:
        option, equals, values = text.partition("=")
        name = option.strip().lstrip("-").replace("-", "_")
        if not equals:
            raise TrainingError(f"--try expects SETTING=VALUES, such as learning-rate=0.001..0.1; got {text!r}.")
        if name in choices:
            raise TrainingError(f"--try names {option} twice. List its values in one, separated by commas.")
        choices[name] = Choices.parse(name, values)
    return choices


def _work(job: "SweepJob", console: Any) -> None:
    """Does the work to its end. A line is printed for each trial; on a terminal, another one shows the epochs."""
    from rich.status import Status

    from digitscope.jobs.sweep import SweepTrial
    from digitscope.metrics import percentage

    status = Status("", console=console)
    if console.is_terminal and not console.quiet:
        status.start()
    try:
        for result in job.work():
            if isinstance(result, SweepTrial):
                console.print(f"trial {result.number} of {job.trials}: {_text(result)}", markup=False)
            else:
                status.update(
                    f"trial {result.number} of {job.trials}, epoch {result.epoch} of {result.epochs}: "
                    f"{percentage(result.accuracy)} %"
                )
    finally:
        status.stop()


def _text(trial: "SweepTrial") -> str:
    from digitscope.metrics import percentage

    settings = ", ".join(_setting(name, value) for name, value in trial.settings.items())
    if trial.problem is not None:
        return f"{settings}: failed, {trial.problem}"
    count = len(trial.accuracies)
    epochs = f"{'stopped ' if trial.state != 'complete' else ''}after {count} epoch{'s' * (count > 1)}"
    return f"{settings}: {percentage(trial.accuracy)} % {epochs}"


def _setting(name: str, value: Any) -> str:
    from digitscope.training.settings import setting_text

    return f"{name.replace('_', ' ')} {setting_text(value)}"


def _show(job: "SweepJob", console: Any, as_json: bool) -> None:
    from digitscope.cli.shell import PROGRAM, quoted
    from digitscope.cli.tables import print_table
    from digitscope.files.opening import shown_path
    from digitscope.jobs.sweep import PLOT, TABLE, ranking
    from digitscope.metrics import percentage
    from digitscope.training.settings import setting_text

    ranked = ranking(job.done)
    best = ranked[0]
    if as_json:
        trials = [
            {"trial": t.number, "settings": t.settings, "accuracies": t.accuracies, "state": t.state} for t in ranked
        ]
        click.echo(json.dumps({"trials": trials, "table": str(job.folder / TABLE), "plot": str(job.folder / PLOT)}))
        return
    rows = [["trial", *(name.replace("_", " ") for name in job.choices), "epochs", "accuracy", "state"]]
    for trial in ranked[:SHOWN]:
        cells = [setting_text(trial.settings[name]) for name in job.choices]
        accuracy = f"{percentage(trial.accuracy)} %" if trial.accuracies else "-"
        rows.append([str(trial.number), *cells, str(len(trial.accuracies)), accuracy, trial.state])
    console.print()
    print_table(console, rows, left=(len(rows[0]) - 1,))
    console.print(
        f"\nall trials: {shown_path(job.folder / TABLE)}, plot: {shown_path(job.folder / PLOT)}", markup=False
    )
    if best.accuracies:
        options = {"recipe": job.settings.recipe, "data": job.settings.data, "epochs": job.settings.epochs}
        options = {name: value for name, value in {**options, **best.settings}.items() if value not in (None, "mnist")}
        words = [f"--{name.replace('_', '-')} {quoted(setting_text(value))}" for name, value in options.items()]
        console.print(f"train with the best: {PROGRAM} train {' '.join(words)}", markup=False)
