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
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.metrics import ReliabilityDiagram, most_confused, percentage, precision_recall, wilson_interval
from digitscope.report.style import (
    BLUE,
    BLUE_SCALE,
    DIVERGING,
    FAINT,
    INK_SCALE,
    MUTED,
    PHONE_WIDTH,
    SMALL,
    VERMILION,
    VERMILION_SCALE,
    add_canvas,
    add_panel,
    new_figure,
    shorten,
    styled,
    text_width,
)

History = Mapping[str, Sequence[float | None]]

_WIDTH = PHONE_WIDTH


def learning_curves(history: History) -> Figure:
    """Loss and accuracy (per cent) over the steps of a training, on its batches and on the validation images.

    history: the columns of history.csv, of equal length: step, epoch, loss, accuracy; with validation also
        validation_loss and validation_accuracy, which are None except at the ends of epochs
    Batches are noisy: the pale area is their range, the line their running mean over 2 % of the steps. The axes are
    scaled to the line and to the validation, so the first steps may lie outside the picture.
    """
    with styled():
        figure = new_figure("Learning curves: loss and accuracy over the steps of training", 400, _WIDTH)
        loss = add_panel(figure, 50, 30, _WIDTH - 78, 142)
        accuracy = add_panel(figure, 50, 214, _WIDTH - 78, 142)
        step = _column(history, "step")
        last = float(np.nanmax(step, initial=1))
        for axes, name, factor, digits in ((loss, "loss", 1, "#.3g"), (accuracy, "accuracy", 100, ".2f")):
            train, validation = (factor * _column(history, f"{part}{name}") for part in ("", "validation_"))
            shown = _draw_curves(axes, step, train, validation, digits)
            title = "Loss" if name == "loss" else "Accuracy, %"
            axes.text(0, 1.06, title, weight="bold", transform=axes.transAxes)
            if name == "loss":
                _fit_loss(axes, shown)
            else:
                _fit_accuracy(axes, shown)
            axes.set_xlim(0, 1.015 * last)
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        loss.xaxis.set_tick_params(labelbottom=False)
        accuracy.xaxis.set_major_formatter(
            FuncFormatter(lambda x, _: f"{x / 1e6:g}M" if last >= 1e6 and x else f"{x:,.0f}")
        )
        epochs = np.nanmax(_column(history, "epoch"), initial=0)
        accuracy.set_xlabel(f"step ({epochs:,.0f} {'epoch' if epochs == 1 else 'epochs'})")
        return figure


