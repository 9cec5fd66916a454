"""The report is one file, written completely or not at all, and shows every text unchanged."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from digitscope.errors import DigitscopeError
from digitscope.report import Html, Section, confident_mistakes, first_layer_weights, page, write_report

CHECKOUT = Path(__file__).parents[2]
HOSTILE = """<script>alert("x")</script> & 'quotes' </title>"""


def make_sections() -> list[Section]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (9, 28, 28), dtype=np.uint8)
    mistakes = confident_mistakes(images, np.zeros(9, dtype=int), rng.dirichlet(np.ones(10), 9))
    weights = first_layer_weights(rng.normal(size=(5, 784)), (28, 28))
    return [
        Section("Mistakes", "The surest.", mistakes),
        Section("Weights", "As images.", weights),
        Section("Again", "Same.", weights),
    ]


def write(path: Path, text: str = "Plain") -> ElementTree.Element:
    """Write a report in which all texts are `text`, and read it back as XML."""
    sections = [Section(text, text, section.content) for section in make_sections()]
    write_report(path, title=text, lead=text, facts=[(text, text)], sections=sections)
    return parse(path)


def parse(path: Path) -> ElementTree.Element:
    return ElementTree.fromstring(path.read_text(encoding="utf-8").removeprefix("<!DOCTYPE html>"))


def test_contents(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(path, title="Run 7", lead="It reads 97.4 % right.", facts=[("Seed", "0")], sections=make_sections())
    root = parse(path)
    assert [heading.text for heading in root.iter("h1")] == ["Run 7"]
    assert [heading.text for heading in root.iter("h2")] == ["Mistakes", "Weights", "Again"]
    assert [caption.text for caption in root.iter("figcaption")] == ["The surest.", "As images.", "Same."]
    assert [(dt.text, dd.text) for dt, dd in root.iter("div")] == [("Seed", "0")]
    assert [p.text for p in root.iter("p")] == ["It reads 97.4\u00a0% right."]
    assert len(list(root.iter("{http://www.w3.org/2000/svg}svg"))) == 3
    assert path.stat().st_size < 1_500_000


def test_ids_are_unique_across_the_page(tmp_path: Path) -> None:
    ids = [node.get("id") for node in write(tmp_path / "report.html").iter() if node.get("id")]
    assert ids
    assert len(ids) == len(set(ids))


def test_needs_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    root = write(path)
    assert {node.tag.rpartition("}")[2] for node in root.iter()}.isdisjoint({"script", "link", "iframe", "img"})
    addresses = re.findall(r'(?:href|src)="([^"]{0,30})', path.read_text(encoding="utf-8"))
    assert addresses
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in addresses)
    assert "@import" not in path.read_text(encoding="utf-8")


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    root = write(tmp_path / "report.html", HOSTILE)
    shown = [node.text for tag in ("title", "h1", "h2", "p", "dt", "dd", "figcaption") for node in root.iter(tag)]
    assert len(shown) == 11
    assert set(shown) == {HOSTILE}


def test_a_table_may_stand_for_a_figure(tmp_path: Path) -> None:
    rows = [["name", "right, %"], [HOSTILE, "97.4"], ["b", "1 %"]]
    write_report(tmp_path / "a.html", title="", lead="", facts=[], sections=[Section("Table", "Numbers.", rows)])
    root = parse(tmp_path / "a.html")
    assert [[(cell.tag, cell.text) for cell in row] for row in root.iter("tr")] == [
        [("th", "name"), ("th", "right,\u00a0%")],
        [("td", HOSTILE), ("td", "97.4")],
        [("td", "b"), ("td", "1\u00a0%")],
    ]


def test_ready_html_stays_as_it_is(tmp_path: Path) -> None:
    section = Section("A & B", "Ready.", Html('<p id="ready">1 &lt; 2</p>'))
    write_report(tmp_path / "a.html", title="", lead="", facts=[], sections=[section])
    (ready,) = parse(tmp_path / "a.html").iterfind(".//figure/p")
    assert (ready.get("id"), ready.text) == ("ready", "1 < 2")


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (5, 1), (6, 3), (8, 4), (9, 3), (10, 2)])
def test_the_grid_of_facts_has_no_empty_cell(tmp_path: Path, count: int, columns: int) -> None:
    facts = [("name", str(number)) for number in range(count)]
    write_report(tmp_path / "a.html", title="", lead="", facts=facts, sections=[])
    (grid,) = parse(tmp_path / "a.html").iter("dl")
    assert grid.get("style") == f"--columns: {columns}"
    assert len(grid) == count


def test_inside_a_checkout_the_notes_are_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "docs/notes/04-softmax.md"
    assert (CHECKOUT / name).is_file()
    checkout = tmp_path / "checkout"
    for path in (checkout / name, checkout / "runs/mlp/report.html"):
        path.parent.mkdir(parents=True)
        path.touch()
    monkeypatch.setattr(page, "__file__", str(checkout / Path(page.__file__).relative_to(CHECKOUT)))
    section = Section("A", "B.", Html(""), notes=f"{name}#the-code")
    for folder, targets in ((checkout / "runs/mlp", [f"../../{section.notes}"]), (tmp_path, [])):
        write_report(folder / "report.html", title="", lead="", facts=[], sections=[section])
        root = parse(folder / "report.html")
        assert [link.get("href") for link in root.iter("a")] == targets
        assert [code.text for code in root.iter("code")] == [section.notes]


def test_no_facts_no_sections(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(path, title="Empty", lead="", facts=[], sections=[])
    assert "<dl" not in path.read_text(encoding="utf-8")


def test_leaves_no_temporary_file(tmp_path: Path) -> None:
    write(tmp_path / "report.html")
    write(tmp_path / "report.html", "Second")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_failure_keeps_the_former_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    path = tmp_path / "report.html"
    path.write_text("former")

    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(*((os, "fsync", fail) if broken == "fsync" else (Path, "replace", fail)))
    with pytest.raises(DigitscopeError, match=r"report\.html cannot be written: no space left on device"):
        write(path)
    assert path.read_text() == "former"
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_neither_pyplot_nor_pandas_is_loaded() -> None:
    """Both would cost time at the end of each training, and pyplot a global state."""
    code = "import sys, digitscope.report; print([m for m in ('matplotlib.pyplot', 'pandas') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
