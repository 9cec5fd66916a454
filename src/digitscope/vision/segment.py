"""Cutting a line of writing into pieces of which digits may consist.

More cuts are made than there are digits (over-segmentation: LeCun, Bottou, Bengio and Haffner 1998, section V), so that
the right ones are among them. Each digit is then a run of neighbouring pieces, and which runs they are is left to
whoever knows digits. Lengths are in the line's pixels, `lines.HEIGHT` for the height of a digit.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.vision.lines import HEIGHT, TextLine
from digitscope.vision.normalize import centre, fit_box

_WIDEST = 1.6  # heights: what is wider is no digit
_MOST_PIECES = 9  # of one digit, if it is not all of its parts
_THICKEST = 3.6  # strokes: a cut through more ink is not tried
_SIDEWAYS = 0.25  # of a pixel of ink: what it costs a cut to step aside


@dataclass(frozen=True, eq=False)
class Piece:
    """Ink between two cuts."""

    place: tuple[slice, slice]
    coverage: Array
    part: int
    """The part of the line's ink that it was cut from."""
    before: float
    """The strokes that the cut at its left crosses, 0 where the part begins."""
    after: float
    """The same at its right."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """Neighbouring pieces, first to last, that may be a digit."""

    first: int
    last: int
    image: NDArray[np.uint8]
    """(28, 28): in MNIST's form."""
    box: tuple[int, int, int, int]
    """left, top, right, bottom in the line."""
    cuts: float
    """The strokes that were cut to free it, at both of its sides."""
    gap: float
    """The widest gap between its parts, in heights; negative where they overlap."""
    whole: bool
    """Whether it is all of its parts."""


def cut(line: TextLine) -> list[Piece]:
    """All pieces of a line, from left to right."""
    from scipy.ndimage import find_objects

    ink = line.coverage > 0.5
    numbers = np.where(line.coverage > 0.1, line.part + 1, 0)
    pieces = []
    for part, place in enumerate(find_objects(numbers, max_label=line.parts)):
        if place is None:
            continue
        own = numbers[place] == part + 1
        coverage = np.where(own, line.coverage[place], 0)
        seams, costs = _seams(ink[place] & own, line.stroke)
        columns = np.arange(own.shape[1])
        edges = [np.zeros(len(own), int), *seams, np.full(len(own), own.shape[1])]
        costs = [0.0, *costs, 0.0]
        for i in range(len(edges) - 1):
            between = (columns >= edges[i][:, None]) & (columns < edges[i + 1][:, None])
            piece = np.where(between, coverage, 0)
            rows, across = (np.flatnonzero(piece.max(axis=1 - axis) > 0.3) for axis in (0, 1))
            if len(rows) and len(across):
                tight = slice(rows[0], rows[-1] + 1), slice(across[0], across[-1] + 1)
                moved = tuple(slice(s.start + p.start, s.stop + p.start) for s, p in zip(tight, place, strict=True))
                pieces.append(Piece((moved[0], moved[1]), piece[tight], part, costs[i], costs[i + 1]))
    # From left to right by the middle, but the pieces of one part as they were cut.
    middles = [(p.place[1].start + p.place[1].stop) / 2 for p in pieces]
    for i in range(1, len(pieces)):
        if pieces[i].part == pieces[i - 1].part:
            middles[i] = max(middles[i], middles[i - 1] + 1e-3)
    return [pieces[i] for i in np.argsort(middles, kind="stable")]


def _seams(ink: NDArray[np.bool_], stroke: float) -> tuple[list[NDArray[np.intp]], list[float]]:
    """Where a part may be cut: for each cut its column in each row, and how many strokes it crosses.

    A cut goes from the top to the bottom, each row at most a pixel further left or right, and is the one with the least
    ink through a given place (y, x): S[y,x] = T[y,x] + B[y,x] - c[y,x], where T is the least cost from the top,
    T[y,x] = c[y,x] + min(T[y-1,x], s + T[y-1,x-1], s + T[y-1,x+1]), B the same from the bottom, c is 1 in ink and 0 on
    paper. Those through the minima of S along a few rows are taken.

    Source: shortest paths as cuts as in Wang and Jean 1993, "Segmentation of merged characters by neural networks and
    shortest path".
    """
    height, width = ink.shape
    if width < 0.3 * HEIGHT or height < 0.3 * HEIGHT:
        return [], []
    cost = ink.astype(np.float32)
    down = _least(cost)
    up = _least(cost[::-1])[::-1]
    total = down + up - cost
    reach = max(2, round(0.06 * HEIGHT))
    found: list[tuple[float, NDArray[np.intp]]] = []
    for share in (0.5, 0.3, 0.7, 0.12, 0.88):
        row = min(height - 1, int(share * height))
        at = _minima(total[row], reach)
        if at:
            seams = _follow(down, up, row, at)
            crossed = cost[np.arange(height), seams].sum(axis=1) / stroke
            found += zip(crossed.tolist(), seams, strict=True)
    found.sort(key=lambda pair: pair[0])
    columns = np.arange(width)
    area = ink.sum()
    kept: list[tuple[float, NDArray[np.intp], NDArray[np.bool_]]] = []
    for crosses, seam in found:
        if crosses > _THICKEST or len(kept) >= 4 + 7 * width / HEIGHT:
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


