"""digitscope look."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digitscope.bundled import DEFAULT_MODEL
from digitscope.cli.completion import complete_model_and_files
from digitscope.cli.options import FilePath, is_model, json_option, model_text, paths_argument, refuse_option

if TYPE_CHECKING:
    from digitscope.cli.console import Output
    from digitscope.report.inspection_page import Inspection

SUFFIXES = (".html", ".png", ".svg")
MAX_BARS = 10


@click.command(short_help="Show what each layer computes for one picture.")
@paths_argument("[MODEL] PICTURE", complete_model_and_files)
@click.option(
    "--out",
    type=FilePath(),
    metavar="FILE",
    help="The page (.html) or picture (.png, .svg) to write. [default: PICTURE's name with -look.html, in this folder]",
)
@refuse_option
@json_option
@click.pass_context
def look(context: click.Context, arguments: tuple[Path, ...], out: Path | None, refuse: float, as_json: bool) -> None:
    """Look inside a network while it reads a picture of one digit.

    The page shows how the picture was prepared, what each layer computed, the probabilities, and which pixels speak for
    the answer and which against it.

    MODEL is a .safetensors file or the name of a bundled model, before or after the picture. If no MODEL is given, the
    bundled `reader` is used; the others are `best` and `convnet`.

    \b
    Examples:
      digitscope look seven.png
      digitscope look convnet seven.png --out seven.html
      digitscope look runs/mlp/model.safetensors seven.png --out layers.png
    """
    from digitscope.cli.console import Output
    from digitscope.cli.tables import free_name
    from digitscope.errors import DataError
    from digitscope.files.atomic import check_new
    from digitscope.files.opening import shown_path
    from digitscope.jobs.inspection import inspect_picture
    from digitscope.model import Model

    model, picture = _model_and_picture(arguments, context)
    if out is not None and out.suffix.lower() not in SUFFIXES:
        raise DataError(f"{out}: --out expects a name that ends with {', '.join(SUFFIXES)}, such as look.html.")
    if out is not None:
        check_new(out, "--out")
    found = inspect_picture(picture, Model.load(model), name=picture.name, model_name=str(model), refuse=refuse)
    out = free_name(f"{picture.stem}-look", ".html") if out is None else out
    _write(out, found)
    if as_json:
        click.echo(json.dumps(_as_json(picture, out, found)))
    else:
        click.echo(model_text(model))
        _show(Output(), picture, found)
        click.echo(f"pictures of all layers: {shown_path(out)}")


def _model_and_picture(arguments: tuple[Path, ...], context: click.Context) -> tuple[Path, Path]:
    models = [path for path in arguments if is_model(path)]
    pictures = [path for path in arguments if not is_model(path)]
    if len(pictures) != 1 or len(models) > 1:
        raise click.UsageError(
            f"look expects one PICTURE and at most one MODEL; got {len(pictures)} and {len(models)}.", context
        )
    return (models[0] if models else Path(DEFAULT_MODEL)), pictures[0]


def _write(out: Path, found: "Inspection") -> None:
    from digitscope.files.atomic import write_atomic
    from digitscope.report import save_svg, to_png
    from digitscope.report.inspection_page import inspection_figure, write_inspection_page

    kind = out.suffix.lower()
    if kind == ".html":
        write_inspection_page(out, found)
    elif kind == ".png":
        write_atomic(out, to_png(inspection_figure(found)))
    else:
        save_svg(inspection_figure(found), out)


def _show(console: "Output", picture: Path, found: "Inspection") -> None:
    from digitscope.cli.braille import side_by_side
    from digitscope.cli.tables import print_table
    from digitscope.files.opening import shown_path
    from digitscope.metrics import percentage

    click.echo(f"{shown_path(picture)}: {found.answer}")
    click.echo(found.evidence_sentence)
    click.echo(f"\n{side_by_side(found.image[None], encoding=console.encoding)}\n")
    block = "█" if console.encoding.lower().startswith("utf") else "#"
    order = sorted(range(len(found.probabilities)), key=lambda k: -found.probabilities[k])
    for k in order[:MAX_BARS]:
        share = float(found.probabilities[k])
        click.echo(f"{k:>3} {block * round(24 * share):<24} {percentage(share, 1):>6} %")
    click.echo()
    rows = [["layer", "", "output"]]
    rows += [[layer.name, layer.layer.partition("(")[0], layer.shape_text] for layer in found.layers]
    print_table(console, rows, left=(0, 1))


def _as_json(picture: Path, out: Path, found: "Inspection") -> dict[str, Any]:
    return {
        "file": str(picture),
        "model": found.model,
        "digit": found.digit if found.is_digit else None,
        "plausible": list(found.plausible),
        "evidence": found.evidence,
        "probabilities": found.probabilities.tolist(),
        "layers": [
            {
                "name": layer.name,
                "layer": layer.layer,
                "shape": list(layer.shape),
                "min": float(layer.values.min()),
                "mean": float(layer.values.mean()),
                "max": float(layer.values.max()),
            }
            for layer in found.layers
        ],
        "written": str(out),
    }
