"""Cuts a line of writing into pieces, of which digits consist.

More cuts are made than there are digits (over-segmentation: LeCun, Bottou, Bengio and Haffner 1998, section V), so that
the right cuts are among them. Each digit is then a run of neighbouring pieces; the reader chooses the runs. Lengths are
in the line's pixels, `lines.HEIGHT` for the height of a digit.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.vision.lines import HEIGHT, TextLine
from digitscope.vision.normalize import SHAPE, Shape, centre, fit_box

MAX_PIECES = 9
"""Maximum number of pieces of a digit, unless it consists of all pieces of its components."""
SIDESTEP_COST = 0.25
"""The cost of a path's step to the left or right by a pixel, in pixels of ink."""
_MAX_WIDTH = 1.6
"""Maximum width of a digit, in heights of a digit."""
_MAX_CUT = 3.6
"""Maximum ink that a cut crosses, in widths of a stroke."""


@dataclass(frozen=True, eq=False)
class Piece:
    """Ink between two cuts."""

    place: tuple[slice, slice]
    coverage: Array
    component: int
    """The index of the component that the piece was cut from."""
    before: float
    """The number of strokes that the cut on its left crosses; 0 at the beginning of the component."""
    after: float
    """The number of strokes that the cut on its right crosses; 0 at the end of the component."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """Neighbouring pieces, first to last, that may be a digit."""

    first: int
    last: int
    image: NDArray[np.uint8]
    """In MNIST's format, (28, 28) unless the model reads another size."""
    box: tuple[int, int, int, int]
    """left, top, right, bottom in the line."""
    cuts: float
    """The number of strokes that were cut on its two sides together."""
    gap: float
    """The widest gap between its components, in heights; negative if they overlap."""
    whole: bool
    """Whether the candidate consists of all pieces of its components."""


def cut(line: TextLine) -> list[Piece]:
    """All pieces of a line, from left to right."""
    from scipy.ndimage import find_objects

    ink = line.coverage > 0.5
    numbers = np.where(line.coverage > 0.1, line.component + 1, 0)
    pieces = []
    for component, place in enumerate(find_objects(numbers, max_label=line.components)):
        if place is None:
            continue
        mask = numbers[place] == component + 1
        coverage = np.where(mask, line.coverage[place], 0)
        seams, costs = _seams(ink[place] & mask, line.stroke)
        columns = np.arange(mask.shape[1])
        edges = [np.zeros(len(mask), int), *seams, np.full(len(mask), mask.shape[1])]
        costs = [0.0, *costs, 0.0]
        for i in range(len(edges) - 1):
            between = (columns >= edges[i][:, None]) & (columns < edges[i + 1][:, None])
            piece = np.where(between, coverage, 0)
            rows, across = (np.flatnonzero(piece.max(axis=1 - axis) > 0.3) for axis in (0, 1))
            if len(rows) and len(across):
                tight = slice(rows[0], rows[-1] + 1), slice(across[0], across[-1] + 1)
                moved = tuple(slice(s.start + p.start, s.stop + p.start) for s, p in zip(tight, place, strict=True))
                pieces.append(Piece((moved[0], moved[1]), piece[tight], component, costs[i], costs[i + 1]))
    # Pieces are ordered from left to right by their middles, but those of one component by its cuts.
    middles = [(p.place[1].start + p.place[1].stop) / 2 for p in pieces]
    for i in range(1, len(pieces)):
        if pieces[i].component == pieces[i - 1].component:
            middles[i] = max(middles[i], middles[i - 1] + 1e-3)
    return [pieces[i] for i in np.argsort(middles, kind="stable")]


def _seams(ink: NDArray[np.bool_], stroke: float) -> tuple[list[NDArray[np.intp]], list[float]]:
    """Cuts through a component: for each, its column in each row and the number of strokes that it crosses.

    A cut is a shortest path from top to bottom that moves at most a pixel to the left or right in each row. The cost of
    the best path through (y, x) is S[y,x] = T[y,x] + B[y,x] - c[y,x]. T is the least cost from the top,
    T[y,x] = c[y,x] + min(T[y-1,x], s + T[y-1,x-1], s + T[y-1,x+1]), and B from the bottom; c is 1 in ink and 0 on
    paper, s is SIDESTEP_COST. The paths through the minima of S along a few rows are taken.

    Source: Wang and Jean 1993, "Segmentation of merged characters by neural networks and shortest path".
    """
    height, width = ink.shape
    if width < 0.3 * HEIGHT or height < 0.3 * HEIGHT:
        return [], []
    cost = ink.astype(np.float32)
    down = path_costs(cost)
    up = path_costs(cost[::-1])[::-1]
    total = down + up - cost
    reach = max(2, round(0.06 * HEIGHT))
    found: list[tuple[float, NDArray[np.intp]]] = []
    for share in (0.5, 0.3, 0.7, 0.12, 0.88):
        row = min(height - 1, int(share * height))
        at = _minima(total[row], reach)
        if at:
            seams = follow_paths(down, up, row, at)
            crossed = cost[np.arange(height), seams].sum(axis=1) / stroke
            found += zip(crossed.tolist(), seams, strict=True)
    found.sort(key=lambda pair: pair[0])
    columns = np.arange(width)
    area = ink.sum()
    kept: list[tuple[float, NDArray[np.intp], NDArray[np.bool_]]] = []
    for crosses, seam in found:
        if crosses > _MAX_CUT or len(kept) >= 4 + 7 * width / HEIGHT:
            break
        left = ink & (columns < seam[:, None])
        share = left.sum() / area
        if min(share, 1 - share) * area < 0.25 * HEIGHT * stroke * 0.6:
            continue
        if all((left ^ other).sum() > 0.12 * HEIGHT * stroke for _, _, other in kept):
            kept.append((crosses, seam, left))
    kept.sort(key=lambda triple: float(triple[1].mean()))
    ordered = list(np.maximum.accumulate([seam for _, seam, _ in kept])) if kept else []
    return ordered, [crossed for crossed, _, _ in kept]


