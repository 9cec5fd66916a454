"""digitscope predict."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digitscope.cli.options import finite, json_option, model_and_files

if TYPE_CHECKING:
    from digitscope.model import Answer

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
@click.option(
    "--refuse",
    type=click.FloatRange(0, 0.5),
    default=0.01,
    show_default=True,
    callback=finite,
    metavar="SHARE",
    help='The share of true digits that may be answered with "no digit"; 0 refuses nothing but blank pictures.',
)
@json_option
@click.pass_context
def predict(
    context: click.Context, arguments: tuple[Path, ...], show: Path | None, refuse: float, as_json: bool
) -> None:
    """Read pictures of one digit each: the digit and its probability, or "no digit" and why.

    A scan, a photo or a drawing in any size; dark ink on light paper or light on dark. The digit is found on its paper
    and brought into the form that MNIST has; --show shows how. Where another digit is plausible, too, it is named.

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
    from digitscope.errors import DigitscopeError, NoInkError
    from digitscope.model import Model

    model, files = model_and_files(arguments)
    if not files:
        raise click.UsageError("predict expects pictures; got only a model. Name one FILE or more after it.", context)
    if show is not None:
        _check_show(show, len(files))
    loaded = Model.load(model)
    answers: list[dict[str, Any]] = []
    shown = []
    failed = False
    for path in files:
        try:
            preparation = prepare(path)
            (answer,) = loaded.answers(preparation.image[None], refuse=refuse)
        except NoInkError:
            text = "no digit (nothing stands out from the paper)"
            answers.append({"file": str(path), "digit": None, "reason": text[10:-1]})
        except DigitscopeError as error:
            click.echo(f"Error: {error}", err=True)
            failed = True
            continue
        else:
            text = _in_words(answer, refuse)
            answers.append(
                {
                    "file": str(path),
                    "digit": answer.digit if answer.is_digit else None,
                    "reason": None if answer.is_digit else text[10:-1],
                    "probability": answer.probability,
                    "plausible": list(answer.plausible),
                    "evidence": answer.evidence,
                    "probabilities": answer.probabilities.tolist(),
                }
            )
            if show is not None:
                steps = [(step.name, step.sentence, step.image) for step in preparation.steps]
                shown.append((f"{path.name}: {text}", steps))
        if not as_json:
            click.echo(f"{path}: {text}")
    if as_json:
        click.echo(json.dumps(answers))
    if show is not None and shown:
        from digitscope.files import write_whole
        from digitscope.report import steps_figure, to_png

        write_whole(show, to_png(steps_figure(shown)))
    if failed:
        sys.exit(2)


def _in_words(answer: "Answer", refuse: float) -> str:
    if not answer.is_digit:
        usual = f"{100 * (1 - refuse):.4g}% of digits have {answer.least_evidence:.1f}"
        return f"no digit (its evidence is {answer.evidence:.1f}; {usual})"
    others = "".join(f", or {k} ({answer.probabilities[k]:.1%})" for k in answer.plausible[1:])
    return f"{answer.digit} ({answer.probability:.1%}){others}"


def _check_show(path: Path, files: int) -> None:
    """Raises: DataError where the steps cannot be written there."""
    from digitscope.errors import DataError

    if path.suffix.lower() != ".png":
        raise DataError(f"{path}: --show expects a name that ends with .png, such as steps.png.")
    if path.exists():
        raise DataError(f"{path} exists already. Choose another --show, or delete it.")
    if files > MOST_SHOWN:
        raise DataError(f"--show expects {MOST_SHOWN} files at most; got {files}. Name fewer.")
