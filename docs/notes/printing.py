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

# The shell without windows is the quickest.
_BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome")


def find_browser() -> str | None:
    """The path of a Chromium, where there is one."""
    return next((path for name in _BROWSERS if (path := shutil.which(name))), None)


def write_pdf(path: Path, sections: Sequence[Path] | None = None) -> int:
    """Writes the book, or these chapters and appendices of it, as PDF and returns how many pages it has.

    It is printed twice: CSS in Chromium cannot ask for the page of a link's target, so the first print tells it.
    Raises: OSError where there is no browser; CalledProcessError where it fails.
    """
    page = re.sub(r"<script.*?</script>", "", book(sections), flags=re.DOTALL)
    page = _without_masks(page.replace("<details", "<details open"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "draft.pdf"
        _print(page, draft)
        numbers = page_numbers(draft)
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


def page_numbers(pdf: Path) -> dict[str, int]:
    """The page, from 1, of each anchor that a link leads to."""
    reader = PdfReader(pdf)
    found = {}
    for name, destination in reader.named_destinations.items():
        number = reader.get_destination_page_number(destination)
        if number is not None:
            found[name.lstrip("/")] = number + 1
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
