"""The frame around each page: head, navigation, and the place where the room's script draws."""

import html
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from starlette.requests import Request

from digitscope.lab.routes import Page, PageContent

STATIC = Path(__file__).parent / "static"
TEXTS = STATIC / "texts"
THEMES = ("auto", "light", "dark")


@cache
def texts(language: str) -> dict[str, dict[str, str]]:
    """All texts of the pages in this language, by room and key."""
    content: dict[str, dict[str, str]] = json.loads((TEXTS / f"{language}.json").read_text(encoding="utf-8"))
    return content


def text(language: str, key: str) -> str:
    """The text of a key, "room.name", as text.js has it."""
    room, _, name = key.partition(".")
    return texts(language)[room][name]


@cache
def languages() -> tuple[str, ...]:
    """The languages that there is a file of texts for; the first is the one to fall back on."""
    return tuple(sorted((path.stem for path in TEXTS.glob("*.json")), key=lambda name: (name != "en", name)))


def not_found(language: str, reason: str) -> PageContent:
    """What stands in a page that does not exist."""
    title = text(language, "common.not_found")
    return PageContent(title, f'<h1>{html.escape(title)}</h1>\n<p lang="en">{html.escape(reason)}</p>')


def language_of(request: Request) -> str:
    """The language that the visitor chose, else the first of the browser's that there is."""
    accepted = request.headers.get("accept-language", "").split(",")
    wanted = [request.cookies.get("language", ""), *(part.partition(";")[0].strip()[:2].lower() for part in accepted)]
    return next((language for language in wanted if language in languages()), languages()[0])


def theme_of(request: Request) -> str:
    """The colours that the visitor chose: light, dark, or as the system's."""
    chosen = request.cookies.get("theme", "")
    return chosen if chosen in THEMES else THEMES[0]


def frame(page: Page, pages: Sequence[Page], language: str, theme: str, content: PageContent | None) -> str:
    """The page as HTML."""
    words = texts(language)
    room = words[page.room]
    title = content.title if content else room["title"]
    head = f"""<!doctype html>
<html lang="{language}" data-theme="{theme}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{html.escape(title)} · {html.escape(words["common"]["lab"])}</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/shell.css">
<link rel="stylesheet" href="/static/{page.room}/room.css">
<link rel="preload" href="/static/texts/{language}.json" as="fetch" crossorigin>
<script type="module" src="/static/shell.js"></script>
<script type="module" src="/static/{page.room}/{page.script}"></script>
</head>"""
    if content:
        main = content.html
    else:
        main = f'<h1>{html.escape(room["title"])}</h1>\n<p class="lead">{html.escape(room["lead"])}</p>'
    bare = " bare" if page.bare else ""
    header = "" if page.bare else _header(page, pages, language, theme, words)
    return f"""{head}
<body class="room-{page.room}{bare}">
<a class="skip" href="#main">{html.escape(words["common"]["skip"])}</a>
{header}<main id="main" tabindex="-1">
{main}
</main>
</body>
</html>
"""


def _header(page: Page, pages: Sequence[Page], language: str, theme: str, words: dict[str, dict[str, str]]) -> str:
    common = words["common"]
    current = ' aria-current="page"'
    links = "\n".join(
        f'<li><a href="{known.path}"{current if known.room == page.room else ""}>'
        f"{html.escape(words[known.room]['title'])}</a></li>"
        for known in pages
        if known.path != "/" and "{" not in known.path
    )
    chosen = "".join(
        f'<option value="{name}" lang="{name}"{" selected" if name == language else ""}>'
        f"{html.escape(texts(name)['common']['language'])}</option>"
        for name in languages()
    )
    colours = "".join(
        f'<option value="{name}"{" selected" if name == theme else ""}>{html.escape(common["theme_" + name])}</option>'
        for name in THEMES
    )
    return f"""<header class="top">
<a class="home" href="/#start"><img src="/static/icon.svg" alt="" width="28" height="28"><span>Digitscope</span></a>
<nav aria-label="{html.escape(common["rooms"])}"><ul>
{links}
</ul></nav>
<div class="preferences">
<select id="language" aria-label="{html.escape(common["choose_language"])}">{chosen}</select>
<select id="theme" aria-label="{html.escape(common["choose_theme"])}">{colours}</select>
</div>
</header>
"""
