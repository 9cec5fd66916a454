"""Every kind of bad data on the command line: status 2, one clear line, and nothing written."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Digitscope = Callable[..., Any]  # see conftest.py
Files = Callable[[], list[str]]

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
PIXELS = ",".join(f"pixel{i}" for i in range(784))
ROW = ",".join(["0"] * 784)


def idx(array: Any) -> bytes:
    array = np.asarray(array, dtype=np.uint8)
    content: bytes = struct.pack(f">I{array.ndim}I", 0x0800 | array.ndim, *array.shape) + array.tobytes()
    return content


GOOD_IMAGES, GOOD_LABELS = idx(np.zeros((3, 28, 28))), idx([0, 1, 2])


def folder(images: bytes | None, labels: bytes | None = GOOD_LABELS, suffix: str = "") -> str:
    Path("data").mkdir()
    for name, content in ((IMAGES, images), (LABELS, labels)):
        if content is not None:
            (Path("data") / (name + suffix)).write_bytes(content)
    return "data"


def table(*lines: str) -> str:
    Path("data.csv").write_text("\n".join(lines) + "\n")
    return "data.csv"


def nothing() -> str:
    Path("data.csv").touch()
    return "data.csv"


def bomb() -> str:
    claim = struct.pack(">4I", 0x0803, 3, 28, 28)
    return folder(gzip.compress(claim + bytes(50_000_000)), gzip.compress(GOOD_LABELS), ".gz")


HEADER = f"label,{PIXELS}"
BAD: dict[str, tuple[Callable[[], str], tuple[str, ...]]] = {
    "missing file": (lambda: "nothing.csv", ("nothing.csv", "nor a file or folder")),
    "truncated": (lambda: folder(GOOD_IMAGES[:-5]), (IMAGES,)),
    "over-long": (lambda: folder(GOOD_IMAGES + b"\0"), (IMAGES,)),
    "labels for images": (lambda: folder(GOOD_LABELS), (IMAGES, "labels")),
    "a picture for images": (lambda: folder(b"\x89PNG\r\n\x1a\n" + bytes(100)), (IMAGES, "PNG")),
    "counts differ": (lambda: folder(GOOD_IMAGES, idx([0, 1])), ("3", "2")),
    "half a pair": (lambda: folder(GOOD_IMAGES, None), (LABELS,)),
    "empty folder": (lambda: folder(None, None), ("data",)),
    "empty IDX": (lambda: folder(b""), (IMAGES, "empty")),
    "gzip bomb": (bomb, (IMAGES,)),
    "header claims terabytes": (
        lambda: folder(struct.pack(">4I", 0x0803, 2**31, 2**10, 2**10) + bytes(100)),
        (IMAGES,),
    ),
    "pixel of 256": (lambda: table(HEADER, f"1,{ROW}", f"2,{ROW[:-1]}256"), ("line 3", "256")),
    "negative pixel": (lambda: table(HEADER, f"1,{ROW[:-1]}-1"), ("line 2", "-1")),
    "no number": (lambda: table(HEADER, f"1,{ROW}", f"2,{ROW[:-1]}x"), ("line 3", "'x'")),
    "short row": (lambda: table(HEADER, f"1,{ROW}", f"2,{ROW[:-2]}"), ("line 3",)),
    "long row": (lambda: table(HEADER, f"1,{ROW}", f"2,{ROW},0"), ("line 3",)),
    "783 columns": (
        lambda: table("label," + ",".join(f"p{i}" for i in range(783)), "1," + ROW[:-2]),
        ("783", "784"),
    ),
    "label of a half": (lambda: table(HEADER, f"1.5,{ROW}"), ("line 2", "1.5")),
    "empty file": (nothing, ("data.csv", "empty")),
    "a blank line": (lambda: table(""), ("data.csv", "no lines")),
    "no labels": (lambda: table(PIXELS, ROW), ("data.csv", "submit")),
    "no data set": (lambda: "mnist3000", ("mnist3000",)),
}


@pytest.mark.parametrize("verb", ["train", "data"])
@pytest.mark.parametrize("name", BAD)
def test_bad_data(digitscope: Digitscope, in_folder: Files, name: str, verb: str) -> None:
    make, words = BAD[name]
    source = make()
    before = in_folder()
    answer = digitscope(verb, *(["--data"] if verb == "train" else []), source)
    assert answer.status == 2
    assert answer.out == ""
    (line,) = answer.err.splitlines()
    assert line.startswith("Error: ")
    for word in words:
        assert word in line
    assert in_folder() == before
    assert not Path("runs").exists()


def test_many_classes_are_trained_and_shown_briefly(digitscope: Digitscope, in_folder: Files) -> None:
    classes = 120
    images = np.random.default_rng(0).integers(0, 256, (2 * classes, 3, 3), dtype=np.uint8)
    np.savez("many.npz", x_train=images, y_train=np.arange(2 * classes) % classes)
    lines = digitscope("data", "many.npz").out.splitlines()
    assert "and 70 more classes with 2 training images each" in lines
    assert len(lines) < 120
    trained = digitscope("train", "--data", "many.npz", "--recipe", "seed", "--epochs", 1, "--out", "run", "--json")
    assert trained.status == 0, trained.err
    answer = digitscope("evaluate", "run/model.safetensors", "--data", "many.npz")
    assert answer.status == 0
    assert len(answer.out.splitlines()) < 75