def _least(cost: Array) -> Array:
    """The least cost of a way from the top to each place, its own included."""
    total = np.empty_like(cost)
    total[0] = cost[0]
    padded = np.full(cost.shape[1] + 2, np.inf, np.float32)
    for y in range(1, len(cost)):
        padded[1:-1] = total[y - 1]
        total[y] = cost[y] + np.minimum(padded[1:-1], np.minimum(padded[:-2], padded[2:]) + _SIDEWAYS)
    return total


def _minima(profile: Array, reach: int) -> list[int]:
    """Where the profile is smallest within the reach, but not at its ends; the middle of each such stretch."""
    from scipy.ndimage import label, minimum_filter1d

    lowest = profile <= minimum_filter1d(profile, 2 * reach + 1, mode="nearest") + 1e-3
    runs, count = label(lowest)
    places = []
    for number in range(1, count + 1):
        at = np.flatnonzero(runs == number)
        if at[0] > 0 and at[-1] < len(profile) - 1:
            places.append(int(at[len(at) // 2]))
    return places


def _follow(down: Array, up: Array, row: int, at: list[int]) -> NDArray[np.intp]:
    """The column in each row of the least cut through each of several places of a row. (cuts, H)"""
    height = len(down)
    seams = np.empty((len(at), height), np.intp)
    seams[:, row] = at
    steps = np.array([[0], [-1], [1]])
    price = np.array([[0], [_SIDEWAYS], [_SIDEWAYS]], np.float32)
    for total, rows, back in ((down, range(row - 1, -1, -1), 1), (up, range(row + 1, height), -1)):
        padded = np.pad(total, ((0, 0), (1, 1)), constant_values=np.inf)
        for y in rows:
            ways = seams[:, y + back] + steps
            best = (padded[y, ways + 1] + price).argmin(axis=0)
            seams[:, y] = ways[best, np.arange(len(best))]
    return seams


def candidates(line: TextLine, pieces: list[Piece]) -> list[Candidate]:
    """All runs of pieces that may be a digit, by their first piece and their length."""
    counts = np.bincount([piece.part for piece in pieces], minlength=line.parts)
    result = []
    for first in range(len(pieces)):
        for last in range(first, len(pieces)):
            run = pieces[first : last + 1]
            if last > first and _width(run) > _WIDEST * HEIGHT:
                break
            whole = bool(sum(counts[part] for part in {piece.part for piece in run}) == len(run))
            candidate = _join(run, first, last, whole) if whole or len(run) <= _MOST_PIECES else None
            if candidate is not None:
                result.append(candidate)
    return result


def _width(run: list[Piece]) -> int:
    return int(max(p.place[1].stop for p in run) - min(p.place[1].start for p in run))


def _join(run: list[Piece], first: int, last: int, whole: bool) -> Candidate | None:
    top, bottom = min(p.place[0].start for p in run), max(p.place[0].stop for p in run)
    left, right = min(p.place[1].start for p in run), max(p.place[1].stop for p in run)
    height, width = bottom - top, right - left
    if height < 0.3 * HEIGHT or height > 2.2 * HEIGHT:
        return None
    ends: dict[int, int] = {}
    for p in run:
        ends[p.part] = max(ends.get(p.part, 0), p.place[1].stop)
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
    parts = {p.part for p in run}
    # Of each part, the first piece's left cut and the last one's right cut.
    cuts = 0.0
    for part in parts:
        own = [p for p in run if p.part == part]
        cuts += own[0].before + own[-1].after
    if len(parts) == 1:
        gap = -1.0
    return Candidate(first, last, centre(fit_box(canvas)), (left, top, right, bottom), cuts, gap, whole)
