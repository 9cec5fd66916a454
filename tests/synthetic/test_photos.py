"""Generated photos have the properties of their kinds, and their digits are at the given positions."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import label

from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.errors import DataError, ShapeError
from digitscope.model import Model
from digitscope.synthetic.photos import KINDS, Photo, PhotoKind, photograph_digit, photograph_numbers

Take = Callable[..., list[Photo]]


@pytest.fixture(scope="session")
def take(mnist: DataSet) -> Take:
    """Small pictures of a kind, each of another digit."""

    def many(kind: str, count: int, side: int = 200) -> list[Photo]:
        digits = mnist.x_train[-count:]
        return [photograph_digit(d, np.random.default_rng(i), kind=kind, side=side) for i, d in enumerate(digits)]

    return many


def sizes(photos: list[Photo]) -> Array:
    """The height of each digit as a share of its picture's shorter side."""
    return np.array([(p.boxes[0, 3] - p.boxes[0, 1]) / min(p.pixels.shape[:2]) for p in photos])


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind(kind: str, mnist: DataSet) -> None:
    for seed, images in enumerate([mnist.x_train[:1], mnist.x_train[1:6]]):
        first, second = (
            photograph_numbers([images, images[::-1]], np.random.default_rng(seed), kind=kind, side=200)
            for _ in range(2)
        )
        np.testing.assert_array_equal(first.pixels, second.pixels)
        np.testing.assert_array_equal(first.boxes, second.boxes)
        assert first.kind == kind
        assert first.pixels.dtype == np.uint8
        height, width, colours = first.pixels.shape
        assert colours == 3
        assert KINDS[kind].sides is not None or max(height, width) == 200
        assert first.lines.tolist() == [0] * len(images) + [1] * len(images)
        assert first.boxes.shape == (2 * len(images), 4)
        left, top, right, bottom = first.boxes.T
        assert (left >= 0).all()
        assert (top >= 0).all()
        assert (left < right).all()
        assert (top < bottom).all()
        assert (right <= width).all()
        assert (bottom <= height).all()


def test_the_kind_is_drawn_too(mnist: DataSet) -> None:
    kinds = {photograph_digit(mnist.x_train[0], np.random.default_rng(i), side=100).kind for i in range(30)}
    assert len(kinds) > 10


@pytest.mark.parametrize("kind", ["paint", "tablet", "canvas", "screen"])
def test_the_box_is_that_of_the_ink(kind: str, take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, kind, replace(KINDS[kind], quality=(100, 100)))
    for photo in take(kind, 8):
        differs = np.abs(photo.pixels.astype(int) - photo.pixels[0, 0]).max(axis=2)
        rows, columns = np.nonzero(differs > 0.5 * differs.max())
        expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(photo.boxes[0], expected, atol=1)


