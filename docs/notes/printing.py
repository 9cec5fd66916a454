"""Prints the book to PDF with Chromium: contents with page numbers, an outline, links, numbered equations."""

import os
import re
import shutil
import subprocess
import tempfile
from html import unescape
from pathlib import Path

from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject, NameObject, TextStringObject

from docs.notes.book import book

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find_browser() -> str | None:
    """The path of a Chromium, where there is one."""
    return next((path for name in _BROWSERS if (path := shutil.which(name))), None)


def write_pdf(path: Path) -> int:
    """Writes the book as PDF and returns how many pages it has.

    It is printed twice: CSS in Chromium cannot ask for the page of a link's target, so the first print tells it.
    Raises: OSError where there is no browser; CalledProcessError where it fails.
    """
    page = book().replace("<details>", "<details open>")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "draft.pdf"
        _print(page, draft)
        numbers = page_numbers(draft)
        page = re.sub(r'(<span class="page" data-for="([^"]*)">)', lambda found: f"{found[1]}{numbers[found[2]]}", page)
        _print(page, draft)
        _mend_outline(draft, page, path)
    return len(PdfReader(path).pages)


def _mend_outline(draft: Path, page: str, path: Path) -> None:
    """Writes the PDF with its outline's titles as the headings are: Chromium joins the words where a heading wraps."""
    headings = (unescape(re.sub(r"<[^>]*>", "", text)) for text in re.findall(r"<h\d[^>]*>(.*?)</h\d>", page))
    titles = {re.sub(r"\s", "", heading): heading for heading in headings}
    writer = PdfWriter(clone_from=draft)
    ahead: list[DictionaryObject] = [writer.get_outline_root()]
    while ahead:
        item = ahead.pop()
        title = str(item.get("/Title", ""))
        if "/Title" in item:
            item[NameObject("/Title")] = TextStringObject(titles.get(re.sub(r"\s", "", title), title))
        linked = (item[link].get_object() for link in ("/First", "/Next") if link in item)
        ahead += [other for other in linked if isinstance(other, DictionaryObject)]
    writer.write(path)


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
