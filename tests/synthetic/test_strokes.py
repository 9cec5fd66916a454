"""The path of the pen along a digit, against bars and rings computed by hand, and digits beside each other."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.ndimage import label

from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.errors import ShapeError
from digitscope.synthetic.strokes import FINE, MARGIN, PlacedDigit, thin, trace, write_lines


def bar() -> Array:
    """A bar 4 pixels wide, from row 4 to row 24."""
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 12:16] = 255
    return image


def ring(outer: float, inner: float) -> Array:
    distance = np.hypot(*(np.indices((28, 28)) - 13.5))
    image: Array = np.where((distance < outer) & (distance > inner), 255, 0).astype(np.uint8)
    return image


def parts(ink: Array) -> tuple[int, int]:
    """Pieces of ink, and of paper."""
    return label(ink, np.ones((3, 3)))[1], label(np.pad(~ink, 1, constant_values=True))[1]


class TestThin:
    def test_a_bar_becomes_its_middle(self) -> None:
        lines = thin(np.pad(np.ones((5, 21), bool), 3))
        rows, columns = np.nonzero(lines)
        assert set(rows.tolist()) == {5}
        assert len(columns) >= 16

    def test_nothing_breaks_apart_and_no_loop_closes(self, mnist: DataSet) -> None:
        for image in mnist.x_train[:50]:
            ink = image > 100
            assert parts(thin(ink)) == parts(ink)

    def test_lines_are_one_pixel_wide(self, mnist: DataSet) -> None:
        for image in mnist.x_train[:50]:
            lines = thin(np.kron(image > 100, np.ones((4, 4), bool)))
            blocks = lines[1:, 1:] & lines[1:, :-1] & lines[:-1, 1:] & lines[:-1, :-1]
            assert blocks.sum() <= 2


class TestTrace:
    def test_a_bar(self) -> None:
        stroke = trace(bar())
        assert np.abs(stroke.points[:, 0] - 14).max() < 0.15
        assert stroke.points[:, 1].min() == pytest.approx(6, abs=0.8)
        assert stroke.points[:, 1].max() == pytest.approx(22, abs=0.8)
        assert stroke.pressure.mean() == pytest.approx(1)

    @pytest.mark.parametrize("radius", [0.3, 1.0, 2.5])
    def test_the_pen_has_the_requested_width(self, radius: float) -> None:
        stroke = trace(bar())
        across = stroke.outline(radius, 1)[(MARGIN + 14) * FINE]
        assert (across < 0).sum() == pytest.approx(2 * radius * FINE, abs=1.01)
        # Each pixel away from the edge is one pixel further.
        np.testing.assert_allclose(np.abs(np.diff(across)), 1 / FINE, atol=0.02 if radius > 1 else 0.17)

    def test_steady_or_as_it_was_pressed(self) -> None:
        image = bar()
        image[4:10, 10:18] = 255  # a thick upper end
        stroke = trace(image)
        unsteady = stroke.radii(2, 0)
        upper, lower = stroke.points[:, 1] < 8, stroke.points[:, 1] > 14
        assert unsteady[upper].mean() > 1.4 * unsteady[lower].mean()
        np.testing.assert_array_equal(stroke.radii(2, 1), np.full(len(stroke.points), 2, np.float32))

    def test_a_wide_pen_leaves_a_loop_open(self) -> None:
        stroke = trace(ring(8, 3.5))
        assert parts(stroke.outline(20, 1) < 0) == (1, 2)
        assert trace(bar()).max_radius > stroke.max_radius

    def test_specks_are_left_out(self) -> None:
        image = bar()
        image[4:7, 22] = 255
        np.testing.assert_array_equal(trace(image).points, trace(bar()).points)

    def test_its_own_width_reproduces_the_image(self, mnist: DataSet) -> None:
        best = []
        for image in mnist.x_train[:20]:
            stroke = trace(image)
            ink = np.kron(np.pad(image, MARGIN) > 127, np.ones((FINE, FINE), bool))
            agains = [stroke.outline(radius, 0) < 0 for radius in (0.6, 0.9, 1.2, 1.5, 1.8)]
            best.append(max((ink & again).sum() / (ink | again).sum() for again in agains))
        assert np.mean(best) > 0.75
        assert min(best) > 0.6

    @pytest.mark.parametrize("image", [np.zeros((28, 28), np.uint8), np.ones((28, 28)), np.ones((20, 20), np.uint8)])
    def test_no_digit(self, image: Array) -> None:
        with pytest.raises(ShapeError, match="expects ink in"):
            trace(image)


def gap(a: PlacedDigit, b: PlacedDigit) -> float:
    """The distance between the ink of two digits; negative if they overlap."""
    distances = np.hypot(*(a.points[:, None] - b.points).transpose(2, 0, 1))
    return float((distances - a.radii[:, None] - b.radii).min())


class TestWrite:
    def test_lines_in_reading_order(self, mnist: DataSet) -> None:
        images = mnist.x_train[:12]
        for seed in range(5):
            rng = np.random.default_rng(seed)
            written = write_lines([images[:7], images[7:]], rng, width=0.1, steadiness=0.5)
            assert [digit.line for digit in written] == [0] * 7 + [1] * 5
            for a, b in pairwise(written):
                middles = [(box[0] + box[2]) / 2 for box in (a.box(), b.box())]
                assert middles[0] < middles[1] or a.line < b.line
                assert gap(a, b) < 1.2 or a.line < b.line
            assert max(d.box()[1] for d in written[:7]) < min(d.box()[3] for d in written[7:])

    def test_some_touch_and_none_lie_on_each_other(self, mnist: DataSet) -> None:
        gaps = []
        for seed in range(16):
            written = write_lines([mnist.x_train[:6]], np.random.default_rng(seed), width=0.1, steadiness=0.5)
            gaps += [gap(a, b) for a, b in pairwise(written)]
        touching = np.mean(np.array(gaps) < 0)
        assert 0.05 < touching < 0.5
        assert min(gaps) > -0.1

    def test_sizes_and_heights_differ(self, mnist: DataSet) -> None:
        written = write_lines([mnist.x_train[:9]], np.random.default_rng(0), width=0.1, steadiness=1)
        boxes = np.array([digit.box() for digit in written])
        heights = boxes[:, 3] - boxes[:, 1]
        assert 0.5 < heights.min() < heights.max() < 1.4
        assert heights.std() > 0.03
        assert boxes[:, 3].std() > 0.02
