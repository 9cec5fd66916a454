"""digitscope read."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digitscope.cli.completion import complete_model_and_files
from digitscope.cli.options import FilePath, json_option, model_text, paths_argument
from digitscope.cli.pictures import PictureResult, model_and_pictures, read_each

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from digitscope.reader import Box, Reading, ReadLine

SHOWN_SIDE = 1600
"""Maximum length of the longer side of a shown picture, in pixels."""


@click.command(short_help="Read the numbers in each picture.")
@paths_argument("[MODEL] FILE...", complete_model_and_files)
@click.option(
    "--show",
    type=FilePath(),
    metavar="READ.png",
    help="Also write a picture that shows each file with its digits marked.",
)
@click.option("--digits-only", is_flag=True, help="Print the digits without signs, points and blanks.")
@json_option
@click.pass_context
def read(
    context: click.Context, arguments: tuple[Path, ...], show: Path | None, digits_only: bool, as_json: bool
) -> None:
    """Read the numbers in pictures, line by line, from left to right.

    FILE is a photo, a scan or a drawing of any size, with dark ink on light paper or light on dark. The paper may be
    lined, digits may stand in boxes or in a table, and the page may be turned by 90 or 180 degrees. Digits may touch or
    be written in several strokes.

    Each line with digits is printed as it is written, with signs and decimal points, and one blank between numbers. The
    probability is the one that all of its digits are right; digits below 90 % are named. It is said if letters are left
    out, and if a line reaches the picture's edge, which may cut it. A picture without digits is not an error.

    MODEL is a .safetensors file or the name of a bundled model. If no MODEL is given, the bundled `reader` is used; the
    others are `best` and `convnet`.

    If a picture cannot be read, an error names it, the other pictures are still read, and the exit status is 2.

    \b
    Examples:
      digitscope read postcode.jpg
      digitscope read page.png --show read.png
      digitscope read *.png --json
    """
    from digitscope.model import Model
    from digitscope.reader import read as read_numbers
    from digitscope.vision import to_picture

    model, files = model_and_pictures(arguments, show, context)
    loaded = Model.load(model)
    if not as_json:
        click.echo(model_text(model))

    def read_file(path: Path) -> PictureResult:
        picture = to_picture(path)
        reading = read_numbers(picture, loaded)
        marked = partial(_marked, path, picture, reading)
        words = _in_words(path, reading, digits_only)
        return {"file": str(path), "model": str(model), **_as_json(reading, digits_only)}, words, marked

    read_each(files, read_file, as_json=as_json, show=show, draw=_draw)


def _draw(shown: list[Any]) -> "Figure":
    from digitscope.report import reading_figure

    return reading_figure(shown)


def _in_words(path: Path, reading: "Reading", digits_only: bool) -> str:
    from digitscope.files.opening import shown_path
    from digitscope.metrics import CONFIDENT, percentage

    if not reading.lines:
        others = len(reading.left_out)
        more = f" ({others} {'place' if others == 1 else 'places'} with other writing left out)" if others else ""
        return f"{shown_path(path)}: no digits{more}"
    lines = []
    for line in reading.lines:
        unsure = [
            f"{digit.label} {percentage(digit.confidence, 0)} %"
            for digit in line.digits
            if digit.confidence < CONFIDENT
        ]
        notes = [f"unsure: {', '.join(unsure)}"] if unsure else []
        text = line.digits_alone if digits_only else line.text
        said = "; ".join((f"{percentage(line.confidence, 1)} %", *notes, *_notes(line)))
        lines.append(f"{shown_path(path)}: {text} ({said})")
    return "\n".join(lines)


def _notes(line: "ReadLine") -> list[str]:
    """What else a person should know of a line."""
    notes = ["other writing beside it is left out"] if line.left_out else []
    if line.cut:
        *first, last = line.cut
        sides = f"{', '.join(first)} and {last} edges" if first else f"{last} edge"
        notes.append(f"the picture's {sides} may cut it")
    return notes


def _as_json(reading: "Reading", digits_only: bool) -> dict[str, Any]:
    texts = [line.digits_alone if digits_only else line.text for line in reading.lines]
    return {
        "text": "\n".join(texts),
        "confidence": reading.confidence,
        "lines": [
            {
                "text": text,
                "confidence": line.confidence,
                "cut": list(line.cut),
                "left_out": _boxes(line.left_out),
                "digits": [
                    {"digit": digit.label, "confidence": digit.confidence, "box": _boxes([digit.box])[0]}
                    for digit in line.digits
                ],
            }
            for text, line in zip(texts, reading.lines, strict=True)
        ],
        "left_out": _boxes(reading.left_out),
    }


def _boxes(boxes: "Sequence[Box]") -> list[list[float]]:
    return [[round(x, 1) for x in box] for box in boxes]


def _marked(path: Path, picture: Any, reading: "Reading") -> Any:
    """What --show draws for a file: a heading, the file's name, the picture scaled down, and its digits."""
    from digitscope.metrics import percentage
    from digitscope.vision.decode import shrink

    small = shrink(picture, SHOWN_SIDE)
    scale = small.shape[1] / picture.shape[1]
    marks: list[Any] = [
        (digit.label, digit.confidence, tuple(scale * x for x in digit.box))
        for line in reading.lines
        for digit in line.digits
    ]
    marks += [(None, 1.0, tuple(scale * x for x in box)) for box in reading.left_out]
    text = " / ".join(line.text for line in reading.lines)
    notes = dict.fromkeys(note for line in reading.lines for note in _notes(line))  # each once, in order
    said = "; ".join((f"{percentage(reading.confidence, 1)} %", *notes))
    heading = f"{text} ({said})" if text else "no digits"
    return heading, path.name, small, marks
