"""Divides the ink of a line among its characters, of which the line reader knows only where each of them is."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from digitscope.arrays import Array

INKED = 0.3
"""The probability from which on a pixel is ink."""
EDGE = 2
"""Distance, in pixels, up to which a paler pixel belongs to a stroke."""

Box = tuple[float, float, float, float]
"""left, top, right, bottom in pixels of the ink"""


def box_of_ink(ink: Array) -> Box | None:
    """The bounding box; None if there is no ink. Shapes: (H, W), 0 paper to 1 ink"""
    inked = ink > INKED
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
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
        weights = np.where(labels > 0, ink, 0).ravel()
        columns = np.broadcast_to(np.arange(ink.shape[1]) + 0.5, ink.shape).ravel()
        self._mass = np.bincount(labels.ravel(), weights, count + 1)[1:]
        self._centres: Array = np.bincount(labels.ravel(), weights * columns, count + 1)[1:] / self._mass
        # A pale pixel belongs to the nearest component, if that is no more than EDGE pixels away.
        distance, (row, column) = distance_transform_edt(labels == 0, return_indices=True)
        self._ink, self._nearest = ink, np.where((distance <= EDGE) & (count > 0), labels[row, column], 0)

    def divide(self, places: Sequence[Place]) -> list[Array]:
        """The ink of each character, in places from left to right. Shapes: (H, W) for each

        Each component belongs to the character to whose place its ink is nearest. A character whose own components are
        lower than it is gets one of a neighbour: the whole, if that one has another; otherwise the two touch, and the
        component is cut between their places, in the column with the least ink. What is then out of reach of a
        character's largest component belongs to none: it is a piece of a frame, or a speck.
        """
        owners = self._nearest_places(places)
        for character, place in enumerate(places):
            if place.height and self._height(_own(owners, character)) < place.height:
                self._give(owners, character, places)
        divided = [np.zeros_like(self._ink) for _ in places]
        for character, place in enumerate(places):
            for component in self._within_reach(_own(owners, character), place.reach):
                columns, part = self._part(component, character, owners[component], places)
                divided[character][:, columns] += part
        return divided

    def _nearest_places(self, places: Sequence[Place]) -> list[list[int]]:
        """The character of each component, in a list of one; an empty list if there are only spaces."""
        columns = np.array([place.column if place.height else np.inf for place in places])
        if not np.isfinite(columns).any():
            return [[] for _ in self._centres]
        return [[int(np.abs(columns - centre).argmin())] for centre in self._centres]

    def _give(self, owners: list[list[int]], character: int, places: Sequence[Place]) -> None:
        """Gives a character that has too little the nearest component that is high enough, or a part of it."""
        column, height, _ = places[character]
        own = _own(owners, character)
        high = [c for c in range(len(owners)) if c not in own and self._height([c]) >= height]
        if not high:
            return
        nearest = min(high, key=lambda c: self._distance(c, column))
        left, right = self._columns[nearest]
        if self._distance(nearest, column) > right - left:
            return
        of = owners[nearest]
        others = [c for c in _own(owners, of[0]) if c != nearest]
        if len(of) == 1 and self._height(others) >= places[of[0]].height:
            owners[nearest] = [character]
        else:
            owners[nearest] = sorted([*of, character])

    def _within_reach(self, components: list[int], reach: float) -> list[int]:
        """The largest component, and those that a chain of short gaps joins to it."""
        if not components or np.isinf(reach):
            return components
        joined = [max(components, key=lambda c: self._mass[c])]
        for component in joined:  # which grows
            joined += [c for c in components if c not in joined and self._gap(c, component) <= reach]
        return joined

    def _gap(self, component: int, other: int) -> int:
        """Between the bounding boxes."""
        pairs = ((extents[component], extents[other]) for extents in (self._rows, self._columns))
        return max(max(a[0] - b[1], b[0] - a[1], 0) for a, b in pairs)

    def _height(self, components: Sequence[int]) -> int:
        """From the top of the uppermost to the bottom of the lowest; 0 for none."""
        if not components:
            return 0
        return max(self._rows[c][1] for c in components) - min(self._rows[c][0] for c in components)

    def _distance(self, component: int, place: float) -> float:
        """0 inside of the component"""
        left, right = self._columns[component]
        return max(0.0, left - place, place - right)

    def _part(self, component: int, character: int, of: list[int], places: Sequence[Place]) -> tuple[slice, Array]:
        """A character's columns of a component, and its ink in them."""
        left, right = max(0, self._columns[component][0] - EDGE), self._columns[component][1] + EDGE
        mask = self._nearest[:, left:right] == component + 1
        part = np.where(mask, self._ink[:, left:right], 0)
        limits = [0, *_cuts(part.sum(axis=0), [places[c].column - left for c in of]), part.shape[1]]
        begin, end = limits[of.index(character) :][:2]
        return slice(left + begin, left + end), part[:, begin:end]


def _own(owners: Sequence[Sequence[int]], character: int) -> list[int]:
    return [component for component, of in enumerate(owners) if character in of]


def _cuts(columns: Array, places: Sequence[float]) -> list[int]:
    """Between each two places the column with the least ink, in the middle half of what lies between them."""
    cuts = []
    for one, other in pairwise(np.clip(places, 0, len(columns) - 1)):
        quarter = (other - one) / 4
        low = int(one + quarter)
        between = columns[low : max(low + 1, int(np.ceil(other - quarter)))]
        cuts.append(low + int(between.argmin()))
    return cuts
