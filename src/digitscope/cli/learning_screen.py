"""A training on one screen: curves, a few digits and how they are read so far, and the progress."""

import itertools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from digitscope.arrays import Array
from digitscope.cli.braille import draw_image, shrink_image
from digitscope.cli.curves import ASCII, TRAINING, UNICODE, VALIDATION, Curves, Signs, draw_curves
from digitscope.metrics import percentage
from digitscope.training import Run, recent_mean

SIDE_BY_SIDE = 72
"""Minimum width for two charts side by side."""
MIN_WIDTH = 40
"""Below this width only the progress is shown."""
MIN_CHART, COMFORTABLE_CHART, MAX_CHART = 8, 13, 18
"""Lines of a chart with its title and axes."""
LARGE, SMALL, NO_PICTURE = (20, 20), (16, 14), (0, 0)
"""Heights and widths of pictures of digits in pixels; a character shows 4 x 2."""
LAYOUTS = (
    (2, LARGE, COMFORTABLE_CHART),
    (2, SMALL, MIN_CHART),
    (1, LARGE, COMFORTABLE_CHART),
    (1, SMALL, MIN_CHART),
    (2, NO_PICTURE, MIN_CHART),
    (1, NO_PICTURE, MIN_CHART),
    (2, None, MIN_CHART),
    (1, None, MIN_CHART),
    (0, NO_PICTURE, 0),
    (0, None, 0),
)
"""The number of charts, the size of the pictures of digits (None without digits), and the minimum number of lines of a
chart. The first layout that fits is used."""


@dataclass(frozen=True)
class _Quantity:
    name: str
    factor: int
    """The charts show the value times this factor: 100 for an accuracy in per cent."""
    text: Callable[[float], str]
    """The text of a value that was not multiplied by the factor."""
    log: bool
    skip: float
    """The fraction of the steps, from the first on, that the vertical axis need not cover."""


QUANTITIES = (
    _Quantity("loss", 1, "{:.4f}".format, log=True, skip=0.0),
    # Training starts at about 10 %. An axis from there would compress the last few per cent, which matter, to one line.
    _Quantity("accuracy", 100, lambda share: f"{percentage(share)} %", log=False, skip=0.1),
)


