"""A folder of pictures with one subfolder for each class."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from digitscope.datasets import DataSet, load_data
from digitscope.errors import DataError
from digitscope.vision import prepare

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes pictures, by their paths in the folder, and returns the folder."""

    def write_all(pictures: dict[str, Any]) -> Path:
        for name, picture in pictures.items():
            path = tmp_path / "my_digits" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(picture, str):
                path.write_text(picture)
            else:
                Image.fromarray(picture).save(path)
        return tmp_path / "my_digits"

    return write_all


def export(images: NDArray[np.uint8], labels: NDArray[np.int64], folder: str = "") -> dict[str, NDArray[np.uint8]]:
    """The names and pictures of an export of MNIST, numbered over all classes."""
    return {f"{folder}{label}/{k}.png": image for k, (image, label) in enumerate(zip(images, labels, strict=True))}


def drawing(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A digit four times as large, dark on light, in colour."""
    large = np.kron(255 - image, np.ones((4, 4), np.uint8))
    return np.stack([large, large, np.full_like(large, 255)], axis=2)


def refusal(folder: Path) -> str:
    with pytest.raises(DataError) as error:
        load_data(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def as_pairs(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> list[tuple[int, bytes]]:
    return sorted((int(label), image.tobytes()) for image, label in zip(images, labels, strict=True))


class TestExports:
    @pytest.mark.parametrize("light", [False, True])
    def test_of_mnist_are_used_unchanged(self, light: bool, few: DataSet, write: Write) -> None:
        images, labels = few.x_train[:60], few.y_train[:60]
        data = load_data(write(export(255 - images if light else images, labels)))
        assert data.name == "my_digits"
        assert data.x_test is None
        assert data.class_names is None
        assert as_pairs(data.x_train, data.y_train) == as_pairs(images, labels)

    @pytest.mark.parametrize(("train", "test"), [("train", "test"), ("training", "testing"), ("Train", "TEST")])
    def test_with_a_test_part(self, train: str, test: str, few: DataSet, write: Write) -> None:
        assert few.x_test is not None
        assert few.y_test is not None
        pictures = export(few.x_train[:30], few.y_train[:30], f"{train}/")
        pictures |= export(few.x_test[:12], few.y_test[:12], f"{test}/")
        data = load_data(write(pictures))
        assert data.x_test is not None
        assert data.y_test is not None
        assert as_pairs(data.x_train, data.y_train) == as_pairs(few.x_train[:30], few.y_train[:30])
        assert as_pairs(data.x_test, data.y_test) == as_pairs(few.x_test[:12], few.y_test[:12])

    def test_of_another_size(self, write: Write) -> None:
        rng = np.random.default_rng(0)
        images = np.pad(rng.integers(0, 256, (4, 30, 18), dtype=np.uint8), ((0, 0), (1, 1), (1, 1)))
        data = load_data(write({f"{k}/a.png": image for k, image in enumerate(images)}))
        np.testing.assert_array_equal(data.x_train, images)
        np.testing.assert_array_equal(data.y_train, range(4))

    def test_light_paper_is_decided_for_all_together(self, write: Write) -> None:
        """An image that is dark along its border stays like the others."""
        image = np.full((28, 28), 255, np.uint8)
        image[8:20, 12:15] = 0
        dark = np.zeros((28, 28), np.uint8)
        data = load_data(write({"0/a.png": image, "0/b.png": image, "1/c.png": dark}))
        np.testing.assert_array_equal(data.x_train[data.y_train == 1], 255 - dark[None])
        np.testing.assert_array_equal(data.x_train[data.y_train == 0][0], 255 - image)


class TestPhotos:
    def test_are_prepared(self, few: DataSet, write: Write) -> None:
        drawings = [drawing(image) for image in few.x_train[:3]]
        data = load_data(write({f"{k}/a.png": picture for k, picture in enumerate(drawings)}))
        np.testing.assert_array_equal(data.x_train, [prepare(picture).image for picture in drawings])

    def test_beside_exports_of_mnist(self, few: DataSet, write: Write) -> None:
        """Images of 28x28 are not changed; all others are prepared, including small pictures of other sizes."""
        small = np.kron(few.x_train[2], np.ones((2, 2), np.uint8))
        pictures = {"0/a.png": few.x_train[0], "1/a.png": drawing(few.x_train[1]), "2/a.png": small}
        data = load_data(write(pictures))
        expected = [few.x_train[0], prepare(pictures["1/a.png"]).image, prepare(small).image]
        np.testing.assert_array_equal(data.x_train, expected)

    def test_small_ones_of_two_sizes_are_prepared(self, few: DataSet, write: Write) -> None:
        small = [np.kron(image, np.ones((2, 2), np.uint8)) for image in few.x_train[:2]]
        small[1] = np.pad(small[1], 1)
        data = load_data(write({f"{k}/a.png": image for k, image in enumerate(small)}))
        np.testing.assert_array_equal(data.x_train, [prepare(image).image for image in small])


class TestOrder:
    def test_numbers_in_names_count_by_their_value(self, few: DataSet, write: Write) -> None:
        names = ["2.png", "10.png", "a1.png", "a2.png", "a10.png"]
        data = load_data(write({f"0/{name}": few.x_train[k] for k, name in enumerate(names)}))
        np.testing.assert_array_equal(data.x_train, few.x_train[:5])

    def test_every_class_is_spread_over_all_images(self, few: DataSet, write: Write) -> None:
        """Recipes may hold out the last images, which would be of one class if the images were sorted by class."""
        counts = {0: 30, 1: 10, 2: 20}
        pictures = {f"{c}/{c}_{k}.png": few.x_train[k] for c, count in counts.items() for k in range(count)}
        data = load_data(write(pictures))
        for part in (data.y_train[:12], data.y_train[-12:]):
            np.testing.assert_array_equal(np.bincount(part), [6, 2, 4])
        for c, count in counts.items():
            np.testing.assert_array_equal(data.x_train[data.y_train == c], few.x_train[:count])


class TestClasses:
    def test_names_are_numbered_in_their_order(self, few: DataSet, write: Write) -> None:
        data = load_data(write({f"{name}/a.png": few.x_train[k] for k, name in enumerate(["two", "one", "six"])}))
        assert data.class_names == ("one", "six", "two")
        np.testing.assert_array_equal(data.x_train[np.argsort(data.y_train)], few.x_train[[1, 2, 0]])
        assert data.classes == 3

    def test_names_are_those_of_both_parts(self, few: DataSet, write: Write) -> None:
        data = load_data(write({"train/b/a.png": few.x_train[0], "test/a/a.png": few.x_train[1]}))
        assert data.class_names == ("a", "b")
        assert (data.y_train.tolist(), data.y_test.tolist() if data.y_test is not None else None) == ([1], [0])

    def test_labels_need_not_begin_at_0_nor_be_digits(self, few: DataSet, write: Write) -> None:
        data = load_data(write({"03/a.png": few.x_train[0], "12/a.png": few.x_train[1]}))
        assert data.y_train.tolist() == [3, 12]
        assert data.classes == 13

    def test_other_files_are_left_out(self, few: DataSet, write: Write) -> None:
        folder = write({"0/a.png": few.x_train[0], "1/b.JPG": few.x_train[1], "2/no_ending": "x"})
        (folder / "2/no_ending").unlink()
        for name in (
            "0/.DS_Store",
            "0/Thumbs.db",
            "0/notes.txt",
            ".hidden/b.png",
            "__MACOSX/x",
            "1/._b.JPG",
            "1/b.json",
        ):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text("no picture")
        assert load_data(folder).y_train.tolist() == [0, 1]
        Image.fromarray(few.x_train[2]).save(folder / "2/no_ending", "PNG")
        assert load_data(folder).y_train.tolist() == [0, 1, 2]


class TestRefusals:
    def test_of_pictures_that_cannot_be_used(self, few: DataSet, write: Write) -> None:
        pictures: dict[str, Any] = {f"{k}/a.png": image for k, image in enumerate(few.x_train[:5])}
        folder = write(pictures | {"1/b.png": "no picture", "3/a.png": np.full((90, 90), 255, np.uint8)})
        message = refusal(folder)
        assert f"{folder / '3/a.png'} shows no ink" in message
        assert "2 of 6 pictures cannot be used; remove or mend them." in message
        (folder / "3/a.png").unlink()
        message = refusal(folder)
        assert f"{folder / '1/b.png'} is not a picture that can be read." in message
        assert "1 of 5 pictures cannot be used" in message

    @pytest.mark.parametrize(
        ("names", "words"),
        [
            (["0/a.png", "other/a.png"], "has the subfolders '0' and 'other'; either labels (0, 1, ...) or names"),
            (["-1/a.png", "1/a.png"], "Labels are expected from 0 to 4095; got -1."),
            (["1/a.png", f"{10**30}/a.png"], "Labels are expected"),
            (["train/0/a.png", "val/0/a.png"], "is split, but val is neither train nor test."),
            (["train/0/a.png", "training/0/a.png"], "has two train parts, train and training. Keep one."),
            (["test/0/a.png"], "has a test part but no training part, a subfolder train."),
            (["0/a.png", "1/more/a.png"], "more is a folder inside a class; only pictures are expected there."),
            (["0/a.txt", "1/b.csv"], "my_digits holds no pictures in its subfolders 0, 1."),
            (["train/0/a.png", "test/0/a.txt"], "test holds no pictures in its subfolders 0."),
            (["a.png"], "or subfolders, one for each class, with pictures."),
        ],
    )
    def test_of_other_layouts(self, names: list[str], words: str, few: DataSet, write: Write) -> None:
        images = {name: few.x_train[0] if name.endswith("png") else "text" for name in names}
        assert words in refusal(write(images))

    @pytest.mark.skipif(sys.platform == "win32", reason="names with line breaks")
    def test_names_with_line_breaks(self, write: Write) -> None:
        assert "1 of 1 pictures cannot be used" in refusal(write({"0/a\nb.png": "no picture"}))
