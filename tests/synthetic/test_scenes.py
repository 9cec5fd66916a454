"""Generated scenes: equal generators give equal scenes, and the ink is where writing is, not where lines are."""

import numpy as np
import pytest

from digitscope.datasets import DataSet
from digitscope.synthetic.scenes import SIDE, WritingSource, draw_scene


@pytest.fixture(scope="module")
def source(mnist: DataSet) -> WritingSource:
    return WritingSource(mnist.x_train[:8])


@pytest.mark.parametrize("content", ["numbers", "single", "cells", "empty", "texture"])
def test_each_content(content: str, source: WritingSource) -> None:
    for seed in range(6):
        first, second = (draw_scene(source, np.random.default_rng(seed), content=content) for _ in range(2))
        assert first.content == content
        assert first.pixels.shape == (SIDE, SIDE, 3)
        assert first.ink.shape == first.weight.shape == (SIDE, SIDE)
        assert {first.pixels.dtype, first.ink.dtype, first.weight.dtype} == {np.dtype(np.uint8)}
        assert set(np.unique(first.weight)) <= {0, 1}
        np.testing.assert_array_equal(first.pixels, second.pixels)
        np.testing.assert_array_equal(first.ink, second.ink)
        if content == "empty":
            assert not first.ink.any()


def test_ink_differs_from_the_paper_around_it(source: WritingSource) -> None:
    differences = []
    for seed in range(30):
        scene = draw_scene(source, np.random.default_rng(seed), content="single", side=160)
        inked = (scene.ink > 200) & (scene.weight > 0)
        if inked.sum() > 50:
            colours = scene.pixels.astype(float)
            differences.append(np.abs(colours[inked].mean(axis=0) - np.median(colours[scene.ink == 0], axis=0)).max())
    assert len(differences) > 15
    assert np.median(differences) > 40


def test_each_digit_is_in_its_box(source: WritingSource) -> None:
    found = 0
    for seed in range(10):
        scene = draw_scene(source, np.random.default_rng(seed), content="numbers")
        for left, top, right, bottom in scene.digits:
            if left >= 0 and top >= 0 and right <= SIDE and bottom <= SIDE:
                found += 1
                assert scene.ink[int(top) : int(bottom) + 1, int(left) : int(right) + 1].max() > 20
    assert found > 20
