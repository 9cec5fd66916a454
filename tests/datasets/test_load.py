import errno
import gzip
import io
import re
import shutil
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from digitscope.datasets import DataSet, load_data, load_mnist
from digitscope.errors import DataError

Array = NDArray[Any]
Digits = tuple[NDArray[np.uint8], NDArray[np.int64]]
IdxBytes = Callable[[Array], bytes]
NpzBytes = Callable[..., bytes]
CsvText = Callable[..., str]


def refusal(source: Path | str) -> str:
    """The one-line error for this source."""
    with pytest.raises(DataError) as error:
        load_data(str(source))
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def arrays(digits: Digits) -> dict[str, Array]:
    """The arrays of a Keras archive: five digits for training, the last two of them for testing."""
    images, labels = digits
    return {"x_train": images, "y_train": labels, "x_test": images[3:], "y_test": labels[3:]}


def assert_holds(data: DataSet, digits: Digits, name: str, test: bool = True) -> None:
    images, labels = digits
    assert data.name == name
    np.testing.assert_array_equal(data.x_train, images, strict=True)
    np.testing.assert_array_equal(data.y_train, labels, strict=True)
    if test:
        assert data.x_test is not None
        assert data.y_test is not None
        np.testing.assert_array_equal(data.x_test, images[3:], strict=True)
        np.testing.assert_array_equal(data.y_test, labels[3:], strict=True)
    else:
        assert data.x_test is None
        assert data.y_test is None


def test_mnist() -> None:
    data = load_data("mnist")
    assert data.name == "mnist"
    assert data.classes == 10
    (x_train, y_train), (x_test, y_test) = load_mnist()
    assert data.x_test is not None
    assert data.y_test is not None
    np.testing.assert_array_equal(data.x_train, x_train, strict=True)
    np.testing.assert_array_equal(data.y_train, y_train.astype(np.int64), strict=True)
    np.testing.assert_array_equal(data.x_test, x_test, strict=True)
    np.testing.assert_array_equal(data.y_test, y_test.astype(np.int64), strict=True)


def test_unknown_sources() -> None:
    for source in ("mnits", "/no/such/file.csv", "", "x" * 5000, "zero\0byte", "~no-such-user/a.csv"):
        message = refusal(source)
        assert "is neither a known source nor a file or folder. A source is mnist, sklearn-digits, a CSV" in message
        assert (
            "a folder of IDX files, a folder of pictures with one subfolder for each class, or an .npz file" in message
        )
    assert "'/dev/null' is not a regular file. A source is" in refusal("/dev/null")


def test_a_path_may_start_with_a_tilde(idx_folder: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(idx_folder.parent))
    assert_holds(load_data("~/digits"), digits, "digits")
    assert_holds(load_data(idx_folder), digits, "digits")  # a Path, too


