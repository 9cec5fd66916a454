"""Builds the site; `python -m docs.site --help` explains it."""

import sys
from pathlib import Path

import click

from docs.site import broken_links, build_site, write_site


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder to write to.")
@click.option("--run/--no-run", default=True, help="Whether to run the notebooks for their outputs, for a minute.")
def site(out: Path, run: bool) -> None:
    """Write the documents, the help of the commands and the Python names as one site, and check its links."""
    built = build_site(run=run)
    write_site(built, out)
    click.echo(f"{out / 'index.html'}: {len(built.pages)} pages")
    if wrong := broken_links(built):
        click.echo("\n".join(wrong), err=True)
        sys.exit(1)


if __name__ == "__main__":
    site()
