"""Every picture gives an answer or a clear error, in bounded time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from digitscope.errors import NoInkError
from digitscope.model import Model
from digitscope.reader import read
from digitscope.vision import prepare

Picture = NDArray[np.uint8]
MODEL = Model.load()


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    """Rectangles and bars of any colour on paper of any colour, with noise or without."""
    height, width = draw(st.integers(1, 120)), draw(st.integers(1, 120))
    picture = np.full((height, width, 3), draw(st.tuples(*[st.integers(0, 255)] * 3)), float)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    for kind in draw(st.lists(st.sampled_from(["block", "level", "upright"]), max_size=6)):
        top, bottom = np.sort(rng.integers(0, height + 1, 2))
        left, right = np.sort(rng.integers(0, width + 1, 2))
        bottom, right = top + 3 if kind == "level" else bottom, left + 3 if kind == "upright" else right
        picture[top:bottom, left:right] = rng.integers(0, 256, 3)
    picture += rng.normal(0, draw(st.sampled_from([0, 0, 1, 10, 80])), picture.shape)
    whole: Picture = np.clip(picture, 0, 255).astype(np.uint8)
    return whole


@settings(deadline=None)
@given(picture=pictures())
def test_prepare(picture: Picture) -> None:
    try:
        image = prepare(picture).image
    except NoInkError:
        return
    assert image.shape == (28, 28)
    assert image.max() > 127


@settings(deadline=None, max_examples=50)
@given(picture=pictures())
def test_read(picture: Picture) -> None:
    reading = read(picture, MODEL)
    height, width = picture.shape[:2]
    assert 0 <= reading.confidence <= 1
    for line in reading.lines:
        assert line.digits
        assert 0 <= line.confidence <= 1
        for digit in line.digits:
            left, top, right, bottom = digit.box
            assert 0 <= left < right <= width
            assert 0 <= top < bottom <= height
            assert 0 <= digit.confidence <= 1 + 1e-9


@pytest.mark.parametrize(("height", "width", "noise"), [(90, 155, 80), (400, 400, 60)])
def test_noise_has_no_digits(height: int, width: int, noise: float) -> None:
    picture = np.random.default_rng(0).normal(128, noise, (height, width, 3)).clip(0, 255).astype(np.uint8)
    assert read(picture, MODEL).text == ""


def test_clouds_have_hardly_any_digits() -> None:
    """They have few components, which look like strokes. If any digit were accepted, all would be read."""
    texts = []
    for seed in range(12):
        cloud = gaussian_filter(np.random.default_rng(seed).normal(size=(160, 240)), 3)
        grey = np.clip(128 + 60 * cloud / cloud.std(), 0, 255).astype(np.uint8)
        texts.append(read(np.repeat(grey[..., None], 3, axis=2), MODEL).text)
    assert texts.count("") >= 10
