"""Divides the ink of a line among its characters, of which the line reader knows only where each of them is."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array

INKED = 0.3
"""The probability from which on a pixel is ink."""
EDGE = 2
"""Distance, in pixels, up to which a paler pixel belongs to a stroke."""

CUTS = 7
"""Number of cuts that are tried between two characters that touch."""
SLANTS = (-0.3, 0.0, 0.3, 0.6)
"""Slants of the cuts: columns to the right for each row up."""

Box = tuple[float, float, float, float]
"""left, top, right, bottom in pixels of the line's ink"""


class Strokes(NamedTuple):
    """A character's ink."""

    ink: Array
    """(H, w), 0 paper to 1 ink: columns of the line."""
    left: int
    """The first of them."""


Cuttings = list[list[Strokes]]
"""A character's ink for each cut at its left and each at its right: one where nothing touches it."""


def box_of_ink(strokes: Strokes) -> Box | None:
    """The bounding box; None if there is no ink."""
    inked = strokes.ink > INKED
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0)) + strokes.left
    if not len(rows):
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


class Place(NamedTuple):
    """Where a character is, and what is known of its ink. Lengths are in pixels of the ink."""

    column: float
    height: float
    """The least that its ink is high if it stands by itself; 0 for a space, which has no ink."""
    reach: float = np.inf
    """The greatest distance between its parts."""
    within: float = np.inf
    """The greatest distance of its ink from the column."""


