"""Code that `read` and `predict` share: it reads one picture after the other, and writes --show."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digitscope.cli.exit_status import FAILED, print_error
from digitscope.cli.options import model_and_files

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_SHOWN = 50
"""Maximum number of files that --show can draw: with more, the picture would be too high for a PNG."""

PictureResult = tuple[dict[str, Any], str, Callable[[], Any]]
"""The result for one file: the JSON object, the printed text, and a function that returns its part of the --show
picture."""


def model_and_pictures(
    arguments: tuple[Path, ...], show: Path | None, context: click.Context
) -> tuple[Path, tuple[Path, ...]]:
    """The model and the files that the arguments name.

    Raises: click.UsageError if no file is named, DigitscopeError if --show cannot be written.
    """
    from digitscope.errors import DataError
    from digitscope.files.atomic import check_new

    model, files = model_and_files(arguments)
    if not files:
        raise click.UsageError(
            f"{context.info_name} expects pictures; got only a model. Name at least one FILE after it.", context
        )
    if show is not None:
        if show.suffix.lower() != ".png":
            raise DataError(f"{show}: --show expects a name that ends with .png, such as {context.info_name}.png.")
        check_new(show, "--show")
        if len(files) > MAX_SHOWN:
            raise DataError(f"--show expects {MAX_SHOWN} files at most; got {len(files)}. Name fewer.")
    return model, files


def read_each(
    files: Sequence[Path],
    read: Callable[[Path], PictureResult | list[PictureResult]],
    *,
    as_json: bool,
    show: Path | None,
    draw: Callable[[list[Any]], "Figure"],
) -> None:
    """Reads one file after the other and prints the results.

    If a file cannot be read, an error names it, the others are still read, and the exit status is 2.

    read: the result for a file, or one for each image in it
    draw: makes the figure for `show` from the parts that the functions in the results of `read` return
    """
    from digitscope.errors import DigitscopeError

    answers, shown, failed = [], [], False
    for path in files:
        try:
            found = read(path)
        except DigitscopeError as error:
            print_error(f"Error: {error}")
            failed = True
            continue
        for answer, text, drawn in found if isinstance(found, list) else [found]:
            answers.append(answer)
            if not as_json:
                click.echo(text)
            if show is not None:
                shown.append(drawn())
    if as_json:
        click.echo(json.dumps(answers))
    if show is not None:
        _write(show, draw, shown)
    if failed:
        sys.exit(FAILED)


def _write(show: Path, draw: Callable[[list[Any]], "Figure"], shown: list[Any]) -> None:
    from digitscope.files.atomic import write_atomic
    from digitscope.files.opening import shown_path
    from digitscope.report import to_png

    if shown:
        write_atomic(show, to_png(draw(shown)))
    else:
        print_error(f"{shown_path(show)} was not written: no picture could be read.")
