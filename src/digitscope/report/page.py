"""Figures, tables and sentences on one page, in one file that is easy to send."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from matplotlib.figure import Figure

from digitscope.errors import printable
from digitscope.files.atomic import write_atomic
from digitscope.report.style import to_svg

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #59636e; --page: #ffffff; --line: #d8dee4; --tint: #fdf1e7; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9198a1; --page: #0d1117; --line: #2f353d; --tint: #2b1f16; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: clamp(1rem, 4vw, 3rem); background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { margin: 0; font-size: clamp(1.5rem, 4vw, 2.1rem); line-height: 1.2; letter-spacing: -0.01em; }
h1, h2, p, dd, figcaption { overflow-wrap: anywhere; text-wrap: pretty; }
.lead { margin: 0.5rem 0 1.75rem; max-width: 44rem; font-size: 1.1rem; color: var(--soft); }
.notice { margin: 0 0 1rem; padding: 0.6rem 0.9rem; max-width: 44rem; border-left: 4px solid #d55e00;
  background: var(--tint); }
.notes { display: block; margin-top: 0.25rem; font-size: 0.85rem; }
.notes code { font-family: inherit; }
a { color: inherit; text-underline-offset: 0.15em; }
dl { display: grid; grid-template-columns: repeat(var(--columns), 1fr); column-gap: 1.5rem; margin: 0 0 2.5rem;
  padding: 0.3rem 0 1.1rem; border-block: 1px solid var(--line); }
dl div { display: grid; grid-row: span 2; grid-template-rows: subgrid; padding-top: 0.8rem; }
dt { align-self: end; font-size: 0.85rem; color: var(--soft); }
dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; }
@media screen and (max-width: 40rem) {
  dl { grid-template-columns: 1fr; padding-bottom: 0.8rem; }
  dl div { grid-row: auto; grid-template: auto / auto 1fr; align-items: baseline; gap: 1rem; padding-top: 0.5rem; }
  dt { align-self: baseline; }
  dd { text-align: right; }
}
main { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 29rem), 1fr)); gap: 3rem 3.5rem; }
section { min-width: 0; break-inside: avoid; }
h2 { margin: 0 0 0.25rem; font-size: 1.15rem; }
figure { display: flex; flex-direction: column; margin: 0; }
figcaption { order: -1; margin-bottom: 1rem; color: var(--soft); }
svg { display: block; width: 100%; height: auto; max-width: 32rem; }
@media (min-width: 66rem) { .tall { grid-row: span 5; } }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
th, td { padding: 0.3rem 0 0.3rem 1rem; text-align: right; border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
:is(th, td):first-child { padding-left: 0; text-align: left; }
@media print {
  :root { color-scheme: light; --ink: #000; --soft: #444; --page: #fff; --line: #bbb; --tint: #fff; }
  body { padding: 0; font-size: 10pt; }
  main { grid-template-columns: 1fr 1fr; gap: 1.5rem 2rem; }
}
"""


Table = Sequence[Sequence[str]]
"""The headings, then the rows."""


@dataclass(frozen=True)
class Html:
    """Ready HTML. It is not escaped, and its ids must differ from all others of the page: "figure1-..." are taken."""

    text: str


@dataclass(frozen=True, eq=False)
class Section:
    """A part of a page."""

    heading: str
    sentence: str
    content: Figure | Table | Html
    notes: str | None = None
    """The place in the notes that explains it: docs/notes/FILE.md#SECTION."""


def _text(text: str) -> str:
    """The text escaped for HTML, with a non-breaking space before per cent signs."""
    return escape(printable(text)).replace(" %", "\u00a0%")


def _content(content: Figure | Table | Html, ids: str) -> str:
    if isinstance(content, Figure):
        return to_svg(content, ids=ids)
    if isinstance(content, Html):
        return content.text
    lines = (
        "<tr>" + "".join(f"<{cell}>{_text(text)}</{cell}>" for text in row) + "</tr>\n"
        for cell, row in zip(["th"] + ["td"] * len(content), content, strict=False)
    )
    return f'<div class="wide"><table>\n{"".join(lines)}</table></div>'


def _section(section: Section, number: int, report: Path) -> str:
    tall = ' class="tall"' if isinstance(section.content, Figure) and _is_tall(section.content) else ""
    content = _content(section.content, f"figure{number}")
    caption = _text(section.sentence) + _notes(section.notes, report)
    return (
        f"<section{tall}>\n<h2>{_text(section.heading)}</h2>\n"
        f"<figure>\n{content}\n<figcaption>{caption}</figcaption>\n</figure>\n</section>\n"
    )


def _is_tall(figure: Figure) -> bool:
    """Whether several sections are stacked beside the figure."""
    width, height = figure.get_size_inches()
    return bool(height > 2 * width)


def _notes(notes: str | None, report: Path) -> str:
    """Says where the notes explain a section. It is a link if the report is inside a checkout, which has the notes."""
    if notes is None:
        return ""
    checkout, folder = Path(__file__).parents[3].resolve(), report.parent.resolve()
    name = f"<code>{_text(notes)}</code>"
    if folder.is_relative_to(checkout) and (checkout / notes.partition("#")[0]).is_file():
        up = "../" * len(folder.relative_to(checkout).parts)
        name = f'<a href="{_text(up + notes)}">{name}</a>'
    return f' <span class="notes">Notes: {name}</span>'


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    """The facts in a grid without empty cells, or one below the other."""
    if not facts:
        return ""
    columns = next(columns for columns in (4, 3, 2, 1) if len(facts) % columns == 0)
    rows = "".join(f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>\n" for name, value in facts)
    return f'<dl style="--columns: {columns}">\n{rows}</dl>'


def write_report(
    path: str | os.PathLike[str],
    *,
    title: str,
    lead: str,
    facts: Sequence[tuple[str, str]],
    sections: Sequence[Section],
    notices: Sequence[str] = (),
) -> None:
    """Writes a self-contained HTML page that downloads nothing, for light, dark and print.

    lead: a sentence below the title; notices: sentences that stand out below it; facts: (name, value). All text is
    escaped.
    """
    remarks = "".join(f'<p class="notice">{_text(notice)}</p>\n' for notice in notices)
    path = Path(path)
    parts = "".join(_section(section, number, path) for number, section in enumerate(sections, start=1))
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>{_text(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>{_text(title)}</h1>
<p class="lead">{_text(lead)}</p>
{remarks}</header>
{_facts(facts)}
<main>
{parts}</main>
</body>
</html>
"""
    write_atomic(path, page.encode())
