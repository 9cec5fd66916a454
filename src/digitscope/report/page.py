"""Figures, tables and sentences on one page, in one file that is easy to send."""

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path

from matplotlib.figure import Figure

from digitscope.files.atomic import write_atomic
from digitscope.report.style import to_svg

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #59636e; --page: #ffffff; --line: #d8dee4; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9198a1; --page: #0d1117; --line: #2f353d; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: clamp(1rem, 4vw, 3rem); background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { margin: 0; font-size: clamp(1.5rem, 4vw, 2.1rem); line-height: 1.2; letter-spacing: -0.01em; }
h1, h2, p, dd, figcaption { overflow-wrap: anywhere; text-wrap: pretty; }
.lead { margin: 0.5rem 0 1.75rem; max-width: 44rem; font-size: 1.1rem; color: var(--soft); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 9.5rem), 1fr)); gap: 1rem 1.5rem;
  margin: 0 0 2.5rem; padding: 1.1rem 0; border-block: 1px solid var(--line); }
dt { font-size: 0.85rem; color: var(--soft); }
dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; }
main { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 29rem), 1fr)); gap: 3rem 3.5rem; }
section { min-width: 0; break-inside: avoid; }
h2 { margin: 0 0 0.25rem; font-size: 1.15rem; }
figure { display: flex; flex-direction: column; margin: 0; }
figcaption { order: -1; margin-bottom: 1rem; color: var(--soft); }
svg { display: block; width: 100%; height: auto; max-width: 40rem; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
th, td { padding: 0.3rem 0 0.3rem 1rem; text-align: right; border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
:is(th, td):first-child { padding-left: 0; text-align: left; }
@media print {
  :root { color-scheme: light; --ink: #000; --soft: #444; --page: #fff; --line: #bbb; }
  body { padding: 0; font-size: 10pt; }
  main { grid-template-columns: 1fr 1fr; gap: 1.5rem 2rem; }
}
"""


Table = Sequence[Sequence[str]]
"""The headings, then the rows."""

Section = tuple[str, str, Figure | Table]
"""Heading, a sentence, and a figure or a table."""


def _text(text: str) -> str:
    """The text escaped for HTML, with a non-breaking space before per cent signs."""
    return escape(text).replace(" %", "\u00a0%")


def _content(content: Figure | Table, ids: str) -> str:
    if isinstance(content, Figure):
        return to_svg(content, ids=ids)
    lines = (
        "<tr>" + "".join(f"<{cell}>{_text(text)}</{cell}>" for text in row) + "</tr>\n"
        for cell, row in zip(["th"] + ["td"] * len(content), content, strict=False)
    )
    return f'<div class="wide"><table>\n{"".join(lines)}</table></div>'


def write_report(
    path: str | os.PathLike[str],
    *,
    title: str,
    lead: str,
    facts: Sequence[tuple[str, str]],
    sections: Sequence[Section],
) -> None:
    """Writes a self-contained HTML page without scripts or downloads, for light, dark and print.

    lead: a sentence below the title; facts: (name, value). All text is escaped.
    """
    rows = "".join(f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>\n" for name, value in facts)
    parts = "".join(
        f"<section>\n<h2>{_text(heading)}</h2>\n<figure>\n{_content(content, f'figure{number}')}\n"
        f"<figcaption>{_text(sentence)}</figcaption>\n</figure>\n</section>\n"
        for number, (heading, sentence, content) in enumerate(sections, start=1)
    )
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
</header>
{f"<dl>{rows}</dl>" if rows else ""}
<main>
{parts}</main>
</body>
</html>
"""
    write_atomic(Path(path), page.encode())
