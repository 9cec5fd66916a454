"""digitscope teach."""

import itertools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digitscope.cli.completion import complete_model_and_examples
from digitscope.cli.exit_status import print_error
from digitscope.cli.options import (
    FilePath,
    check_new_model,
    data_option,
    json_option,
    model_and_files,
    model_text,
    paths_argument,
    threads_option,
)

if TYPE_CHECKING:
    from digitscope.arrays import Array
    from digitscope.datasets import DataSet
    from digitscope.jobs.teach import TeachResult
    from digitscope.model import Model


@click.command(short_help="Teach a model to read your own handwriting.")
@paths_argument("[MODEL] PICTURE=DIGIT|FOLDER...", complete_model_and_examples)
@click.option(
    "--out",
    type=FilePath(),
    metavar="FILE",
    help="The file to write. [default: beside MODEL, with -taught at the end of its name]",
)
@data_option
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Seed of all random numbers."
)
@threads_option
@json_option
@click.pass_context
def teach(
    context: click.Context,
    arguments: tuple[Path, ...],
    out: Path | None,
    source: str,
    seed: int,
    threads: int | None,
    as_json: bool,
) -> None:
    """Correct a model with a few examples: pictures of digits or of whole numbers, with what they show. Three examples
    of a kind are enough. A FOLDER has one subfolder for each class: my_digits/7 holds pictures of sevens.

    The network is trained on the examples for a second or two, together with images that it already knows, and is
    written as a new model. The old model stays as it is: to undo the teaching, delete the new file. You can teach the
    new model again.

    Nothing is written, and the exit status is 2, if a picture cannot be read, if an example is still read wrongly at
    the end, or if the accuracy on the model's validation images drops by more than 0.1 percentage points.

    MODEL is a .safetensors file or the name of a bundled model. If no MODEL is given, the bundled `reader` is used; the
    others are `best` and `convnet`.

    \b
    Examples:
      digitscope teach a.png=7 b.png=7 c.jpg=1
      digitscope teach page.jpg="286 1000"
      digitscope teach convnet my_digits/
      digitscope predict convnet-taught.safetensors d.png
      digitscope teach convnet-taught.safetensors e.png=4 --out mine.safetensors
    """
    from digitscope.datasets import load_data
    from digitscope.files.opening import shown_path
    from digitscope.model import Model

    model, examples = model_and_files(arguments)
    if not examples:
        raise click.UsageError(
            "teach expects pictures and the digits that they show; got only a model. Name at least one PICTURE=DIGIT "
            "after it.",
            context,
        )
    given = [pair for example in examples for pair in _examples(example, context)]
    loaded = Model.load(model)
    if not as_json:
        click.echo(model_text(model))
    out = taught_path(model) if out is None else out
    check_new_model(out)
    prepared = _prepare(given, loaded)
    result = _teach(loaded, prepared, load_data(source, loaded.image_shape), seed, threads, as_json)
    if not as_json:
        _show(prepared, result, source)
    result.save(out)
    if as_json:
        click.echo(json.dumps({"model": str(out), "taught_from": str(model), **_as_json(prepared, result)}))
    else:
        click.echo(f"new model: {shown_path(out)} (delete it to undo)")


@dataclass(frozen=True, eq=False)
class _Example:
    """One digit of a picture."""

    path: Path
    position: int | None
    """Its place among the digits of a number, from 1; None in a picture of one digit."""
    label: int
    image: "Array"

    def __str__(self) -> str:
        from digitscope.errors import printable
        from digitscope.files.opening import shown_path

        place = "" if self.position is None else f", digit {self.position}"
        return printable(f"{shown_path(self.path)}{place}={self.label}")


def _examples(argument: Path, context: click.Context) -> list[tuple[Path, str]]:
    """The pictures and labels of a folder with one subfolder for each class, or the one pair of PICTURE=LABEL."""
    from digitscope.datasets import list_picture_folder

    if argument.is_dir():
        return [(path, str(label)) for path, label in list_picture_folder(argument)]
    return [_example(str(argument), context)]


def _example(argument: str, context: click.Context) -> tuple[Path, str]:
    """The picture and the text in PICTURE=TEXT; the path may contain = too."""
    path, equals, text = argument.rpartition("=")
    if not (path and equals):
        raise click.UsageError(
            f"teach expects PICTURE=DIGIT, such as seven.png=7, or a folder; got {argument!r}.", context
        )
    if not re.fullmatch("[0-9]+( +[0-9]+)*", text):
        raise click.UsageError(
            f'teach expects a digit after the last =, such as seven.png=7, or numbers, such as page.png="28 6"; '
            f"got {argument!r}.",
            context,
        )
    return Path(path), text


