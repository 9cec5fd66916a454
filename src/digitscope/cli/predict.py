"""digitscope predict."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digitscope.cli.completion import complete_model_and_files
from digitscope.cli.options import FilePath, json_option, model_text, paths_argument, refuse_option
from digitscope.cli.pictures import PictureResult, model_and_pictures, read_each

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from digitscope.model import Answer, Model
    from digitscope.vision import Preparation


SHOWN_SIDE = 400
"""Maximum length of the longer side of a shown blank picture, in pixels."""
SEVERAL = 0.5
"""Minimum confidence of a number of several digits that is mentioned."""
BLANK_REASON = "nothing stands out from the paper"
"""Why a blank picture is not a digit."""


@click.command(short_help="Read the digit in each picture.")
@paths_argument("[MODEL] FILE...", complete_model_and_files)
@click.option(
    "--show",
    type=FilePath(),
    metavar="STEPS.png",
    help="Also draw how each file was prepared, step by step.",
)
@refuse_option
@json_option
@click.pass_context
def predict(
    context: click.Context, arguments: tuple[Path, ...], show: Path | None, refuse: float, as_json: bool
) -> None:
    """Read pictures of one digit each, and print the digit and its probability, or "not a digit" and the reason.

    A picture is a scan, a photo or a drawing of any size, with dark ink on light paper or light on dark. It is
    converted to MNIST's format, in the size that the model reads; --show draws each step. If another digit is
    plausible too, it is also named. If the picture shows several digits, it is
    said how many, and `digitscope read` reads them all.

    A FILE may also be a table with an image in each row, CSV or Parquet. Its images are read as they are.

    MODEL is a .safetensors file or the name of a bundled model. If no MODEL is given, the bundled `reader` is used,
    which also recognizes what is not a digit; the others are `best` and `convnet`.

    If a picture cannot be read, an error names it, the other pictures are still read, and the exit status is 2.

    \b
    Examples:
      digitscope predict seven.png
      digitscope predict photo.jpg --show steps.png
      digitscope predict runs/mlp/model.safetensors seven.png
      digitscope predict model.safetensors *.png --json
      digitscope predict runs/mlp/model.safetensors test.csv
    """
    from digitscope.datasets.table_files import is_table, read_fitting_table
    from digitscope.errors import DataError, NoInkError
    from digitscope.files.opening import shown_path
    from digitscope.model import Model
    from digitscope.vision import to_picture
    from digitscope.vision.prepare import prepare_decoded

    model, files = model_and_pictures(arguments, show, context)
    loaded = Model.load(model)
    if not as_json:
        click.echo(model_text(model))

    def read(path: Path) -> PictureResult | list[PictureResult]:
        if is_table(path):
            return read_rows(path)
        picture = to_picture(path)
        try:
            preparation = prepare_decoded(picture, shown_path(path), loaded.image_shape)
        except NoInkError:
            return (
                {"file": str(path), "model": str(model), "digit": None, "reason": BLANK_REASON},
                f"{shown_path(path)}: not a digit ({BLANK_REASON})",
                partial(_blank, path),
            )
        (answer,) = loaded.answers(preparation.image[None], refuse=refuse)
        text, several = _text(answer), _several(picture, loaded)
        hint = f"; the picture shows {several} digits: digitscope read reads all" if several else ""
        return (
            {**_as_json(path, model, answer), "several_digits": several},
            f"{shown_path(path)}: {text}{hint}",
            partial(_steps, f"{path.name}: {text}", preparation),
        )

    def read_rows(path: Path) -> list[PictureResult]:
        if show is not None:
            raise DataError(
                f"{shown_path(path)} is a table, whose images are read as they are: --show has no steps to draw. Leave "
                "it out."
            )
        answers = loaded.answers(read_fitting_table(path, loaded.image_shape).images, refuse=refuse)
        return [
            ({**_as_json(path, model, answer), "row": row}, f"{shown_path(path)}, row {row}: {_text(answer)}", dict)
            for row, answer in enumerate(answers, start=1)
        ]

    read_each(files, read, as_json=as_json, show=show, draw=_draw)


def _several(picture: "NDArray[np.uint8]", model: "Model") -> int | None:
    """How many digits the picture shows, if it shows several."""
    from digitscope.reader import CLASSES, read

    if model.classes != CLASSES:
        return None
    reading = read(picture, model)
    return reading.digits if reading.digits > 1 and reading.confidence >= SEVERAL else None


def _steps(heading: str, preparation: "Preparation") -> Any:
    return heading, [(step.name, step.sentence, step.image) for step in preparation.steps]


def _blank(path: Path) -> Any:
    from digitscope.vision import to_picture
    from digitscope.vision.decode import shrink

    picture = shrink(to_picture(path), SHOWN_SIDE)
    return f"{path.name}: not a digit ({BLANK_REASON})", [("picture", f"As given: {BLANK_REASON}.", picture)]


def _draw(shown: list[Any]) -> "Figure":
    from digitscope.report import steps_figure

    return steps_figure(shown)


def _text(answer: "Answer") -> str:
    return answer.text if answer.is_digit else f"not a digit ({answer.evidence_text})"


def _as_json(path: Path, model: Path, answer: "Answer") -> dict[str, Any]:
    return {
        "file": str(path),
        "model": str(model),
        "digit": answer.digit if answer.is_digit else None,
        "reason": None if answer.is_digit else answer.evidence_text,
        "probability": answer.probability,
        "plausible": list(answer.plausible),
        "evidence": answer.evidence,
        "probabilities": answer.probabilities.tolist(),
    }