def path_costs(cost: Array) -> Array:
    """The least cost of a path from the top row to each pixel, T in `_seams`. (H, W) -> (H, W)"""
    total = np.empty_like(cost)
    total[0] = cost[0]
    padded = np.full(cost.shape[1] + 2, np.inf, np.float32)
    for y in range(1, len(cost)):
        padded[1:-1] = total[y - 1]
        total[y] = cost[y] + np.minimum(padded[1:-1], np.minimum(padded[:-2], padded[2:]) + SIDESTEP_COST)
    return total


def _minima(profile: Array, reach: int) -> list[int]:
    """The minima of the profile within `reach`, without its ends. A flat minimum counts at its middle."""
    from scipy.ndimage import label, minimum_filter1d

    lowest = profile <= minimum_filter1d(profile, 2 * reach + 1, mode="nearest") + 1e-3
    runs, count = label(lowest)
    places = []
    for number in range(1, count + 1):
        at = np.flatnonzero(runs == number)
        if at[0] > 0 and at[-1] < len(profile) - 1:
            places.append(int(at[len(at) // 2]))
    return places


def follow_paths(down: Array, up: Array, row: int, at: list[int]) -> NDArray[np.intp]:
    """The column, in each row, of the shortest path through each of several columns of one row. (paths, H)"""
    seams = np.empty((len(at), len(down)), np.intp)
    seams[:, row] = at
    for total, rows, back in ((down, range(row - 1, -1, -1), 1), (up, range(row + 1, len(down)), -1)):
        step = _cheapest_steps(total)
        for y in rows:
            x = seams[:, y + back]
            seams[:, y] = x + step[y, x]
    return seams


def _cheapest_steps(total: Array) -> NDArray[np.intp]:
    """The step, 0, -1 or 1, to the cheapest pixel of each row from the column x of the next one. (H, W) -> (H, W)"""
    padded = np.pad(total, ((0, 0), (1, 1)), constant_values=np.inf)
    costs = [padded[:, 1:-1], padded[:, :-2] + SIDESTEP_COST, padded[:, 2:] + SIDESTEP_COST]
    steps: NDArray[np.intp] = np.array([0, -1, 1])[np.argmin(costs, axis=0)]
    return steps


def candidates(line: TextLine, pieces: list[Piece], shape: Shape = SHAPE) -> list[Candidate]:
    """All runs of pieces that may be a digit, by their first piece and their length."""
    counts = np.bincount([piece.component for piece in pieces], minlength=line.components)
    result = []
    for first in range(len(pieces)):
        for last in range(first, len(pieces)):
            run = pieces[first : last + 1]
            if last > first and _width(run) > _MAX_WIDTH * HEIGHT:
                break
            whole = bool(sum(counts[k] for k in {piece.component for piece in run}) == len(run))
            candidate = _join(run, first, last, whole, shape) if whole or len(run) <= MAX_PIECES else None
            if candidate is not None:
                result.append(candidate)
    return result


def _width(run: list[Piece]) -> int:
    return int(max(p.place[1].stop for p in run) - min(p.place[1].start for p in run))


def _join(run: list[Piece], first: int, last: int, whole: bool, shape: Shape) -> Candidate | None:
    top, bottom = min(p.place[0].start for p in run), max(p.place[0].stop for p in run)
    left, right = min(p.place[1].start for p in run), max(p.place[1].stop for p in run)
    height, width = bottom - top, right - left
    if height < 0.3 * HEIGHT or height > 2.2 * HEIGHT:
        return None
    gap = -1.0
    reached = run[0].place[1].stop
    for p in run[1:]:
        gap = max(gap, (p.place[1].start - reached) / HEIGHT)
        reached = max(reached, p.place[1].stop)
    if gap > 0.5:
        return None
    canvas = np.zeros((height, width), np.float32)
    for p in run:
        rows, columns = (slice(s.start - o, s.stop - o) for s, o in zip(p.place, (top, left), strict=True))
        np.maximum(canvas[rows, columns], p.coverage, out=canvas[rows, columns])
    components = {p.component for p in run}
    # For each component, the left cut of its first piece and the right cut of its last.
    cuts = 0.0
    for component in components:
        own = [p for p in run if p.component == component]
        cuts += own[0].before + own[-1].after
    if len(components) == 1:
        gap = -1.0
    return Candidate(first, last, centre(fit_box(canvas, shape), shape), (left, top, right, bottom), cuts, gap, whole)
