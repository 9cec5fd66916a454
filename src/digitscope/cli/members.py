"""`digitscope train --seeds`: several networks that differ in their seeds, such as the members of an ensemble."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from digitscope.cli.console import Output, literal
from digitscope.cli.shell import PROGRAM, quoted
from digitscope.cli.tables import print_table
from digitscope.cli.training import Work, train_job
from digitscope.cli.view import View
from digitscope.errors import DivergenceError, TrainingError, printable
from digitscope.jobs.event_log import check_event_folder
from digitscope.jobs.train import MODEL, Job, Settings, holds_run, newest_checkpoint
from digitscope.metrics import percentage
from digitscope.model import Model
from digitscope.training.parallel.ranks import Ranks


def train_members(
    settings: Settings,
    seeds: Sequence[int],
    folder: Path,
    work: Work,
    ranks: Ranks | None,
    given: Mapping[str, Any] | None,
    *,
    events: Path | None,
    quiet: bool,
) -> list[dict[str, Any]]:
    """Trains a network for each seed, each rank some of them; returns their accuracies, on rank 0 those of all.

    given: None for new runs. To resume them, the settings that they must have begun with; runs that are finished stay,
        and those that have not begun begin.
    events: the folder for TensorBoard's event files, in a folder for each seed

    Raises: as `Job`; TrainingError, before any run begins, if a folder holds a run that is not to be resumed.
    """
    is_first = ranks is None or ranks.rank == 0
    folders = {seed: folder / f"seed-{seed}" for seed in seeds}
    if is_first and given is None and (held := next(filter(holds_run, folders.values()), None)):
        raise TrainingError(f"{held} already holds a run. Choose another --out, or continue with --resume.")
    if is_first and events is not None:
        for own in folders.values():
            check_event_folder(events / own.name, resumed=given is not None)
    if ranks is not None:
        ranks.share()  # The other ranks begin now.
    members = []
    for seed in seeds if ranks is None else ranks.part(seeds):
        own = folders[seed]
        is_begun = given is not None and newest_checkpoint(own) is not None
        if is_begun or given is None or not holds_run(own):
            view = View(quiet=quiet or not is_first, plain=ranks is not None)
            member = replace(settings, seed=seed)
            job = Job.resume(own, {**given, "seed": seed}) if given is not None and is_begun else Job.begin(member, own)
            log = None if events is None else events / own.name
            try:
                train_job(job, view, work, None, "the same command, and --resume", log)
            except DivergenceError as error:
                raise TrainingError(f"Seed {seed}: {error}") from error
        info = Model.load(own / MODEL).info
        accuracies = {"validation_accuracy": info.validation_accuracy, "test_accuracy": info.test_accuracy}
        members.append({"seed": seed, **accuracies, "model": str(own / MODEL)})
    if ranks is None:
        return members
    ranks.share()  # Ranks that are done sleep here.
    members = ranks.gather(members)
    return members if is_first else []


def print_members(members: Sequence[Mapping[str, Any]], folder: Path, *, as_json: bool, plain: bool) -> None:
    """Prints a table of the accuracies, and the command that combines the members; or a list in JSON."""
    if as_json:
        click.echo(json.dumps(members))
        return

    def shown(accuracy: float | None) -> str:
        return "" if accuracy is None else f"{percentage(accuracy)} %"

    rows = [("seed", "validation", "test", "model")]
    for member in members:
        accuracies = shown(member["validation_accuracy"]), shown(member["test_accuracy"])
        rows.append((str(member["seed"]), *accuracies, printable(member["model"])))
    console = Output(force_terminal=False if plain else None)
    console.print()
    print_table(console, rows, left=(3,))
    if len(members) > 1:
        models = " ".join(quoted(member["model"]) for member in members)
        command = f"{PROGRAM} ensemble {models} --out {quoted(folder / 'ensemble.safetensors')}"
        console.print(f"\n[bold]Combine them:[/] {literal(command)}", soft_wrap=True)
