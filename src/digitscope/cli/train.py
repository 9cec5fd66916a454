"""digitscope train."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from digitscope.cli.completion import complete_recipe, complete_setting
from digitscope.cli.exit_status import INTERRUPTED, print_error
from digitscope.cli.options import GroupedCommand, data_option, finite, json_option, threads_option, widths
from digitscope.cli.shell import PROGRAM, quoted

if TYPE_CHECKING:
    from digitscope.cli.view import View
    from digitscope.jobs.train import Job


GROUPS = {
    "Network and data": ("recipe", "source"),
    "The network, instead of the recipe's": ("layers", "activation", "dropout"),
    "Its training, instead of the recipe's": (
        *("epochs", "batch_size", "learning_rate", "schedule", "optimizer", "weight_decay"),
        *("loss", "label_smoothing", "augment"),
    ),
}


@click.command(cls=GroupedCommand, groups=GROUPS, short_help="Train a network and write its model and report.")
@click.option(
    "--recipe",
    metavar="NAME",
    shell_complete=complete_recipe,
    help="The network and its training, see `digitscope recipes`. [default: convnet]",
)
@data_option
@click.option(
    "--layers",
    callback=widths,
    metavar="N,N...",
    help="Widths of the hidden dense layers, such as 16,16, or none. In a convolutional network they are between the "
    "convolutions and the output.",
)
@click.option(
    "--activation",
    metavar="NAME",
    shell_complete=complete_setting,
    help="Of all hidden layers: relu, leaky-relu, sigmoid or tanh. The output keeps its own.",
)
@click.option(
    "--dropout",
    type=click.FloatRange(0, 1, max_open=True),
    callback=finite,
    metavar="X",
    help="The fraction of hidden units that each dense layer does not see in training; 0 for none.",
)
@click.option("--epochs", type=click.IntRange(1), metavar="N", help="Passes over the training images.")
@click.option("--batch-size", type=click.IntRange(1), metavar="N", help="Images per step.")
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    callback=finite,
    metavar="X",
    help="The highest learning rate. Another optimizer has one of its own unless this is given.",
)
@click.option(
    "--schedule",
    metavar="NAME",
    shell_complete=complete_setting,
    help="Of the learning rate: constant, step, cosine or one-cycle.",
)
@click.option(
    "--optimizer",
    metavar="NAME",
    shell_complete=complete_setting,
    help="gradient-descent, momentum, nesterov, adam or adamw.",
)
@click.option(
    "--weight-decay",
    type=click.FloatRange(0),
    callback=finite,
    metavar="X",
    help="Each step shrinks the weights by this fraction, times the learning rate.",
)
@click.option(
    "--loss",
    metavar="NAME",
    shell_complete=complete_setting,
    help="cross-entropy (after a softmax) or squared-error (of sigmoid outputs).",
)
@click.option(
    "--label-smoothing",
    type=click.FloatRange(0, 1),
    callback=finite,
    metavar="X",
    help="The fraction of the target that is spread over all classes; for a cross-entropy.",
)
@click.option(
    "--augment",
    metavar="AMOUNTS",
    shell_complete=complete_setting,
    help="How images are distorted at random: none, standard, or amounts such as rotation=10,shift=1, out of rotation "
    "(degrees), scale, shear, shift and elastic (pixels), thickness, blur, contrast, noise, erase.",
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
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The folder to write to. [default: runs/RECIPE, with a number if that exists]",
)
@click.option("--resume", is_flag=True, help="Continue the run that was stopped in --out, or the latest one.")
@click.option(
    "--checkpoint-every",
    type=click.FloatRange(0),
    callback=finite,
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to save the run, so that --resume can continue from there.",
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
    as_json: bool,
    **options: Any,  # the other fields of Settings, by their names
) -> None:
    """Train a network from scratch, and write model.safetensors, history.csv and report.html.

    The default recipe is convnet, because it trains in a minute. The bundled model that the other commands use by
    default is of the recipe reader, which also learns from drawings that are not digits and takes 8 minutes.

    \b
    Examples:
      digitscope train
      digitscope train --recipe seed --seed 3
      digitscope train --recipe mlp --layers 16,16 --activation sigmoid
      digitscope train --augment rotation=15,shift=2 --optimizer adam
      digitscope train --data train.csv --out runs/kaggle
      digitscope train --resume
    """
    from digitscope.cli.view import View
    from digitscope.jobs.train import Job, Settings, latest_stopped
    from digitscope.recipes import DEFAULT, RECIPES
    from digitscope.training import thread_count, to_device

    if recipe is not None and recipe not in RECIPES:
        raise click.UsageError(f"--recipe expects one of {', '.join(RECIPES)}; got {recipe!r}.", context)
    to_device(device)  # complains before anything is written
    settings = Settings(recipe or DEFAULT, source, **options)
    threads = thread_count(threads)
    if resume:
        given = {name: value for name, value in asdict(settings).items() if _is_given(context, name)}
        job = Job.resume(folder or latest_stopped(recipe), given)
    else:
        job = Job.begin(settings, folder)
    with job:
        view = View(quiet=as_json)
        view.begin(job, threads)
        try:
            _work(job, view, threads, device, checkpoint_every)
            summary = job.finish(threads=threads)
        except KeyboardInterrupt:
            _stop("Stopped. Go on from the last checkpoint with", job.folder)
    if as_json:
        click.echo(json.dumps(summary.as_json()))
    else:
        view.summarize(job, summary)


def _is_given(context: click.Context, setting: str) -> bool:
    """Whether the command line names this setting."""
    parameter = {"data": "source"}.get(setting, setting)
    return context.get_parameter_source(parameter) is not click.core.ParameterSource.DEFAULT


def _work(job: "Job", view: "View", threads: int, device: str, checkpoint_every: float) -> None:
    """Trains to the end, or until Ctrl-C: then saves, says how to go on, and exits."""
    with _interruption() as interrupted, view.live():
        for result in job.work(threads=threads, checkpoint_every=checkpoint_every, device=device):
            view.show(result)
            if interrupted:
                job.save()
                break
        else:
            return
    _stop("Stopped and saved. Go on with", job.folder)


def _stop(message: str, folder: Path) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # another Ctrl-C ends the process without a traceback
    print_error(f"{message}: {PROGRAM} train --resume --out {quoted(folder)}")
    sys.exit(INTERRUPTED)


@contextmanager
def _interruption() -> Iterator[list[int]]:
    """A list that is no longer empty once Ctrl-C was pressed; pressed again, it stops at once."""
    pressed: list[int] = []

    def note(number: int, frame: object) -> None:
        pressed.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
