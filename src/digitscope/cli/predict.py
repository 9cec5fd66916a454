"""digitscope predict."""

import json
import sys
from pathlib import Path

import click

from digitscope.cli.options import json_option, model_and_files


@click.command(short_help="Read the digit in each picture.")
@click.argument("arguments", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="[MODEL] FILE...")
@json_option
@click.pass_context
def predict(context: click.Context, arguments: tuple[Path, ...], as_json: bool) -> None:
    """Read pictures of one digit each: the digit and its probability.

    Without a MODEL (a .safetensors file) by the model that comes with Digitscope.

    A picture that cannot be read is named, the others are still read, and the exit status is 2.

    \b
    Examples:
      digitscope predict seven.png
      digitscope predict runs/mlp/model.safetensors seven.png
      digitscope predict model.safetensors *.png --json
    """
    from digitscope.data import read_picture
    from digitscope.errors import DigitscopeError
    from digitscope.model import Model

    model, files = model_and_files(arguments)
    if not files:
        raise click.UsageError("predict expects pictures; got only a model. Name one FILE or more after it.", context)
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
