"""Fits the sixteen weights by which vision/ink.py chooses the digit among the connected components of a picture.

    uv run python -m benchmarks.fit_ink

Photos of one digit are generated, of every kind in turn. With the scores as logits, the probability that the digit is
chosen is the sum of the softmax over all components that are the digit,

    P = sum_{i in digit} exp(w . f_i) / sum_i exp(w . f_i),   d(log P)/dw = E[f | digit] - E[f],

a conditional logit (McFadden 1974). A component is the digit if each side of its box is where the digit's is, except
for a tenth of its size and two pixels. The weights in the source are not changed; the record compares both on photos
from another seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.fitting import fit_and_compare
from digitscope.arrays import Array
from digitscope.datasets import load_mnist
from digitscope.synthetic.photos import KINDS, photograph_digit
from digitscope.vision.decode import shrink
from digitscope.vision.ink import WEIGHTS, InkComponent, ink_candidates
from digitscope.vision.paper import ink_axis, project_colours
from digitscope.vision.prepare import WORKING

NAMES = tuple(WEIGHTS)


@dataclass(frozen=True, eq=False)
class Choice:
    """The components of a photo."""

    features: Array
    """(components, features)"""
    is_digit: NDArray[np.bool_]
    """(components,)"""


@cache
def _images() -> NDArray[np.uint8]:
    return load_mnist()[0][0]


def photo_choice(seed: int, k: int) -> Choice | None:
    """The components of the k-th photo; None if none of them is the digit."""
    rng = np.random.default_rng([seed, k])
    image = _images()[rng.integers(len(_images()))]
    photo = photograph_digit(image, rng, kind=list(KINDS)[k % len(KINDS)])
    colours = shrink(photo.pixels, WORKING)
    rgb = colours.astype(np.float32) / 255
    candidates = list(ink_candidates(project_colours(rgb, ink_axis(rgb))))
    box = photo.boxes[0] * max(colours.shape[:2]) / max(photo.pixels.shape[:2])
    tolerance = 0.1 * max(box[2] - box[0], box[3] - box[1]) + 2
    is_digit = [bool(np.abs(component_box(c.component) - box).max() <= tolerance) for c in candidates]
    if not any(is_digit):
        return None
    features = [[c.features.get(name, 0.0) for name in NAMES] for c in candidates]
    return Choice(np.array(features), np.array(is_digit))


def component_box(component: InkComponent) -> Array:
    """left, top, right, bottom"""
    rows, columns = (np.flatnonzero(component.mask.any(axis=1 - axis)) for axis in (0, 1))
    top, left = (s.start for s in component.place)
    return np.array([left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1])


def log_probability(choice: Choice, weights: Array) -> tuple[float, Array]:
    """log P that the digit is chosen, and its gradient."""
    scores = choice.features @ weights
    log_all = float(np.logaddexp.reduce(scores))
    log_digit = float(np.logaddexp.reduce(scores[choice.is_digit]))
    among_all, among_digit = np.exp(scores - log_all), np.exp(scores[choice.is_digit] - log_digit)
    gradient: Array = among_digit @ choice.features[choice.is_digit] - among_all @ choice.features
    return log_digit - log_all, gradient


def is_right(choice: Choice, weights: Array) -> bool:
    return bool(choice.is_digit[int((choice.features @ weights).argmax())])


def main(arguments: Sequence[str] | None = None) -> None:
    fit_and_compare(
        "ink", __doc__, 360, WEIGHTS, np.zeros(len(WEIGHTS)), photo_choice, log_probability, is_right, arguments
    )


if __name__ == "__main__":
    main()
