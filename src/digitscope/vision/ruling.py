"""The lines of ruled paper: found by a Hough transform, removed so that ink over them stays.

A contrast is (H, W), 0 for paper. Lines are (2, H, W): the contrast of horizontal and of vertical lines, 0 elsewhere.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.vision.paper import FAINTEST

_MAX_SLOPE = 0.3
"""Maximum slope of a ruled line: 17 degrees from horizontal or vertical."""
_MAX_LINES = 80
"""Maximum number of lines in each direction."""


@dataclass(frozen=True, eq=False)
class RuledLine:
    """A line of ruled paper. Arrays have one value for each of its pixels."""

    rows: Array
    columns: Array
    contrast: Array
    level: float
    """The median contrast along its middle."""
    across: bool
    """Whether the line reaches both ends of the picture."""
    axis: int = 0
    """0 horizontal, 1 vertical"""

    def upright(self) -> "RuledLine":
        return replace(self, rows=self.columns, columns=self.rows, axis=1)


def find_ruling(contrast: Array) -> Array:
    """The contrast of the straight lines of ruled paper. (H, W) -> (2, H, W): horizontal, vertical

    Each line is found separately, up to 17 degrees from horizontal or vertical, since the lines in a photo need not be
    parallel. A line that reaches both ends of the picture counts; partly hidden lines count if there are three or more.
    Lines as dark as the ink only count if three or more reach both ends, because a digit that fills the picture has
    long strokes, too.
    """
    candidates = [*_level_lines(contrast), *(line.upright() for line in _level_lines(contrast.T))]
    lines = np.zeros((2, *contrast.shape), contrast.dtype)
    if not candidates:
        return lines
    ink = float(np.percentile(contrast[contrast > FAINTEST], 95)) if (contrast > FAINTEST).any() else 0.0
    across = [line for line in candidates if line.across]
    many = len(across) >= 3
    for line in candidates if len(candidates) >= 3 else across:
        if (line.across and many) or line.level < 0.7 * ink:
            np.maximum.at(lines[line.axis], (line.rows, line.columns), line.contrast)
    kept: Array = np.minimum(lines, contrast)
    return kept


def subtract_ruling(contrast: Array, lines: Array) -> Array:
    """The contrast minus that of the lines, for ink that is darker than its lines.

    Ink that crosses a line keeps the difference. A gap that is left in a stroke is closed from both sides.

    Shapes: (H, W), (2, H, W) -> (H, W)
    """
    from scipy.ndimage import grey_closing

    reach = 2 * line_reach(contrast) + 1
    for line, size in zip(lines, ((reach, 1), (1, reach)), strict=True):
        cleared = np.maximum(contrast - 1.5 * line, 0)
        closed = np.minimum(contrast, grey_closing(cleared, size=size))
        contrast = np.where(line > 0, closed, contrast)
    return contrast


def line_reach(contrast: Array) -> int:
    """A distance in pixels that is more than half the thickness of a ruled line."""
    return int(max(3, round(max(contrast.shape) / 80)))


def _level_lines(contrast: Array) -> list[RuledLine]:
    """The lines that run from left to right, by a Hough transform.

    Points that stand out from those above and below vote for all lines through them, y = b + s (x - W/2). The line with
    the most votes for its length is fitted to its points by least squares, as a parabola, since paper is not quite
    flat. Then its points' votes are withdrawn, and the next line is chosen.

    Source: Duda and Hart 1972, "Use of the Hough transformation to detect lines and curves in pictures".
    """
    from scipy.ndimage import grey_opening, maximum_filter1d, uniform_filter1d

    height, width = contrast.shape
    if min(height, width) < 60:  # a line would be as thick as a stroke
        return []
    side = max(height, width)
    thin = contrast - grey_opening(contrast, size=(max(3, round(0.03 * side)), 1))
    thin = uniform_filter1d(thin, max(1, round(side / 45)), axis=1)
    peak = thin >= maximum_filter1d(thin, 5, axis=0)
    lowest = max(FAINTEST / 2, 3 * float(np.percentile(thin[::2, ::2], 70)))
    y, x = np.nonzero(peak & (thin > lowest))
    if len(x) < 0.5 * width:
        return []
    unit = width / 2
    slopes = np.linspace(-_MAX_SLOPE, _MAX_SLOPE, 2 * max(20, round(_MAX_SLOPE * unit / 1.2)) + 1)
    margin = math.ceil(_MAX_SLOPE * unit) + 3
    starts = np.arange(-margin, height + margin)  # b

    def votes_of(x: Array, y: Array) -> Array:
        """The number of points on each line, (slopes, starts)"""
        place = np.round(y + margin - slopes[:, None] * (x - unit)).astype(np.int64)
        place += len(starts) * np.arange(len(slopes))[:, None]
        return np.bincount(place.ravel(), minlength=slopes.size * starts.size).reshape(slopes.size, starts.size)

    # The length of each line in the picture, in columns; shorter lines, across a corner, count as half the width.
    rise = np.maximum(np.abs(slopes[:, None]) * unit, 0.25)
    length = (np.minimum(starts + rise, height - 0.5) - np.maximum(starts - rise, -0.5)) / (2 * rise) * width
    length = np.clip(length, 0.5 * width, width)
    votes = votes_of(x, y)
    thick = maximum_filter1d(contrast, 3, axis=0)
    lines = []
    for _ in range(_MAX_LINES):
        share = votes.copy()
        share[:, 1:] += votes[:, :-1]
        share[:, :-1] += votes[:, 1:]
        share = share / length
        steep, start = np.unravel_index(int(share.argmax()), share.shape)
        if share[steep, start] < 0.5:
            break
        straight = np.array([slopes[steep], starts[start]])
        path = _path(x - unit, y, straight, np.arange(width) - unit)
        on_path = np.abs(y - path[x]) <= 2
        line = _line(thick, path, x[on_path])
        if line is not None:
            lines.append(line)
        taken = on_path | (np.abs(y - np.polyval(straight, x - unit)) <= 1.5)
        votes -= votes_of(x[taken], y[taken])
        x, y = x[~taken], y[~taken]
    return lines


def _path(x: Array, y: Array, curve: Array, columns: Array) -> Array:
    """The rows of a line, fitted to the points near it. curve: polynomial coefficients as of np.polyfit"""
    for near, degree in ((3, 1), (3, 2), (2, 2)):
        close = np.abs(y - np.polyval(curve, x)) <= near
        if close.sum() < 0.25 * len(columns):
            break
        curve = np.polyfit(x[close], y[close], degree)
    return np.polyval(curve, columns)


def _line(thick: Array, path: Array, x: Array) -> RuledLine | None:
    """The line along a path, or None if it has too few points. thick (H, W), path (W,): rows, x: the points' columns"""
    height, width = thick.shape
    columns = np.flatnonzero((path >= 0) & (path <= height - 1))
    if len(columns) < 0.5 * width:
        return None
    share = np.isin(columns, x).mean()
    if share < 0.55:
        return None
    across = share >= 0.75 and x.min() <= columns[0] + 0.03 * width and x.max() >= columns[-1] - 0.03 * width
    reach = line_reach(thick)
    rows = np.clip(np.round(path[columns]).astype(int) + np.arange(-reach, reach + 1)[:, None], 0, height - 1)
    columns = np.broadcast_to(columns, rows.shape)
    contrast = _running_percentile(thick[rows, columns])
    level = float(np.median(contrast[reach]))
    contrast = np.minimum(contrast, 1.5 * level)  # where a stroke runs along the line
    return RuledLine(rows.ravel(), columns.ravel(), contrast.ravel(), level, bool(across))


