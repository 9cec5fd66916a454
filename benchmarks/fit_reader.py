"""Fits the seventeen weights by which reader.py chooses the digits of a line.

    uv run python -m benchmarks.fit_reader

Photos of one line of one to ten digits are generated, of every kind in turn, from images that no bundled model was
trained on. The first ink hypothesis under which exactly one line is found gives a graph of candidates. This graph is a
conditional random field; the probability of the right text is

    P = Z(text) / Z,   d(log P)/dw = E[features of the path | text] - E[features of the path]

Z and Z(text) are sums over all paths, and over those with this text, by the forward recursion; the expected features
come from the arcs' probabilities, by the forward and backward recursion. The weights in the source are not changed; the
record compares both on photos from another seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.fitting import fit_and_compare
from digitscope.arrays import Array
from digitscope.datasets import load_mnist
from digitscope.model import Model
from digitscope.reader import (
    CLASS_FEATURE,
    DIGIT_WEIGHTS,
    LEFT_OUT_WEIGHTS,
    WEIGHTS,
    Graph,
    arc_scores,
    build_graph,
    solve,
)
from digitscope.synthetic.photos import KINDS, photograph_numbers
from digitscope.vision.lines import find_lines
from digitscope.vision.segment import candidates, cut

NAMES = (*(f"digit: {name}" for name in DIGIT_WEIGHTS), *(f"left out: {name}" for name in LEFT_OUT_WEIGHTS))
UNSEEN = 5000
"""Number of images at the end of MNIST's training part that no bundled model was trained on."""


@dataclass(frozen=True, eq=False)
class Line:
    """The graph of a line, and the digits that are written in it."""

    graph: Graph
    text: tuple[int, ...]


@cache
def _unseen() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    (images, labels), _ = load_mnist()
    return images[-UNSEEN:], labels[-UNSEEN:]


@cache
def _model() -> Model:
    return Model.load()


def photo_line(seed: int, k: int) -> Line | None:
    """The line of the k-th photo; None if no ink hypothesis finds exactly one line."""
    rng = np.random.default_rng([seed, k])
    images, labels = _unseen()
    chosen = rng.integers(len(images), size=rng.integers(1, 11))
    photo = photograph_numbers([images[chosen]], rng, kind=list(KINDS)[k % len(KINDS)])
    for lines in find_lines(photo.pixels):
        if len(lines) == 1:
            pieces = cut(lines[0])
            graph = build_graph(lines[0], pieces, candidates(lines[0], pieces), _model())
            return Line(graph, tuple(int(label) for label in labels[chosen]))
    return None


def log_probability(line: Line, weights: Array) -> tuple[float, Array]:
    """log P of the text, and its gradient; -inf and zeros if no path has this text."""
    graph = line.graph
    scores, total = arc_scores(graph, weights)
    log_z, arcs, posterior = _all_paths(graph, scores, total)
    log_text, text_arcs, text_posterior = _paths_with_text(graph, scores, total, line.text)
    if log_text == -np.inf:
        return -np.inf, np.zeros_like(weights)
    gradient: Array = (text_arcs - arcs) @ graph.features
    digits = ~graph.left_out
    gradient[CLASS_FEATURE] += ((text_posterior - posterior)[digits] * graph.classes[digits]).sum()
    return log_text - log_z, gradient


def _all_paths(graph: Graph, scores: Array, total: Array) -> tuple[float, Array, Array]:
    """log Z, the probability of each arc, (arcs,), and of each arc as each class, (arcs, classes)."""
    ahead, behind = np.full(graph.nodes, -np.inf), np.full(graph.nodes, -np.inf)
    ahead[0] = behind[-1] = 0
    arcs = list(zip(graph.start.tolist(), graph.end.tolist(), total.tolist(), strict=True))
    for i, j, score in arcs:
        ahead[j] = np.logaddexp(ahead[j], ahead[i] + score)
    for i, j, score in reversed(arcs):
        behind[i] = np.logaddexp(behind[i], behind[j] + score)
    around = ahead[graph.start] + behind[graph.end] - ahead[-1]
    return float(ahead[-1]), np.exp(around + total), np.exp(around[:, None] + scores)


def _paths_with_text(graph: Graph, scores: Array, total: Array, text: Sequence[int]) -> tuple[float, Array, Array]:
    """The same over all paths whose digits are the text; recursions over (node, digits so far)."""
    length = len(text)
    ahead, behind = (np.full((graph.nodes, length + 1), -np.inf) for _ in range(2))
    ahead[0, 0] = behind[-1, length] = 0
    left_out = graph.left_out
    order = list(zip(graph.start.tolist(), graph.end.tolist(), left_out.tolist(), strict=True))
    in_text = scores[:, list(text)]
    for arc, (i, j, is_left_out) in enumerate(order):
        if is_left_out:
            ahead[j] = np.logaddexp(ahead[j], ahead[i] + total[arc])
        else:
            ahead[j, 1:] = np.logaddexp(ahead[j, 1:], ahead[i, :-1] + in_text[arc])
    for arc, (i, j, is_left_out) in reversed(list(enumerate(order))):
        if is_left_out:
            behind[i] = np.logaddexp(behind[i], behind[j] + total[arc])
        else:
            behind[i, :-1] = np.logaddexp(behind[i, :-1], behind[j, 1:] + in_text[arc])
    log_text = float(ahead[-1, length])
    posterior = np.zeros_like(scores)
    if log_text == -np.inf:
        return log_text, np.zeros(len(total)), posterior
    as_digit = np.exp(ahead[graph.start][:, :-1] + in_text + behind[graph.end][:, 1:] - log_text)
    for k, label in enumerate(text):
        posterior[:, label] += as_digit[:, k]
    as_left_out = np.exp(ahead[graph.start] + total[:, None] + behind[graph.end] - log_text).sum(axis=1)
    return log_text, np.where(left_out, as_left_out, as_digit.sum(axis=1)), posterior


def is_right(line: Line, weights: Array) -> bool:
    digits, _ = solve(line.graph, weights)
    return tuple(label for _, label, *_ in digits) == line.text


def main(arguments: Sequence[str] | None = None) -> None:
    fit_and_compare(
        "reader",
        __doc__,
        336,
        dict(zip(NAMES, WEIGHTS.tolist(), strict=True)),
        WEIGHTS,
        photo_line,
        log_probability,
        is_right,
        arguments,
    )


if __name__ == "__main__":
    main()
