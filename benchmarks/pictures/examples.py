"""Pictures with what they show: from folders, from files of small images and from scikit-learn.

The forms of a manifest.csv, by its columns:

- path, label, source: photos. `single/...` is one digit, `multi/...` a number, and `notdigit/...` something else.
- file, text, source, digits: numbers as written. " / " separates lines, " | " cells of a line.
- file, text, note: cases. "|" separates lines; a single digit is read both as a digit and as a number.
- file, source: pictures of words, without digits.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

Task = Literal["digit", "not a digit", "number", "no number"]
"""The first two are read as single digits, the others as numbers."""


@dataclass(frozen=True, eq=False)
class Example:
    """A picture and the right answer."""

    set: str
    kind: str
    source: str
    """The picture's origin: a repository, a writer or a generator."""
    name: str
    task: Task
    text: str
    """What is written, line by line; empty if there are no digits."""
    picture: Any
    """A path or an array."""


def examples_of(path: Path) -> Iterator[Example]:
    """The pictures of a folder or of a file of small images, and of those in the folder."""
    if path.suffix == ".npz":
        yield from _small_images(path)
    elif (path / "manifest.csv").is_file():
        yield from _listed(path)
    elif any((path / part).is_dir() for part in ("single", "multi", "notdigit")):
        yield from _in_subfolders(path)
    else:
        for inner in sorted(path.iterdir()):
            if inner.is_dir() or inner.suffix == ".npz":
                yield from examples_of(inner)


def uci_digits() -> Iterator[Example]:
    """scikit-learn's 8x8 digits, 0 (paper) to 1 (ink)."""
    from sklearn.datasets import load_digits

    data = load_digits()
    for i, (image, label) in enumerate(zip(data.images, data.target, strict=True)):
        yield Example("8x8 digits", "scan", "8x8 digits", f"{i}", "digit", str(label), image / 16)


def _small_images(path: Path) -> Iterator[Example]:
    with np.load(path) as content:
        images, labels = content["images"], content["labels"]
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        yield Example(path.stem, "scan", path.stem, f"{i}", "digit", str(label), image)


def _listed(folder: Path) -> Iterator[Example]:
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        name, source = row.get("path") or row["file"], row.get("source") or folder.name
        path = folder / name
        if "label" in row:
            part = name.split("/")[0]
            tasks: dict[str, Task] = {"single": "digit", "multi": "number", "notdigit": "not a digit"}
            text = "" if part == "notdigit" else row["label"]
            yield Example(folder.name, part, source, name, tasks[part], text, path)
        elif "text" not in row:
            yield Example(folder.name, "words", source, name, "no number", "", path)
        elif "digits" in row:
            text = row["text"].replace(" / ", "\n").replace(" | ", " ")
            yield Example(folder.name, row["note"].split(";")[0], source, name, "number", text, path)
        else:
            text = row["text"].replace("|", "\n")
            if len(text) == 1:
                yield Example(folder.name, "one digit", source, name, "digit", text, path)
            yield Example(folder.name, "cases", source, name, "number", text, path)


def _in_subfolders(folder: Path) -> Iterator[Example]:
    for path in sorted(folder.glob("single/[0-9]/*")):
        source = path.stem.rpartition("_")[0]
        yield Example(folder.name, "single", source, path.name, "digit", path.parent.name, path)
    for path in sorted(folder.glob("multi/*")):
        number, _, rest = path.stem.partition("_")
        yield Example(folder.name, "multi", rest.rpartition("_")[0], path.name, "number", number, path)
    for path in sorted(folder.glob("notdigit/*")):
        source = path.stem.rpartition("_")[0]
        yield Example(folder.name, "notdigit", source, path.name, "not a digit", "", path)
