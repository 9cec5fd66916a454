"""An installed package has all that the lab needs: its pages, the notes and their pictures."""

import os
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest

from digitscope.lab.frame import STATIC
from digitscope.notes.chapters import notes_folder

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The content of a wheel."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv builds the wheel; it is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT], check=True, timeout=300)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "installed")
    return folder / "installed"


def test_a_wheel_has_the_notes_and_the_pages(installed: Path) -> None:
    notes = notes_folder()
    expected = [*notes.glob("*.md"), *notes.glob("*.json"), *notes.glob("pictures/*")]
    found = {path.relative_to(installed / "digitscope" / "docs" / "notes") for path in _files(installed, "docs/notes")}
    assert found == {path.relative_to(notes) for path in expected}
    pages = {path.relative_to(installed / "digitscope" / "lab" / "static") for path in _files(installed, "lab/static")}
    assert pages == {path.relative_to(STATIC) for path in STATIC.rglob("*") if path.is_file()}


def test_the_lab_runs_from_a_wheel(installed: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONUNBUFFERED": "1"}
    where = [sys.executable, "-P", "-c", "import digitscope; print(digitscope.__file__)"]
    printed = subprocess.run(where, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert Path(printed.strip()).is_relative_to(installed)
    command = [sys.executable, "-P", "-m", "digitscope", "lab", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().removeprefix("Lab: ").strip()
            chapter = _read(f"{address}notes/05-backpropagation")
            assert 'id="eq-5.4"' in chapter
            source = (notes_folder() / "05-backpropagation.md").read_text(encoding="utf-8")
            assert chapter.count("<svg ") == source.count("](pictures/") > 0
            assert _read(f"{address}static/notes/text.css")
            assert _read(f"{address}api/models")
        finally:
            server.kill()


def _files(installed: Path, folder: str) -> list[Path]:
    return [path for path in (installed / "digitscope" / folder).rglob("*") if path.is_file()]


def _read(address: str) -> str:
    with urllib.request.urlopen(address, timeout=30) as answer:
        content: bytes = answer.read()
        return content.decode()
