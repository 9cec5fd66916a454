"""Divides the ink of a line among its characters, of which the line reader knows only where each of them is."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

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


class InkComponents:
    """The connected components of a line's ink, which can be divided among the characters of several texts.

    ink: (H, W), 0 paper to 1 ink
    """

    def __init__(self, ink: Array) -> None:
        from scipy.ndimage import distance_transform_edt, find_objects, label

        labels, count = label(ink > INKED, np.ones((3, 3)))
        boxes = [box for box in find_objects(labels) if box is not None]
        self._rows = [(rows.start, rows.stop) for rows, _ in boxes]
        self._columns = [(columns.start, columns.stop) for _, columns in boxes]
        weights = np.where(labels > 0, ink, 0).ravel()
        columns = np.broadcast_to(np.arange(ink.shape[1]) + 0.5, ink.shape).ravel()
        mass, moment = (np.bincount(labels.ravel(), w, count + 1)[1:] for w in (weights, weights * columns))
        self._centres: Array = moment / mass
        # A pale pixel belongs to the nearest component, if that is no more than EDGE pixels away.
        distance, (row, column) = distance_transform_edt(labels == 0, return_indices=True)
        self._ink, self._nearest = ink, np.where((distance <= EDGE) & (count > 0), labels[row, column], 0)

    def divide(self, places: Sequence[float], needs: Sequence[float]) -> list[Array]:
        """The ink of each character.

        Each component belongs to the character to whose place its ink is nearest. A character whose own components are
        lower than it needs gets one of a neighbour: the whole, if that one has another; otherwise the two touch, and
        the component is cut between their places, in the column with the least ink.

        places: the column of each character, from left to right; needs: the height in pixels that its own ink has at
            least; 0 for a space

        Shapes: -> (H, W) for each character
        """
        owners = self._nearest_places(np.array(places, float), np.array(needs, float))
        for character, need in enumerate(needs):
            if need > 0 and self._height(_own(owners, character)) < need:
                self._give(owners, character, places[character], needs)
        divided = [np.zeros_like(self._ink) for _ in places]
        for component, of in enumerate(owners):
            for character, columns, part in self._parts(component, of, places):
                divided[character][:, columns] += part
        return divided

    def _nearest_places(self, places: Array, needs: Array) -> list[list[int]]:
        """The character of each component, in a list of one; an empty list if there are only spaces."""
        inked = np.flatnonzero(needs > 0)
        if not len(inked):
            return [[] for _ in self._centres]
        return [[int(inked[np.abs(places[inked] - centre).argmin()])] for centre in self._centres]

    def _give(self, owners: list[list[int]], character: int, place: float, needs: Sequence[float]) -> None:
        """Gives a character that needs it the nearest component that is tall enough, or a part of it."""
        need, own = needs[character], _own(owners, character)
        tall = [c for c in range(len(owners)) if c not in own and self._height([c]) >= need]
        if not tall:
            return
        nearest = min(tall, key=lambda c: self._distance(c, place))
        left, right = self._columns[nearest]
        if self._distance(nearest, place) > right - left:
            return
        of = owners[nearest]
        others = [c for c in _own(owners, of[0]) if c != nearest]
        if len(of) == 1 and self._height(others) >= needs[of[0]]:
            owners[nearest] = [character]
        else:
            owners[nearest] = sorted([*of, character])

    def _height(self, components: Sequence[int]) -> int:
        """From the top of the uppermost to the bottom of the lowest; 0 for none."""
        if not components:
            return 0
        return max(self._rows[c][1] for c in components) - min(self._rows[c][0] for c in components)

    def _distance(self, component: int, place: float) -> float:
        """0 inside of the component"""
        left, right = self._columns[component]
        return max(0.0, left - place, place - right)

    def _parts(self, component: int, of: Sequence[int], places: Sequence[float]) -> Iterator[tuple[int, slice, Array]]:
        """Each character's columns and its ink in them."""
        if not of:
            return
        left, right = max(0, self._columns[component][0] - EDGE), self._columns[component][1] + EDGE
        mask = self._nearest[:, left:right] == component + 1
        part = np.where(mask, self._ink[:, left:right], 0)
        limits = [0, *_cuts(part.sum(axis=0), [places[c] - left for c in of]), part.shape[1]]
        for character, (begin, end) in zip(of, pairwise(limits), strict=True):
            yield character, slice(left + begin, left + end), part[:, begin:end]


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
