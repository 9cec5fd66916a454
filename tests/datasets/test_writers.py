"""What is written is read back as it was."""

import io
import itertools
import json
import sys
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from digitscope.datasets import DataSet, load_data, writers
from digitscope.datasets.writers import (
    FILE_ENDINGS,
    FOLDER_FORMATS,
    check_output,
    csv_bytes,
    idx_zip,
    png_zip,
    write_data,
)
from digitscope.errors import DataError, DigitscopeError


def unpacked(content: bytes, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)
    return folder


def check(found: DataSet, images: np.ndarray, labels: np.ndarray, *, mixed: bool = False) -> None:
    order = np.lexsort(found.x_train.reshape(len(labels), -1).T), np.lexsort(images.reshape(len(labels), -1).T)
    if not mixed:
        order = np.arange(len(labels)), np.arange(len(labels))
    np.testing.assert_array_equal(found.x_train[order[0]], images[order[1]])
    np.testing.assert_array_equal(found.y_train[order[0]], labels[order[1]])


@pytest.mark.parametrize("count", [1, 40])
def test_exported_digits_are_read_back(few: DataSet, tmp_path: Path, count: int) -> None:
    images, labels = few.x_train[:count], few.y_train[:count]
    table = tmp_path / "taught.csv"
    table.write_bytes(csv_bytes(images, labels))
    check(load_data(table), images, labels)
    check(load_data(unpacked(idx_zip(images, labels), tmp_path / "idx")), images, labels)
    check(load_data(unpacked(png_zip(images, labels), tmp_path / "png")), images, labels, mixed=True)


def test_the_csv_has_the_layout_of_kaggles_table(few: DataSet) -> None:
    header, row = csv_bytes(few.x_train[:1], few.y_train[:1]).decode().splitlines()
    assert header.startswith("label,pixel0,pixel1,")
    assert header.endswith(",pixel783")
    assert row == ",".join(map(str, [few.y_train[0], *few.x_train[0].ravel()]))


def test_equal_digits_give_equal_bytes(few: DataSet) -> None:
    part = few.x_train[:5], few.y_train[:5]
    assert idx_zip(*part) == idx_zip(*part)
    assert png_zip(*part) == png_zip(*part)


OUTPUTS = [*((f"out{ending}", None) for ending in FILE_ENDINGS), *(("out", form) for form in FOLDER_FORMATS)]


def split(few: DataSet) -> DataSet:
    """40 images to train and 20 to test."""
    return DataSet("few", few.x_train[:40], few.y_train[:40], few.x_train[40:60], few.y_train[40:60])


def assert_same(found: DataSet, data: DataSet, *, mixed: bool) -> None:
    check(found, data.x_train, data.y_train, mixed=mixed)
    assert (found.x_test is None) == (data.x_test is None)
    if found.x_test is not None and data.x_test is not None:
        check(
            DataSet("test", found.x_test, np.asarray(found.y_test)), data.x_test, np.asarray(data.y_test), mixed=mixed
        )


@pytest.mark.parametrize(("name", "form"), OUTPUTS)
@pytest.mark.parametrize("shape", [(28, 28), (8, 8), (30, 17), (3, 3)])
def test_every_output_is_read_back(
    few: DataSet, tmp_path: Path, name: str, form: str | None, shape: tuple[int, int]
) -> None:
    rng = np.random.default_rng(0)
    images = few.x_train[:40] if shape == (28, 28) else rng.integers(0, 256, (40, *shape), dtype=np.uint8)
    if form == "png":
        images = images // 2  # light paper would be inverted
    data = DataSet("few", images, few.y_train[:40])
    write_data(data, tmp_path / name, form)
    assert_same(load_data(tmp_path / name), data, mixed=form == "png")
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


@pytest.mark.parametrize(("name", "form"), OUTPUTS)
def test_both_parts_are_kept(few: DataSet, tmp_path: Path, name: str, form: str | None) -> None:
    data = split(few)
    if form or name == "out.npz":
        write_data(data, tmp_path / name, form)
        assert_same(load_data(tmp_path / name), data, mixed=form == "png")
    else:
        with pytest.raises(DataError, match=r"few has a training and a test part, and .* can hold one\. Give the name"):
            write_data(data, tmp_path / name)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "form"), [output for output in OUTPUTS if output[1] != "png"])
def test_labels_over_255(tmp_path: Path, name: str, form: str | None) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 9, 9), dtype=np.uint8)
    data = DataSet("many", images, np.array([0, 256, 4095]))
    write_data(data, tmp_path / name, form)
    assert_same(load_data(tmp_path / name), data, mixed=False)


