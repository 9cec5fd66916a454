"""Slides of a chapter: its figures and numbered equations, section by section, one HTML file without scripts.

The page scrolls from slide to slide: the space bar, the arrow keys and a finger go on. Printed, each slide is a page.
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from markdown_it.token import Token

from digitscope.files.atomic import write_atomic
from digitscope.notes.chapters import section_paths
from digitscope.notes.renderer import NotesRenderer
from digitscope.notes.section import NotesSection, read_section, to_equation, with_figures
from docs.notes import NOTES
from docs.notes.book import TEXT_STYLE, font_face

TALL = 8
"""So many lines of displayed equations share a slide; rows of matrices count, too."""


class _SlideRenderer(NotesRenderer):
    """What a caption refers to may stand on no slide, so references are text."""

    def _reference(self, number: str, anchor: str, text: str) -> str:
        return text

    def link_open(self, *arguments: object) -> str:
        return "<span>"

    def link_close(self, *arguments: object) -> str:
        return "</span>"


def slides(path: Path) -> list[str]:
    """The slides of a chapter as HTML, the title first."""
    section = read_section(path)
    renderer = _SlideRenderer([read_section(other) for other in section_paths()])
    title = renderer.render_inline(section.title)
    made = [f'<section class="title"><h1>{title}</h1><p>{escape(_source(section))}</p></section>']
    heading, parts = "", list[Token]()
    for token, content in zip(tokens := with_figures(section.tokens), [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and token.tag == "h2" and content is not None:
            made += _of_section(renderer, heading, parts)
            heading, parts = content.content, []
            if heading == "The code":
                break
        elif token.type == "figure" or (token.type == "fence" and token.info == "math" and "\\tag" in token.content):
            parts.append(token)
    return made


def _of_section(renderer: NotesRenderer, heading: str, parts: Sequence[Token]) -> list[str]:
    """The slides of a section: one for each figure; equations that follow each other share one if they are short."""
    made: list[str] = []
    shared: list[Token] = []

    def close() -> None:
        if shared:
            made.append(_slide(renderer, heading, shared))
            shared.clear()

    for token in parts:
        if token.type == "figure":
            close()
            made.append(_slide(renderer, heading, [token]))
        else:
            if sum(map(_lines, shared)) + _lines(token) > TALL:
                close()
            shared.append(token)
    close()
    return made


def _lines(token: Token) -> int:
    return to_equation(token.content).latex.count("\\\\") + 1


def _slide(renderer: NotesRenderer, heading: str, tokens: Sequence[Token]) -> str:
    kind = "picture" if tokens[0].type == "figure" else "formulas"
    return (
        f'<section class="{kind}"><h2>{renderer.render_inline(heading)}</h2>{renderer.render_tokens(tokens)}</section>'
    )


def _source(section: NotesSection) -> str:
    title = read_section(NOTES / "README.md").title
    return f"Figures and equations from {title} (docs/notes/{section.name}.md)"


def write_slides(path: Path, out: Path) -> int:
    """Writes the slides of a chapter to a folder, and returns how many there are."""
    made = slides(path)
    style = font_face() + TEXT_STYLE.read_text(encoding="utf-8") + (NOTES / "slides.css").read_text(encoding="utf-8")
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(read_section(path).title)}</title>
<style>
{style}
</style>
</head>
<body class="notes">
<main>
{"".join(made)}
</main>
</body>
</html>
"""
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / f"{path.stem}.html", page.encode())
    return len(made)
