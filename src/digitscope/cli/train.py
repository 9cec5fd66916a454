"""digitscope train."""

import json
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from digitscope.cli.completion import complete_setting
from digitscope.cli.options import (
    FilePath,
    GroupedCommand,
    data_option,
    finite,
    json_option,
    recipe_option,
    seed_list,
    threads_option,
    widths,
)
from digitscope.cli.ranks import ending_together
from digitscope.cli.shell import PROGRAM, quoted

GROUPS = {
    "Network and data": ("recipe", "source"),
    "Network (default: the recipe's)": ("layers", "activation", "dropout"),
    "Training (default: the recipe's)": (
        *("epochs", "batch_size", "learning_rate", "schedule", "optimizer", "weight_decay"),
        *("loss", "label_smoothing", "augment"),
    ),
}


@click.command(cls=GroupedCommand, groups=GROUPS, short_help="Train a network and write its model and report.")
@recipe_option("The network and its training settings; see `digitscope recipes`. [default: convnet]")
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
@click.option(
    "--seeds",
    callback=seed_list,
    metavar="N,N...",
    help="Train one network for each of these seeds, into OUT/seed-N: the members of an ensemble. Under mpiexec, each "
    "rank trains some of them.",
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
    seeds: tuple[int, ...] | None,
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
      digitscope train --recipe mlp --seeds 1,2,3 --out runs/three
      digitscope train --resume
      digitscope train --tensorboard events  then: tensorboard --logdir events
      mpiexec -n 4 digitscope train         on four processes: see docs/scale.md
    """
    from digitscope.cli.members import print_members, train_members
    from digitscope.cli.training import Work, train_job
    from digitscope.cli.view import View
    from digitscope.jobs.event_log import check_event_folder
    from digitscope.jobs.train import Job, Settings, latest_stopped, take_part
    from digitscope.recipes import DEFAULT
    from digitscope.training import thread_count, to_device
    from digitscope.training.parallel.ranks import mpi_ranks

    to_device(device)  # raises its errors before anything is written
    settings = Settings(recipe or DEFAULT, source, **options)
    given = {name: value for name, value in asdict(settings).items() if _is_given(context, name)}
    if seeds is not None and ("seed" in given or folder is None):
        raise click.UsageError("--seeds expects --out, and no --seed.", context)
    ranks = mpi_ranks()
    with ending_together(ranks):
        if ranks is not None and ranks.rank:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Rank 0 stops the training.
        threads = thread_count(threads) if threads or ranks is None else ranks.threads()
        work = Work(threads, device, checkpoint_every)
        if seeds is not None and folder is not None:
            begun = given if resume else None
            members = train_members(settings, seeds, folder, work, ranks, begun, events=events, quiet=as_json)
            if members:
                print_members(members, folder, as_json=as_json, plain=ranks is not None)
            return
        if ranks is not None and ranks.rank:
            take_part(ranks, threads=threads)
            return
        if ranks is not None:
            ranks.check_device(device)
        if events is not None:
            check_event_folder(events, resumed=resume)
        job = Job.resume(folder or latest_stopped(recipe), given) if resume else Job.begin(settings, folder)
        view = View(quiet=as_json, plain=ranks is not None)
        program = PROGRAM if ranks is None else PROGRAM.replace("digitscope", f"mpiexec -n {ranks.size} digitscope")
        resumption = f"{program} train --resume --out {quoted(job.folder)}"
        summary = train_job(job, view, work, ranks, resumption, events)
        if as_json:
            click.echo(json.dumps(summary.as_json()))
        else:
            view.summarize(job, summary)


def _is_given(context: click.Context, setting: str) -> bool:
    """Whether the command line names this setting."""
    parameter = {"data": "source"}.get(setting, setting)
    return context.get_parameter_source(parameter) is not click.core.ParameterSource.DEFAULT
