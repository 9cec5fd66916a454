"""Divides the ink of a line among its characters, of which the line reader knows only where each of them is."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array

INKED = 0.3
"""The probability from which on a pixel is ink."""

Box = tuple[float, float, float, float]
"""left, top, right, bottom in pixels of the ink"""


def divide(ink: Array, places: Sequence[float], needs: Sequence[float]) -> list[Array]:
    """The ink of each character.

    Each connected component belongs to the character to whose place its ink is nearest. A character whose own
    components are lower than it needs gets one of a neighbour: the whole, if that one has another; otherwise the two
    touch, and the component is cut between their places, in the column with the least ink.

    ink: (H, W), 0 paper to 1 ink; places: the column of each character, from left to right; needs: the height in pixels
    that its own ink has at least; 0 for a space

    Shapes: -> (H, W) for each character
    """
    from scipy.ndimage import label

    labels, count = label(ink > INKED, np.ones((3, 3)))
    if not count or not places:
        return [np.zeros_like(ink) for _ in places]
    owners = _Owners(ink, labels, count, np.array(places), np.array(needs))
    owners.give_to_those_in_need()
    return owners.divided()


def box_of_ink(ink: Array) -> Box | None:
    """The bounding box; None if there is no ink. Shapes: (H, W), 0 paper to 1 ink"""
    inked = ink > INKED
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    if not len(rows):
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


class _Owners:
    """Which characters each component belongs to."""

    def __init__(self, ink: Array, labels: NDArray[np.intp], count: int, places: Array, needs: Array) -> None:
        from scipy.ndimage import find_objects

        self._ink, self._labels, self._places, self._needs = ink, labels, places, needs
        boxes = [box for box in find_objects(labels) if box is not None]
        self._rows = [(rows.start, rows.stop) for rows, _ in boxes]
        self._columns = [(columns.start, columns.stop) for _, columns in boxes]
        weights = np.where(labels > 0, ink, 0)
        mass = np.bincount(labels.ravel(), weights.ravel(), count + 1)
        columns = np.broadcast_to(np.arange(ink.shape[1]) + 0.5, ink.shape)
        moment = np.bincount(labels.ravel(), (weights * columns).ravel(), count + 1)
        centres = moment[1:] / mass[1:]
        wanting = np.flatnonzero(needs > 0)
        self._of: list[list[int]] = [[] for _ in range(count)]
        if len(wanting):
            for component, centre in enumerate(centres):
                self._of[component] = [int(wanting[np.abs(places[wanting] - centre).argmin()])]

    def _own(self, character: int) -> list[int]:
        return [component for component, of in enumerate(self._of) if character in of]

    def _height(self, components: Sequence[int]) -> int:
        """From the top of the uppermost to the bottom of the lowest; 0 for none."""
        if not components:
            return 0
        return max(self._rows[c][1] for c in components) - min(self._rows[c][0] for c in components)

    def give_to_those_in_need(self) -> None:
        for character in np.flatnonzero(self._needs > 0).tolist():
            own = self._own(character)
            if self._height(own) >= self._needs[character]:
                continue
            tall = [c for c in range(len(self._of)) if c not in own and self._height([c]) >= self._needs[character]]
            if not tall:
                continue
            nearest = min(tall, key=lambda c: self._distance(c, self._places[character]))
            left, right = self._columns[nearest]
            if self._distance(nearest, self._places[character]) > right - left:
                continue
            of = self._of[nearest]
            others = [c for c in self._own(of[0]) if c != nearest] if len(of) == 1 else []
            if len(of) == 1 and self._height(others) >= self._needs[of[0]]:
                self._of[nearest] = [character]
            else:
                self._of[nearest] = sorted([*of, character])

    def _distance(self, component: int, place: float) -> float:
        """0 inside of the component"""
        left, right = self._columns[component]
        return max(0.0, left - place, place - right)

    def divided(self) -> list[Array]:
        """The ink of each character, with the pale pixels at its edge."""
        from scipy.ndimage import distance_transform_edt

        # A pale pixel belongs to the nearest component, if that is no more than two pixels away.
        distance, (rows, columns) = distance_transform_edt(self._labels == 0, return_indices=True)
        nearest = np.where(distance <= 2, self._labels[rows, columns], 0)
        divided = [np.zeros_like(self._ink) for _ in self._places]
        for component, of in enumerate(self._of):
            if not of:
                continue
            left, right = max(0, self._columns[component][0] - 2), self._columns[component][1] + 2
            mask = nearest[:, left:right] == component + 1
            part = np.where(mask, self._ink[:, left:right], 0)
            limits = [0, *self._cuts(part.sum(axis=0), self._places[of] - left), part.shape[1]]
            for character, (begin, end) in zip(of, pairwise(limits), strict=True):
                divided[character][:, left + begin : left + end] += part[:, begin:end]
        return divided

    @staticmethod
    def _cuts(columns: Array, places: Array) -> list[int]:
        """Between each two places the column with the least ink, in the middle half of what lies between them."""
        cuts = []
        for one, other in pairwise(np.clip(places, 0, len(columns) - 1)):
            quarter = (other - one) / 4
            low = int(one + quarter)
            between = columns[low : max(low + 1, int(np.ceil(other - quarter)))]
            cuts.append(low + int(between.argmin()))
        return cuts
