"""Each corruption against pictures computed by hand."""

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.augmentation.corruptions import (
    CHUNK,
    CORRUPTIONS,
    STRENGTHS,
    add_noise,
    blur_gaussian,
    change_thickness,
    occlude,
    reduce_contrast,
    rotate,
    scale,
    shift,
)
from digitscope.datasets import DataSet
from digitscope.errors import DataError


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def dot(side: int = 7) -> Array:
    """Twenty pictures of one pixel of full ink in the middle."""
    images = np.zeros((20, side, side), dtype=np.uint8)
    images[:, side // 2, side // 2] = 255
    return images


@pytest.mark.parametrize("name", CORRUPTIONS)
class TestEach:
    def test_images_stay_images(self, name: str, few: DataSet) -> None:
        images = few.x_train[:40, :, 3:26]  # not square
        before = images.copy()
        for strength in STRENGTHS:
            worse = CORRUPTIONS[name](images, strength, np.random.default_rng(0))
            assert worse.dtype == np.uint8
            assert worse.shape == images.shape
            assert worse.flags.c_contiguous
        np.testing.assert_array_equal(images, before)

    def test_equal_seeds_give_equal_images(self, name: str, few: DataSet) -> None:
        first, second = (CORRUPTIONS[name](few.x_train[:50], 4, np.random.default_rng(3)) for _ in range(2))
        np.testing.assert_array_equal(first, second)

    def test_a_higher_strength_changes_more(self, name: str, few: DataSet) -> None:
        images = few.x_train[:100]
        worse = [CORRUPTIONS[name](images, strength, np.random.default_rng(0)) for strength in STRENGTHS]
        distances = [np.abs(images.astype(float) - one).mean() for one in worse]
        assert distances[0] > 0
        assert distances == sorted(distances)

    @pytest.mark.parametrize("strength", [0, 6, -1])
    def test_an_unknown_strength(self, name: str, strength: int, few: DataSet, rng: np.random.Generator) -> None:
        with pytest.raises(DataError, match=f"strength of 1 to 5; got {strength}"):
            CORRUPTIONS[name](few.x_train[:2], strength, rng)


def test_many_images_are_changed_in_chunks(rng: np.random.Generator) -> None:
    images = np.full((CHUNK + 3, 4, 4), 200, dtype=np.uint8)
    np.testing.assert_array_equal(CORRUPTIONS["contrast"](images, 2, rng), np.full_like(images, 120))


def test_a_quarter_turn_in_both_directions(few: DataSet, rng: np.random.Generator) -> None:
    images = few.x_train[:20]
    turned = rotate(images, 90, rng)
    left, right = ((turned == np.rot90(images, way, axes=(1, 2))).all(axis=(1, 2)) for way in (1, -1))
    assert (left ^ right).all()
    assert 3 < left.sum() < 17


def test_a_shift_moves_a_dot_in_all_four_directions(rng: np.random.Generator) -> None:
    moved = shift(dot(), 2, rng)
    places = {tuple(np.argwhere(image)[0]) for image in moved}
    assert places == {(1, 3), (5, 3), (3, 1), (3, 5)}
    assert (moved.max(axis=(1, 2)) == 255).all()
    assert not shift(dot(), 4, rng).any()  # out of the picture


def test_half_the_size_is_the_mean_of_four_pixels(few: DataSet, rng: np.random.Generator) -> None:
    images = few.x_train[:20]
    scaled = scale(images, 50, rng)
    expected = np.zeros((20, 28, 28))
    expected[:, 7:21, 7:21] = images.reshape(20, 14, 2, 14, 2).mean(axis=(2, 4))
    small = np.abs(scaled - expected).max(axis=(1, 2)) <= 0.5
    assert 3 < small.sum() < 17  # the others are larger
    assert ((scaled[~small] > 127).sum() > 1.8 * (images[~small] > 127).sum()).all()


def test_noise_has_its_deviation(rng: np.random.Generator) -> None:
    noise = add_noise(np.full((50, 28, 28), 128, dtype=np.uint8), 0.1, rng) - 128.0
    assert noise.std() == pytest.approx(25.5, rel=0.02)
    assert abs(noise.mean()) < 0.5
    assert add_noise(np.full((1, 28, 28), 255, dtype=np.uint8), 0.5, rng).min() < 128  # clipped, not wrapped around


def test_a_blurred_dot_is_binomial(rng: np.random.Generator) -> None:
    row = np.array([0, 1, 4, 6, 4, 1, 0]) / 16
    np.testing.assert_array_equal(blur_gaussian(dot(), 1, rng)[0], (255 * np.outer(row, row)).round())


@pytest.mark.parametrize("deviation", CORRUPTIONS["blur"].amounts)
def test_a_blurs_deviation(deviation: float, rng: np.random.Generator) -> None:
    row = blur_gaussian(np.repeat(dot(41), 41, axis=1)[:1, 820:861], deviation, rng)[0, 20].astype(float)
    variance = (row * (np.arange(41) - 20) ** 2).sum() / row.sum()
    assert np.sqrt(variance) == pytest.approx(deviation, rel=0.05)


def test_strokes_grow_or_shrink(rng: np.random.Generator) -> None:
    cross = np.array([[0, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]])
    halves = {image.tobytes() for image in change_thickness(dot(5), 0.5, rng)}
    dots = dot(5)[0]
    assert halves == {
        np.where(cross & (dots == 0), 128, dots).astype(np.uint8).tobytes(),
        (dots // 2 + dots % 2).tobytes(),
    }
    thick = change_thickness(dot(5), 1, rng)
    assert {image.sum() // 255 for image in thick} == {0, 5}
    np.testing.assert_array_equal(thick[thick.any(axis=(1, 2))][0], 255 * cross)
    assert {image.sum() // 255 for image in change_thickness(dot(7), 2, rng)} == {0, 13}


def test_ink_fades_and_paper_stays(rng: np.random.Generator) -> None:
    images = np.array([[[0, 100, 255]]], dtype=np.uint8)
    np.testing.assert_array_equal(reduce_contrast(images, 0.4, rng), [[[0, 40, 102]]])


def test_a_square_is_emptied_anywhere(rng: np.random.Generator) -> None:
    images = np.full((300, 9, 7), 255, dtype=np.uint8)
    emptied = occlude(images, 3, rng) == 0
    assert (emptied.sum(axis=(1, 2)) == 9).all()
    assert (emptied.any(axis=1).sum(axis=1) == 3).all()
    assert (emptied.any(axis=2).sum(axis=1) == 3).all()
    assert emptied.any(axis=0).all()
    assert occlude(images, 20, rng).max() == 0
