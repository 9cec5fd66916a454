"""Data augmentation: each distortion has the right direction and amount, and depends only on the generator."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from digitscope.augmentation.augment import Augment
from digitscope.augmentation.warp import warp_functions
from digitscope.errors import DataError, DigitscopeError
from digitscope.nn import to_batch

Images = NDArray[np.uint8]
Floats = NDArray[Any]

EVERYTHING = Augment(
    rotation=15, scale=0.15, shear=0.2, shift=2, elastic=1, thickness=0.5, blur=0.5, contrast=0.3, noise=0.1, erase=0.3
)


class Fixed:
    """A generator whose uniform numbers are all at the same fraction of their range."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.standard_normal = np.random.default_rng(0).standard_normal

    def uniform(self, low: float, high: float, size: Any) -> Floats:
        return np.full(size, low + self.share * (high - low))


def fixed(share: float) -> Any:
    return Fixed(share)


def apply(augment: Augment, images: Images, rng: Any) -> Floats:
    """(N, H, W) -> (N, H, W)"""
    return augment(images, rng).T.reshape(images.shape)


def dot(row: int, column: int, shape: tuple[int, int] = (21, 17)) -> Images:
    image = np.zeros((1, *shape), np.uint8)
    image[0, row, column] = 255
    return image


def noise(shape: tuple[int, ...], seed: int = 0) -> Images:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def middle(image: Floats) -> tuple[float, float]:
    """The centre of the ink, row and column."""
    row, column = ndimage.center_of_mass(image)
    return float(row), float(column)


@given(count=st.integers(1, 4), height=st.integers(1, 12), width=st.integers(1, 12), seed=st.integers(0, 2**32 - 1))
def test_with_no_options_nothing_changes(count: int, height: int, width: int, seed: int) -> None:
    images = noise((count, height, width), seed)
    x = Augment()(images, np.random.default_rng(0))
    np.testing.assert_allclose(x, to_batch(images), rtol=1e-6)


@given(
    rotation=st.floats(0, 180),
    scale=st.floats(0, 0.5),
    shear=st.floats(0, 1),
    shift=st.floats(0, 5),
    share=st.floats(0, 1),
    side=st.tuples(st.integers(1, 14), st.integers(1, 14)),
)
def test_the_geometry_agrees_with_scipys_affine_transform(
    rotation: float, scale: float, shear: float, shift: float, share: float, side: tuple[int, int]
) -> None:
    images = noise((2, *side))
    augment = Augment(rotation=rotation, scale=scale, shear=shear, shift=shift)
    angle, slant, grow, move = ((2 * share - 1) * value for value in (np.radians(rotation), shear, scale, shift))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    A = np.exp(-grow) * np.array([[1, 0], [slant, 1]]) @ turn
    centre = (np.array(side) - 1) / 2
    offset = centre - A @ centre + move
    for image, result in zip(images, apply(augment, images, fixed(share)), strict=True):
        expected = ndimage.affine_transform(image / 255, A, offset, order=1, mode="grid-constant")
        np.testing.assert_allclose(result, expected, atol=2e-5)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_shift_moves_by_its_pixels(share: float) -> None:
    images = noise((3, 9, 8))
    result = apply(Augment(shift=2), images, fixed(share))
    expected = np.zeros_like(images)
    if share:
        expected[:, :-2, :-2] = images[:, 2:, 2:]
    else:
        expected[:, 2:, 2:] = images[:, :-2, :-2]
    np.testing.assert_allclose(result, expected / 255, atol=1e-6)
    half = apply(Augment(shift=0.5), dot(8, 8), fixed(share))
    np.testing.assert_allclose(np.sort(half.ravel())[-5:], [0, 0.25, 0.25, 0.25, 0.25], atol=1e-6)


def test_a_rotation_turns_clockwise_by_its_degrees() -> None:
    images = noise((2, 9, 9))
    np.testing.assert_allclose(
        apply(Augment(rotation=90), images, fixed(1)), np.rot90(images, -1, axes=(1, 2)) / 255, atol=1e-5
    )
    np.testing.assert_allclose(
        apply(Augment(rotation=90), images, fixed(0)), np.rot90(images, 1, axes=(1, 2)) / 255, atol=1e-5
    )
    # From three o'clock to four.
    turned = apply(Augment(rotation=30), dot(10, 14, (21, 21)), fixed(1))[0]
    assert middle(turned) == pytest.approx((10 + 4 * 0.5, 10 + 4 * 3**0.5 / 2), abs=0.1)


def test_a_scale_of_a_tenth_makes_digits_a_tenth_larger_or_smaller() -> None:
    image = np.zeros((1, 41, 61), np.uint8)
    image[0, 10:31, 10:51] = 255
    for share, factor in ((1, np.exp(0.1)), (0, np.exp(-0.1))):
        result = apply(Augment(scale=0.1), image, fixed(share))[0]
        assert result[:, 30].sum() == pytest.approx(21 * factor, abs=0.2)
        assert result[20].sum() == pytest.approx(41 * factor, abs=0.2)
        assert middle(result) == pytest.approx((20, 30), abs=0.01)