def test_table(digits: Digits, csv_text: CsvText, pixel_names: list[str], tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text(csv_text(*digits, ["label", *pixel_names]))
    assert_holds(load_data(str(path)), digits, "train.csv", test=False)
    path.write_text(csv_text(digits[0], None, pixel_names))
    assert "train.csv has no label column: it is a test file, for `digitscope submit`" in refusal(path)
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    assert "is not a CSV table; this seems to be a PNG picture" in refusal(path)


class TestFolder:
    def test_all_spellings(self, idx_folder: Path, digits: Digits) -> None:
        assert_holds(load_data(str(idx_folder)), digits, "digits")
        for old in list(idx_folder.iterdir()):
            old.rename(idx_folder / old.name.replace("t10k-", "test-").replace("s-idx", "s.idx"))
        assert_holds(load_data(f"{idx_folder}/."), digits, "digits")

    def test_training_part_only(self, idx_folder: Path, digits: Digits) -> None:
        for path in idx_folder.glob("t10k*"):
            path.unlink()
        assert_holds(load_data(str(idx_folder)), digits, "digits", test=False)

    def test_the_raw_file_is_preferred(self, idx_folder: Path, digits: Digits) -> None:
        (idx_folder / "train-images-idx3-ubyte.gz").write_bytes(b"no gzip")
        assert_holds(load_data(str(idx_folder)), digits, "digits")

    @pytest.mark.parametrize(
        ("name", "missing"),
        [
            ("train-labels-idx1-ubyte", "holds train-images-idx3-ubyte but no train-labels-idx1-ubyte (raw or .gz)"),
            ("train-images-idx3-ubyte", "holds train-labels-idx1-ubyte but no train-images-idx3-ubyte (raw or .gz)"),
            ("t10k-labels-idx1-ubyte.gz", "holds t10k-images-idx3-ubyte.gz but no t10k-labels-idx1-ubyte (raw or .gz)"),
        ],
    )
    def test_half_a_pair(self, name: str, missing: str, idx_folder: Path) -> None:
        (idx_folder / name).unlink()
        assert missing in refusal(idx_folder)

    def test_no_training_part(self, idx_folder: Path, tmp_path: Path) -> None:
        for path in idx_folder.glob("train*"):
            path.unlink()
        assert "holds no training files of the usual names. Expected are train-images-idx3-ubyte" in refusal(idx_folder)
        (tmp_path / "empty").mkdir()
        message = refusal(tmp_path / "empty")
        assert "holds no IDX files of the usual names" in message
        assert "and t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte for a test part, raw or .gz" in message
        assert message.endswith(
            "or a table named train (.csv or .parquet), or subfolders, one for each class, with pictures."
        )

    def test_swapped_files(self, idx_folder: Path) -> None:
        images, labels = idx_folder / "train-images-idx3-ubyte", idx_folder / "train-labels-idx1-ubyte"
        images.rename(idx_folder / "a")
        labels.rename(images)
        (idx_folder / "a").rename(labels)
        assert "holds labels, shape (5,); images (N, H, W) are expected" in refusal(idx_folder)

    def test_counts_differ(self, idx_folder: Path, idx_bytes: IdxBytes) -> None:
        (idx_folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(4)))
        assert "digits, training part: Labels are expected as one integer for each of 5 images; got (4,)" in refusal(
            idx_folder
        )

    def test_a_single_file_stands_for_all(self, idx_folder: Path, digits: Digits) -> None:
        for path in idx_folder.iterdir():
            assert_holds(load_data(path), digits, "digits")
        other = (idx_folder / "train-images-idx3-ubyte").rename(idx_folder / "a")
        message = refusal(other)
        assert "a is a single IDX file. Give the folder that holds it and its companion: train-images-idx3" in message

    def test_folders_named_like_their_files(self, idx_folder: Path, digits: Digits) -> None:
        """Kaggle unpacks its MNIST so."""
        for path in list(idx_folder.iterdir()):
            inner = path.rename(idx_folder / "x")
            path.mkdir()
            inner.rename(path / path.name)
        assert_holds(load_data(idx_folder), digits, "digits")

    def test_other_sizes_and_many_classes(self, tmp_path: Path, idx_bytes: IdxBytes) -> None:
        rng = np.random.default_rng(1)
        (tmp_path / "train-images-idx3-ubyte").write_bytes(idx_bytes(rng.integers(0, 256, (300, 9, 5))))
        (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.arange(300) % 200))
        data = load_data(str(tmp_path))
        assert data.x_train.shape == (300, 9, 5)
        assert data.classes == 200


