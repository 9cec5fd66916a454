"""Figures have the given values, texts, order and colour limits; and the special cases of each figure."""

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

from digitscope.errors import ShapeError
from digitscope.metrics import confusion_matrix, reliability_diagram, wilson_interval
from digitscope.report import (
    calibration_figure,
    confident_mistakes,
    confusion_figure,
    corruption_figure,
    disputed_figure,
    first_layer_weights,
    learning_curves,
    sample_predictions,
    to_svg,
)
from digitscope.report.style import BLUE, PHONE_WIDTH, VERMILION

Array = npt.NDArray[Any]
History = dict[str, list[float | None]]


def texts(where: Figure | Axes) -> list[str]:
    axes = where.axes if isinstance(where, Figure) else [where]
    return [text.get_text() for one in axes for text in one.texts]


def points(line: Line2D) -> Array:
    """The points of a line, (points, 2)."""
    return np.asarray(line.get_xydata(), dtype=np.float64)


def values(image: AxesImage) -> Array:
    """The values of an image; nan for masked ones."""
    return np.ma.filled(np.ma.asarray(image.get_array(), dtype=np.float64), np.nan)


def corners(polygons: PolyCollection) -> list[Array]:
    return [np.asarray(path.vertices) for path in polygons.get_paths()]


def make_history(steps: int, *, epoch: int = 10, validation: bool = True) -> History:
    """`steps` rows, with a validation after each `epoch` of them."""
    rng = np.random.default_rng(0)
    numbers = np.arange(1, steps + 1)
    loss = 2.3 * np.exp(-numbers / steps * 5) * rng.uniform(0.8, 1.2, steps)
    at_end = [validation and number % epoch == 0 for number in numbers]
    return {
        "step": list(map(float, numbers)),
        "epoch": [float((number - 1) // epoch + 1) for number in numbers],
        "loss": list(map(float, loss)),
        "accuracy": list(map(float, np.clip(1 - loss / 3, 0, 1))),
        "validation_loss": [float(x) if end else None for x, end in zip(loss, at_end, strict=True)],
        "validation_accuracy": [float(1 - x / 3) if end else None for x, end in zip(loss, at_end, strict=True)],
    }


def make_answers(count: int, classes: int = 10, seed: int = 0) -> tuple[Array, Array, Array]:
    """Images, labels, and probabilities that are right about every second time."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
    labels = rng.integers(0, classes, count)
    probabilities = rng.dirichlet(np.full(classes, 0.2), count)
    likely = np.where(rng.random(count) < 0.5, labels, (labels + 1) % classes)
    best = probabilities.argmax(axis=1)
    rows = np.arange(count)
    probabilities[rows, best], probabilities[rows, likely] = (
        probabilities[rows, likely],
        probabilities[rows, best],
    )
    return images, labels, probabilities


class TestLearningCurves:
    def test_the_curves_hold_the_history(self) -> None:
        history = make_history(60)
        figure = learning_curves(history)
        loss, accuracy = figure.axes
        for axes, name, factor in ((loss, "loss", 1.0), (accuracy, "accuracy", 100.0)):
            train, validation = axes.lines
            column = np.array(history[name], dtype=float)
            np.testing.assert_allclose(points(train)[:60, 1], factor * column)  # 60 rows: a window of one
            np.testing.assert_array_equal(points(train)[:60, 0], history["step"])
            np.testing.assert_array_equal(points(validation)[:, 0], [10, 20, 30, 40, 50, 60])
            np.testing.assert_allclose(points(validation)[:, 1], factor * column[9::10])
            assert validation.get_marker() == "o"
        last = history["validation_accuracy"][-1]
        assert last is not None
        assert f"validation {100 * last:.2f}" in texts(accuracy)
        assert accuracy.get_xlabel() == "step (6 epochs)"

    def test_long_histories_are_thinned_but_keep_their_extremes(self) -> None:
        history = make_history(5000, epoch=100)
        history["loss"][1234] = 77.0
        figure = learning_curves(history)
        train, validation = figure.axes[0].lines
        assert len(points(train)) <= 301
        assert points(train)[-1, 0] == 5000
        assert validation.get_marker() in ("", "None")  # 50 markers would hide the line
        (band,) = (one for one in figure.axes[0].collections if isinstance(one, PolyCollection))
        assert max(corner[:, 1].max() for corner in corners(band)) == 77.0

    def test_the_line_is_the_running_mean(self) -> None:
        history = make_history(300, validation=False)
        losses = np.random.default_rng(1).uniform(1, 2, 300)
        history["loss"] = [*map(float, losses[:150]), None, *map(float, losses[151:])]
        losses[150] = np.nan
        drawn = points(learning_curves(history).axes[0].lines[0])[:, 1]
        expected = [np.nanmean(losses[max(0, i - 3) : i + 4]) for i in range(300)]
        np.testing.assert_allclose(drawn[:300], expected)

    def test_the_interesting_end_is_in_the_picture(self) -> None:
        loss, accuracy = learning_curves(make_history(1000, epoch=100)).axes
        assert loss.get_yscale() == "log"
        low, high = accuracy.get_ylim()
        assert low > 30  # the first steps are at 23 %
        assert 99 < high < 102

    def test_losses_that_hardly_change_have_a_linear_scale(self) -> None:
        history = make_history(50, validation=False)
        history["loss"] = [0.52 + 0.001 * float(number) for number in range(50)]
        axes = learning_curves(history).axes[0]
        assert axes.get_yscale() == "linear"
        assert axes.get_ylim()[0] == pytest.approx(0.516, abs=0.003)

    @pytest.mark.parametrize("steps", [0, 1, 2, 3])
    @pytest.mark.parametrize("validation", [True, False])
    def test_short_histories(self, steps: int, validation: bool) -> None:
        figure = learning_curves(make_history(steps, epoch=1, validation=validation))
        lines = figure.axes[0].lines
        assert len(lines) == (steps > 0) * (1 + validation)
        if steps == 1:
            assert lines[0].get_marker() == "o"  # one point has no line to be seen
            assert figure.axes[1].get_xlabel() == "step (1 epoch)"
        to_svg(figure)

    def test_without_validation_columns(self) -> None:
        history = {name: make_history(20)[name] for name in ("step", "epoch", "loss", "accuracy")}
        figure = learning_curves(history)
        assert [len(axes.lines) for axes in figure.axes] == [1, 1]
        assert not any("validation" in text for text in texts(figure))

    def test_a_loss_of_zero_and_a_constant_loss(self) -> None:
        history = make_history(20, validation=False)
        history["loss"] = [1.0 if row < 10 else 0.0 for row in range(20)]
        some_zeros = learning_curves(history)
        assert some_zeros.axes[0].get_ylim() == pytest.approx((0.9, 1.1))  # around the losses that are not 0
        assert "train 0.00" in texts(some_zeros)
        history["loss"] = [0.0] * 20
        all_zeros = learning_curves(history)
        low, high = all_zeros.axes[0].get_ylim()
        assert low < 0 < high
        for figure in (some_zeros, all_zeros):
            assert to_svg(figure).startswith("<svg")


class TestSamplePredictions:
    def test_bars_are_the_probabilities(self) -> None:
        images, labels, probabilities = make_answers(15)
        figure = sample_predictions(images, labels, probabilities)
        bars = next(
            c for c in figure.axes[0].collections if isinstance(c, PolyCollection) and len(c.get_paths()) == 120
        )
        heights = np.array([np.ptp(corner[:, 1]) for corner in corners(bars)]).reshape(12, 10)
        np.testing.assert_allclose(heights / 34, probabilities[:12], atol=1e-9)

    def test_right_and_wrong_are_written(self) -> None:
        images, labels, probabilities = make_answers(10)
        shown = texts(sample_predictions(images, labels, probabilities))
        answers = probabilities.argmax(axis=1)
        assert set(answers == labels) == {True, False}
        for answer, label, chance in zip(answers, labels, probabilities.max(axis=1), strict=True):
            title = f"{answer} ✓" if answer == label else f"{answer} ✗"
            share = f"{100 * chance:.1f} %" if answer == label else f"{100 * chance:.1f} %, is {label}"
            assert (title, share) in itertools.pairwise(shown)

    def test_the_images_are_the_images(self) -> None:
        images, labels, probabilities = make_answers(1)
        (drawn,) = sample_predictions(images, labels, probabilities).axes[0].images
        wall = values(drawn)
        (row, column) = np.argwhere(wall > 0).min(axis=0)
        np.testing.assert_array_equal(wall[row : row + 28, column : column + 28], images[0])
        assert drawn.get_clim() == (0, 255)

    def test_sizes_types_and_names_are_free(self) -> None:
        _, labels, probabilities = make_answers(3, classes=62)
        images = np.random.default_rng(0).random((3, 8, 6))
        names = [f"<{number}>" for number in range(62)]
        figure = sample_predictions(images, labels, probabilities, classes=names)
        assert figure.axes[0].images[0].get_clim() == (0, 1)
        assert f"<{probabilities[0].argmax()}>" in texts(figure)[0]
        to_svg(figure)

    def test_almost_certain_is_not_certain(self) -> None:
        images, labels, _ = make_answers(2)
        probabilities = np.eye(10)[labels]
        probabilities[0] = 0.9999 * probabilities[0] + 0.00001
        shown = texts(sample_predictions(images, labels, probabilities))
        assert "99.9 %" in shown
        assert "100.0 %" in shown


class TestConfusion:
    confusion = np.array([[90, 3, 0], [0, 50, 7], [1, 0, 0]])

    def test_numbers_and_colours(self) -> None:
        figure = confusion_figure(self.confusion)
        diagonal, mistakes = figure.axes[0].images
        np.testing.assert_allclose(np.diag(values(diagonal)), [9000 / 93, 5000 / 57, 0])
        off = ~np.eye(3, dtype=bool)
        np.testing.assert_array_equal(values(mistakes)[off], self.confusion[off])
        assert np.isnan(np.diag(values(mistakes))).all()
        assert mistakes.get_clim()[1] < 10  # a scale of their own, not that of the diagonal's 90
        shown = texts(figure)
        assert shown.count("96.8") == 1
        assert shown.count("87.7") == 1
        assert shown.index("2 read as 0") > shown.index("1 read as 2")
        listed = ("1 read as 2", "0 read as 1", "2 read as 0")
        assert [shown[shown.index(line) + 1] for line in listed] == ["7", "3", "1"]

    @pytest.mark.parametrize("count", [2, 10, 14, 15, 26, 47, 62])
    def test_any_number_of_classes(self, count: int) -> None:
        labels = np.arange(2000) % count
        confusion = confusion_matrix(labels, np.where(np.arange(2000) % 7, labels, 0), count)
        names = [chr(ord("!") + number) for number in range(count)]
        figure = confusion_figure(confusion, classes=names)
        assert [values(image).shape for image in figure.axes[0].images] == [(count, count)] * 2
        numbers = count * count if count > 14 else np.count_nonzero((confusion > 0) | np.eye(count, dtype=bool))
        assert (len(texts(figure)) > numbers) == (count <= 14)
        to_svg(figure)

    def test_no_mistakes_and_classes_that_never_occur(self) -> None:
        figure = confusion_figure(np.diag([5, 0, 3]))
        shown = texts(figure)
        assert "No mistakes" in shown
        assert shown.count("100") == 2
        assert "–" in shown
        to_svg(figure)

    def test_nearly_perfect_recall_is_not_rounded_up(self) -> None:
        assert "99.9" in texts(confusion_figure(np.array([[99_999, 1], [0, 5]])))


class TestConfidentMistakes:
    def test_the_most_confident_come_first(self) -> None:
        images, labels, probabilities = make_answers(200)
        figure = confident_mistakes(images, labels, probabilities)
        answers, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
        wrong = [number for number in np.argsort(-confidence) if answers[number] != labels[number]][:12]
        shares = [f"{min(99.9, 100 * share):.1f} %" for share in confidence[wrong]]
        expected = [
            text
            for number, share in zip(wrong, shares, strict=True)
            for text in (f"read {answers[number]}", f"{share}, is {labels[number]}")
        ]
        assert texts(figure) == expected
        wall = values(figure.axes[0].images[0])
        row, column = np.argwhere(wall > 0).min(axis=0)
        np.testing.assert_array_equal(wall[row : row + 28, column : column + 28], images[wrong[0]])

    def test_fewer_than_twelve(self) -> None:
        images, labels, _ = make_answers(30)
        probabilities = np.eye(10)[labels]
        probabilities[[3, 8]] = np.roll(probabilities[[3, 8]], 1, axis=1) * 0.998
        figure = confident_mistakes(images, labels, probabilities)
        assert len(texts(figure)) == 4
        assert texts(figure)[:2] == [f"read {(labels[3] + 1) % 10}", f"99.8 %, is {labels[3]}"]
        to_svg(figure)

    def test_none(self) -> None:
        images, labels, _ = make_answers(30)
        figure = confident_mistakes(images, labels, np.eye(10)[labels])
        assert texts(figure) == ["No mistakes among 30 images."]
        to_svg(figure)


class TestFirstLayerWeights:
    def test_one_symmetric_scale(self) -> None:
        weight = np.random.default_rng(0).normal(0.3, 1, (12, 784)).astype(np.float32)
        units, scale = first_layer_weights(weight, (28, 28)).axes[0].images
        low, high = units.get_clim()
        assert -low == high == pytest.approx(np.percentile(np.abs(weight), 99.8))
        assert scale.get_clim() == (low, high)

    def test_images_are_the_rows(self) -> None:
        weight = np.arange(1.0, 13.0).reshape(2, 6)
        for figure in (first_layer_weights(weight, (2, 3)), first_layer_weights(weight.reshape(2, 1, 2, 3))):
            wall = values(figure.axes[0].images[0])
            drawn = wall[np.isfinite(wall)]
            assert sorted(drawn) == list(range(1, 13))
            rows = [drawn[np.isin(drawn, row)] for row in weight]
            np.testing.assert_array_equal(rows, weight)
            assert "all 2 units" in texts(figure)

    def test_of_many_units_those_with_the_largest_weights(self) -> None:
        weight = np.ones((100, 4))
        weight[::2] = 3
        figure = first_layer_weights(weight, (2, 2))
        wall = values(figure.axes[0].images[0])
        assert set(wall[np.isfinite(wall)]) == {3.0}
        assert np.isfinite(wall).sum() == 40 * 4
        assert "the 40 of 100 units with the largest weights" in texts(figure)

    def test_weights_of_zero(self) -> None:
        figure = first_layer_weights(np.zeros((3, 4)), (2, 2))
        assert figure.axes[0].images[0].get_clim() == (-1, 1)
        to_svg(figure)

    def test_wrong_shape(self) -> None:
        with pytest.raises(ShapeError, match=r"expects \(units, 784\).*got \(3, 4\)"):
            first_layer_weights(np.zeros((3, 4)), (28, 28))
        for weight in (np.zeros((3, 784)), np.zeros((3, 2, 5, 5)), np.zeros((0, 1, 5, 5)), np.zeros(3)):
            with pytest.raises(ShapeError, match=r"expects \(units, 1, H, W\), or .*got"):
                first_layer_weights(weight)


class TestCalibrationFigure:
    def test_points_bars_and_intervals(self) -> None:
        _, labels, probabilities = make_answers(500)
        result = reliability_diagram(labels, probabilities, bins=15)
        some = result.counts > 0
        assert not some.all()  # nan in the empty bins
        figure = calibration_figure(result)
        axes, below = figure.axes
        _, line = axes.lines
        np.testing.assert_allclose(points(line)[:, 0], 100 * result.confidence[some])
        np.testing.assert_allclose(points(line)[:, 1], 100 * result.accuracy[some])
        (bars,) = (c for c in axes.collections if isinstance(c, LineCollection))
        ends = np.array(bars.get_segments())[:, :, 1]
        expected = [wilson_interval(a, n) for a, n in zip(result.accuracy[some], result.counts[some], strict=True)]
        np.testing.assert_allclose(ends, 100 * np.array(expected))
        assert len(below.patches) == 15
        assert texts(below) == [str(count) for count in result.counts if count]
        assert any(f"{100 * result.expected_calibration_error:.2f} %" in text for text in texts(axes))

    def test_large_counts_are_short(self) -> None:
        labels = np.zeros(54_321, dtype=int)
        result = reliability_diagram(labels, np.tile([0.95, 0.05], (54_321, 1)))
        figure = calibration_figure(result)
        assert texts(figure.axes[1]) == ["54k"]
        to_svg(figure)

    def test_calibrated_answers_are_beside_them(self) -> None:
        _, labels, probabilities = make_answers(500)
        before = reliability_diagram(labels, probabilities)
        after = reliability_diagram(labels, 0.5 * probabilities + 0.05)
        figure = calibration_figure(before, after)
        axes, below = figure.axes
        _, first, second = axes.lines
        for line, one, color in ((first, before, BLUE), (second, after, VERMILION)):
            np.testing.assert_allclose(points(line)[:, 1], 100 * one.accuracy[one.counts > 0])
            assert line.get_color() == color
        assert first.get_marker() != second.get_marker()
        assert f"{100 * before.expected_calibration_error:.2f} % uncalibrated" in texts(axes)
        assert f"{100 * after.expected_calibration_error:.2f} % calibrated" in texts(axes)
        assert len(below.patches) == 30
        assert texts(below) == []
        to_svg(figure)


class TestCorruptionFigure:
    @pytest.mark.parametrize("kinds", [1, 2, 3])
    def test_panels_hold_the_shares_above_the_samples(self, kinds: int) -> None:
        rng = np.random.default_rng(0)
        shares = rng.random((kinds, 6))
        samples = rng.integers(0, 256, (kinds, 6, 28, 28), dtype=np.uint8)
        names, units = ["rotation", "noise", "blur"][:kinds], ["degrees", "of it all", "pixels"][:kinds]
        amounts = [(10, 20, 30, 40, 50), (0.1, 0.2, 0.3, 0.4, 0.5), (1, 2, 3, 4, 5)][:kinds]
        figure = corruption_figure(names, units, amounts, shares, samples, 900)
        canvas, *panels = figure.axes
        assert len(panels) == kinds
        drawn = {round(float(points(panel.lines[0])[0, 1]), 6): panel for panel in panels}
        for kind in range(kinds):
            panel = drawn[round(100 * shares[kind, 0], 6)]
            np.testing.assert_allclose(points(panel.lines[0])[:, 1], 100 * shares[kind])
            assert texts(panel) == [f"{100 * shares[kind, 5]:.1f}"]
            (bars,) = (one for one in panel.collections if isinstance(one, LineCollection))
            ends = np.array(bars.get_segments())[:, :, 1]
            np.testing.assert_allclose(ends, [100 * np.array(wilson_interval(float(a), 900)) for a in shares[kind]])
        for name, unit in zip(names, units, strict=True):
            assert {name.capitalize(), unit} <= set(texts(canvas))
        assert texts(canvas).count("as is") == kinds
        assert len(canvas.images) == 1
        ink = sum(values(image).sum() for image in canvas.images)
        assert ink == samples.sum()
        svg = to_svg(figure)
        assert svg.count("<mask ") == 1

    def test_points_stand_above_their_samples(self) -> None:
        samples = np.zeros((1, 6, 28, 28), dtype=np.uint8)
        figure = corruption_figure(["blur"], ["px"], [(1, 2, 3, 4, 5)], np.full((1, 6), 0.5), samples, 10)
        canvas, panel = figure.axes
        for strength, label in enumerate(["as is", "1", "2", "3", "4", "5"]):
            (text,) = (one for one in canvas.texts if one.get_text() == label)
            x = panel.transData.transform((strength, 0))[0]
            assert x == pytest.approx(canvas.transData.transform(text.get_position())[0], abs=0.01)


def test_disputed_images_have_their_words_below() -> None:
    images, _, _ = make_answers(7)
    figure = disputed_figure(images, [(f"read {n}", "label 1", "people 2") for n in range(7)])
    (axes,) = figure.axes
    assert texts(axes)[:4] == ["read 0", "label 1", "people 2", "read 1"]
    assert values(axes.images[0]).sum() == images.sum()
    to_svg(figure)


def test_colours_differ_in_lightness_too() -> None:
    """A wrong bar differs from a right one in lightness, too, for readers who cannot see hues."""

    def luminance(color: str) -> float:
        rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        return float(np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])

    for color in (BLUE, VERMILION):
        assert 1.05 / (luminance(color) + 0.05) > 3  # against white
        assert (luminance(color) + 0.05) / (luminance("#0d1117") + 0.05) > 3  # against the dark page
    assert luminance(VERMILION) > 1.3 * luminance(BLUE)


@pytest.mark.parametrize("shape", [(5, 5), (3, 3), (7, 5), (28, 28)])
def test_the_first_layers_images_stay_inside_the_figure(shape: tuple[int, int]) -> None:
    figure = first_layer_weights(np.ones((16, shape[0] * shape[1])), shape)
    left, right, _, _ = figure.axes[0].images[0].get_extent()
    assert 0 <= left < right <= PHONE_WIDTH