def test_a_shear_moves_a_line_sideways_in_proportion_to_its_height() -> None:
    image = np.zeros((1, 21, 41), np.uint8)
    image[0, :, 20] = 255
    result = apply(Augment(shear=0.5), image, fixed(1))[0]
    columns = result @ np.arange(41) / result.sum(axis=1)
    np.testing.assert_allclose(columns, 20 - 0.5 * (np.arange(21) - 10), atol=1e-4)


@pytest.mark.parametrize("width", [0.7, 2.0, 4.0, 9.0, 60.0])
@pytest.mark.parametrize("shape", [(28, 28), (5, 17), (1, 3)], ids=str)
def test_the_elastic_field_has_its_deviation_at_every_pixel(shape: tuple[int, int], width: float) -> None:
    bumps = warp_functions(*shape, width)[:, 3:]
    np.testing.assert_allclose((bumps**2).sum(axis=1), np.ones(shape[0] * shape[1]), rtol=1e-5)
    assert warp_functions(*shape, 0.0).shape == (shape[0] * shape[1], 3)


@pytest.mark.parametrize("axis", [0, 1])
def test_elastic_distortion_is_as_strong_and_as_smooth_as_documented(axis: int) -> None:
    """On a ramp, a pixel's intensity shows the position where it was read."""
    count, side, deviation, width = 4000, 24, 0.8, 3.0
    ramp = np.broadcast_to(np.arange(side, dtype=np.uint8) * 10, (count, side, side))
    images = ramp if axis else ramp.transpose(0, 2, 1)
    places = apply(Augment(elastic=deviation, elastic_width=width), images, np.random.default_rng(1)) * 25.5
    field = places - images / 10
    inside = field[:, 5:-5, 5:-5]  # elsewhere the ramp ends
    np.testing.assert_allclose(inside.std(axis=0), deviation, rtol=0.07)
    np.testing.assert_allclose(inside.mean(axis=0), 0, atol=0.07)
    for distance in (1, 3, 6):
        alike = np.corrcoef(inside[:, 0, 0], inside[:, 0, distance])[0, 1]
        assert alike == pytest.approx(np.exp(-(distance**2) / (4 * width**2)), abs=0.05)


def test_thickness_grows_or_shrinks_strokes_at_each_edge() -> None:
    images = noise((3, 7, 6))
    cross = ndimage.generate_binary_structure(2, 1)
    for share, one_pixel in ((1, ndimage.grey_dilation), (0, ndimage.grey_erosion)):
        expected = np.stack([one_pixel(image, footprint=cross, mode="constant") for image in images]) / 255
        np.testing.assert_allclose(apply(Augment(thickness=1), images, fixed(share)), expected, atol=1e-6)
        halfway = (expected + images / 255) / 2
        np.testing.assert_allclose(apply(Augment(thickness=0.5), images, fixed(share)), halfway, atol=1e-6)


def test_blur_is_approximately_a_gaussian_of_one_pixel() -> None:
    images = noise((3, 7, 6))
    line = np.array([1.0, 2.0, 1.0]) / 4
    expected = images / 255
    for _ in range(2):
        expected = ndimage.convolve(expected, (line[:, None] * line)[None], mode="constant")
    np.testing.assert_allclose(apply(Augment(blur=1), images, fixed(1)), expected, atol=1e-6)
    np.testing.assert_allclose(apply(Augment(blur=1), images, fixed(0)), images / 255, atol=1e-6)
    np.testing.assert_allclose(apply(Augment(blur=0.5), images, fixed(1)), (expected + images / 255) / 2, atol=1e-6)
    blurred = apply(Augment(blur=1), dot(10, 8), fixed(1))[0]
    assert (blurred.sum(axis=1) @ (np.arange(21) - 10) ** 2) ** 0.5 == pytest.approx(1)


def test_contrast_multiplies_and_clips() -> None:
    images = noise((3, 7, 6))
    np.testing.assert_allclose(
        apply(Augment(contrast=0.4), images, fixed(1)), np.minimum(1, 1.4 * images / 255), atol=1e-6
    )
    np.testing.assert_allclose(apply(Augment(contrast=0.4), images, fixed(0)), 0.6 * images / 255, atol=1e-6)


def test_noise_has_its_deviation() -> None:
    grey = np.full((50, 28, 28), 128, np.uint8)
    result = apply(Augment(noise=0.1), grey, fixed(1))
    assert (result - grey / 255).std() == pytest.approx(0.1, rel=0.02)
    assert (result - grey / 255).mean() == pytest.approx(0, abs=0.002)
    np.testing.assert_allclose(apply(Augment(noise=0.1), grey, fixed(0)), grey / 255, atol=1e-6)
    deviations = apply(Augment(noise=0.1), grey, np.random.default_rng(0)).std(axis=(1, 2))
    assert deviations.max() < 0.11
    assert deviations.min() < 0.02