@pytest.mark.parametrize(("name", "form"), OUTPUTS)
def test_equal_data_give_equal_files(few: DataSet, tmp_path: Path, name: str, form: str | None) -> None:
    data = DataSet("few", few.x_train[:5], few.y_train[:5])
    contents = []
    for folder in ("a", "b"):
        write_data(data, tmp_path / folder / name, form)
        files = sorted(path for path in (tmp_path / folder).rglob("*") if path.is_file())
        contents.append([(path.relative_to(tmp_path / folder), path.read_bytes()) for path in files])
    assert contents[0] == contents[1]


def test_parquet_has_hugging_faces_layout(few: DataSet, tmp_path: Path) -> None:
    """`datasets.load_dataset` restores pictures and names of classes from the metadata."""
    data = DataSet("few", few.x_train[:40], few.y_train[:40], class_names=tuple("abcdefghij"))
    write_data(data, tmp_path / "out", "parquet")
    (path,) = (tmp_path / "out").iterdir()
    assert path.name == "train-00000-of-00001.parquet"
    table = pq.read_table(path)
    assert str(table.schema.types) == str([pa.struct({"bytes": "binary", "path": "string"}), pa.int64()])
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"}
    assert features["label"] == {"names": list("abcdefghij"), "_type": "ClassLabel"}
    assert table.column("image")[0].as_py()["bytes"][:4] == b"\x89PNG"
    assert load_data(path).class_names == tuple("abcdefghij")


@pytest.mark.parametrize(
    ("name", "form", "words"),
    [
        (
            "out",
            None,
            "out is expected to end in .csv, .csv.gz, .npz or .parquet, or to be a folder with a format: csv",
        ),
        ("out.xlsx", None, "out.xlsx is expected to end in .csv"),
        ("out.csv", "idx", "out.csv ends like a file, and idx is the format of a folder. Leave the format out"),
    ],
)
def test_what_to_write_is_known(name: str, form: str | None, words: str) -> None:
    with pytest.raises(DataError) as error:
        check_output(Path(name), form)
    assert words in str(error.value)
    assert check_output(Path("A.CSV.gz"), None) == ".csv.gz"


@pytest.mark.parametrize(("name", "form"), OUTPUTS)
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "Ctrl-C"])
def test_a_failure_leaves_nothing(
    few: DataSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    form: str | None,
    error: BaseException,
) -> None:
    """Halfway through the images."""

    def failing(write: Callable[..., Any], calls: int) -> Callable[..., Any]:
        left = iter(range(calls))

        def call(*arguments: Any, **options: Any) -> Any:
            if next(left, None) is None:
                raise error
            return write(*arguments, **options)

        return call

    def cut(pieces: Callable[..., Iterator[bytes]]) -> Callable[..., Iterator[bytes]]:
        def some(*arguments: Any) -> Iterator[bytes]:
            yield from itertools.islice(pieces(*arguments), 2)
            raise error

        return some

    monkeypatch.setattr(writers, "_ROWS", 15)
    monkeypatch.setattr(writers, "_png", failing(writers._png, 20))
    monkeypatch.setattr(np.lib.format, "write_array", failing(np.lib.format.write_array, 1))
    for name_of_pieces in ("_csv_pieces", "_idx_pieces"):
        monkeypatch.setattr(writers, name_of_pieces, cut(getattr(writers, name_of_pieces)))
    with pytest.raises((DigitscopeError, KeyboardInterrupt)) as raised:
        write_data(DataSet("few", few.x_train[:40], few.y_train[:40]), tmp_path / name, form)
    if not isinstance(error, KeyboardInterrupt):
        assert f"{name} cannot be written: No space left on device." in str(raised.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "form"), [("out.csv", None), ("out.csv.gz", None), ("out.npz", None), ("out", "idx")])
def test_images_are_in_memory_once(
    name: str, form: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "_ROWS", 50)
    data = DataSet("zeros", np.zeros((1500, 28, 28), np.uint8), np.zeros(1500, np.int64))  # 2.4 MB as text
    tracemalloc.start()
    write_data(data, tmp_path / name, form)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_600_000


def test_images_too_large_for_a_line(tmp_path: Path) -> None:
    for side in (100, 120):
        data = DataSet("large", np.full((2, side, side), 255, np.uint8), np.arange(2))
        for ending in (".npz", ".parquet"):
            write_data(data, tmp_path / f"{side}{ending}")
            assert load_data(tmp_path / f"{side}{ending}").digest == data.digest
        if side == 100:
            write_data(data, tmp_path / "a.csv")
            assert load_data(tmp_path / "a.csv").digest == data.digest
        else:
            with pytest.raises(DataError, match="large has images of 120x120 pixels, too many for a line of a CSV"):
                write_data(data, tmp_path / "b.csv")


def test_parquet_without_pyarrow(few: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(DataError, match=r"a\.parquet is a Parquet file, which needs pyarrow: pip install"):
        write_data(DataSet("few", few.x_train, few.y_train), tmp_path / "a.parquet")
    assert list(tmp_path.iterdir()) == []