class TestNpz:
    def test_parts(self, arrays: dict[str, Array], digits: Digits, tmp_path: Path, npz_bytes: NpzBytes) -> None:
        (tmp_path / "a.npz").write_bytes(npz_bytes(True, **arrays, more=np.array(["left alone"])))
        assert_holds(load_data(str(tmp_path / "a.npz")), digits, "a.npz")
        np.savez(tmp_path / "b.npz", x_train=arrays["x_train"], y_train=arrays["y_train"])
        (tmp_path / "b.npz").rename(tmp_path / "any name")
        assert_holds(load_data(str(tmp_path / "any name")), digits, "any name", test=False)

    @pytest.mark.parametrize("dtype", ["u1", "i2", ">i4", "u8", "f2", "<f4", "f8"])
    @pytest.mark.parametrize("shape", [(-1, 28, 28), (-1, 784), (-1, 28, 28, 1)])
    def test_types_and_shapes(
        self,
        dtype: str,
        shape: tuple[int, ...],
        arrays: dict[str, Array],
        digits: Digits,
        tmp_path: Path,
        npz_bytes: NpzBytes,
    ) -> None:
        for key in ("x_train", "x_test"):
            arrays[key] = np.asfortranarray(arrays[key].reshape(shape).astype(dtype))
        for key in ("y_train", "y_test"):
            arrays[key] = arrays[key].astype("u1" if "f" in dtype else dtype)
        (tmp_path / "a.npz").write_bytes(npz_bytes(**arrays))
        assert_holds(load_data(str(tmp_path / "a.npz")), digits, "a.npz")

    @pytest.mark.parametrize("dtype", ["f2", "f4", ">f8"])
    def test_images_that_were_divided_by_255(
        self, dtype: str, arrays: dict[str, Array], digits: Digits, tmp_path: Path, npz_bytes: NpzBytes
    ) -> None:
        for key in ("x_train", "x_test"):
            arrays[key] = (arrays[key] / 255).astype(dtype)
        (tmp_path / "a.npz").write_bytes(npz_bytes(**arrays))
        assert_holds(load_data(str(tmp_path / "a.npz")), digits, "a.npz")

    @pytest.mark.parametrize(
        ("pixel", "dtype", "words"),
        [
            (256, "i2", "got 0 to 256. Divide by the highest possible value."),
            (-1, "i1", "got -1 to 127: standardized images?"),
            (0.5, "f4", "got floats up to 127. Give images / 255."),
            (np.nan, "f8", "got nan. Replace such pixels."),
            (np.inf, "f4", "got infinity. Replace such pixels."),
            (2**63, "u8", "got 0 to 9.223e+18."),
        ],
    )
    def test_pixels(
        self, pixel: float, dtype: str, words: str, arrays: dict[str, Array], tmp_path: Path, npz_bytes: NpzBytes
    ) -> None:
        arrays["x_train"] = (arrays["x_train"] // 2).astype(dtype)
        arrays["x_train"][3, 4, 5] = pixel
        (tmp_path / "a.npz").write_bytes(npz_bytes(**arrays))
        message = refusal(tmp_path / "a.npz")
        assert message.startswith("a.npz, training part: Images are expected as whole numbers from 0 (paper) to 255")
        assert words in message

    @pytest.mark.parametrize(
        ("key", "array", "words"),
        [
            ("x_train", np.zeros((5, 28, 28, 3)), "a.npz, training part: Images are expected to be grey, (N, H, W)"),
            (
                "x_train",
                np.zeros((4, 28, 28)),
                "training part: Labels are expected as one integer for each of 4 images",
            ),
            ("x_test", np.zeros((3, 28, 28)), "test part: Labels are expected as one integer for each of 3 images"),
            ("x_test", np.zeros((2, 20, 28)), "training images of 28x28 and test images of 20x28 pixels"),
            ("x_train", np.zeros((0, 28, 28)), "x_train.npy announces float64 elements of shape (0, 28, 28)"),
            ("x_train", np.zeros((5, 28, 28), dtype=bool), "x_train.npy holds bool elements; integers or floats"),
            ("x_train", np.zeros((5, 28, 28), dtype=complex), "x_train.npy holds complex128 elements"),
            ("y_train", np.array(list("abcde")), "y_train.npy holds <U1 elements; integers or floats are expected"),
            ("y_train", np.array([1, 2, 3, 4, None]), "y_train.npy holds object elements"),
            ("y_train", np.eye(5), "training part: Labels are expected as integers, (5,); got one-hot rows, (5, 5)."),
            ("y_train", np.full(5, 0.5), "training part: Labels are expected as whole numbers from 0; got 0.5."),
            ("y_train", np.array(3), "Labels are expected as one integer for each of 5 images; got ()."),
            (
                "y_train",
                np.array([0, 1, -1, 2, 3]),
                "a.npz, training part: Labels are expected from 0 to 4095; got -1.",
            ),
            ("y_test", np.array([0, 4096]), "a.npz, test part: Labels are expected from 0 to 4095; got 4096."),
            ("y_test", np.array([0, 2**63], dtype="u8"), "from 0 to 4095; got 9223372036854775808."),
        ],
    )
    def test_bad_arrays(
        self, key: str, array: Array, words: str, arrays: dict[str, Array], tmp_path: Path, npz_bytes: NpzBytes
    ) -> None:
        (tmp_path / "a.npz").write_bytes(npz_bytes(**{**arrays, key: array}))
        assert words in refusal(tmp_path / "a.npz")

    @pytest.mark.parametrize(
        ("key", "words"),
        [
            ("x_train", "has no x_train; x_train and y_train, and both or neither of x_test and y_test, are expected"),
            ("y_train", "has no y_train; "),
            ("x_test", "has no x_test; "),
            ("y_test", "has no y_test; "),
        ],
    )
    def test_missing_arrays(
        self, key: str, words: str, arrays: dict[str, Array], tmp_path: Path, npz_bytes: NpzBytes
    ) -> None:
        del arrays[key]
        (tmp_path / "a.npz").write_bytes(npz_bytes(**arrays))
        message = refusal(tmp_path / "a.npz")
        assert words in message
        assert message.endswith(f"It holds {', '.join(arrays)}.")

    def test_an_archive_of_other_things(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr("train.csv", "label\n")
        message = refusal(tmp_path / "a.zip")
        assert "a.zip is a ZIP archive with train.csv, as Kaggle gives it. Unpack it, and give the table" in message
        with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
            for k in range(9):
                archive.writestr(f"{'long' * 30}{k}.png", "")
        message = refusal(tmp_path / "c.zip")
        assert message.endswith("... and 4 more. Unpack it, and give the file or folder in it.")
        assert len(message) < 400 + len(str(tmp_path))
        with zipfile.ZipFile(tmp_path / "d.xlsx", "w") as archive:
            archive.writestr("xl/workbook.xml", "")
        assert refusal(tmp_path / "d.xlsx").endswith("is a ZIP archive, an Excel workbook. Save its sheet as CSV.")
        with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
            pass
        assert "is a ZIP archive that holds nothing." in refusal(tmp_path / "b.zip")

    def test_a_header_that_claims_too_much(self, tmp_path: Path) -> None:
        """The members are checked against their headers before an element is read."""
        for shape in ((1 << 40, 28, 28), (2, 28, 28), (1, 28, 27), (-5, 28, 28), (1 << 62, 1 << 62, 1)):
            member = io.BytesIO()
            np.lib.format.write_array_header_1_0(member, {"descr": "|u1", "fortran_order": False, "shape": shape})
            with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
                archive.writestr("x_train.npy", member.getvalue() + bytes(784))
                archive.writestr("y_train.npy", member.getvalue())
            message = refusal(tmp_path / "a.npz")
            assert f"x_train.npy announces uint8 elements of shape {shape}, " in message
            assert "bytes with the header; 912 came" in message

    def test_limit(
        self, arrays: dict[str, Array], tmp_path: Path, npz_bytes: NpzBytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "a.npz").write_bytes(npz_bytes(True, **arrays))
        monkeypatch.setattr("digitscope.files.opening.LIMIT", 4000)
        assert re.search(r"unfolds to \d,\d+ bytes; 4,000 are read at most", refusal(tmp_path / "a.npz"))
        monkeypatch.undo()
        monkeypatch.setattr("digitscope.files.opening.UNPACKED_FREE", 1000)
        bomb = arrays | {"x_train": np.zeros((5, 1000, 1000), np.uint8)}
        (tmp_path / "a.npz").write_bytes(npz_bytes(True, **bomb))
        assert "unfolds to 5,00" in refusal(tmp_path / "a.npz")

    def test_not_an_array(self, tmp_path: Path) -> None:
        for content, words in (
            (b"hello there", "cannot be read as .npz: the archive is damaged"),
            (b"\x93NUMPY\x03\x00", "x_train.npy is not a plain array of numbers (.npy version (3, 0))"),
            (b"\x93NUMPY\x01\x00\x03\x00{}\n", "cannot be read as .npz: the archive is damaged"),
            (b"\x93NUMPY\x01\x00\x03\x00{((", "cannot be read as .npz: "),
        ):
            with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
                archive.writestr("x_train.npy", content)
                archive.writestr("y_train.npy", content)
            assert words in refusal(tmp_path / "a.npz")

    @pytest.mark.parametrize(
        ("error", "words"),
        [
            (OSError(errno.EMFILE, "Too many open files"), "cannot be read: Too many open files"),
            (MemoryError(), "memory"),
        ],
    )
    def test_errors_of_the_system_are_not_damage(
        self, error: Exception, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise error

        (tmp_path / "digits.npz").write_bytes(b"PK\x03\x04")
        monkeypatch.setattr(zipfile, "ZipFile", fail)
        assert words in refusal(tmp_path / "digits.npz")

    def test_not_an_archive(self, arrays: dict[str, Array], tmp_path: Path) -> None:
        (tmp_path / "a.npz").write_bytes(b"PK\x03\x04" + bytes(40))
        assert "a.npz cannot be read as .npz: the archive is damaged" in refusal(tmp_path / "a.npz")

    @settings(deadline=None, max_examples=200)
    @given(data=st.data(), compress=st.booleans())
    def test_damage_is_an_error_or_changes_nothing(
        self, data: st.DataObject, compress: bool, digits: Digits, scratch: Path
    ) -> None:
        images, labels = digits[0][:, :4, :4], digits[1]
        file = io.BytesIO()
        (np.savez_compressed if compress else np.savez)(file, x_train=images, y_train=labels)
        content = bytearray(file.getvalue())
        for _ in range(data.draw(st.integers(1, 3))):
            content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
        path = scratch / "damaged.npz"
        path.write_bytes(content)
        try:
            loaded = load_data(str(path))
        except DataError:
            return
        assert_holds(loaded, (images, labels), "damaged.npz", test=False)


class TestDataSet:
    def test_classes(self, digits: Digits) -> None:
        images, labels = digits
        assert DataSet("a", images, labels).classes == 8
        assert DataSet("a", images, labels, images, labels + 3).classes == 11
        assert DataSet("a", images, np.zeros(5, dtype=np.int64)).classes == 2
        assert DataSet("a", images, np.arange(5), class_names=tuple("abcdef")).classes == 6

    def test_digest(self, digits: Digits) -> None:
        images, labels = digits
        digest = DataSet("a", images, labels).digest
        assert digest == f"{zlib.crc32(images.tobytes() + labels.tobytes()):08x}"
        assert digest == DataSet("b", images, labels, images, labels).digest
        assert digest != DataSet("a", images, labels + 1).digest
        assert digest != DataSet("a", 255 - images, labels).digest
        assert digest == DataSet("a", np.asfortranarray(images), labels).digest

    @pytest.mark.parametrize(
        ("images", "labels", "words"),
        [
            (np.zeros((2, 5, 5, 5)), [0, 1], "a, training part: Images are expected as (N, H, W)"),
            (np.zeros((2, 3, 3), dtype="u1"), [0, 1, 2], "one integer for each of 2 images; got (3,)"),
            (np.zeros((0, 3, 3), dtype="u1"), [], "has no training images: their shape is (0, 3, 3)"),
            (np.zeros((2, 0, 3), dtype="u1"), [0, 1], "has no training images: their shape is (2, 0, 3)"),
            (np.zeros((2, 3, 3), dtype="u1"), [0, 70000], "from 0 to 4095; got 70000"),
        ],
    )
    def test_bad_parts(self, images: Array, labels: Any, words: str) -> None:
        with pytest.raises(DataError) as error:
            DataSet("a", images, labels)
        assert words in str(error.value)

    def test_usable_data_are_converted_to_one_format(self, digits: Digits) -> None:
        images, labels = digits
        floats = np.asfortranarray(images.reshape(5, 784) / 255)
        column: Any = labels.astype(float)[:, None].tolist()
        assert_holds(DataSet("a", floats, column), digits, "a", test=False)  # type: ignore[arg-type]
        assert_holds(DataSet("a", images, labels.astype(">u2"), images[3:], labels[3:]), digits, "a")

    def test_half_a_test_part(self, digits: Digits) -> None:
        images, labels = digits
        for x_test, y_test in ((images, None), (None, labels)):
            with pytest.raises(DataError, match="a has one of test images and test labels; give both or neither"):
                DataSet("a", images, labels, x_test, y_test)


def test_gzip_that_is_damaged_from_the_start(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"label")[:6])
    assert "the gzip data are cut off" in refusal(tmp_path / "a.gz")


class TestNested:
    def test_the_root_that_torchvision_downloads_to(self, idx_folder: Path, tmp_path: Path) -> None:
        expected = load_data(idx_folder)
        raw = tmp_path / "data" / "MNIST" / "raw"
        raw.parent.mkdir(parents=True)
        idx_folder.rename(raw)
        for root in (tmp_path / "data", raw.parent, raw):
            found = load_data(root)
            assert (found.digest, found.name) == (expected.digest, root.name)
        shutil.copytree(raw, tmp_path / "data" / "FashionMNIST" / "raw")
        with pytest.raises(DataError, match=r"holds 2 folders of IDX files: FashionMNIST.raw, MNIST.raw. Give one of"):
            load_data(tmp_path / "data")

    def test_a_folder_around_classes(self, digits: tuple[Array, Array], tmp_path: Path) -> None:
        inner = tmp_path / "unpacked" / "digits"
        for k, image in enumerate(digits[0]):
            (inner / str(k)).mkdir(parents=True)
            Image.fromarray(image).save(inner / str(k) / "a.png")
        assert load_data(tmp_path / "unpacked").y_train.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("column", [False, True])
def test_labels_of_other_types(dtype: str, column: bool, idx_folder: Path, digits: tuple[Array, Array]) -> None:
    labels = digits[1].reshape(-1, 1) if column else digits[1]
    codes = {"i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
    header = struct.pack(f">BBBB{labels.ndim}I", 0, 0, codes[dtype], labels.ndim, *labels.shape)
    path = idx_folder / "train-labels-idx1-ubyte"
    path.write_bytes(header + labels.astype(f">{dtype}").tobytes())
    assert load_data(idx_folder).y_train.tolist() == digits[1].tolist()
    if dtype[0] == "f":
        path.write_bytes(header + (labels + 0.5).astype(f">{dtype}").tobytes())
        assert "digits, training part: Labels are expected as whole numbers from 0; got 7.5." in refusal(idx_folder)


class TestEmnist:
    """Its images have rows and columns swapped, and its letters are numbered from 1."""

    @pytest.fixture
    def gzip_folder(self, tmp_path: Path, digits: Digits, idx_bytes: IdxBytes) -> Path:
        """Two data sets in one folder, as in the archive of EMNIST's authors."""
        images, labels = digits
        for split, shift in (("letters", 1), ("digits", 0)):
            for part, chosen in (("train", slice(None)), ("test", slice(3, None))):
                for what, array in (
                    ("images-idx3", images.swapaxes(1, 2)[chosen]),
                    ("labels-idx1", labels[chosen] + shift),
                ):
                    (tmp_path / f"emnist-{split}-{part}-{what}-ubyte.gz").write_bytes(gzip.compress(idx_bytes(array)))
        return tmp_path

    def test_one_file_chooses_the_data_set(self, gzip_folder: Path, digits: Digits) -> None:
        message = refusal(gzip_folder)
        assert "holds 2 data sets of IDX files: emnist-digits, emnist-letters. Give a file of one of them" in message
        letters = load_data(gzip_folder / "emnist-letters-test-labels-idx1-ubyte.gz")
        assert_holds(letters, digits, "emnist-letters")
        assert letters.class_names == tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        for path in gzip_folder.glob("*letters*"):
            path.unlink()
        assert_holds(load_data(gzip_folder), digits, "emnist-digits")
        assert load_data(gzip_folder).class_names is None

    def test_tables(self, digits: Digits, csv_text: CsvText, tmp_path: Path) -> None:
        images, labels = digits
        for split, shift, name in (("letters", 1, "H"), ("letters", 0, "H"), ("balanced", 0, "7"), ("mnist", 0, None)):
            path = tmp_path / f"emnist-{split}-train.csv"
            path.write_text(csv_text(images.swapaxes(1, 2), labels + shift))
            data = load_data(path)
            assert_holds(data, digits, path.name, test=False)
            assert (data.class_names[7] if data.class_names else None) == name
        path.write_text(csv_text(images, labels, ["label", *map(str, range(784))]))  # as `write_data` writes it
        assert_holds(load_data(path), digits, path.name, test=False)


def test_labels_from_1_are_kept(idx_folder: Path, digits: Digits, idx_bytes: IdxBytes) -> None:
    """Class 0 is empty: a network that reads a 7 answers 7."""
    (idx_folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(digits[1] + 1))
    data = load_data(idx_folder)
    assert data.y_train.tolist() == (digits[1] + 1).tolist()
    assert data.classes == 9


def test_the_digits_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.datasets import load_digits

    data = load_data("sklearn-digits")
    expected = load_digits()
    assert (data.name, data.x_train.shape, data.classes) == ("sklearn-digits", (1797, 8, 8), 10)
    np.testing.assert_array_equal(np.rint(data.x_train * (16 / 255)), expected.images)
    np.testing.assert_array_equal(data.y_train, expected.target)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert refusal("sklearn-digits") == "sklearn-digits needs scikit-learn: pip install 'digitscope[sklearn]'."


@pytest.mark.parametrize(
    "names",
    [
        ("X_train", "y_train", "X_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("images", "labels"),
        ("x", "y"),
        ("X", "y"),
        ("data", "target"),
    ],
)
def test_other_names_in_an_archive(
    names: tuple[str, ...], arrays: dict[str, Array], digits: Digits, tmp_path: Path, npz_bytes: NpzBytes
) -> None:
    renamed = dict(zip(names, arrays.values(), strict=False))
    (tmp_path / "a.npz").write_bytes(npz_bytes(**renamed))
    assert_holds(load_data(tmp_path / "a.npz"), digits, "a.npz", test=len(names) == 4)
    if len(names) == 4:
        del renamed[names[3]]
        (tmp_path / "a.npz").write_bytes(npz_bytes(**renamed))
        assert f"has no {names[3]}; " in refusal(tmp_path / "a.npz")