def test_erasing_empties_one_rectangle() -> None:
    images = np.full((300, 12, 20), 255, np.uint8)
    emptied = apply(Augment(erase=0.5), images, np.random.default_rng(2)) == 0
    rows, columns = emptied.any(axis=2), emptied.any(axis=1)
    np.testing.assert_array_equal(emptied, rows[:, :, None] & columns[:, None, :])
    for inside, side in ((rows, 12), (columns, 20)):
        assert (np.abs(np.diff(np.pad(inside, ((0, 0), (1, 1))).astype(int))).sum(axis=1) <= 2).all()
        assert inside.sum(axis=1).max() == side // 2
    assert 0.02 < emptied.mean() < 0.0625  # a quarter of a quarter, less what lies outside
    kept = apply(Augment(erase=0.5), images, np.random.default_rng(2))[~emptied]
    np.testing.assert_allclose(kept, 1)


OPTIONS: dict[str, st.SearchStrategy[float]] = {
    "rotation": st.floats(0, 400),
    "scale": st.floats(0, 3),
    "shear": st.floats(0, 3),
    "shift": st.floats(0, 50),
    "elastic": st.floats(0, 20),
    "elastic_width": st.floats(0.5, 40),
    "thickness": st.floats(0, 1),
    "blur": st.floats(0, 1),
    "contrast": st.floats(0, 1),
    "noise": st.floats(0, 5),
    "erase": st.floats(0, 1),
}


@given(
    options=st.fixed_dictionaries({}, optional=OPTIONS),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 14), st.integers(1, 14)),
    bright=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_result_is_network_input(
    options: dict[str, float], shape: tuple[int, int, int], bright: bool, seed: int
) -> None:
    images = np.full(shape, 255, np.uint8) if bright else noise(shape, seed)
    kept = images.copy()
    augment = Augment(**options)
    x = augment(images, np.random.default_rng(seed))
    assert x.shape == (shape[1] * shape[2], shape[0])
    assert x.dtype == np.float32
    assert x.flags.c_contiguous
    assert 0 <= x.min() <= x.max() <= 1
    np.testing.assert_array_equal(images, kept)
    np.testing.assert_array_equal(augment(images, np.random.default_rng(seed)), x)


def test_every_image_changes_differently() -> None:
    images = np.repeat(noise((1, 12, 12)), 6, axis=0)
    for name in OPTIONS.keys() - {"elastic_width"}:
        results = Augment(**{name: 1.0})(images, np.random.default_rng(0)).T
        assert len(np.unique(results, axis=0)) == 6, name
    x = EVERYTHING(images, np.random.default_rng(0))
    assert not np.array_equal(x, EVERYTHING(images, np.random.default_rng(1)))


def test_images_may_have_any_memory_layout() -> None:
    images = noise((5, 9, 8))
    x = EVERYTHING(images, np.random.default_rng(0))
    np.testing.assert_array_equal(EVERYTHING(np.asfortranarray(images), np.random.default_rng(0)), x)
    images.flags.writeable = False
    np.testing.assert_array_equal(EVERYTHING(images, np.random.default_rng(0)), x)


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_invalid_numbers_are_refused(name: str, value: float) -> None:
    with pytest.raises(DataError, match=f"Augment.* {name} .*; got {value}"):
        Augment(**{name: value})


@pytest.mark.parametrize("name", ["thickness", "blur", "contrast", "erase"])
def test_fractions_above_1_are_refused(name: str) -> None:
    with pytest.raises(DataError, match=rf"Augment expects {name} of 0 to 1; got 1\.1"):
        Augment(**{name: 1.1})


@pytest.mark.parametrize("width", [0.0, 0.4])
def test_an_elastic_field_finer_than_pixels_is_refused(width: float) -> None:
    with pytest.raises(DataError, match=f"an elastic_width of at least 0.5 pixels; got {width}"):
        Augment(elastic_width=width)


def test_images_in_any_form_are_distorted_alike() -> None:
    images = noise((3, 16, 16))
    expected = EVERYTHING(images, np.random.default_rng(0))
    for same in (images / 255, images[..., None], images.reshape(3, -1), images.tolist()):
        np.testing.assert_array_equal(EVERYTHING(same, np.random.default_rng(0)), expected)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (noise((16,)), "Images are expected as"),
        (noise((2, 4, 4, 3)), "Images are expected to be grey"),
        (np.full((2, 4, 4), np.nan), "Images are expected as"),
    ],
    ids=["one row", "colours", "not finite"],
)
def test_invalid_images_are_refused(images: Any, message: str) -> None:
    with pytest.raises(DigitscopeError, match=message):
        EVERYTHING(images, np.random.default_rng(0))
