"""digitscope train."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from digitscope.cli.completion import complete_recipe, complete_setting
from digitscope.cli.exit_status import INTERRUPTED, print_error
from digitscope.cli.options import (
    FilePath,
    GroupedCommand,
    data_option,
    finite,
    json_option,
    known_recipe,
    threads_option,
    widths,
)
from digitscope.cli.ranks import ending_together
from digitscope.cli.shell import PROGRAM, quoted

if TYPE_CHECKING:
    from digitscope.cli.view import View
    from digitscope.jobs.event_log import EventLog
    from digitscope.jobs.train import Job
    from digitscope.training.parallel.ranks import Ranks


GROUPS = {
    "Network and data": ("recipe", "source"),
    "Network (default: the recipe's)": ("layers", "activation", "dropout"),
    "Training (default: the recipe's)": (
        *("epochs", "batch_size", "learning_rate", "schedule", "optimizer", "weight_decay"),
        *("loss", "label_smoothing", "augment"),
    ),
}


@click.command(cls=GroupedCommand, groups=GROUPS, short_help="Train a network and write its model and report.")
@click.option(
    "--recipe",
    metavar="NAME",
    callback=known_recipe,
    shell_complete=complete_recipe,
    help="The network and its training settings; see `digitscope recipes`. [default: convnet]",
)
@data_option
@click.option(
    "--layers",
    callback=widths,
    metavar="N,N...",
    help="Widths of the hidden dense layers, such as 16,16, or none. In a convolutional network they come between "
    "the convolutions and the output.",
)
@click.option(
    "--activation",
    metavar="NAME",
    shell_complete=complete_setting,
    help="Activation function of all hidden layers: relu, leaky-relu, sigmoid or tanh. The output layer keeps its own.",
)
@click.option(
    "--dropout",
    type=click.FloatRange(0, 1, max_open=True),
    callback=finite,
    metavar="X",
    help="Fraction of hidden units that are dropped before each dense layer in training; 0 for none.",
)
@click.option("--epochs", type=click.IntRange(1), metavar="N", help="Passes over the training images.")
@click.option("--batch-size", type=click.IntRange(1), metavar="N", help="Images per step.")
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    callback=finite,
    metavar="X",
    help="The highest learning rate. If you choose another optimizer, the default is a rate that suits it.",
)
@click.option(
    "--schedule",
    metavar="NAME",
    shell_complete=complete_setting,
    help="Schedule of the learning rate: constant, step, cosine or one-cycle.",
)
@click.option(
    "--optimizer",
    metavar="NAME",
    shell_complete=complete_setting,
    help="The optimizer: gradient-descent, momentum, nesterov, adam or adamw.",
)
@click.option(
    "--weight-decay",
    type=click.FloatRange(0),
    callback=finite,
    metavar="X",
    help="Each step shrinks the weights by this fraction times the learning rate.",
)
@click.option(
    "--loss",
    metavar="NAME",
    shell_complete=complete_setting,
    help="The loss: cross-entropy (after a softmax) or squared-error (of sigmoid outputs).",
)
@click.option(
    "--label-smoothing",
    type=click.FloatRange(0, 1),
    callback=finite,
    metavar="X",
    help="Fraction of the target probability that is spread over all classes; for cross-entropy only.",
)
@click.option(
    "--augment",
    metavar="AMOUNTS",
    shell_complete=complete_setting,
    help="Random distortion of the training images: none, standard, or amounts such as rotation=10,shift=1. Amounts "
    "exist for rotation (degrees), scale, shear, shift and elastic (pixels), thickness, blur, contrast, noise, erase.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Seed of all random numbers."
)
@threads_option
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    default="cpu",
    show_default=True,
    help="Where to train; cuda needs a GPU and the extra digitscope[cuda].",
)
@click.option(
    "--out",
    "folder",
    type=FilePath(),
    metavar="DIR",
    help="The folder to write to. [default: runs/RECIPE, with a number if that exists]",
)
@click.option("--resume", is_flag=True, help="Continue the stopped run in --out, or the latest stopped one.")
@click.option(
    "--checkpoint-every",
    type=click.FloatRange(0),
    callback=finite,
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to save the run, so that --resume can continue from there.",
)
@click.option(
    "--tensorboard",
    "events",
    type=FilePath(),
    metavar="DIR",
    help="Also write the curves to DIR while the run goes on, as event files that TensorBoard shows. Name it again "
    "with --resume.",
)
@json_option
@click.pass_context
def train(
    context: click.Context,
    /,
    recipe: str | None,
    source: str,
    threads: int | None,
    device: str,
    folder: Path | None,
    resume: bool,
    checkpoint_every: float,
    events: Path | None,
    as_json: bool,
    **options: Any,  # the other fields of Settings, by their names
) -> None:
    """Train a network from scratch, and write model.safetensors, history.csv and report.html.

    The default recipe is convnet, because it trains in about a minute. The bundled model that the other commands use by
    default was trained with the recipe reader, which takes 8 minutes and also learns to reject what is not a digit.

    \b
    Examples:
      digitscope train
      digitscope train --recipe seed --seed 3
      digitscope train --recipe mlp --layers 16,16 --activation sigmoid
      digitscope train --augment rotation=15,shift=2 --optimizer adam
      digitscope train --data train.csv --out runs/kaggle
      digitscope train --resume
      digitscope train --tensorboard events  then: tensorboard --logdir events
      mpiexec -n 4 digitscope train         on four processes: see docs/scale.md
    """
    from digitscope.cli.view import View
    from digitscope.jobs.event_log import EventLog, check_event_folder
    from digitscope.jobs.train import Job, Settings, latest_stopped, take_part
    from digitscope.recipes import DEFAULT
    from digitscope.training import thread_count, to_device
    from digitscope.training.parallel.ranks import mpi_ranks

    to_device(device)  # raises its errors before anything is written
    settings = Settings(recipe or DEFAULT, source, **options)
    ranks = mpi_ranks()
    with ending_together(ranks):
        threads = thread_count(threads) if threads or ranks is None else ranks.threads()
        if ranks is not None and ranks.rank:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Rank 0 stops the training.
            take_part(ranks, threads=threads)
            return
        if events is not None:
            check_event_folder(events, resumed=resume)
        if resume:
            given = {name: value for name, value in asdict(settings).items() if _is_given(context, name)}
            job = Job.resume(folder or latest_stopped(recipe), given)
        else:
            job = Job.begin(settings, folder)
        with job, ExitStack() as stack:
            log = None if events is None else stack.enter_context(EventLog(events, job))
            view = View(quiet=as_json, plain=ranks is not None)  # mpiexec's terminal may be a file
            view.begin(job, threads, ranks)
            try:
                _work(job, view, log, threads, device, checkpoint_every, ranks)
                summary = job.finish(threads=threads)
                if log is not None:
                    log.finish(summary)
            except KeyboardInterrupt:
                _stop("Stopped. Continue from the last checkpoint with", job.folder, ranks)
        if as_json:
            click.echo(json.dumps(summary.as_json()))
        else:
            view.summarize(job, summary)


def _is_given(context: click.Context, setting: str) -> bool:
    """Whether the command line names this setting."""
    parameter = {"data": "source"}.get(setting, setting)
    return context.get_parameter_source(parameter) is not click.core.ParameterSource.DEFAULT


def _work(
    job: "Job",
    view: "View",
    log: "EventLog | None",
    threads: int,
    device: str,
    checkpoint_every: float,
    ranks: "Ranks | None",
) -> None:
    """Trains to the end. On Ctrl-C it saves the run, prints how to continue, and exits."""
    with _interruption() as interrupted, view.live():
        for result in job.work(threads=threads, checkpoint_every=checkpoint_every, device=device, ranks=ranks):
            view.show(result)
            if log is not None:
                log.show(result)
            if interrupted:
                job.save()
                break
        else:
            return
    _stop("Stopped and saved. Continue with", job.folder, ranks)


def _stop(message: str, folder: Path, ranks: "Ranks | None") -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # another Ctrl-C ends the process without a traceback
    start = "" if ranks is None else f"mpiexec -n {ranks.size} "
    print_error(f"{message}: {start}{PROGRAM} train --resume --out {quoted(folder)}")
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
