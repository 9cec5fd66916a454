"""Runs the notebooks and writes them for Jupyter: python -m docs.notebooks --out runs/notebooks"""

from pathlib import Path

import click

from docs.notebooks import notebook_paths, write_notebook


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder to write to.")
@click.option("--quick", is_flag=True, help="Train on fewer images, as the tests do.")
def notebooks(out: Path, quick: bool) -> None:
    """Run the notebooks and write them, with their outputs, as .ipynb files."""
    out.mkdir(parents=True, exist_ok=True)
    for path in notebook_paths():
        written = out / f"{path.stem}.ipynb"
        write_notebook(path, written, out, quick=quick)
        click.echo(f"{written}: {written.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    notebooks()