def compare_curves(names: Sequence[str], histories: Sequence[History]) -> Figure:
    """Loss and accuracy of two trainings in the same axes: the first blue, the second vermilion.

    names: of the trainings; histories: as in `learning_curves`
    The line is the running mean on the training batches, dots are the validation images.
    """
    with styled():
        figure = new_figure("Learning curves of two trainings in the same axes", 432, _WIDTH)
        canvas = add_canvas(figure)
        for row, (name, color) in enumerate(zip(names, (BLUE, VERMILION), strict=False)):
            canvas.text(12, 16 + 18 * row, "━", color=color, size=SMALL)
            canvas.text(32, 16 + 18 * row, shorten(name, _WIDTH - 44), size=SMALL)
        last = max(float(np.nanmax(_column(history, "step"), initial=1)) for history in histories)
        for top, name, factor, title in ((64, "loss", 1, "Loss"), (248, "accuracy", 100, "Accuracy, %")):
            axes = add_panel(figure, 50, top, _WIDTH - 78, 142)
            axes.text(0, 1.06, title, weight="bold", transform=axes.transAxes)
            shown = [
                _draw_compared(axes, history, name, factor, color)
                for history, color in zip(histories, (BLUE, VERMILION), strict=False)
            ]
            if name == "loss":
                _fit_loss(axes, (np.concatenate([mean for mean, _ in shown]), np.concatenate([v for _, v in shown])))
            else:
                late = np.concatenate([mean[len(mean) // 10 :] for mean, _ in shown])
                _fit_accuracy(axes, (np.empty(0), np.concatenate([late, *(v for _, v in shown)])))
            axes.set_xlim(0, 1.015 * last)
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            axes.xaxis.set_major_formatter("{x:,.0f}")
            axes.xaxis.set_tick_params(labelbottom=name != "loss")
        axes.set_xlabel("step")
        return figure


def _draw_compared(axes: Axes, history: History, name: str, factor: int, color: str) -> tuple[Array, Array]:
    """Draws one training. Returns the running mean and the known validation values."""
    step, train, validation = (
        _column(history, column) * scale
        for column, scale in (("step", 1), (name, factor), (f"validation_{name}", factor))
    )
    mean = _running_mean(train, 2 * (len(train) // 100) + 1) if len(train) else train
    points = np.unique(np.linspace(0, max(0, len(train) - 1), 300).astype(int)) if len(train) else np.empty(0, int)
    axes.plot(step[points], mean[points], color=color, linewidth=1.2, alpha=0.6)
    known = np.isfinite(validation)
    marker = "o" if known.sum() <= 40 else ""
    axes.plot(step[known], validation[known], color=color, linewidth=1.6, marker=marker, markersize=4.5)
    return mean, validation[known]


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
    entries = []
    known = np.isfinite(validation)
    if len(train):
        mean = _running_mean(train, 2 * (len(train) // 100) + 1)
        # At most 300 points are drawn: more cannot be distinguished, and each makes the page larger.
        starts = np.unique(np.linspace(0, len(train), 300, endpoint=False).astype(int))
        lowest, highest = np.fmin.reduceat(train, starts), np.fmax.reduceat(train, starts)
        axes.fill_between(step[starts], lowest, highest, color=BLUE, alpha=0.18, linewidth=0.8)
        points = np.append(starts, len(train) - 1)
        axes.plot(step[points], mean[points], color=BLUE, linewidth=1.8, marker="o" if len(train) == 1 else "")
        entries.append(("━", BLUE, f"train {mean[-1]:{digits}}"))
    if known.any():
        marker = "o" if known.sum() <= 40 else ""
        axes.plot(step[known], validation[known], color=VERMILION, linewidth=1.2, marker=marker, markersize=4.5)
        entries.append(("●", VERMILION, f"validation {validation[known][-1]:{digits}}"))
    x = 1.0
    for sign, color, text in reversed(entries):
        x -= (text_width(text) + 6) / (_WIDTH - 78)
        _name_curve(axes, x, sign, color, text)
        x -= 24 / (_WIDTH - 78)
    return mean, validation[known]


def _name_curve(axes: Axes, x: float, sign: str, color: str, text: str) -> None:
    axes.text(x, 1.06, sign, color=color, ha="right", size=SMALL, transform=axes.transAxes)
    axes.text(x + 0.012, 1.06, text, size=SMALL, transform=axes.transAxes)


def _fit_loss(axes: Axes, shown: tuple[Array, Array]) -> None:
    """Uses a logarithmic scale if the curves span a factor of 4 or more: the small losses at the end stay legible."""
    values = np.concatenate(shown)
    values = values[values > 0]
    if not len(values):
        return
    low, high = float(values.min()), float(values.max())
    if high < 4 * low:
        pad = 0.08 * (high - low) or 0.1 * high
        axes.set_ylim(max(0.0, low - pad), high + pad)
        axes.yaxis.set_major_locator(MaxNLocator(5))
    else:
        low, high = low / 1.15, high * 1.15
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        span = math.log10(high / low)
        digits = (1, 2, 3, 5, 7) if span < 1 else (1, 2, 5) if span < 2.4 else (1,)
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
    """The first twelve images, each with the answer, whether it is right, and a bar for each class's probability.

    The bar of the answer is blue, or vermilion if the answer is wrong. Bars of 5 % or more are labelled.
    """
    images, labels, probabilities = images[:12], labels[:12], np.asarray(probabilities)[:12]
    names = _names(probabilities.shape[1], classes)
    answers = probabilities.argmax(axis=1)
    height, pitch, side = 164.0, 98.0, 60.0
    with styled():
        name = "Images, the answers of the network, and its probabilities"
        figure = new_figure(name, max(1, math.ceil(len(images) / 4)) * height, _WIDTH)
        axes = add_canvas(figure)
        cells = _draw_images(axes, images, columns=4, pitch=(pitch, height), size=side, top=42, **_ink(images))
        bar = 88 / len(names)
        bars = np.empty((len(images), len(names), 4, 2))
        colors = []
        for (x, y), chances, answer, label, cell in zip(cells, probabilities, answers, labels, bars, strict=True):
            right = answer == label
            mark = " ✓" if right else " ✗"
            available = pitch - 6 - text_width(mark, 12.5, "bold")
            axes.text(x, y - 22, shorten(names[answer], available, 12.5, "bold") + mark, weight="bold", ha="center")
            share = f"{percentage(float(chances[answer]), 1)} %"
            if not right:
                share += f", is {shorten(names[label], pitch - 4 - text_width(f'{share}, is '))}"
            axes.text(x, y - 7, share, size=SMALL, color=MUTED, ha="center")
            base = y + side + 40
            lefts = x - 44 + bar * np.arange(len(names))
            cell[:] = _rectangles(lefts + 0.1 * bar, base - 34 * chances, 0.8 * bar, 34 * chances)
            colors += [MUTED] * len(names)
            colors[answer - len(names)] = BLUE if right else VERMILION
            _name_bars(axes, names, chances, lefts + bar / 2, base + 12)
        _add_polygons(axes, bars.reshape(-1, 4, 2), colors)
        floors = [_rectangles(np.array([x - 44]), np.array([y + side + 40]), 88, np.array([0.8]))[0] for x, y in cells]
        _add_polygons(axes, np.array(floors), [MUTED] * len(floors))
        return figure


def _name_bars(axes: Axes, names: Sequence[str], chances: Array, middles: Array, y: float) -> None:
    """Names the bars of 5 % or more, the highest first, if the names fit."""
    taken: list[tuple[float, float]] = []
    for number in np.argsort(-chances, kind="stable"):
        if chances[number] < 0.05:
            return
        text = shorten(names[number], 88)
        half = text_width(text) / 2 + 0.5
        x = float(np.clip(middles[number], middles.mean() - 46 + half, middles.mean() + 46 - half))
        if all(x + half <= left or x - half >= right for left, right in taken):
            axes.text(x, y, text, size=SMALL, ha="center")
            taken.append((x - half, x + half))


def confusion_figure(confusion: Array, *, classes: Sequence[str] | None = None) -> Figure:
    """Confusion matrix: row the true class, column the answer.

    confusion: counts, (classes, classes)
    Off the diagonal are the numbers of mistakes, on a colour scale of their own because they are few. On the diagonal
    is the recall in per cent. With more than 14 classes, numbers do not fit and only colours are shown. The most
    frequent mistakes are listed below the matrix.
    """
    count = len(confusion)
    _, recall = precision_recall(confusion)
    mistakes = np.where(np.eye(count, dtype=bool), np.nan, confusion)
    most = max(1, int(np.nanmax(mistakes)))
    with styled():
        names = [shorten(name, 90) for name in _names(count, classes)]
        longest = max(text_width(name) for name in names)
        left, top = 30.0 + longest, 8.0
        side = min(_WIDTH - 12 - left, 110.0 * count)
        left += (_WIDTH - 12 - left - side) / 2
        cell = side / count
        below = top + side + (longest if longest > cell - 2 else SMALL) + 10
        frequent = most_confused(confusion, 8)
        height = below + 62 + (12 + 19 * math.ceil(len(frequent) / 2) if frequent else 0)
        figure = new_figure("Confusion matrix: how often each true class was read as each class", height, _WIDTH)
        axes = add_canvas(figure)
        extent = (left, left + side, top + side, top)
        diagonal = np.where(np.eye(count, dtype=bool), 100 * recall[:, None], np.nan)
        for values, limit, colormap in ((diagonal, 200.0, BLUE_SCALE), (mistakes, most / 0.8, VERMILION_SCALE)):
            axes.imshow(values, cmap=colormap, vmin=0, vmax=limit, extent=extent, interpolation="none", aspect="auto")
        axes.plot([left, left + side, left + side, left, left], [top, top, top + side, top + side, top], color=FAINT)

        centres = cell * (np.arange(count) + 0.5)
        if count <= 14:
            for row, column in np.argwhere(np.eye(count, dtype=bool) | (confusion > 0)):
                text = _short_recall(recall[row]) if row == column else _short_count(confusion[row, column])
                size = min(SMALL, SMALL * (cell - 1) / text_width(text))
                axes.text(left + centres[column], top + centres[row], text, size=size, ha="center", va="center")
        every = math.ceil(12 / cell)
        upright: dict[str, Any] = {"rotation": 90} if longest > cell * every - 2 else {}
        for name, centre in list(zip(names, centres, strict=True))[::every]:
            axes.text(left - 6, top + centre, name, size=SMALL, ha="right", va="center")
            axes.text(left + centre, top + side + 6, name, size=SMALL, ha="center", va="top", **upright)
        axes.text(left + side / 2, below + 12, "answer", size=SMALL, ha="center")
        axes.text(left - longest - 20, top + side / 2, "true class", size=SMALL, rotation=90, ha="center", va="center")

        _list_mistakes(axes, below + 40, names, frequent, most)
        return figure


def _list_mistakes(
    axes: Axes, y: float, names: Sequence[str], frequent: Sequence[tuple[int, int, int]], most: int
) -> None:
    """The legend of the two colours, and below it the most frequent mistakes in two columns."""
    starts, ends = (12, _WIDTH / 2 + 12), (_WIDTH / 2 - 12, _WIDTH - 12)
    squares = _rectangles(np.array(starts), np.array([y - 10, y - 10]), 11, np.array([11.0, 11.0]))
    _add_polygons(axes, squares, [BLUE + "80", VERMILION + "cc"])
    axes.text(starts[0] + 17, y, "recall, %", size=SMALL)
    axes.text(starts[1] + 17, y, f"mistakes, 1–{most:,}" if most > 1 else "mistakes", size=SMALL)
    if not frequent:
        axes.text(ends[1], y, "No mistakes", weight="bold", size=SMALL, ha="right")
    for number, (true, answer, times) in enumerate(frequent):
        column, line = divmod(number, math.ceil(len(frequent) / 2))
        available = (ends[column] - starts[column] - text_width(f" read as  {times:,}") - 8) / 2
        text = f"{shorten(names[true], available)} read as {shorten(names[answer], available)}"
        axes.text(starts[column], y + 26 + 19 * line, text, size=SMALL)
        axes.text(ends[column], y + 26 + 19 * line, f"{times:,}", size=SMALL, ha="right")


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
            figure = new_figure("No mistakes", 80, _WIDTH)
            text = f"No mistakes among {len(labels):,} images."
            add_canvas(figure).text(_WIDTH / 2, 44, text, ha="center")
            return figure
        long = max(map(text_width, names)) > 15
        pitch, height = 98.0, 139.0 if long else 124.0
        rows = math.ceil(len(wrong) / 4)
        name = "Most confident errors: the wrong answers with the highest probability"
        figure = new_figure(name, 4 + height * rows, _WIDTH)
        axes = add_canvas(figure)
        cells = _draw_images(axes, images[wrong], columns=4, pitch=(pitch, height), size=76, top=6, **_ink(images))
        for (x, y), number in zip(cells, wrong, strict=True):
            answer = shorten(names[answers[number]], pitch - 6 - text_width("read ", 12.5, "bold"), 12.5, "bold")
            axes.text(x, y + 92, f"read {answer}", weight="bold", ha="center")
            share = f"{percentage(float(confidence[number]), 1)} %"
            label = shorten(names[labels[number]], pitch - 6 - text_width("is "))
            for line, text in enumerate([share, f"is {label}"] if long else [f"{share}, is {label}"]):
                axes.text(x, y + 107 + 15 * line, text, size=SMALL, color=MUTED, ha="center")
        return figure


def first_layer_weights(weight: Array, shape: tuple[int, int] | None = None) -> Figure:
    """The weights of each unit of the first layer as an image.

    weight: of a dense layer (units, H W), with the shape (H, W) of the images; or of a convolution of one channel
        (units, 1, H, W), which has its shape
    Ink at vermilion pixels raises the unit's sum, ink at blue pixels lowers it. All units share one scale, centred at
    0. It ends at the 99.8th percentile of |weight|, because otherwise one outlier would make all others pale. Of more
    than 40 units, the 40 with the largest weights (Euclidean norm) are shown, in the order of the layer.

    Raises: ShapeError if the weights are not images of that shape.
    """
    patterns = _patterns(np.asarray(weight), shape)
    units = np.sort(np.argsort(-np.linalg.norm(patterns.reshape(len(patterns), -1), axis=1), kind="stable")[:40])
    limit = float(np.percentile(np.abs(patterns[units]), 99.8)) or 1.0
    scale: dict[str, Any] = {"cmap": DIVERGING, "vmin": -limit, "vmax": limit}
    height, width = patterns.shape[1:]
    gap = max(1, max(height, width) // 7)
    columns = _columns(len(units), height + gap, width + gap)
    pixel = _pixel(columns, width + gap)
    rows = math.ceil(len(units) / columns)
    bottom = 20 + (rows * (height + gap) - gap) * pixel
    with styled():
        figure = new_figure("The weights of the first layer's units as images", bottom + 40, _WIDTH)
        axes = add_canvas(figure)
        _draw_images(
            axes,
            patterns[units],
            columns=columns,
            pitch=((width + gap) * pixel, (height + gap) * pixel),
            size=max(height, width) * pixel,
            top=8,
            blank=np.nan,
            **scale,
        )
        left, right = _WIDTH / 2 - 90, _WIDTH / 2 + 90
        axes.imshow(
            np.linspace(-limit, limit, 255)[None],
            extent=(left, right, bottom + 12, bottom + 2),
            interpolation="none",
            aspect="auto",
            **scale,
        )
        for x, text, side in ((left - 6, f"−{limit:.2g}", "right"), (right + 6, f"{limit:.2g}", "left")):
            axes.text(x, bottom + 7, text, size=SMALL, ha=side, va="center_baseline")
        caption = (
            f"the {len(units)} of {len(patterns)} units with the largest weights"
            if len(units) < len(patterns)
            else f"all {len(patterns)} units"
            if len(patterns) > 1
            else "the only unit"
        )
        axes.text(_WIDTH / 2, bottom + 32, caption, size=SMALL, ha="center")
        return figure


def _patterns(weight: Array, shape: tuple[int, int] | None) -> Array:
    """The weights of each unit as an image, (units, H, W)."""
    given = shape
    if shape is None and weight.ndim == 4 and weight.shape[1] == 1:
        shape = weight.shape[2:]
    if shape is None or not len(weight) or weight.size != len(weight) * math.prod(shape):
        units = "units" if given is None else f"units, {math.prod(given)}"
        expected = (
            f"({units}) for images {given}" if given else "(units, 1, H, W), or (units, H W) and the shape (H, W)"
        )
        raise ShapeError(f"first_layer_weights expects {expected}; got {weight.shape}.")
    return weight.reshape(-1, *shape)


def _pixel(columns: int, width: int) -> float:
    """The size of a pixel in points if this many images, each this many pixels wide, stand side by side."""
    return min(16.0, (_WIDTH - 8) / (columns * width))


def _columns(count: int, height: int, width: int) -> int:
    """The number of columns in which images fill an area of about 400 x 240 points, if possible without empty cells."""

    def cost(columns: int) -> float:
        tall = math.ceil(count / columns) * height * _pixel(columns, width)
        return abs(tall - 240) + 100 * (count % columns != 0)

    return min(range(1, count + 1), key=cost)


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
        figure = new_figure("Reliability diagram: how often an answer is right, by its confidence", 400, _WIDTH)
        axes = add_panel(figure, 50, 50, _WIDTH - 66, 200)
        below = add_panel(figure, 50, 270, _WIDTH - 66, 84)
        axes.plot([0, 100], [0, 100], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.text(0, 1.16, "Expected calibration error", weight="bold", transform=axes.transAxes)
        axes.text(100, 5, "dashed: accuracy = confidence", size=SMALL, color=MUTED, ha="right")
        highest = 1.0
        for number, (diagram, sign, name, color, marker) in enumerate(series):
            _draw_reliability(axes, diagram, color, marker)
            _name_curve(
                axes, 0.02 + 0.48 * number, sign, color, f"{percentage(diagram.expected_calibration_error)} %{name}"
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
                        below.text(centre, height + 0.18, _short_count(n), size=9.5, ha="center")
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
    pitch, height, left = 58.0, 160.0, 44.0
    with styled():
        figure = new_figure("Accuracy against the strength of corruptions, with samples", 8 + height * kinds, _WIDTH)
        canvas = add_canvas(figure)
        cells = _draw_images(
            canvas,
            samples.reshape(-1, *samples.shape[2:]),
            columns=points,
            pitch=(pitch, height),
            size=40,
            top=100,
            centre=left + pitch * points / 2,
            **_ink(samples),
        )
        for kind in range(kinds):
            row = cells[points * kind : points * (kind + 1)]
            step = row[1][0] - row[0][0]
            start, end, top = row[0][0] - step / 2, row[-1][0] + step / 2, row[0][1] - 78
            canvas.text(start, top - 8, names[kind].capitalize(), weight="bold")
            canvas.text(end, top - 8, units[kind], size=SMALL, color=MUTED, ha="right")
            for (x, y), amount in zip(row, ["as is", *(f"{amount:g}" for amount in amounts[kind])], strict=True):
                canvas.text(x, y + 53, amount, size=SMALL, ha="center")
            axes = add_panel(figure, start, top, points * step, 72)
            _draw_shares(axes, shares[kind], images)
        return figure


def _draw_shares(axes: Axes, shares: Array, images: int) -> None:
    strengths = np.arange(len(shares))
    intervals = np.array([wilson_interval(float(share), images) for share in shares])
    axes.vlines(strengths, *(100 * intervals.T), color=BLUE, linewidth=1.4)
    axes.plot(strengths, 100 * shares, color=BLUE, linewidth=1.6, marker="o", markersize=4.5)
    last = 100 * float(shares[-1])
    axes.text(strengths[-1], last - 26 if last > 30 else last + 14, f"{last:.1f}", size=SMALL, ha="center")
    axes.set_xlim(-0.5, len(shares) - 0.5)
    axes.set_ylim(-4, 104)
    axes.xaxis.set_major_locator(NullLocator())
    axes.yaxis.set_major_locator(FixedLocator([0, 50, 100]))
    axes.spines["bottom"].set_visible(False)


def disputed_figure(images: Array, texts: Sequence[Sequence[str]]) -> Figure:
    """Images in rows of three. Beside each are up to three lines of text, the first one bold."""
    rows = math.ceil(len(images) / 3)
    pitch, height, side = _WIDTH / 3, 60.0, 42.0
    with styled():
        figure = new_figure(
            "Images whose label people dispute, and what the network answers", 6 + height * rows, _WIDTH
        )
        axes = add_canvas(figure)
        cells = _draw_images(
            axes, images, columns=3, pitch=(pitch, height), size=side, top=6, centre=_WIDTH / 2 - 43, **_ink(images)
        )
        for (x, y), lines in zip(cells, texts, strict=True):
            for number, line in enumerate(lines):
                weight = "normal" if number else "bold"
                text = shorten(line, pitch - side - 8, SMALL, weight)
                axes.text(x + side / 2 + 6, y + 12 + 15 * number, text, weight=weight, size=SMALL)
        return figure


def _draw_images(
    axes: Axes,
    images: Array,
    *,
    columns: int,
    pitch: tuple[float, float],
    size: float,
    top: float,
    centre: float = _WIDTH / 2,
    blank: float = 0.0,
    **imshow_options: Any,
) -> list[tuple[float, float]]:
    """Draws images in rows, with frames. `size` is their longer side and `pitch` the distance between them, in points.

    The images are tiled into one array with `blank` between them. One element is one pixel, so the size is changed a
    little to make the distance of rows a whole number of pixels, and that of columns is rounded. Each image is in the
    middle of a square; returns the middle of each square's upper edge.
    """
    count, height, width = images.shape
    longer = max(height, width)
    step_y = round(pitch[1] * longer / size)
    scale = pitch[1] / step_y
    step_x = round(pitch[0] / scale)
    rows = math.ceil(count / columns)
    tiles = np.full((rows * step_y, columns * step_x), blank)
    left = centre - columns * step_x * scale / 2
    down = min(longer - height, step_y - height) // 2
    corners = []
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        y, x = row * step_y + down, column * step_x + (step_x - width) // 2
        tiles[y : y + height, x : x + width] = image
        corners.append((left + x * scale, top + y * scale))
    extent = (left, left + tiles.shape[1] * scale, top + tiles.shape[0] * scale, top)
    axes.imshow(tiles, extent=extent, interpolation="none", aspect="auto", **imshow_options)
    x, y = np.transpose(corners)
    frames = _rectangles(x, y, width * scale, np.full(count, height * scale))
    _add_polygons(axes, frames, "none", edgecolors=FAINT)
    return [(x + width * scale / 2, y - down * scale) for x, y in corners]


def _ink(images: Array) -> dict[str, Any]:
    """Options of imshow for images of digits: ink is drawn in the colour of the text."""
    return {"cmap": INK_SCALE, "vmin": 0, "vmax": 255 if images.dtype.kind in "iu" else 1}


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


def _short_recall(recall: float) -> str:
    """The recall as per cent in at most four characters; – for a class that does not occur."""
    return "–" if math.isnan(recall) else "100" if recall == 1 else percentage(recall, 1)


def _short_count(count: int) -> str:
    """A count in at most four characters, which fit a bar: 950, 4.3k, 54k."""
    return f"{count:,}" if count < 1000 else f"{count / 1000:.1f}k" if count < 9950 else f"{count / 1000:.0f}k"
