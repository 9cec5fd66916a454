"""digitscope export."""

from pathlib import Path

import click

from digitscope.bundled import SHIPPED
from digitscope.cli.completion import complete_model
from digitscope.cli.options import FilePath


@click.command(short_help="Write a model for other programs: ONNX, plain NumPy, Hugging Face.")
@click.argument("model", type=FilePath(), metavar="MODEL", shell_complete=complete_model)
@click.argument("out", type=FilePath(), metavar="OUT")
def export(model: Path, out: Path) -> None:
    """Write a model for other programs. The ending of OUT chooses the form.

    OUT.onnx is an ONNX graph (opset 17) for onnxruntime and others; it needs the extra digitscope[onnx]. OUT.py is a
    program of plain NumPy, at most 200 lines to read, with its weights in OUT.npz. An OUT without an ending is a folder
    in Hugging Face's layout: README.md (the model card), config.json and model.safetensors.

    MODEL is a .safetensors file or the name of a bundled model: `reader`, `best` or `convnet`.

    \b
    Examples:
      digitscope export convnet convnet.onnx
      digitscope export convnet convnet.py
      digitscope export runs/mlp/model.safetensors my-model
    """
    from digitscope.files.opening import shown_path
    from digitscope.interchange import export_model
    from digitscope.interchange.onnx_graph import OUTPUTS
    from digitscope.model import Model

    loaded = Model.load(model)
    written = export_model(loaded, out, licence="mit" if str(model) in SHIPPED else "unknown")
    for path in written:
        click.echo(f"{shown_path(path)}: {path.stat().st_size:,} bytes")
    if out.suffix.lower() == ".onnx":
        height, width = loaded.image_shape
        click.echo(f"input: images, float32 (N, {height}, {width}), 0 (paper) to 1 (ink)")
        click.echo(f"outputs: {', '.join(OUTPUTS)}")
    elif out.suffix.lower() == ".py":
        click.echo(f"run it: python {shown_path(out)} digits.npy")
    elif str(model) not in SHIPPED:
        click.echo(f"Choose a licence, and tell where the data come from, in {shown_path(written[-1])}.")
