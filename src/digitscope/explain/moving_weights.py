"""A question to answer before a step is shown: which of these weights moves most?"""

from dataclasses import dataclass

import numpy as np

from digitscope.errors import ShapeError
from digitscope.explain.descent import DescentStep
from digitscope.explain.term import Index
from digitscope.explain.update_rules import UPDATED

_RANKS = (1.0, 0.5, 0.1, 0.0)
"""How far each candidate's movement is meant to be from 0 to the largest."""
_TIE = 1e-6
"""Movements that differ by less, relative to the largest, count as equal."""


@dataclass(frozen=True)
class MovingWeights:
    """Weights of one layer, and how far each of them moves in a step."""

    name: str
    """The array's."""
    candidates: tuple[Index, ...]
    moves: tuple[float, ...]
    """The number after the step minus the number before it."""

    @property
    def answers(self) -> tuple[int, ...]:
        """Which of the candidates move most: one, or several if they move equally far."""
        distances = np.abs(self.moves)
        return tuple(np.flatnonzero(distances >= distances.max() * (1 - _TIE)).tolist())


def moving_weights(step: DescentStep, seed: int) -> MovingWeights:
    """Weights of the first layer that has any: the one that moves most, and others that move half, a tenth and least as
    far, in an order drawn from the seed.

    Raises: ShapeError for a network without parameters.
    """
    names = list(step.updates)
    if not names:
        raise ShapeError("No weight moves: the network has no parameters.")
    name = next((name for name in names if name.endswith("weight")), names[0])
    moves = step.array(f"{UPDATED}{name}") - step.array(name)
    distances = np.nan_to_num(np.abs(moves).ravel())
    rng = np.random.default_rng([seed, step.step])
    chosen: list[int] = []
    for rank in _RANKS[: distances.size]:
        away = np.abs(distances - rank * distances.max())
        away[chosen] = np.inf
        chosen.append(int(rng.choice(np.flatnonzero(away == away.min()))))
    order = rng.permutation(len(chosen))
    places = [tuple(map(int, np.unravel_index(chosen[i], moves.shape))) for i in order]
    return MovingWeights(name, tuple(places), tuple(float(moves[place]) for place in places))
