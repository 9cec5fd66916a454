"""digitscope lab."""

from pathlib import Path

import click

from digitscope.cli.options import model_argument


@click.command(short_help="Draw, look inside, train and teach in a browser.")
@model_argument
@click.option("--port", type=click.IntRange(0, 65535), help="The port. [default: 7840, or a free one if it is taken]")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen at. With 0.0.0.0, phones in the same network can join a class.",
)
@click.option("--no-browser", is_flag=True, help="Do not open the browser.")
def lab(model: Path, port: int | None, host: str, no_browser: bool) -> None:
    """Open the lab: draw a digit and see every layer answer, in a browser on this machine.

    The first line has the address. What the lab saves is in runs/lab in the current folder. Ctrl-C ends it.

    MODEL is a .safetensors file or the name of a bundled model.

    \b
    Examples:
      digitscope lab
      digitscope lab convnet --port 8000 --no-browser
    """
    from digitscope.lab.server import lab_folder, serve
    from digitscope.lab.state import Lab
    from digitscope.model import Model

    Model.load(model)
    serve(Lab(lab_folder(), model), host=host, port=port, say=click.echo, browse=not no_browser)
