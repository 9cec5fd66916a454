"""digitscope predict."""

import json
import sys
from pathlib import Path

import click

from digitscope.cli.options import json_option, model_and_files

MOST_SHOWN = 50
"""Files whose steps one picture can show: more would be higher than a PNG may be."""


@click.command(short_help="Read the digit in each picture.")
@click.argument("arguments", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="[MODEL] FILE...")
@click.option(
    "--show",
    type=click.Path(path_type=Path),
    metavar="STEPS.png",
    help="Also write a picture of how each file was prepared, step by step.",
)
@json_option
@click.pass_context
def predict(context: click.Context, arguments: tuple[Path, ...], show: Path | None, as_json: bool) -> None:
    """Read pictures of one digit each: the digit and its probability.

    A scan, a photo or a drawing in any size; dark ink on light paper or light on dark. The digit is found on its paper
    and brought into the form that MNIST has; --show shows how.

    Without a MODEL (a .safetensors file) by the model that comes with Digitscope.

    A picture that cannot be read is named, the others are still read, and the exit status is 2.

    \b
    Examples:
      digitscope predict seven.png
      digitscope predict photo.jpg --show steps.png
      digitscope predict runs/mlp/model.safetensors seven.png
      digitscope predict model.safetensors *.png --json
    """
    from digitscope.data import prepare
    from digitscope.errors import DigitscopeError
    from digitscope.model import Model

    model, files = model_and_files(arguments)
    if not files:
        raise click.UsageError("predict expects pictures; got only a model. Name one FILE or more after it.", context)
    if show is not None:
        _check_show(show, len(files))
    loaded = Model.load(model)
    answers = []
    shown = []
    failed = False
    for path in files:
        try:
            preparation = prepare(path)
            (probabilities,) = loaded.probabilities(preparation.image[None])
        except DigitscopeError as error:
            click.echo(f"Error: {error}", err=True)
            failed = True
            continue
        digit = int(probabilities.argmax())
        answers.append(
            {
                "file": str(path),
                "digit": digit,
                "probability": float(probabilities[digit]),
                "probabilities": probabilities.tolist(),
            }
        )
        answer = f"{digit} ({probabilities[digit]:.1%})"
        if not as_json:
            click.echo(f"{path}: {answer}")
        if show is not None:
            steps = [(step.name, step.sentence, step.image) for step in preparation.steps]
            shown.append((f"{path.name}: {answer}", steps))
    if as_json:
        click.echo(json.dumps(answers))
    if show is not None and shown:
        from digitscope.files import write_whole
        from digitscope.report import steps_figure, to_png

        write_whole(show, to_png(steps_figure(shown)))
    if failed:
        sys.exit(2)


def _check_show(path: Path, files: int) -> None:
    """Raises: DataError where the steps cannot be written there."""
    from digitscope.errors import DataError

    if path.suffix.lower() != ".png":
        raise DataError(f"{path}: --show expects a name that ends with .png, such as steps.png.")
    if path.exists():
        raise DataError(f"{path} exists already. Choose another --show, or delete it.")
    if files > MOST_SHOWN:
        raise DataError(f"--show expects {MOST_SHOWN} files at most; got {files}. Name fewer.")