def _running_percentile(values: Array) -> Array:
    """The 40th percentile along the last axis, in windows of a quarter of its length, interpolated linearly."""
    width = values.shape[1]
    middles = np.linspace(0, width - 1, 9)
    windows = [values[:, max(0, round(m - width / 8)) : round(m + width / 8) + 1] for m in middles]
    levels = np.stack([np.percentile(window, 40, axis=1) for window in windows], axis=1)
    return np.stack([np.interp(np.arange(width), middles, level) for level in levels])


def erase_ruling(contrast: Array, lines: Array, slack: int) -> Array:
    """The contrast without its lines, by run length, for ink that may be as dark as its lines.

    Along a line, ink only stays if it is thicker than the line, as a crossing stroke is. Staff lines are removed from
    musical scores in the same way. slack: the largest distance, in pixels, of a line from its given position

    Shapes: (H, W), (2, H, W) -> (H, W)
    Source: Dalitz et al. 2008, "A comparative study of staff removal algorithms", section 3.1.
    """
    from scipy.ndimage import grey_closing, maximum_filter1d

    result = contrast
    for axis, line in enumerate(lines):
        zone = maximum_filter1d(line, 2 * slack + 3, axis=axis) > FAINTEST / 2
        if not zone.any():
            continue
        line_level = float(np.percentile(contrast[zone], 75))
        ink = contrast > 0.4 * line_level
        runs = _run_lengths(ink & zone, axis)
        thick = float(np.median(runs[runs > 0])) if (runs > 0).any() else 0
        thickness = _run_lengths(ink, axis)
        erased = zone & (thickness <= 1.6 * thick + 1)
        # A stroke much darker than the line stays.
        erased &= ~(contrast > 2.5 * line_level)
        cleared = np.where(erased, 0, result)
        reach = int(thick) + 2
        size = (2 * reach + 1, 1) if axis == 0 else (1, 2 * reach + 1)
        result = np.where(erased, np.minimum(result, grey_closing(cleared, size=size)), result)
    return result


def _run_lengths(ink: NDArray[np.bool_], axis: int) -> NDArray[np.intp]:
    """The length of the run of ink along the axis through each pixel, 0 for paper."""
    rows = ink if axis == 1 else ink.T
    padded = np.pad(rows, ((0, 0), (1, 1))).astype(np.int8)
    change = np.diff(padded, axis=1)
    starts, ends = np.nonzero(change == 1), np.nonzero(change == -1)
    length = ends[1] - starts[1]
    runs = np.zeros(rows.shape, np.intp)
    runs[rows] = np.repeat(length, length)
    return runs if axis == 1 else runs.T