@pytest.mark.parametrize("kind", ["felt pen", "tilted"])
def test_the_box_is_that_of_the_ink_after_perspective(kind: str, take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    still = replace(KINDS[kind], shadow=0, shade=0, crease=0, noise=0, blur=(0, 0), rulings=("",), pens=("felt pen",))
    monkeypatch.setitem(KINDS, kind, still)
    for photo in take(kind, 8, side=400):
        paper = np.median(photo.pixels.reshape(-1, 3), axis=0)
        differs = np.abs(photo.pixels - paper).max(axis=2)
        rows, columns = np.nonzero(differs > 0.6 * differs.max())
        expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(photo.boxes[0], expected, atol=4)


def test_the_digits_are_the_given_ones(mnist: DataSet, take: Take) -> None:
    """Cut out along their boxes, they are read right."""
    model, count = Model.load(), 40
    cut = []
    for photo in take("tablet", count):
        left, top, right, bottom = photo.boxes[0].astype(int)
        grey = Image.fromarray(photo.pixels).convert("L").crop((left, top, right, bottom))
        scale = 20 / max(grey.size)
        size = (max(1, round(scale * grey.width)), max(1, round(scale * grey.height)))
        small = np.asarray(grey.resize(size, Image.Resampling.BOX)).astype(float)
        paper = photo.pixels[0, 0].mean()
        ink = np.clip(np.abs(small - paper) / np.abs(small - paper).max() * 255, 0, 255).astype(np.uint8)
        image = np.zeros((28, 28), np.uint8)
        image[(28 - size[1]) // 2 :, (28 - size[0]) // 2 :][: size[1], : size[0]] = ink
        cut.append(image)
    assert (model.predict(np.stack(cut)) == mnist.y_train[-count:]).mean() >= 0.9


def test_numbers_touch_at_times(mnist: DataSet) -> None:
    fewer = []
    for seed in range(10):
        photo = photograph_numbers([mnist.x_train[:6]], np.random.default_rng(seed), kind="paint")
        ink = (photo.pixels != photo.pixels[0, 0]).any(axis=2)
        fewer.append(label(ink, np.ones((3, 3)))[1] < 6)
    assert 0 < sum(fewer) < 10


def colours(photo: Photo) -> int:
    """The number of colours."""
    return len(np.unique(photo.pixels @ np.array([1, 256, 65536])))


def test_paint_has_hard_edges_and_a_tablet_soft_ones(take: Take) -> None:
    for photo in take("paint", 3):
        assert colours(photo) == 2
    for photo in take("tablet", 3):
        assert colours(photo) > 10


def test_a_scan_is_black_and_white(take: Take) -> None:
    for photo in take("scan", 3):
        assert set(np.unique(photo.pixels)) == {0, 255}


def test_small_and_far(take: Take) -> None:
    assert all(min(photo.pixels.shape[:2]) <= 64 for photo in take("small", 8))
    assert all(min(photo.pixels.shape[:2]) >= 500 for photo in take("canvas", 3))
    assert sizes(take("far", 8)).max() < 0.3
    assert sizes(take("small", 8)).max() > 0.5


def test_lines_in_small_pictures_have_room(mnist: DataSet) -> None:
    for seed in range(5):
        lines = [mnist.x_train[:3], mnist.x_train[3:6], mnist.x_train[6:9]]
        photo = photograph_numbers(lines, np.random.default_rng(seed), kind="small")
        assert min(photo.pixels.shape[:2]) >= 60
        assert (photo.boxes[:, 3] - photo.boxes[:, 1]).min() >= 5


def test_a_dim_room(take: Take) -> None:
    bright, dim = (np.mean([photo.pixels.mean() for photo in take(kind, 12)]) for kind in ("lined", "dim"))
    assert dim < 0.75 * bright


def test_a_blackboard_is_dark_and_chalk_light(take: Take) -> None:
    for photo in take("chalk", 8):
        left, top, right, bottom = photo.boxes[0].astype(int)
        inside = photo.pixels[top:bottom, left:right].mean(axis=2)
        assert np.median(photo.pixels) < 110
        assert np.percentile(inside, 97) > np.median(photo.pixels) + 40


PLAIN = PhotoKind(pens=("ballpoint",), height=(0.1, 0.2), shadow=0, crease=0, tilt=0, turn=0, noise=0)
"""A sheet that shows little except the requested feature."""


def test_shadows_lines_noise_and_blur_are_seen(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    def greys(look: PhotoKind) -> list[Array]:
        monkeypatch.setitem(KINDS, "tried", look)
        return [photo.pixels.mean(axis=2) for photo in take("tried", 10, side=400)]

    plain = greys(PLAIN)

    def ratio(measure: Callable[[Array], float], changed: list[Array]) -> float:
        """How many times larger a measure is than on plain sheets, both the median over ten."""
        return float(np.median([measure(grey) for grey in changed]) / np.median([measure(grey) for grey in plain]))

    assert ratio(largest_edge, greys(replace(PLAIN, shadow=1))) > 1.3
    assert ratio(ripple, greys(replace(PLAIN, rulings=("lines",)))) > 3
    assert ratio(lambda grey: ripple(grey.T), greys(replace(PLAIN, rulings=("squares",)))) > 3
    assert ratio(fine, greys(replace(PLAIN, noise=0.1))) > 1.5
    assert ratio(fine, greys(replace(PLAIN, blur=(4, 4), quality=(95, 95)))) < 0.8
    assert ratio(largest_edge, greys(replace(PLAIN, desk=1))) > 1.3


def largest_edge(grey: Array) -> float:
    """The largest edge of light from one side of the picture to the other, away from the digit."""
    border = np.concatenate([grey[:8].mean(axis=0), grey[-8:].mean(axis=0)])
    return float(np.ptp(border) / border.mean())


def ripple(grey: Array) -> float:
    """The deviation of the mean of rows from that of their neighbours."""
    rows = np.median(grey, axis=1)
    return float(np.std(rows - np.convolve(np.pad(rows, 5, mode="edge"), np.ones(11) / 11, "valid")))


def fine(grey: Array) -> float:
    """The median change from pixel to pixel."""
    return float(np.abs(np.diff(grey, axis=1)).mean())


def test_of_any_size(mnist: DataSet) -> None:
    photo = photograph_digit(mnist.x_train[0], np.random.default_rng(0), kind="lined", side=2000)
    assert max(photo.pixels.shape) == 2000


def test_invalid_digits_are_refused(mnist: DataSet) -> None:
    rng = np.random.default_rng(0)
    digit = mnist.x_train[0]
    with pytest.raises(DataError, match=r"no kind of picture named fresco\. Choose one of paint, "):
        photograph_digit(digit, rng, kind="fresco")
    for lines in ([], [digit[None], digit[:0, None, None]]):
        with pytest.raises(DataError, match="at least one digit in each line"):
            photograph_numbers(lines, rng)
    with pytest.raises(ShapeError, match="expects ink"):
        photograph_digit(np.zeros((28, 28), np.uint8), rng)
