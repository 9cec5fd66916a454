"""digitscope predict."""

import json
import sys
from pathlib import Path

import click

from digitscope.cli.options import json_option, model_argument


@click.command(short_help="Read the digit in each picture.")
@model_argument
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@json_option
def predict(model: Path, files: tuple[Path, ...], as_json: bool) -> None:
    """Read pictures of one digit each: the digit and its probability.

    A picture that cannot be read is named, the others are still read, and the exit status is 2.

    \b
    Examples:
      digitscope predict runs/mlp/model.safetensors seven.png
      digitscope predict model.safetensors *.png --json
    """
    from digitscope.data import read_picture
    from digitscope.errors import DigitscopeError
    from digitscope.model import Model

    loaded = Model.load(model)
    answers = []
    failed = False
    for path in files:
        try:
            (probabilities,) = loaded.probabilities(read_picture(path)[None])
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
        if not as_json:
            click.echo(f"{path}: {digit} ({probabilities[digit]:.1%})")
    if as_json:
        click.echo(json.dumps(answers))
    if failed:
        sys.exit(2)
