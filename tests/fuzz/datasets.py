"""Data files as targets. What is accepted must be what a plain reader of the same format finds."""

import csv
import gzip
import io
import struct
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from digitscope.datasets import load_data, read_images, read_labels, read_table
from tests.fuzz.mutate import Rng, choose, mutate_bytes

COUNT = 3


@cache
def _digits() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (COUNT, 28, 28), dtype=np.uint8) * (rng.random((COUNT, 28, 28)) < 0.3)
    return images.astype(np.uint8), np.array([7, 0, 9])


@cache
def idx_files() -> dict[str, bytes]:
    """Images and labels, raw and gzip, uint8, int32 and float32, in a row and in a column."""
    images, labels = _digits()
    return {
        "images": _idx(images),
        "images.gz": gzip.compress(_idx(images), mtime=0),
        "labels": _idx(labels.astype(np.uint8)),
        "images-float": _idx((images / 255).astype(">f4"), 0x0D),
        "labels-int32.gz": gzip.compress(_idx(labels[:, None].astype(">i4"), 0x0C), mtime=0),
    }


def _idx(array: Any, code: int = 0x08) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape) + bytes(array.tobytes())


def use_idx(path: Path) -> None:
    """Reads images or labels, and compares the numbers with the bytes after the header."""
    found = (read_images if "images" in path.name else read_labels)(path)
    content = _unzipped(path.read_bytes())
    rank = content[3]
    sizes = struct.unpack_from(f">{rank}I", content, 4)
    dtype = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}[content[2]]
    expected = np.frombuffer(content, dtype, offset=4 + 4 * rank).reshape(sizes)
    if "images" in path.name and expected.dtype.kind == "f" and expected.max(initial=0) <= 1:
        expected = np.rint(expected * np.float32(255))
    _compare(found, expected.reshape(found.shape))


@cache
def npz_files() -> dict[str, bytes]:
    """Archives of bytes and of floats, with and without a test part, stored and compressed."""
    images, labels = _digits()
    test = {"x_test": images[:2], "y_test": labels[:2].astype(np.int32)}
    files = {}
    for name, arrays, write in (
        ("bytes.npz", {"x_train": images, "y_train": labels}, np.savez),
        ("floats.npz", {"x_train": images / np.float64(255), "y_train": labels[:, None]}, np.savez_compressed),
        ("test.npz", {"x_train": images, "y_train": labels, **test}, np.savez_compressed),
    ):
        file = io.BytesIO()
        write(file, **arrays)
        files[name] = file.getvalue()
    return files


def mutate_npz(content: bytes, rng: Rng) -> bytes:
    """The bytes of the archive or of one of its members changed, or a member left out, renamed or repeated."""
    if rng.random() < 0.3:
        return mutate_bytes(content, rng)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    place = int(rng.integers(len(members)))
    name, member = members[place]
    kind = int(rng.integers(8))
    if kind == 0:
        del members[place]
    elif kind == 1:
        members[place] = choose(rng, (name.upper(), name[1:], "a" * 3000, "\x1b[31m.npy", "../x.npy", "é.npy")), member
    elif kind == 2:
        members.append((name + "x", member))
    elif kind <= 5:  # the header
        members[place] = name, mutate_bytes(member[:128], rng) + member[128:]
    else:
        members[place] = name, mutate_bytes(member, rng)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", choose(rng, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name, member in members:
            archive.writestr(name, member)
    return file.getvalue()


def use_npz(path: Path) -> None:
    """Loads the archive, and compares its images and labels with those that NumPy reads."""
    data = load_data(path)
    with np.load(path, allow_pickle=False) as arrays:
        for part in ("train", "test") if data.x_test is not None else ("train",):
            images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
            if images.dtype.kind == "f" and images.max() <= 1:
                images = np.rint(images * np.float32(255))
            _compare(getattr(data, f"x_{part}"), images.reshape(getattr(data, f"x_{part}").shape))
            _compare(getattr(data, f"y_{part}"), labels.reshape(-1))


@cache
def csv_files() -> dict[str, bytes]:
    """Tables with and without labels, a header and an index; as integers, floats and quoted; plain and gzip."""
    images, labels = _digits()
    rows = images.reshape(COUNT, -1).tolist()
    labelled = [[label, *row] for label, row in zip(labels.tolist(), rows, strict=True)]
    names = [f"pixel{k}" for k in range(784)]
    return {
        "kaggle.csv": _csv([["label", *names], *labelled]),
        "kaggle.csv.gz": gzip.compress(_csv([["label", *names], *labelled]), mtime=0),
        "test.csv": _csv([names, *rows]),
        "plain.csv": _csv(labelled),
        "index.csv": _csv([["", "label", *names], *([k, *row] for k, row in enumerate(labelled))]),
        "floats.csv": _csv([["label", *names], *([float(x) for x in row] for row in labelled)]),
        "quoted.csv": _csv([["label", *names], *labelled], quoting=csv.QUOTE_ALL, lineterminator="\r\n"),
    }


def _csv(rows: Any, **options: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, **{"lineterminator": "\n", **options}).writerows(rows)
    return text.getvalue().encode()


