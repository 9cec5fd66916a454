"""digitscope read."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digitscope.cli.options import json_option, model_and_files

if TYPE_CHECKING:
    from digitscope.reader import Reading

MOST_SHOWN = 50
"""Files that one picture can show: more would be higher than a PNG may be."""
SHOWN_SIDE = 1600
"""Pixels of the longer side with which a picture is shown."""


@click.command(short_help="Read the numbers in each picture.")
@click.argument("arguments", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="[MODEL] FILE...")
@click.option(
    "--show",
    type=click.Path(path_type=Path),
    metavar="READ.png",
    help="Also write a picture of each file with the digits marked on it.",
)
@json_option
@click.pass_context
def read(context: click.Context, arguments: tuple[Path, ...], show: Path | None, as_json: bool) -> None:
    """Read pictures of numbers: all digits, line by line, from left to right.

    A photo, a scan or a drawing in any size; dark ink on light paper or light on dark, lined paper too. Digits may
    touch or be written in several strokes. Dots, dashes and ruling are left out.

    Each line of digits is printed with the probability that it is right as a whole, and with that of each digit that
    is less sure than 90 %. A picture without digits says so; that is no error.

    Without a MODEL (a .safetensors file) by the model that comes with Digitscope.

    A picture that cannot be read is named, the others are still read, and the exit status is 2.

    \b
    Examples:
      digitscope read postcode.jpg
      digitscope read page.png --show read.png
      digitscope read *.png --json
    """
    from digitscope.data import read_picture
    from digitscope.errors import DigitscopeError
    from digitscope.model import Model
    from digitscope.reader import read_numbers

    model, files = model_and_files(arguments)
    if not files:
        raise click.UsageError("read expects pictures; got only a model. Name one FILE or more after it.", context)
    if show is not None:
        _check_show(show, len(files))
    loaded = Model.load(model)
    answers: list[dict[str, Any]] = []
    shown = []
    failed = False
    for path in files:
        try:
            picture = read_picture(path)
            reading = read_numbers(picture, loaded)
        except DigitscopeError as error:
            click.echo(f"Error: {error}", err=True)
            failed = True
            continue
        answers.append({"file": str(path), **_as_json(reading)})
        if not as_json:
            _echo(path, reading)
        if show is not None:
            shown.append(_marked(path, picture, reading))
    if as_json:
        click.echo(json.dumps(answers))
    if show is not None and shown:
        from digitscope.files import write_whole
        from digitscope.report import reading_figure, to_png

        write_whole(show, to_png(reading_figure(shown)))
    if failed:
        sys.exit(2)


def _echo(path: Path, reading: "Reading") -> None:
    from digitscope.report.reading import SURE

    if not reading.lines:
        click.echo(f"{path}: no digits")
    for line in reading.lines:
        unsure = [f"{digit.label} {digit.confidence:.0%}" for digit in line.digits if digit.confidence < SURE]
        more = f"; unsure: {', '.join(unsure)}" if unsure else ""
        click.echo(f"{path}: {line.text} ({line.confidence:.1%}{more})")


def _as_json(reading: "Reading") -> dict[str, Any]:
    return {
        "text": reading.text,
        "confidence": reading.confidence,
        "lines": [
            {
                "text": line.text,
                "confidence": line.confidence,
                "digits": [
                    {"digit": digit.label, "confidence": digit.confidence, "box": [round(x, 1) for x in digit.box]}
                    for digit in line.digits
                ],
            }
            for line in reading.lines
        ],
    }


def _marked(path: Path, picture: Any, reading: "Reading") -> Any:
    """What is shown of a file: a heading, its name, the picture in few enough pixels to keep, and its digits."""
    from digitscope.data.pictures import shrink

    small = shrink(picture, SHOWN_SIDE)
    scale = small.shape[1] / picture.shape[1]
    marks = [
        (digit.label, digit.confidence, tuple(scale * x for x in digit.box))
        for line in reading.lines
        for digit in line.digits
    ]
    text = " / ".join(line.text for line in reading.lines)
    heading = f"{text} ({reading.confidence:.1%})" if text else "no digits"
    return heading, path.name, small, marks


def _check_show(path: Path, files: int) -> None:
    """Raises: DataError where the picture cannot be written there."""
    from digitscope.errors import DataError

    if path.suffix.lower() != ".png":
        raise DataError(f"{path}: --show expects a name that ends with .png, such as read.png.")
    if path.exists():
        raise DataError(f"{path} exists already. Choose another --show, or delete it.")
    if files > MOST_SHOWN:
        raise DataError(f"--show expects {MOST_SHOWN} files at most; got {files}. Name fewer.")
