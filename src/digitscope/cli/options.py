"""Options that several verbs share."""

import math
from pathlib import Path

import click

DEFAULT_MODEL = Path("reader")
"""The shipped model that is used where none is named."""


def finite(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """Refuses nan and infinity, which are in no range and in every range."""
    if value is not None and not math.isfinite(value):
        raise click.UsageError(f"{parameter.opts[0]} expects a number; got {value}.", context)
    return value


data_option = click.option(
    "--data",
    "source",
    default="mnist",
    show_default=True,
    metavar="SOURCE",
    help="mnist, a Kaggle-style CSV, a folder of pictures with one subfolder a class, a folder of IDX files, or an "
    ".npz in the Keras layout.",
)
threads_option = click.option(
    "--threads", type=click.IntRange(1), metavar="N", help="Threads to use. [default: all processors]"
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
model_argument = click.argument(
    "model", type=click.Path(path_type=Path), metavar="[MODEL]", required=False, default=DEFAULT_MODEL
)


def model_and_files(arguments: tuple[Path, ...]) -> tuple[Path, tuple[Path, ...]]:
    """The model, where the first of the arguments is one (a .safetensors file or a shipped model's name), else the
    default; and the other arguments.
    """
    from digitscope.model import SHIPPED

    first = arguments[0]
    if first.suffix == ".safetensors" or str(first) in SHIPPED:
        return first, arguments[1:]
    return DEFAULT_MODEL, arguments
