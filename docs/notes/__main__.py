"""The notes' commands; `python -m docs.notes --help` lists them."""

import sys
from pathlib import Path

import click

from docs.notes import find_chapters
from docs.notes.run import run_chapter


@click.group()
def notes() -> None:
    """Write, check and build the notes. CHAPTERS are beginnings of file names, as 04; all without any."""


@notes.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder to write to.")
def build(out: Path) -> None:
    """Make the book: notes.html, one file that needs no network, and notes.pdf where there is a Chromium."""
    from docs.notes.book import write_book
    from docs.notes.printing import find_browser, write_pdf

    page = out / "notes.html"
    write_book(page)
    click.echo(f"{page}: {page.stat().st_size / 1e6:.1f} MB")
    if find_browser() is None:
        click.echo("No PDF: it is printed by Chromium, and there is none here (Debian: apt-get install chromium).")
        return
    pages = write_pdf(out / "notes.pdf")
    click.echo(f"{out / 'notes.pdf'}: {pages} pages")


@notes.command()
@click.argument("chapters", nargs=-1)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder to write to.")
def slides(chapters: tuple[str, ...], out: Path) -> None:
    """Make slides of each chapter's figures and numbered equations: one HTML file a chapter, for the space bar."""
    from docs.notes.slides import write_slides

    for path in find_chapters(chapters):
        click.echo(f"{out / f'{path.stem}.html'}: {write_slides(path, out)} slides")


@notes.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(file: Path) -> None:
    """Check the seed that you wrote from an empty page (chapter 5): what is right, and the first thing that is not.

    FILE is Python, and may be empty at first. It is run, so check only a file that you trust.
    """
    from docs.notes.empty_page import WrongSeedError, check_seed

    try:
        for call in check_seed(file):
            click.echo(f"right: {call}")
    except WrongSeedError as error:
        click.echo(str(error))
        sys.exit(1)
    click.echo("That is the seed, from memory.")


@notes.command()
@click.argument("chapters", nargs=-1)
def quote(chapters: tuple[str, ...]) -> None:
    """Fill the blocks that quote the source (```python digitscope.nn.dense.Dense) with what stands there now."""
    from docs.notes.quotes import filled

    for path in find_chapters(chapters):
        text = path.read_text(encoding="utf-8")
        if (new := filled(text)) != text:
            path.write_text(new, encoding="utf-8")
            click.echo(f"{path.name}: quotes filled")


@notes.command()
@click.argument("chapters", nargs=-1)
@click.option("--write", is_flag=True, help="Write what the blocks print into the chapter in place of comparing.")
def run(chapters: tuple[str, ...], write: bool) -> None:
    """Run each chapter's blocks in a clean interpreter and compare what they print."""
    failed = False
    for path in find_chapters(chapters):
        done = run_chapter(path, write=write)
        click.echo(f"{path.name}: {'ok' if done.returncode == 0 else 'FAILED'}")
        if done.returncode:
            failed = True
            click.echo(done.stdout + done.stderr)
    sys.exit(failed)


@notes.command()
@click.argument("chapters", nargs=-1)
def draw(chapters: tuple[str, ...]) -> None:
    """Make the figures and write them to docs/notes/pictures."""
    from docs.notes.figures import PICTURES, drawings, svg

    PICTURES.mkdir(exist_ok=True)
    for drawing in drawings():
        if not chapters or drawing.name.startswith(chapters):
            (PICTURES / f"{drawing.name}.svg").write_text(svg(drawing), encoding="utf-8")
            click.echo(f"pictures/{drawing.name}.svg")


if __name__ == "__main__":
    notes()
