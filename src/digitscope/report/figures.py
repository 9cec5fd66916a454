"""The figures of a report: each function takes arrays and returns a matplotlib Figure.

Labels are integers, (N,); probabilities are rows, (N, classes); images are (N, H, W), integers 0 to 255 or floats 0 to
1, white on black. `classes` names the classes if they are not the digits 0, 1, 2 and so on.

This module does not use pyplot, so figures can be made in any thread and without a display. A report is made after each
training, so it must be quick. The time that matplotlib takes grows with the number of artists, so all images of a
figure are one image, and all bars are one collection.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.metrics import ReliabilityDiagram, most_confused, precision_recall, wilson_interval
from digitscope.report.style import (
    BLUE,
    BLUE_SCALE,
    DIVERGING,
    FAINT,
    INK_MASK,
    MUTED,
    SMALL,
    VERMILION,
    VERMILION_SCALE,
    WIDTH,
    add_canvas,
    add_panel,
    new_figure,
    styled,
)

History = Mapping[str, Sequence[float | None]]


def learning_curves(history: History) -> Figure:
    """Loss and accuracy (per cent) over the steps of a training, on its batches and on the validation images.

    history: the columns of history.csv, of equal length: step, epoch, loss, accuracy; with validation also
        validation_loss and validation_accuracy, which are None except at the ends of epochs
    Batches are noisy: the pale area is their range, the line their running mean over 2 % of the steps. The axes are
    scaled to the line and to the validation, so the first steps may lie outside of the picture.
    """
    with styled():
        figure = new_figure("Learning curves: loss and accuracy over the steps of training", 400)
        loss = add_panel(figure, 52, 30, WIDTH - 64, 142)
        accuracy = add_panel(figure, 52, 214, WIDTH - 64, 142)
        step = _column(history, "step")
        for axes, name, factor, digits in ((loss, "loss", 1, ".3g"), (accuracy, "accuracy", 100, ".2f")):
            shown = _draw_curves(
                axes, step, factor * _column(history, name), factor * _column(history, f"validation_{name}"), digits
            )
            title = "Loss" if name == "loss" else "Accuracy, %"
            axes.text(0, 1.06, title, weight="bold", transform=axes.transAxes)
            if name == "loss":
                _fit_loss(axes, shown)
            else:
                _fit_accuracy(axes, shown)
            axes.set_xlim(0, max(1.0, np.nanmax(step, initial=0) * 1.015))
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        loss.xaxis.set_tick_params(labelbottom=False)
        accuracy.xaxis.set_major_formatter("{x:,.0f}")
        epochs = np.nanmax(_column(history, "epoch"), initial=0)
        accuracy.set_xlabel(f"step ({epochs:,.0f} {'epoch' if epochs == 1 else 'epochs'})")
        return figure


def _column(history: History, name: str) -> Array:
    """A column as float64. None becomes nan, and a missing column is all nan."""
    return np.array(history.get(name, [None] * len(history["step"])), dtype=np.float64)


def _running_mean(values: Array, window: int) -> Array:
    """The mean over the `window` (odd) values around each value, fewer at the ends, ignoring nan."""
    finite = np.isfinite(values)
    ones = np.ones(window)
    half = window // 2
    sums = np.convolve(np.where(finite, values, 0.0), ones)[half : half + len(values)]
    counts = np.convolve(finite, ones)[half : half + len(values)]
    means: Array = np.divide(sums, counts, out=np.full(len(values), np.nan), where=counts > 0.5)
    return means


def _draw_curves(axes: Axes, step: Array, train: Array, validation: Array, digits: str) -> tuple[Array, Array]:
    """Draws both curves, with a legend above. Returns the running mean and the known validation values."""
    mean = train
    known = np.isfinite(validation)
    if len(train):
        mean = _running_mean(train, 2 * (len(train) // 100) + 1)
        # At most 300 points are drawn: more cannot be distinguished, and each makes the page larger.
        starts = np.unique(np.linspace(0, len(train), 300, endpoint=False).astype(int))
        lowest, highest = np.fmin.reduceat(train, starts), np.fmax.reduceat(train, starts)
        axes.fill_between(step[starts], lowest, highest, color=BLUE, alpha=0.18, linewidth=0.8)
        points = np.append(starts, len(train) - 1)
        axes.plot(step[points], mean[points], color=BLUE, linewidth=1.8, marker="o" if len(train) == 1 else "")
        _name_curve(axes, 0.33, "━", BLUE, f"train {mean[-1]:{digits}}")
    if known.any():
        marker = "o" if known.sum() <= 40 else ""
        axes.plot(step[known], validation[known], color=VERMILION, linewidth=1.2, marker=marker, markersize=4.5)
        _name_curve(axes, 0.62, "●", VERMILION, f"validation {validation[known][-1]:{digits}}")
    return mean, validation[known]


def _name_curve(axes: Axes, x: float, sign: str, color: str, text: str) -> None:
    axes.text(x, 1.06, sign, color=color, ha="right", size=SMALL, transform=axes.transAxes)
    axes.text(x + 0.012, 1.06, text, size=SMALL, transform=axes.transAxes)


def _fit_loss(axes: Axes, shown: tuple[Array, Array]) -> None:
    """Uses a logarithmic scale if the curves span a factor of 10 or more: the small losses at the end stay legible."""
    values = np.concatenate(shown)
    values = values[values > 0]
    if not len(values):
        return
    low, high = float(values.min()), float(values.max())
    if high < 10 * low:
        pad = 0.08 * (high - low) or 0.1 * high
        axes.set_ylim(max(0.0, low - pad), high + pad)
        axes.yaxis.set_major_locator(MaxNLocator(5))
    else:
        low, high = low / 1.15, high * 1.15
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        digits = (1, 2, 5) if math.log10(high / low) < 2.4 else (1,)
        axes.set_yscale("log", nonpositive="mask")
        axes.set_ylim(low, high)
        axes.yaxis.set_major_locator(FixedLocator([digit * 10.0**decade for decade in decades for digit in digits]))
        axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")


def _fit_accuracy(axes: Axes, shown: tuple[Array, Array]) -> None:
    """Starts the scale at the lowest accuracy after the first tenth of the steps. Training starts at about 10 %, and a
    scale from there would compress the last few per cent, which matter, into one line.
    """
    mean, validation = shown
    values = np.concatenate([mean[len(mean) // 10 :], validation])
    values = values[np.isfinite(values)]
    if not len(values):
        return
    low, high = float(values.min()), float(values.max())
    pad = max(0.25, 0.08 * (high - low))
    axes.set_ylim(max(0.0, low - pad), min(high + pad, 100.0 + pad / 4))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter("{x:g}")


def sample_predictions(
    images: Array, labels: Array, probabilities: Array, *, classes: Sequence[str] | None = None
) -> Figure:
    """The first ten images, each with the answer, whether it is right, and a bar for each class's probability.

    The bar of the answer is blue, or vermilion if the answer is wrong. Bars of 5 % or more are labelled.
    """
    images, labels, probabilities = images[:10], labels[:10], np.asarray(probabilities)[:10]
    names = _names(probabilities.shape[1], classes)
    answers = probabilities.argmax(axis=1)
    with styled():
        figure = new_figure(
            "Images, the answers of the network, and its probabilities", 190 * math.ceil(len(images) / 5)
        )
        axes = add_canvas(figure)
        cells = _draw_images(axes, images, columns=5, pitch=(102, 190), size=64, top=44, **_ink(images))
        pitch = 88 / len(names)
        bars = np.empty((len(images), len(names), 4, 2))
        colors = []
        for (x, y), chances, answer, label, cell in zip(cells, probabilities, answers, labels, bars, strict=True):
            right = answer == label
            axes.text(
                x,
                y - 24,
                f"{names[answer]} ✓" if right else f"{names[answer]} ✗ is {names[label]}",
                weight="bold",
                ha="center",
            )
            axes.text(x, y - 8, _per_cent(chances[answer]), size=SMALL, color=MUTED, ha="center")
            base = y + 116
            lefts = x - 44 + pitch * np.arange(len(names))
            cell[:] = _rectangles(lefts + 0.1 * pitch, base - 42 * chances, 0.8 * pitch, 42 * chances)
            colors += [MUTED] * len(names)
            colors[answer - len(names)] = BLUE if right else VERMILION
            for number in np.flatnonzero(chances >= 0.05) if len(names) <= 20 else [answer]:
                axes.text(lefts[number] + pitch / 2, base + 12, names[number], size=SMALL, ha="center")
        _add_polygons(axes, bars.reshape(-1, 4, 2), colors)
        floors = [_rectangles(np.array([x - 44]), np.array([y + 116]), 88, np.array([0.8]))[0] for x, y in cells]
        _add_polygons(axes, np.array(floors), [MUTED] * len(floors))
        return figure


def confusion_figure(confusion: Array, *, classes: Sequence[str] | None = None) -> Figure:
    """Confusion matrix: row the true class, column the answer.

    confusion: counts, (classes, classes)
    Off the diagonal are the numbers of mistakes, on a colour scale of their own because they are few. On the diagonal
    is the recall in per cent. With more than 20 classes there is no room for numbers, only for colours. The most
    frequent mistakes are listed beside the matrix.
    """
    count = len(confusion)
    names = _names(count, classes)
    _, recall = precision_recall(confusion)
    mistakes = np.where(np.eye(count, dtype=bool), np.nan, confusion)
    most = max(1, int(np.nanmax(mistakes)))
    with styled():
        figure = new_figure("Confusion matrix: how often each class was read as each", 400)
        axes = add_canvas(figure)
        left, top, side = 46.0, 12.0, 334.0
        cell = side / count
        extent = (left, left + side, top + side, top)
        diagonal = np.where(np.eye(count, dtype=bool), 100 * recall[:, None], np.nan)
        for values, limit, colormap in ((diagonal, 200.0, BLUE_SCALE), (mistakes, most / 0.8, VERMILION_SCALE)):
            axes.imshow(values, cmap=colormap, vmin=0, vmax=limit, extent=extent, interpolation="none", aspect="auto")
        axes.plot([left, left + side, left + side, left, left], [top, top, top + side, top + side, top], color=FAINT)

        centres = cell * (np.arange(count) + 0.5)
        if count <= 20:
            size = min(SMALL, 0.4 * cell)
            for row, column in np.argwhere(np.eye(count, dtype=bool) | (confusion > 0)):
                text = _short_recall(recall[row]) if row == column else f"{confusion[row, column]:,}"
                axes.text(left + centres[column], top + centres[row], text, size=size, ha="center", va="center")
        every = math.ceil(count / 31)
        size = min(SMALL, 0.9 * cell * every)
        for name, centre in list(zip(names, centres, strict=True))[::every]:
            axes.text(left - 6, top + centre, name, size=size, ha="right", va="center")
            axes.text(left + centre, top + side + 6, name, size=size, ha="center", va="top")
        axes.text(left + side / 2, top + side + 36, "answer", size=SMALL, ha="center")
        axes.text(8, top + side / 2, "true class", size=SMALL, rotation=90, va="center")

        x = left + side + 22
        _add_polygons(
            axes,
            _rectangles(np.array([x, x]), np.array([14.0, 36.0]), 11, np.array([11.0, 11.0])),
            [BLUE + "80", VERMILION + "cc"],
        )
        axes.text(x + 17, 24, "recall, %", size=SMALL)
        axes.text(x + 17, 46, f"mistakes, 1–{most:,}" if most > 1 else "mistakes", size=SMALL)
        frequent = most_confused(confusion, 8)
        axes.text(x, 84, "Most frequent" if frequent else "No mistakes", weight="bold", size=SMALL)
        for line, (true, answer, times) in enumerate(frequent):
            axes.text(x, 104 + 19 * line, f"{names[true]} read {names[answer]}", size=SMALL)
            axes.text(WIDTH - 12, 104 + 19 * line, f"{times:,}", size=SMALL, ha="right")
        return figure


def confident_mistakes(
    images: Array, labels: Array, probabilities: Array, *, classes: Sequence[str] | None = None
) -> Figure:
    """The twelve wrong answers with the highest probability, the highest first."""
    answers = np.argmax(probabilities, axis=1)
    confidence = np.max(probabilities, axis=1)
    names = _names(np.shape(probabilities)[1], classes)
    wrong = np.flatnonzero(answers != labels)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")][:12]
    with styled():
        if not len(wrong):
            figure = new_figure("No mistakes", 80)
            text = f"No mistakes among {len(labels):,} images."
            add_canvas(figure).text(WIDTH / 2, 44, text, ha="center")
            return figure
        rows = math.ceil(len(wrong) / 4)
        figure = new_figure("Most confident errors: the wrong answers with the highest probability", 8 + 130 * rows)
        axes = add_canvas(figure)
        cells = _draw_images(axes, images[wrong], columns=4, pitch=(128, 130), size=84, top=10, **_ink(images))
        for (x, y), number in zip(cells, wrong, strict=True):
            is_read = f"is {names[labels[number]]}, read {names[answers[number]]}"
            axes.text(x, y + 99, f"{is_read}, {_per_cent(confidence[number])}", size=SMALL, ha="center")
        return figure


def first_layer_weights(weight: Array, shape: tuple[int, int]) -> Figure:
    """The weights of each unit of the first layer as an image.

    weight: (units, H W); shape: (H, W) of the part of the image that a unit sees
    Ink at vermilion pixels raises the unit's sum, ink at blue pixels lowers it. All units share one scale, centred at
    0. It ends at the 99.8th percentile of |weight|, because otherwise one outlier would make all others pale. Of more
    than 40 units, the 40 with the largest weights (Euclidean norm) are shown, in the order of the layer.
    """
    if weight.ndim != 2 or weight.shape[1] != shape[0] * shape[1]:
        raise ShapeError(
            f"first_layer_weights expects (units, {shape[0] * shape[1]}) for images {shape}; got {weight.shape}."
        )
    units = np.sort(np.argsort(-np.linalg.norm(weight, axis=1), kind="stable")[:40])
    limit = float(np.percentile(np.abs(weight[units]), 99.8)) or 1.0
    columns = 8 if len(units) > 10 else 5
    rows = math.ceil(len(units) / columns)
    with styled():
        side = max(shape)
        pitch = 440 / columns
        size = pitch * side / (side + max(1, side // 7))  # the gap is a whole number of pixels, too
        figure = new_figure("The weights of the first layer's units as images", 34 + pitch * rows)
        axes = add_canvas(figure)
        _draw_images(
            axes,
            weight[units].reshape(-1, *shape),
            columns=columns,
            pitch=(pitch, pitch),
            size=size,
            top=8,
            centre=226,
            blank=np.nan,
            cmap=DIVERGING,
            vmin=-limit,
            vmax=limit,
        )
        bottom = pitch * rows
        scale = np.linspace(limit, -limit, 255)[:, None]
        axes.imshow(
            scale,
            cmap=DIVERGING,
            vmin=-limit,
            vmax=limit,
            extent=(456, 468, bottom, 10),
            interpolation="none",
            aspect="auto",
        )
        for y, text in ((10, f"{limit:.2g}"), (bottom / 2 + 5, "0"), (bottom, f"−{limit:.2g}")):
            axes.text(473, y, text, size=SMALL, va="center")
        caption = (
            f"the {len(units)} of {len(weight)} units with the largest weights"
            if len(units) < len(weight)
            else f"all {len(weight)} units"
        )
        axes.text(WIDTH / 2, bottom + 24, caption, size=SMALL, ha="center")
        return figure


def calibration_figure(calibration: ReliabilityDiagram, tempered: ReliabilityDiagram | None = None) -> Figure:
    """The fraction of right answers over the mean confidence, in bins of confidence.

    The points of a calibrated network are on the diagonal; points below it mean that the network is too confident. Bars
    through the points are 95 % intervals of the fraction (Wilson), which are wide for few images. The lower panel shows
    the number of images in each bin.
    tempered: the same answers after temperature scaling, drawn as vermilion squares
    """
    series = [(calibration, "●", " uncalibrated" if tempered is not None else "", BLUE, "o")]
    if tempered is not None:
        series.append((tempered, "■", " calibrated", VERMILION, "s"))
    with styled():
        figure = new_figure("Reliability diagram: how often an answer is right, by its confidence", 400)
        axes = add_panel(figure, 52, 50, WIDTH - 64, 200)
        below = add_panel(figure, 52, 270, WIDTH - 64, 84)
        axes.plot([0, 100], [0, 100], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.text(0, 1.16, "Expected calibration error", weight="bold", transform=axes.transAxes)
        hint = "dashed: accuracy = confidence"
        axes.text(1, 1.16, hint, size=SMALL, color=MUTED, ha="right", transform=axes.transAxes)
        highest = 1.0
        for number, (diagram, sign, name, color, marker) in enumerate(series):
            _draw_reliability(axes, diagram, color, marker)
            _name_curve(
                axes, 0.02 + 0.33 * number, sign, color, f"{100 * diagram.expected_calibration_error:.2f} %{name}"
            )
            heights = np.log10(1.0 + diagram.counts)
            highest = max(highest, heights.max())
            edges, share = 100 * diagram.edges, 0.9 / len(series)
            widths = np.diff(edges)
            below.bar(
                edges[:-1] + number * share * widths, heights, share * widths, align="edge", color=color, alpha=0.55
            )
            if tempered is None:
                for centre, height, n in zip((edges[:-1] + edges[1:]) / 2, heights, diagram.counts, strict=True):
                    if n:
                        below.text(centre, height + 0.18, _short_count(n), size=9, ha="center")
        axes.set_ylim(-3, 103)
        axes.set_ylabel("accuracy, %")

        below.set_ylim(0, 1.35 * highest)
        below.yaxis.set_major_locator(NullLocator())
        below.set_ylabel("images, log")
        below.set_xlabel("confidence, % (the highest probability)")
        axes.xaxis.set_tick_params(labelbottom=False)
        for panel in (axes, below):
            panel.set_xlim(0, 101)
            panel.xaxis.set_major_locator(FixedLocator([0, 20, 40, 60, 80, 100]))
        axes.yaxis.set_major_locator(FixedLocator([0, 20, 40, 60, 80, 100]))
        return figure


def _draw_reliability(axes: Axes, calibration: ReliabilityDiagram, color: str, marker: str) -> None:
    """The points of the bins that hold images, with their intervals."""
    filled = calibration.counts > 0
    confidence, shares = 100 * calibration.confidence[filled], calibration.accuracy[filled]
    counts = calibration.counts[filled]
    intervals = [wilson_interval(float(share), int(n)) for share, n in zip(shares, counts, strict=True)]
    lows, highs = 100 * np.array(intervals).reshape(-1, 2).T
    axes.vlines(confidence, lows, highs, color=color, linewidth=1.4)
    axes.plot(confidence, 100 * shares, color=color, linewidth=1.4, marker=marker, markersize=6)


def corruption_figure(
    names: Sequence[str],
    units: Sequence[str],
    amounts: Sequence[Sequence[float]],
    shares: Array,
    samples: Array,
    images: int,
) -> Figure:
    """Accuracy against strength in one panel for each kind of corruption, with a corrupted image below each point.

    names, units, amounts: for each kind its name, its unit and its amount at each strength
    shares: the fraction of `images` images that is read correctly, (kinds, 1 + strengths), the first without corruption
    samples: a sample image for each share, (kinds, 1 + strengths, H, W)
    Bars through the points are 95 % intervals of the fraction (Wilson).
    """
    kinds, points = shares.shape
    rows = math.ceil(kinds / 2)
    pitch, height = 36.0, 188.0
    with styled():
        figure = new_figure("Accuracy against the strength of corruptions, with samples", 8 + height * rows)
        canvas = add_canvas(figure)
        for side, centre in ((0, 143.0), (1, WIDTH - 118.0)):  # the axis is to the left of each column
            shown = range(side, kinds, 2)
            if not shown:
                continue
            cells = _draw_images(
                canvas,
                samples[side::2].reshape(-1, *samples.shape[2:]),
                columns=points,
                pitch=(pitch, height),
                size=32,
                top=122,
                centre=centre,
                **_ink(samples),
            )
            for place, kind in enumerate(shown):
                row = cells[points * place : points * (place + 1)]
                top = row[0][1] - 92
                canvas.text(row[0][0] - 16, top - 12, names[kind].capitalize(), weight="bold")
                canvas.text(row[-1][0] + 16, top - 12, units[kind], size=SMALL, color=MUTED, ha="right")
                for (x, y), amount in zip(row, ["as is", *(f"{amount:g}" for amount in amounts[kind])], strict=True):
                    canvas.text(x, y + 45, amount, size=9.5, ha="center")
                step = row[1][0] - row[0][0]
                axes = add_panel(figure, row[0][0] - step / 2, top, points * step, 84)
                _draw_shares(axes, shares[kind], images)
        return figure


def _draw_shares(axes: Axes, shares: Array, images: int) -> None:
    strengths = np.arange(len(shares))
    intervals = np.array([wilson_interval(float(share), images) for share in shares])
    axes.vlines(strengths, *(100 * intervals.T), color=BLUE, linewidth=1.4)
    axes.plot(strengths, 100 * shares, color=BLUE, linewidth=1.6, marker="o", markersize=4.5)
    last = 100 * float(shares[-1])
    axes.text(strengths[-1], max(last - 22, -6), f"{last:.1f}", size=SMALL, ha="center")
    axes.set_xlim(-0.5, len(shares) - 0.5)
    axes.set_ylim(-4, 104)
    axes.xaxis.set_major_locator(NullLocator())
    axes.yaxis.set_major_locator(FixedLocator([0, 50, 100]))
    axes.spines["bottom"].set_visible(False)


def disputed_figure(images: Array, texts: Sequence[Sequence[str]]) -> Figure:
    """Images in rows of five. Below each are up to three lines of text, the first one bold."""
    rows = math.ceil(len(images) / 5)
    with styled():
        figure = new_figure("Images whose label people dispute, and what the network answers", 8 + 140 * rows)
        axes = add_canvas(figure)
        cells = _draw_images(axes, images, columns=5, pitch=(102, 140), size=72, top=10, **_ink(images))
        for (x, y), lines in zip(cells, texts, strict=True):
            for number, line in enumerate(lines):
                weight = "normal" if number else "bold"
                axes.text(x, y + 87 + 15 * number, line, weight=weight, size=SMALL, ha="center")
        return figure


def _draw_images(
    axes: Axes,
    images: Array,
    *,
    columns: int,
    pitch: tuple[float, float],
    size: float,
    top: float,
    centre: float = WIDTH / 2,
    blank: float = 0.0,
    **imshow_options: Any,
) -> list[tuple[float, float]]:
    """Draws images in rows, with frames. `size` is their longer side and `pitch` the distance between them, in points.

    The images are tiled into one array with `blank` between them. One element is one pixel, so the pitch is rounded to
    whole pixels. Returns the middle of each image's upper edge.
    """
    count, height, width = images.shape
    scale = size / max(height, width)
    step_x, step_y = round(pitch[0] / scale), round(pitch[1] / scale)
    rows = math.ceil(count / columns)
    tiles = np.full((rows * step_y, columns * step_x), blank)
    left = centre - columns * step_x * scale / 2
    corners = []
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        y, x = row * step_y, column * step_x + (step_x - width) // 2
        tiles[y : y + height, x : x + width] = image
        corners.append((left + x * scale, top + y * scale))
    extent = (left, left + tiles.shape[1] * scale, top + tiles.shape[0] * scale, top)
    axes.imshow(tiles, extent=extent, interpolation="none", aspect="auto", **imshow_options)
    x, y = np.transpose(corners)
    frames = _rectangles(x, y, width * scale, np.full(count, height * scale))
    _add_polygons(axes, frames, "none", edgecolors=FAINT)
    return [(x + width * scale / 2, y) for x, y in corners]


def _ink(images: Array) -> dict[str, Any]:
    """Options of imshow for images of digits: ink is drawn in the colour of the text."""
    return {"cmap": "gray", "vmin": 0, "vmax": 255 if images.dtype.kind in "iu" else 1, "gid": INK_MASK}


def _rectangles(left: Array, top: Array, width: float, height: Array) -> Array:
    """The corners (x, y) of rectangles, (N, 4, 2)."""
    right, bottom = left + width, top + height
    return np.stack(
        [np.stack(corner, axis=1) for corner in ((left, top), (right, top), (right, bottom), (left, bottom))], axis=1
    )


def _add_polygons(axes: Axes, corners: Array, colors: str | list[str], *, edgecolors: str = "none") -> None:
    polygons = PolyCollection(list(corners), facecolors=colors, edgecolors=edgecolors, clip_on=False)
    axes.add_collection(polygons, autolim=False)


def _names(count: int, classes: Sequence[str] | None) -> list[str]:
    return [str(number) for number in range(count)] if classes is None else list(classes)


def _per_cent(share: float) -> str:
    """A fraction as per cent, such as 99.8 %. A fraction just below 1 is not rounded to 100.0 %."""
    return "> 99.9 %" if 0.9995 <= share < 1 else f"{100 * share:.1f} %"


def _short_recall(recall: float) -> str:
    """The recall as per cent in at most four characters; – for a class that does not occur."""
    return "–" if math.isnan(recall) else "100" if recall == 1 else f"{min(99.9, 100 * recall):.1f}"


def _short_count(count: int) -> str:
    """A count in at most five characters, which fit a bar: 950, 4,321, 54k."""
    return f"{count:,}" if count < 10_000 else f"{count / 1000:.0f}k"