class InkComponents:
    """The connected components of a line's ink, which can be divided among the characters of several texts.

    ink: (H, W), 0 paper to 1 ink
    """

    def __init__(self, ink: Array) -> None:
        from scipy.ndimage import distance_transform_edt, find_objects, label

        labels, count = label(ink > INKED, np.ones((3, 3)))
        boxes = [box for box in find_objects(labels) if box is not None]
        self._rows: list[tuple[int, int]] = [(rows.start, rows.stop) for rows, _ in boxes]
        self._columns: list[tuple[int, int]] = [(columns.start, columns.stop) for _, columns in boxes]
        self._corners = np.array([(r.start, c.start, r.stop, c.stop) for r, c in boxes]).reshape(-1, 4).T
        weights = np.where(labels > 0, ink, 0).ravel()
        columns = np.broadcast_to(np.arange(ink.shape[1]) + 0.5, ink.shape).ravel()
        self._mass = np.bincount(labels.ravel(), weights, count + 1)[1:]
        self._centres: Array = np.bincount(labels.ravel(), weights * columns, count + 1)[1:] / self._mass
        # A pale pixel belongs to the nearest component, if that is no more than EDGE pixels away.
        distance, (row, column) = distance_transform_edt(labels == 0, return_indices=True)
        self._ink, self._nearest = ink, np.where((distance <= EDGE) & (count > 0), labels[row, column], 0)

    def divide(self, places: Sequence[Place]) -> list[Cuttings]:
        """The ink of each character, in places from left to right, cut in every way.

        Each component belongs to the character to whose place its ink is nearest. A character whose own components are
        lower than it is gets one of a neighbour: the whole, if that one has another; otherwise the two touch, and the
        component is cut between their places, along the straight line with the least ink in each of CUTS windows. What
        is then out of reach of a character's largest component belongs to none: it is a piece of a frame, or a speck.
        So does what is not within a sign's distance of its place: it is in `others`.
        """
        owners = self._nearest_places(places)
        for character, place in enumerate(places):
            if place.height and self._height(_own(owners, character)) < place.height:
                self._give(owners, character, places)
        touching = {pair for of in owners for pair in pairwise(of) if pair[1] == pair[0] + 1}
        ways = [CUTS if (k - 1, k) in touching else 1 for k in range(len(places) + 1)]
        cuts = {c: self._cuts(c, of, places) for c, of in enumerate(owners) if len(of) > 1}
        divided = []
        for character, place in enumerate(places):
            own = self._within_reach(_own(owners, character), place.reach)
            parts = [(c, owners[c].index(character), cuts.get(c)) for c in own]
            divided.append(
                [
                    [self._cut_out(parts, left, right) for right in range(ways[character + 1])]
                    for left in range(ways[character])
                ]
            )
        return divided

    def others(self, places: Sequence[Place], height: float) -> list[Box]:
        """The boxes of writing that belongs to no character, because it is too far from a sign's place.

        height: of the lowest component that is writing, and the greatest gap within a word
        """
        owners = self._nearest_places(places)
        none = [c for c, of in enumerate(owners) if not of and self._height([c]) >= height]
        words: list[list[int]] = []
        for component in sorted(none, key=lambda c: self._columns[c]):
            if not words or self._columns[component][0] - max(self._columns[c][1] for c in words[-1]) > height:
                words.append([])
            words[-1].append(component)
        corners = (self._corners[:, word] for word in words)
        return [(c[1].min(), c[0].min(), c[3].max(), c[2].max()) for c in corners]

    def _nearest_places(self, places: Sequence[Place]) -> list[list[int]]:
        """The character of each component, in a list of one; an empty list if it is too far, or if all are spaces."""
        columns = np.array([place.column if place.height else np.inf for place in places])
        if not np.isfinite(columns).any():
            return [[] for _ in self._centres]
        nearest = [int(np.abs(columns - centre).argmin()) for centre in self._centres]
        return [[k] if self._distance(c, places[k].column) <= places[k].within else [] for c, k in enumerate(nearest)]

    def _give(self, owners: list[list[int]], character: int, places: Sequence[Place]) -> None:
        """Gives a character that has too little the nearest component that is high enough, or a part of it."""
        column, height = places[character][:2]
        own = _own(owners, character)
        high = [c for c in range(len(owners)) if c not in own and self._height([c]) >= height]
        if not high:
            return
        nearest = min(high, key=lambda c: self._distance(c, column))
        left, right = self._columns[nearest]
        if self._distance(nearest, column) > right - left:
            return
        of = owners[nearest]
        others = [c for c in _own(owners, of[0]) if c != nearest] if of else []
        if not of or (len(of) == 1 and self._height(others) >= places[of[0]].height):
            owners[nearest] = [character]
        else:
            owners[nearest] = sorted([*of, character])

    def _within_reach(self, components: list[int], reach: float) -> list[int]:
        """The largest component, and those that a chain of short gaps joins to it."""
        if not components or np.isinf(reach):
            return components
        joined = [max(components, key=lambda c: self._mass[c])]
        rest = np.array([c for c in components if c != joined[0]], int)
        for component in joined:  # which grows
            near = self._gaps(component, rest) <= reach
            joined += rest[near].tolist()
            rest = rest[~near]
        return joined

    def _gaps(self, component: int, others: NDArray[np.intp]) -> Array:
        """Between a component's bounding box and those of others, (N,); 0 if they overlap."""
        first, last = self._corners[:, component], self._corners[:, others]
        gaps: Array = np.maximum(first[:2, None] - last[2:], last[:2] - first[2:, None]).max(axis=0, initial=0)
        return gaps

    def _height(self, components: Sequence[int]) -> int:
        """From the top of the uppermost to the bottom of the lowest; 0 for none."""
        if not components:
            return 0
        return max(self._rows[c][1] for c in components) - min(self._rows[c][0] for c in components)

    def _distance(self, component: int, place: float) -> float:
        """0 inside of the component"""
        left, right = self._columns[component]
        return max(0.0, left - place, place - right)

    def _cut_out(self, parts: Sequence[tuple[int, int, "Array | None"]], left: int, right: int) -> Strokes:
        """A character's parts of components, each from cut number `left` on its left to number `right` on its right.

        parts: each component, the character's number among its owners, and the cuts between these
        """
        extents = [self._columns[component] for component, _, _ in parts]
        begin = max(0, min((first for first, _ in extents), default=0) - EDGE)
        ink = np.zeros((len(self._ink), max((last for _, last in extents), default=0) + EDGE - begin), self._ink.dtype)
        ink = ink[:, : self._ink.shape[1] - begin]
        for component, k, cuts in parts:
            first, last = max(0, self._columns[component][0] - EDGE), self._columns[component][1] + EDGE
            mask = self._nearest[:, first:last] == component + 1
            if cuts is not None:
                columns = np.arange(first, first + mask.shape[1])
                if k > 0:
                    mask &= columns >= cuts[k - 1, left, :, None]
                if k < len(cuts):
                    mask &= columns < cuts[k, right, :, None]
            ink[:, first - begin : last - begin] += np.where(mask, self._ink[:, first:last], 0)
        return Strokes(ink, begin)

    def _cuts(self, component: int, of: list[int], places: Sequence[Place]) -> Array:
        """For each two neighbouring owners of a component, in each row the first column of the right one's ink.

        Shapes: (owners - 1, CUTS, H)
        """
        (top, bottom), (left, right) = self._rows[component], self._columns[component]
        strokes = np.pad(np.where(self._nearest == component + 1, self._ink, 0)[:, left:right], ((0, 0), (1, 1)))
        rows = np.arange(len(strokes))
        columns = np.arange(left - 1, right + 2)  # where a line may cross the middle row
        rise = np.array(SLANTS)[:, None, None] * ((top + bottom - 1) / 2 - rows)
        lines = np.rint(columns[:, None] + rise).astype(int)  # (slants, columns, H)
        crossed = strokes[rows, np.clip(lines - left + 1, 0, strokes.shape[1] - 1)].sum(axis=2)
        cuts = []
        for one, other in pairwise(np.clip([places[k].column for k in of], left, right - 1)):
            width = max(1.0, (other - one) / 4)
            windows = []
            for centre in np.linspace(one, other, CUTS):
                distance = np.abs(columns - centre)
                costs = np.where(distance <= width, crossed + 1e-3 * distance, np.inf)
                windows.append(lines.reshape(-1, len(rows))[costs.argmin()])
            cuts.append(windows)
        return np.array(cuts)


def _own(owners: Sequence[Sequence[int]], character: int) -> list[int]:
    return [component for component, of in enumerate(owners) if character in of]


def middle(cuttings: Cuttings) -> Strokes:
    """The character's ink between the middle cuts."""
    return cuttings[len(cuttings) // 2][len(cuttings[0]) // 2]


def best_cuts(scores: Sequence[Array]) -> list[tuple[int, int]]:
    """The cuts at the left and right of each character with the highest sum of scores (Viterbi 1967).

    scores: of each character, for each cut at its left and each at its right, (L, R). R is the L of the next one.
    """
    best, ways = np.zeros(1), []
    for score in scores:
        total = best[:, None] + score
        ways.append(total.argmax(axis=0))
        best = total.max(axis=0)
    right, path = int(best.argmax()), []
    for way in reversed(ways):
        path.append((int(way[right]), right))
        right = path[-1][0]
    return path[::-1]