_CELLS = (
    *("256", "-1", "1e2", "2.55e2", "0x10", "1_0", "+5", "3.0", "3.5", "nan", "NaN", "NA", "inf", "1e400", "1e-400"),
    *(
        "True",
        "label",
        "=1+1",
        "1,2",
        "18446744073709551616",
        "254.99999999999999999",
        "",
        " ",
        " 7 ",
        "7\t",
        "9" * 400,
    ),
    *("0" * 400, "٣", "5\x0c", "\x00", "5\xa0", "\ufeff5", "\x1b[31m", "\r", "\n"),
    *('"', '""', '"5"', '"5', '5"', "'5'"),
)
_LINES = ("", " ", "\x0c", "\x85", "\u2028", "\v", ",", "," * 784, "," * 5000, '"', "\ufeff", "\x1b]0;owned\x07", "\0")


def mutate_table(content: bytes, rng: Rng) -> bytes:
    """Bytes, cells or lines of a table changed, inside gzip too."""
    if rng.random() < 0.3:
        return mutate_bytes(content, rng)
    if content[:2] == b"\x1f\x8b":
        return gzip.compress(mutate_table(gzip.decompress(content), rng), mtime=0)
    lines = content.decode().split("\n")
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(len(lines)))
        cells = lines[place].split(",")
        kind = int(rng.integers(10))
        if kind <= 4:
            for column in rng.integers(len(cells), size=int(choose(rng, (1, 1, 5, 800)))).tolist():
                cells[column] = choose(rng, _CELLS)
            lines[place] = ",".join(cells)
        elif kind == 5:
            lines.insert(place, choose(rng, _LINES))
        elif kind == 6:
            lines[place] = ",".join(cells[1:]) if rng.random() < 0.5 else ",".join([*cells, choose(rng, _CELLS)])
        elif kind == 7:
            lines = [",".join([choose(rng, _CELLS), *line.split(",")]) for line in lines]
        elif kind == 8:
            lines = [",".join(line.split(",")[: int(rng.integers(780, 790))]) for line in lines]
        else:
            lines[place] = ""
    end: str = choose(rng, ("\n", "\n", "\n", "\r\n", "\r"))
    return end.join(lines).encode()


def use_csv(path: Path) -> None:
    """Reads the table, and compares it with what csv and float give."""
    table = read_table(path)
    text = io.IncrementalNewlineDecoder(None, translate=True).decode(
        _unzipped(path.read_bytes()).decode("utf-8-sig", errors="replace"), final=True
    )
    lines = [line for line in text.split("\n") if line.strip()]
    rows = [next(csv.reader([line])) for line in lines]
    first = len(rows) - len(table.images)
    if first not in (0, 1):
        raise AssertionError(f"{len(rows)} lines, {len(table.images)} images")
    names = [cell.strip().lower() for cell in rows[0]] if first else []
    values = np.array([[float(cell) for cell in row] for row in rows[first:]])
    columns = list(range(values.shape[1]))
    if len(columns) - (table.labels is not None) == 785:
        columns = columns[1:]
    if table.labels is not None:
        label = next((names.index(n) for n in ("label", "class", "target", "digit", "y") if n in names), columns[0])
        columns.remove(label)
        _compare(table.labels, values[:, label])
    _compare(table.images.reshape(len(values), -1), values[:, columns])


@cache
def parquet_files() -> dict[str, bytes]:
    """Pictures in Hugging Face's layout, and a column for each pixel, as bytes and as floats."""
    images, labels = _digits()
    pictures = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        pictures.append({"bytes": file.getvalue(), "path": None})
    pixels = {f"pixel{k}": column for k, column in enumerate(images.reshape(COUNT, -1).T)}
    files = {}
    for name, columns in (
        ("pictures.parquet", {"image": pa.array(pictures), "label": labels}),
        ("bytes.parquet", {"label": labels, **pixels}),
        ("floats.parquet", {**{name: column / 255 for name, column in pixels.items()}, "label": labels}),
    ):
        target = io.BytesIO()
        pq.write_table(pa.table(columns), target)
        files[name] = target.getvalue()
    return files


def use_parquet(path: Path) -> None:
    """Reads the table. pyarrow checks no sums, so other numbers than those that were written are right, too."""
    table = read_table(path)
    assert table.labels is not None
    assert len(table.labels) == len(table.images) > 0


def _unzipped(content: bytes) -> bytes:
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content


def _compare(found: Any, expected: Any) -> None:
    if found.shape != expected.shape or not np.array_equal(found, expected):
        raise AssertionError(f"read {found.shape}, expected {expected.shape}, or other numbers")


def mutate_zipped(mutate: Callable[[bytes, Rng], bytes] = mutate_bytes) -> Callable[[bytes, Rng], bytes]:
    """Changes the content of gzip files rather than their compressed bytes, most of the time."""

    def changed(content: bytes, rng: Rng) -> bytes:
        if content[:2] == b"\x1f\x8b" and rng.random() < 0.8:
            return gzip.compress(mutate(gzip.decompress(content), rng), mtime=0)
        return mutate(content, rng)

    return changed
