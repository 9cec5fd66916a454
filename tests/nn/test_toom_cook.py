"""One-dimensional convolution, directly and by the Toom-Cook algorithm, against NumPy's correlate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitscope.arrays import Array
from digitscope.nn.kernels.toom_cook import POINTS, Transforms, choose_transforms, direct_transforms, toom_cook


def slide(one: Transforms, w: Array, x: Array) -> Array:
    """y = A sum_d (G_d w) * (T_d x)"""
    products = (one.kernel_transform @ w)[..., None] * (one.input_transform @ x)
    y: Array = np.einsum("gqj,gq->j", one.output_transform, products.sum(axis=0))
    return y


def correlation(w: Array, x: Array, stride: int, padding: int) -> Array:
    return np.correlate(np.pad(x, padding), w, mode="valid")[::stride]


@given(
    width=st.integers(1, 30),
    size=st.integers(1, 9),
    stride=st.integers(1, 3),
    padding=st.integers(0, 4),
    channels=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_chosen_transforms_give_the_correlation(
    width: int, size: int, stride: int, padding: int, channels: tuple[int, int], seed: int
) -> None:
    width = max(width, size - 2 * padding)
    w, x = (np.random.default_rng(seed).normal(size=n) for n in (size, width))
    expected = correlation(w, x, stride, padding)
    for one in (
        direct_transforms(width, size, stride, padding),
        choose_transforms(width, size, stride, padding, *channels),
    ):
        np.testing.assert_allclose(slide(one, w, x), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("size", range(2, 8))
@pytest.mark.parametrize("width", [1, 5, 12])
@pytest.mark.parametrize("padding", [0, 2])
def test_toom_cook_gives_the_correlation_for_every_tile(size: int, width: int, padding: int) -> None:
    width = max(width, size - 2 * padding)
    w, x = (np.random.default_rng(size).normal(size=n) for n in (size, width))
    for tile in range(1, len(POINTS) + 3 - size):
        one = toom_cook(width, size, padding, tile)
        assert one.input_transform.shape[1] == tile + size - 1
        np.testing.assert_allclose(slide(one, w, x), correlation(w, x, 1, padding), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("size", "tile"), [(2, 7), (3, 2), (3, 4), (3, 6), (5, 2), (5, 4), (7, 2)])
def test_float32_keeps_six_digits(size: int, tile: int) -> None:
    rng = np.random.default_rng(0)
    w, x = rng.normal(size=(200, size)), np.maximum(rng.normal(size=(200, 24)), 0)
    exact = np.array([correlation(one, other, 1, 1) for one, other in zip(w, x, strict=True)])
    T, G, A = (matrix.astype(np.float32) for matrix in toom_cook(24, size, 1, tile))
    single = Transforms(T, G, A)
    own = np.array([slide(single, *pair) for pair in zip(w.astype(np.float32), x.astype(np.float32), strict=True)])
    assert np.sqrt(np.mean((own - exact) ** 2) / np.mean(exact**2)) < 1e-6


def test_fewer_products_than_the_definition_if_that_is_faster() -> None:
    def products(*geometry: int) -> int:
        return choose_transforms(*geometry).input_transform.size // geometry[0]

    assert products(24, 3, 1, 1, 32, 32) == 8 * 4  # tiles of six outputs; the definition takes 3 * 24
    assert products(12, 5, 1, 0, 16, 32) == 8 * 2  # the definition takes 5 * 8
    assert products(3, 3, 1, 1, 128, 128) == 5
    assert products(28, 5, 1, 0, 1, 32) == 5 * 24  # with one channel the transforms would cost more
    assert products(28, 5, 2, 0, 16, 32) == 5 * 12
    assert products(12, 1, 1, 0, 32, 32) == 12
    assert products(3, 3, 1, 0, 32, 32) == 3  # a single output
