"""Prints the book to PDF with Chromium: contents with page numbers, an outline, links, numbered equations."""

import base64
import io
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from pypdf import PdfReader

from docs.notes.book import book
from docs.notes.floats import with_floats

# The shell without windows is the quickest.
_BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome")

_CHAPTER = r'<section class="chapter">.*?</section>'

PAGE_TOP, PAGE_HEIGHT = 779.5, 713.5
"""In points: where the text of a page begins, from its foot, and how high it is: A4 with the margins of book.css."""


def find_browser() -> str | None:
    """The path of a Chromium, where there is one."""
    return next((path for name in _BROWSERS if (path := shutil.which(name))), None)


def write_pdf(path: Path, sections: Sequence[Path] | None = None) -> int:
    """Writes the book, or these chapters and appendices of it, as PDF and returns how many pages it has.

    CSS in Chromium can neither float a figure nor ask for the page of a link's target. So chapters are printed until
    their figures stand well, and then the book is printed twice: the first print tells the pages.
    Raises: OSError where there is no browser; CalledProcessError where it fails.
    """
    page = re.sub(r'<script.*?</script>|<div class="explorable".*?</div>\n', "", book(sections), flags=re.DOTALL)
    page = _without_masks(page.replace("<details", "<details open"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "draft.pdf"
        before, body = page.split("<main>\n")

        def measure(chapter: str) -> dict[str, float]:
            links = "".join(f'<a href="#{name}">.</a>' for name in re.findall(r' id="(fig-[^"]*)"', chapter))
            _print(f"{before[: before.index('<body')]}<body class='notes'><main>{chapter}</main>{links}</body>", draft)
            return positions(draft)

        body = re.sub(_CHAPTER, lambda chapter: with_floats(chapter[0], measure), body, flags=re.DOTALL)
        page = f"{before}<main>\n{body}"
        _print(page, draft)
        numbers = {name: int(place) + 1 for name, place in positions(draft).items()}
        page = re.sub(r'(<span class="page" data-for="([^"]*)">)', lambda found: f"{found[1]}{numbers[found[2]]}", page)
        _print(page, path)
    return len(PdfReader(path).pages)


def _without_masks(page: str) -> str:
    """The page with pictures of digits in ink on nothing: as masks, a PDF would show thin lines at their edges."""

    def inked(found: re.Match[str]) -> str:
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(found[2]))).convert("RGBA"), dtype=np.float64)
        ink = np.full(pixels.shape, 0x11, dtype=np.uint8)
        ink[..., 3] = np.rint(pixels[..., 0] * pixels[..., 3] / 255)
        png = io.BytesIO()
        Image.fromarray(ink).save(png, "PNG")
        return f"{found[1]}{base64.b64encode(png.getvalue()).decode()}{found[3]}"

    return re.sub(
        r'<mask [^>]*>(<image [^>]*?data:image/png;base64,)([^"]*)("[^>]*/>)</mask><rect [^>]*/>', inked, page
    )


def positions(pdf: Path) -> dict[str, float]:
    """Where each anchor stands to which a link leads, in pages: 3.5 is the middle of the fourth."""
    reader = PdfReader(pdf)
    found = {}
    for name, destination in reader.named_destinations.items():
        number = reader.get_destination_page_number(destination)
        if number is not None and destination.top is not None:
            below = (PAGE_TOP - float(destination.top)) / PAGE_HEIGHT
            found[name.lstrip("/")] = number + min(max(below, 0.0), 0.999)
    return found


def _print(page: str, pdf: Path) -> None:
    browser = find_browser()
    if browser is None:
        raise FileNotFoundError("Chromium prints the PDF; there is none here.")
    with tempfile.TemporaryDirectory() as folder:
        html = Path(folder) / "notes.html"
        html.write_text(page, encoding="utf-8")
        options = [
            *(
                "--headless",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                f"--user-data-dir={folder}/user",
            ),
            *("--no-pdf-header-footer", "--generate-pdf-document-outline", f"--print-to-pdf={pdf}"),
            # Chromium's sandbox refuses to work for root, as whom containers run.
            *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
        ]
        subprocess.run([browser, *options, html.as_uri()], check=True, capture_output=True, timeout=300)