class LearningScreen:
    """The state of a run as lines of text that fit the terminal.

    images, labels: the images that the run's snapshots are about; steps: the number of steps of the whole plan
    """

    def __init__(self, run: Run, images: Array, labels: Array, steps: int) -> None:
        self.run, self.labels, self.steps = run, labels, steps
        self.pictures = {
            (size, signs): [draw_image(shrink_image(image, *size), braille=signs is UNICODE) for image in images]
            for size in (LARGE, SMALL)
            for signs in (UNICODE, ASCII)
        }
        self.images_per_second = 0.0
        self.began, self.first_step = time.monotonic(), self.step

    @property
    def step(self) -> int:
        """The number of the last step that was reported."""
        return int(self.run.history["step"][-1] or 0) if self.run.history["step"] else 0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        signs = ASCII if options.ascii_only or console.legacy_windows else UNICODE
        yield from self.lines(options.max_width, options.size.height - 1, signs)

    def lines(self, width: int, height: int, signs: Signs) -> list[Text]:
        """Up to `height` lines of up to `width` characters. What does not fit is left out: first large pictures, then
        one of two charts that stand one below the other, then all pictures, then all charts, then the digits.
        """
        progress = [_progress(self, width, signs)]
        if width < MIN_WIDTH:
            return progress
        for charts, size, least in LAYOUTS:
            digits = [] if size is None else self._digits(size, width, signs)
            curves = self._charts(charts, width, height - len(digits) - len(progress), least, signs)
            if curves and max(line.cell_len for line in digits + curves) <= width:
                return [*curves, *digits, *progress]
        return progress

    def _charts(self, charts: int, width: int, available: int, least: int, signs: Signs) -> list[Text]:
        """A legend, and the latest loss and accuracy. The first `charts` of them have a chart of at least `least`
        lines. Empty if they do not fit into the available lines.
        """
        beside = width >= SIDE_BY_SIDE
        count = len(QUANTITIES)
        rows_of_charts, titles = (min(charts, 1), 1 - min(charts, 1)) if beside else (charts, count - charts)
        height = (available - 1 - titles) // max(rows_of_charts, 1)
        if height < (least if charts else 0):
            return []
        legend = Text.assemble((signs.line, TRAINING), " training images   ")
        legend.append(signs.point, VALIDATION).append(" validation images")
        columns = (width - 2) // count if beside else width
        heights = [min(height, MAX_CHART)] * charts + [1] * (count - charts)
        blocks = [self._chart(*pair, columns, signs) for pair in zip(QUANTITIES, heights, strict=True)]
        return [legend, *(_beside(blocks, columns, gap=2) if beside else itertools.chain(*blocks))]

    def _chart(self, quantity: _Quantity, height: int, width: int, signs: Signs) -> list[Text]:
        """A title with the latest values, and below it the curves, together in `height` lines."""
        curves = _curves(self.run, quantity)
        title = Text(quantity.name.capitalize(), "bold")
        if len(curves.training):
            latest = recent_mean(self.run.history, quantity.name)
            title.append(f"  {signs.line} ", TRAINING).append(quantity.text(latest), "not bold")
        if len(curves.validation):
            title.append(f"  {signs.point} ", VALIDATION)
            title.append(quantity.text(curves.validation[-1] / quantity.factor), "not bold")
        if height == 1:
            return [title]
        end = f"{self.run.epochs} epoch{'s' * (self.run.epochs > 1)}"
        return [
            title,
            *draw_curves(
                curves,
                last_step=self.steps,
                end=end,
                log=quantity.log,
                skip=quantity.skip,
                width=width,
                height=height - 1,
                signs=signs,
            ),
        ]

    def _digits(self, size: tuple[int, int], width: int, signs: Signs) -> list[Text]:
        """The watched digits with the latest answers, with or without pictures."""
        if not self.run.snapshots:
            answers = [Text("") for _ in self.labels]
            heading = Text(f"{len(self.labels)} validation images")
        else:
            snapshot = self.run.snapshots[-1]
            read = snapshot.probabilities.argmax(axis=1)
            heading = Text(f"{len(self.labels)} validation images ")
            heading.append(f"after epoch {snapshot.epoch}" if snapshot.epoch else "before training")
            answers = [
                _answer(int(answer), float(p.max()), answer == label, signs)
                for answer, p, label in zip(read, snapshot.probabilities, self.labels, strict=True)
            ]
        if size == NO_PICTURE:
            blocks = [[Text(f"{label}: ") + answer] for label, answer in zip(self.labels, answers, strict=True)]
        else:
            pictures = self.pictures[size, signs]
            blocks = [[*map(Text, picture), answer] for picture, answer in zip(pictures, answers, strict=True)]
        cell = max(line.cell_len for block in blocks for line in block)
        rows = math.ceil(len(blocks) / ((width + 1) // (cell + 1)))
        columns = math.ceil(len(blocks) / rows)
        gap = min(3, (width - columns * cell) // max(1, columns - 1))
        lines = [heading]
        for first in range(0, len(blocks), columns):
            lines += _beside(blocks[first : first + columns], cell, gap)
        return lines


def _curves(run: Run, quantity: _Quantity) -> Curves:
    """The history of a quantity, and its value before the first step."""
    history = run.history
    known = [row for row, value in enumerate(history["validation_loss"]) if value is not None]
    steps = np.array(history["step"], np.float64)
    before = [getattr(snapshot, quantity.name) for snapshot in run.snapshots[:1]]
    validation = before + [history[f"validation_{quantity.name}"][row] for row in known]
    return Curves(
        steps=steps,
        training=quantity.factor * np.array(history[quantity.name], np.float64),
        validation_steps=np.concatenate([np.zeros(len(before)), steps[known]]),
        validation=quantity.factor * np.array(validation, np.float64),
    )


def _answer(answer: int, probability: float, right: bool, signs: Signs) -> Text:
    text = f"{answer}{signs.right if right else signs.wrong}{percentage(probability, 0):>3} %"
    return Text(text, "" if right else f"bold {VALIDATION}")


def _beside(blocks: Sequence[Sequence[Text]], width: int, gap: int) -> list[Text]:
    """Blocks of lines beside each other, each in a column of this width."""
    lines = []
    for parts in itertools.zip_longest(*blocks, fillvalue=Text("")):
        line = Text("")
        for number, part in enumerate(parts):
            line.append(" " * (number * (width + gap) - line.cell_len)).append_text(part)
        lines.append(line)
    return lines


def _progress(screen: LearningScreen, width: int, signs: Signs) -> Text:
    """The epoch, a bar, and as many figures as fit."""
    run, step = screen.run, screen.step
    share = step / screen.steps
    text = Text(f"epoch {min(run.epoch + 1, run.epochs)}/{run.epochs} ")
    figures = [f"{percentage(share, 0)} %"]
    if step > screen.first_step:
        left = (time.monotonic() - screen.began) * (screen.steps - step) / (step - screen.first_step)
        figures += [f"{_duration(left)} left" if left else f"{run.seconds:.1f} s"]
        figures += [f"{screen.images_per_second:,.0f} images/s"]
    while len(figures) > 1 and text.cell_len + sum(len(figure) + 2 for figure in figures) + 10 > width:
        figures.pop()
    end = "  ".join(figures)
    bar = max(0, width - text.cell_len - len(end) - 1)
    filled = round(share * bar)
    text.append(signs.bar * filled, TRAINING).append(signs.bar_rest * (bar - filled), "dim")
    text.append(f" {end}")
    text.truncate(width)
    return text


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
