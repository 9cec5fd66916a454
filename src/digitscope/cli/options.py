"""Options that several verbs share."""

import math
from pathlib import Path

import click


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


def default_model() -> Path:
    """The name of the bundled model that is used if none is named. Loads NumPy, so only when a verb runs."""
    from digitscope.model import DEFAULT_MODEL

    return Path(DEFAULT_MODEL)


model_argument = click.argument(
    "model", type=click.Path(path_type=Path), metavar="[MODEL]", required=False, default=default_model
)


def model_and_files(arguments: tuple[Path, ...]) -> tuple[Path, tuple[Path, ...]]:
    """The model and the other arguments. The first argument is the model if it is a .safetensors file or the name of a
    bundled model.
    """
    from digitscope.model import SHIPPED

    first = arguments[0]
    if first.suffix == ".safetensors" or str(first) in SHIPPED:
        return first, arguments[1:]
    return default_model(), arguments


def model_text(model: Path) -> str:
    """Which model a verb uses, and the others that are bundled."""
    from digitscope.model import SHIPPED

    if str(model) not in SHIPPED:
        return f"model: {model}"
    return f"model: {model} (bundled; others: {', '.join(name for name in SHIPPED if name != str(model))})"
