"""Parquet as Hugging Face and pandas write it, and folders of tables."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image

from digitscope.datasets import load_data, read_table
from digitscope.errors import DataError
from digitscope.files import opening
from digitscope.vision import prepare

Digits = tuple[NDArray[np.uint8], NDArray[np.int64]]


def refusal(path: Path) -> str:
    """The one-line error for this source, without its path."""
    with pytest.raises(DataError) as error:
        load_data(path)
    assert "\n" not in str(error.value)
    return str(error.value).replace(str(path), "")


def png(image: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def write_pictures(
    path: Path, images: NDArray[np.uint8], labels: Any, *, names: Any = None, binary: bool = False, **columns: Any
) -> Path:
    """As `datasets` writes them, with the metadata from which it restores its types."""
    pictures: list[Any] = [png(image) for image in images]
    if not binary:
        pictures = [{"bytes": content, "path": None} for content in pictures]
        columns = {"image": pa.array(pictures, pa.struct({"bytes": pa.binary(), "path": pa.string()}))} | columns
    else:
        columns = {"img": pa.array(pictures, pa.large_binary())} | columns
    table = pa.table(columns if labels is None else columns | {"label": labels})
    if names is not None:
        features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=2)
    return path


@pytest.mark.parametrize("binary", [False, True])
def test_pictures(binary: bool, digits: Digits, tmp_path: Path) -> None:
    images, labels = digits[0] // 2, digits[1]
    path = write_pictures(tmp_path / "any name", images, labels, binary=binary, note=["a", "b", "c", "d", None])
    data = load_data(path)
    np.testing.assert_array_equal(data.x_train, images, strict=True)
    np.testing.assert_array_equal(data.y_train, labels, strict=True)
    assert data.class_names is None
    table = read_table(write_pictures(path, images, None, binary=binary))
    np.testing.assert_array_equal(table.images, images, strict=True)
    assert table.labels is None


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([str(k) for k in range(10)], None),
        (list("abcdefgh"), tuple("abcdefgh")),
        (None, None),
        ([1, 2], None),
        ("abcdefgh", None),
    ],
)
def test_names_of_classes(names: Any, expected: Any, digits: Digits, tmp_path: Path) -> None:
    assert load_data(write_pictures(tmp_path / "a", *digits, names=names)).class_names == expected


def test_the_repository_of_mnist(digits: Digits, tmp_path: Path) -> None:
    """Shards in a folder beside other files, as `git clone` gives them."""
    images, labels = digits[0] // 2, digits[1]
    (tmp_path / "README.md").touch()
    (tmp_path / ".git").mkdir()
    for k, part in enumerate((slice(0, 3), slice(3, 5))):
        write_pictures(tmp_path / "mnist" / f"train-0000{k}-of-00002.parquet", images[part], labels[part])
    for source in (tmp_path, tmp_path / "mnist"):
        data = load_data(source)
        np.testing.assert_array_equal(data.x_train, images, strict=True)
        np.testing.assert_array_equal(data.y_train, labels, strict=True)
        assert (data.name, data.x_test) == (source.name, None)
    write_pictures(tmp_path / "mnist" / "test-00000-of-00001.parquet", images[3:], labels[3:], names=list("abcdefgh"))
    data = load_data(tmp_path)
    np.testing.assert_array_equal(np.asarray(data.x_test), images[3:], strict=True)
    write_pictures(tmp_path / "other" / "train-00000-of-00001.parquet", images, labels)
    assert "holds 2 data sets of tables: train-00000-of-00002.parquet, train-00000-of-00001.parquet" in refusal(
        tmp_path
    )


def test_photos_are_prepared(digits: Digits, tmp_path: Path) -> None:
    drawing = np.full((120, 90), 230, np.uint8)
    drawing[30:90, 40:50] = 20
    path = write_pictures(tmp_path / "a", drawing[None], [1])
    np.testing.assert_array_equal(load_data(path).x_train[0], prepare(drawing).image)
    assert load_data(path, (20, 20)).x_train.shape == (1, 20, 20)
    write_pictures(path, np.zeros((2, 100, 100), np.uint8), [0, 1])
    assert refusal(path).startswith(", row 1")


@pytest.mark.parametrize("dtype", ["u1", "i8", "f4", "f8"])
@pytest.mark.parametrize("index", [None, "named", "unnamed"])
def test_a_column_for_each_pixel(dtype: str, index: str | None, digits: Digits, tmp_path: Path) -> None:
    images, labels = digits
    pixels = images.reshape(5, 784) / (255 if "f" in dtype else 1)
    frame = pd.DataFrame(pixels.astype(dtype), columns=[f"pixel{k}" for k in range(784)])
    frame.insert(300, "label", labels)
    if index:
        frame.index = pd.Index([5, 6, 7, 8, 9], name="id" if index == "named" else None)
    path = tmp_path / "a.parquet"
    frame.to_parquet(path)
    table = read_table(path)
    np.testing.assert_array_equal(table.images, images, strict=True)
    np.testing.assert_array_equal(np.asarray(table.labels), labels, strict=True)
    frame.set_index("label").to_parquet(path)
    np.testing.assert_array_equal(np.asarray(read_table(path).labels), labels, strict=True)


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("pixel7", [1, 2, 3, None, 5], ", row 4, column 8 (pixel7): the pixel is missing; a pixel is a whole number"),
        ("pixel7", [1, 2, 300, 4, 5], ", row 3, column 8 (pixel7): 300 came; a pixel is a whole number from 0 to 255."),
        (
            "pixel7",
            [1, 2, 0.5, 4, 5],
            ", row 3, column 8 (pixel7): 0.5 came; a pixel is a whole number from 0 to 255 in",
        ),
        ("pixel7", list("abcde"), ", column pixel7 holds "),
        ("label", [1, 2, -1, 4, 5], ", row 3, column 785 (label): -1 came; a label is a whole number from 0 to 4095."),
        ("label", list("abcde"), ", column label holds "),
    ],
)
def test_cells_at_fault(column: str, values: Any, words: str, digits: Digits, tmp_path: Path) -> None:
    frame = pd.DataFrame(digits[0].reshape(5, 784), columns=[f"pixel{k}" for k in range(784)]).assign(label=digits[1])
    path = tmp_path / "a.parquet"
    frame.assign(**{column: values}).to_parquet(path)
    assert refusal(path).startswith(words)
    frame.iloc[:, 5:].to_parquet(path)
    assert refusal(path).startswith(" has 779 pixel columns and a label column; 784 = 28x28 or another square are")


def test_pictures_at_fault(digits: Digits, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    bad = pa.array([{"bytes": content, "path": "a.png"} for content in (png(digits[0][0]), b"no picture", None)])
    pq.write_table(pa.table({"image": bad.slice(0, 2), "label": [0, 1]}), path)
    assert refusal(path) == (
        ", row 2 is not a picture that can be read. Give a PNG or JPEG file. 1 of 2 pictures cannot be used; remove or "
        "mend them."
    )
    pq.write_table(pa.table({"image": bad, "label": [0, 1, 2]}), path)
    assert refusal(path).startswith(", row 3, column image: the bytes of a picture are expected; none came.")
    write_pictures(path, digits[0], [0, 1, 2, 3, -1])
    assert refusal(path).startswith(", column label, rows 1 to 5: Labels are expected from 0 to 4095; got -1.")
    write_pictures(path, digits[0], list("abcde"))
    assert "column label, rows 1 to 5: Labels are expected as numbers" in refusal(path)
    write_pictures(path, digits[0][:0], pa.array([], pa.int64()))
    assert refusal(path) == " has no rows. One row for each image is expected."
    write_pictures(path, digits[0], None)
    assert refusal(path).startswith(" has no label column")


def test_damage_and_other_files(digits: Digits, tmp_path: Path) -> None:
    path = write_pictures(tmp_path / "a.parquet", *digits)
    content = path.read_bytes()
    for damaged in (content[:-20], content[:40], b"PAR1", content[:300] + bytes(300) + content[600:]):
        path.write_bytes(damaged)
        assert "Copy it again." in refusal(path) or "cannot be used" in refusal(path)


def test_limits_are_checked_before_a_row_is_read(
    digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_pictures(tmp_path / "a.parquet", *digits)
    monkeypatch.setattr("digitscope.datasets.parquet.LIMIT", 4 * 64)
    assert refusal(path) == " announces 5 rows; 4 are read at most."
    monkeypatch.undo()
    monkeypatch.setattr(opening, "LIMIT", 1000)
    assert "bytes; 1,000 are read at most of this file." in refusal(path)


def test_without_pyarrow(digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_pictures(tmp_path / "a.parquet", *digits)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert refusal(path) == " is a Parquet file, which needs pyarrow: pip install 'digitscope[parquet]'."


class TestFolderOfTables:
    """As Kaggle and others unpack them."""

    @pytest.mark.parametrize("name", ["{}.csv", "fashion-mnist_{}.csv", "mnist.{}.csv.gz", "{}.tsv", "{}.parquet"])
    def test_train_and_test(self, name: str, digits: Digits, csv_text: Callable[..., str], tmp_path: Path) -> None:
        images, labels = digits
        for part, chosen in (("train", slice(None)), ("test", slice(3, 5))):
            if name.endswith("parquet"):
                write_pictures(tmp_path / name.format(part), images[chosen] // 2, labels[chosen])
            else:
                text = csv_text(images[chosen] // 2, labels[chosen])
                (tmp_path / name.format(part)).write_text(text.replace(",", "\t") if "tsv" in name else text)
        data = load_data(tmp_path)
        np.testing.assert_array_equal(data.x_train, images // 2, strict=True)
        np.testing.assert_array_equal(np.asarray(data.x_test), images[3:] // 2, strict=True)
        np.testing.assert_array_equal(np.asarray(data.y_test), labels[3:], strict=True)

    def test_a_test_file_without_labels_is_left_out(
        self, digits: Digits, csv_text: Callable[..., str], tmp_path: Path
    ) -> None:
        (tmp_path / "train.csv").write_text(csv_text(*digits))
        (tmp_path / "test.csv").write_text(csv_text(digits[0], None))
        (tmp_path / "sample_submission.csv").write_text("ImageId,Label\n1,0\n")
        assert load_data(tmp_path).x_test is None
        (tmp_path / "validation.csv").write_text(csv_text(digits[0][:2], digits[1][:2]))
        data = load_data(tmp_path)
        assert data.y_test is not None
        assert data.y_test.tolist() == digits[1][:2].tolist()
        (tmp_path / "a_train.csv").touch()
        assert "holds 2 data sets of tables: a_train.csv, train.csv. Give one of these files." in refusal(tmp_path)
        (tmp_path / "a_train.csv").unlink()
        (tmp_path / "train.csv").write_text(csv_text(digits[0], None))
        assert "train.csv has no label column" in refusal(tmp_path)