def taught_path(model: Path) -> Path:
    """A new name beside the model: convnet-taught.safetensors, then convnet-taught-2.safetensors and so on."""
    stem = re.sub(r"-taught(-\d+)?$", "", model.stem)
    from digitscope.files.opening import exists

    for number in itertools.count(1):
        ending = "-taught" if number == 1 else f"-taught-{number}"
        path = model.with_name(f"{stem}{ending}.safetensors")
        if not exists(path):
            return path
    raise AssertionError("count never ends")


def _prepare(given: list[tuple[Path, str]], model: "Model") -> list[_Example]:
    """The digits of all pictures. An error line names each picture that cannot be used.

    Raises: DataError if there is such a picture, or if two digits with different labels are the same image.
    """
    from digitscope.errors import DataError

    examples: list[_Example] = []
    unusable = 0
    for path, text in given:
        try:
            examples += _digits(path, text, model)
        except DataError as error:
            print_error(f"Error: {error}")
            unusable += 1
    if unusable:
        raise DataError(f"{unusable} of {len(given)} pictures cannot be used. Nothing was taught.")
    first: dict[bytes, _Example] = {}
    for example in examples:
        same = first.setdefault(example.image.tobytes(), example)
        if example.label != same.label:
            raise DataError(f"{same} and {example} are the same picture with two labels. Keep one. Nothing was taught.")
    return examples


def _digits(path: Path, text: str, model: "Model") -> list[_Example]:
    """The digits of one picture. A model of ten digits learns the digits of a longer text one by one.

    Raises: PictureError if the picture cannot be read, DataError if it shows another number of digits.
    """
    from digitscope.errors import DataError
    from digitscope.reader import read
    from digitscope.vision import prepare

    if len(text) == 1 or model.classes != 10:
        return [_Example(path, None, int(text.replace(" ", "")), prepare(path, model.image_shape).image)]
    labels = [int(label) for label in text.replace(" ", "")]
    digits = [digit for line in read(path, model).lines for digit in line.digits]
    if len(digits) != len(labels):
        found = f"{len(digits)} digits were found" if len(digits) != 1 else "1 digit was found"
        raise DataError(
            f"{path} is said to show {len(labels)} digits, {text}; {found}. "
            "Give the number as it is written, or a picture in which its digits do not touch."
        )
    return [
        _Example(path, position, label, digit.image)
        for position, (label, digit) in enumerate(zip(labels, digits, strict=True), 1)
    ]


def _teach(
    model: "Model",
    examples: list[_Example],
    data: "DataSet",
    seed: int,
    threads: int | None,
    quiet: bool,
) -> "TeachResult":
    """Teaches the model. On a terminal, a progress bar is shown meanwhile."""
    import numpy as np
    from rich.progress import BarColumn, Progress, TextColumn

    from digitscope.cli.console import Output
    from digitscope.jobs.teach import teach

    console = Output(quiet=quiet)
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %")
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task("teaching", total=None)
        return teach(
            model,
            np.stack([example.image for example in examples]),
            [example.label for example in examples],
            data,
            seed=seed,
            threads=threads,
            callback=lambda step: progress.update(task, completed=step.step, total=step.steps),
        )


def _show(examples: list[_Example], result: "TeachResult", source: str) -> None:
    from digitscope.errors import printable
    from digitscope.metrics import percentage

    for example, before, after in zip(examples, result.before, result.after, strict=True):
        wrong = "" if after.argmax() == example.label else ", still wrong"
        click.echo(f"{example}: read as {_answer(before)} before, {_answer(after)} now{wrong}")
    click.echo(
        f"accuracy on {result.evaluated:,} images of {printable(source)}: "
        f"{percentage(result.accuracy_before)} % before, {percentage(result.accuracy_after)} % now"
    )
    if not result.held_out:
        click.echo("(the teaching did not use these images, but the model may have been trained on them before)")


def _answer(probabilities: "Array") -> str:
    from digitscope.metrics import percentage

    digit = int(probabilities.argmax())
    return f"{digit} ({percentage(probabilities[digit], 1)} %)"


def _as_json(given: list[_Example], result: "TeachResult") -> dict[str, Any]:
    examples = [
        {
            "file": str(example.path),
            **({} if example.position is None else {"position": example.position}),
            "label": example.label,
            "before": {"digit": int(before.argmax()), "probability": float(before.max())},
            "after": {"digit": int(after.argmax()), "probability": float(after.max())},
        }
        for example, before, after in zip(given, result.before, result.after, strict=True)
    ]
    return {
        "examples": examples,
        "rehearsed": result.rehearsed,
        "evaluated": result.evaluated,
        "held_out": result.held_out,
        "accuracy_before": result.accuracy_before,
        "accuracy_after": result.accuracy_after,
    }
