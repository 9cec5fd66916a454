"""Makes one HTML page of all chapters: mathematics as MathML, figures and scripts inside, nothing to fetch.

`digitscope.notes` reads and renders the chapters; here are the page around them and what paper needs.
"""

import base64
import re
from collections.abc import Collection, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from markdown_it.token import Token

from digitscope.files.atomic import write_atomic
from digitscope.notes.chapters import section_paths
from digitscope.notes.renderer import NotesRenderer, code_line
from digitscope.notes.section import NotesSection, read_section
from docs.notes import NOTES
from docs.notes.checks import checks

SHARED = Path(str(files("digitscope"))) / "lab" / "static" / "notes"
"""What the lab's notes have, too: styles, the font of formulas, and live/, what can be touched and checks answers."""

TEXT_STYLE = SHARED / "text.css"
"""How the text looks; book.css is for the page around it and for paper."""

TOGETHER = 12
"""Up to so many lines, code and its output stand on one printed page. If all did, pages before them were half empty."""

EDGE = 4
"""Of longer code, so many lines at least stand on each side of a page's end."""


class _BookRenderer(NotesRenderer):
    """Renders sections as parts of one page."""

    live = True

    def __init__(self, sections: Collection[NotesSection], checked: Mapping[str, str]) -> None:
        super().__init__(sections)
        self._checked = checked

    def address(self, section: str, anchor: str = "") -> str:
        if re.match(r"(eq|fig)-\d", anchor):
            return f"#{anchor}"
        return f"#{section}--{anchor}" if anchor else f"#{section}"

    def heading_id(self, level: str, anchor: str) -> str:
        return self._section if level == "h1" else f"{self._section}--{anchor}"

    def number_attributes(self, number: str) -> str:
        how = self._checked.get(number)
        return f' title="Checked by {how}"' if how else ""

    def code(self, lines: Sequence[str], html: str, output: int) -> str:
        ends = page_ends(lines, output)
        pieces = [""]
        for k, (words, line) in enumerate(zip(html.splitlines(), lines, strict=True)):
            pieces[-1] += code_line(words, line)
            if k in ends:
                pieces.append("")
        return "".join(f'<span class="piece">{piece}</span>' for piece in pieces)


def scripts() -> str:
    """What makes the page search, mark the place, check answers and be touched, as one module.

    Each file of page/ and live/ becomes a block, so that its names are its own; all see those of _shared.js.
    """
    live = SHARED / "live"
    shared, *others = (
        re.sub(r"^import .*\n|^export (?:\{\};)?", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for path in [live / "_shared.js", *sorted([*live.glob("[!_]*.js"), *(NOTES / "page").glob("*.js")])]
    )
    script = shared + "".join(f"{{\n{other}}}\n" for other in others)

    def content(found: re.Match[str]) -> str:
        return (live / found[1]).read_text(encoding="utf-8")

    return re.sub(r'await get\("/static/notes/live/(\w+\.json)"\)', content, script)


def page_ends(lines: Sequence[str], output: int = 0) -> list[int]:
    """The lines of code, from 0, behind which a printed page may end. Its output, so many lines, stands with its end.

    Code that is not short may be cut at its empty lines, and paragraphs of it that are not short between any two lines
    of which the first does not open what the second continues.
    """
    ends: list[int] = []
    if len(lines) + output <= TOGETHER:
        return ends
    begin = 0
    for end in range(len(lines) + 1):
        if end < len(lines) and lines[end]:
            continue
        if end - begin + (output if end == len(lines) else 0) > TOGETHER - 2:
            for k in range(begin + EDGE - 1, end - EDGE):
                opens = lines[k].endswith((":", "(", "[", "{"))
                if not opens and not re.match(r"\s*([)\]}]|(elif|else|except|finally)\b)", lines[k + 1]):
                    ends.append(k)
        if any(lines[end + 1 : end + 2]):
            ends.append(end)
        begin = end + 1
    return [k for k in ends if EDGE <= k + 1 <= len(lines) - EDGE]


def book(paths: Sequence[Path] | None = None) -> str:
    """The page of these chapters and appendices; of all without any."""
    sections = [read_section(path) for path in (section_paths() if paths is None else paths)]
    how: dict[str, list[str]] = {}
    for check in checks():
        for number in check.equations:
            how.setdefault(number, []).append(check.by)
    checked = {number: ", ".join(dict.fromkeys(methods)) for number, methods in how.items()}
    renderer = _BookRenderer(sections, checked)
    front = read_section(NOTES / "README.md")
    start = next(i for i, token in enumerate(front.tokens) if token.type == "heading_close") + 1
    end = next(i for i, token in enumerate(front.tokens) if token.type == "heading_open" and token.tag == "h2")
    preface = renderer.render_tokens(front.tokens[start:end]) + renderer.render_tokens(_part(front, "How to read"))
    contents = "".join(_contents_entry(renderer, section) for section in sections)
    body = "".join(
        f'<section class="chapter">\n{renderer.render_section(section)}{_neighbours(sections, i)}</section>\n'
        for i, section in enumerate(sections)
    )
    styles = (TEXT_STYLE, SHARED / "live.css", NOTES / "book.css")
    style = font_face() + "".join(path.read_text(encoding="utf-8") for path in styles)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(front.title)}</title>
<style>
{style}
</style>
</head>
<body class="notes">
<header id="top">
<p class="book-title">{escape(front.title)}</p>
{preface}</header>
<nav id="contents" aria-label="Contents">
<p class="nav-title"><a href="#top">{escape(front.title)}</a></p>
<ol>
{contents}</ol>
</nav>
<main>
{body}</main>
<script type="module">
{scripts()}
</script>
</body>
</html>
"""


def font_face() -> str:
    """The mathematics font, inside the page: few systems have one."""
    font = base64.b64encode((SHARED / "math.woff").read_bytes()).decode()
    return f'@font-face {{ font-family: "Digitscope Notes Math"; src: url(data:font/woff;base64,{font}); }}\n'


def _part(section: NotesSection, heading: str) -> Sequence[Token]:
    """What stands below one of the section's second-level headings."""
    opened = [i for i, token in enumerate(section.tokens) if token.type == "heading_open" and token.tag == "h2"]
    number = next(n for n, i in enumerate(opened) if section.tokens[i + 1].content == heading)
    return section.tokens[opened[number] + 3 : [*opened, len(section.tokens)][number + 1]]


def _contents_entry(renderer: _BookRenderer, section: NotesSection) -> str:
    def line(anchor: str, title: str) -> str:
        target = renderer.address(section.name, anchor)
        page = f'<span class="page" data-for="{target[1:]}"></span>'
        return f'<a href="{target}"><span>{renderer.render_inline(title)}</span>{page}</a>'

    inner = "".join(f"<li>{line(anchor, title)}</li>\n" for anchor, title in section.headings)
    return f"<li>{line('', section.title)}\n<ol>\n{inner}</ol></li>\n"


def _neighbours(sections: Sequence[NotesSection], i: int) -> str:
    before = f'<a href="#{sections[i - 1].name}">← {escape(sections[i - 1].title)}</a>' if i else "<span></span>"
    after = f'<a href="#{sections[i + 1].name}">{escape(sections[i + 1].title)} →</a>' if i + 1 < len(sections) else ""
    return f'<nav class="neighbours" aria-label="Neighbouring chapters">{before}{after}</nav>\n'


def write_book(path: Path) -> None:
    """Writes the page."""
    write_atomic(path, book().encode())
