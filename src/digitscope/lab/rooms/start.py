"""The start page: a small picture of each room, with the numbers of a network that learns in a second."""

import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np

from digitscope import explain
from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.lab.encoding import encoded
from digitscope.lab.requests import Bounds
from digitscope.lab.routes import Page, Route
from digitscope.lab.state import Lab
from digitscope.mathml import formula_html, formula_lines
from digitscope.nn import Momentum, Network, SoftmaxCrossEntropy, to_batch
from digitscope.projections import principal_components
from digitscope.recipes import RECIPES
from digitscope.training import train_step

STEPS, BATCH, RATE = 400, 64, 0.05
"""Of the small network's training. It then reads about nine in ten digits."""
POINTS = 400
"""Test images in the picture of Explore."""
WALL = 12
"""Test images in the picture of Class."""
_training = threading.Lock()


@dataclass(frozen=True)
class StartQuery:
    """The test image that the pictures show."""

    image: Annotated[int, Bounds(0, 9_999)] = 0


def overview(lab: Lab, query: StartQuery) -> dict[str, object]:
    """What the start page shows of each room.

    Draw: the default model's probabilities for a test image. One step: the derivatives of the first layer's weights for
    it, of the network 784-10-10 before its first step. Train: this network's loss at each of its first steps. Explore:
    its outputs for test images, in their two principal components. Class: what it reads in some of them. Notes: the
    largest of those derivatives, with its formula.
    """
    _, images, labels = lab.mnist.evaluation_split
    shown = slice(query.image, query.image + 1)
    with _training:
        network, losses = _trained(lab.mnist)
    gradients = explain.gradients(_new(), images[shown], labels[shown])
    wall = (query.image + np.arange(WALL)) % len(images)
    dW = gradients.parameters["0.weight"]
    most = tuple(int(place) for place in np.unravel_index(np.abs(dW).argmax(), dW.shape))
    return {
        "image": encoded(images[query.image]),
        "label": int(labels[query.image]),
        "probabilities": lab.model(lab.default_model).predict_proba(images[shown])[0].tolist(),
        "gradient": encoded(dW.reshape(-1, *images.shape[1:])),
        "weight": _weight(explain.terms(_new(), images[shown], labels[shown], of="d0.weight", index=most)),
        "losses": losses,
        "points": encoded(principal_components(_outputs(network, images[:POINTS]).T).coordinates.astype(np.float32)),
        "point_labels": labels[:POINTS].tolist(),
        "wall": encoded(images[wall]),
        "wall_labels": labels[wall].tolist(),
        "wall_answers": _outputs(network, images[wall]).argmax(axis=0).tolist(),
    }


def _weight(terms: explain.Terms) -> dict[str, object]:
    """The derivative of one weight: its formula with the weight's index, and its two factors."""
    dy, x = terms.terms[0].factors
    o, i = terms.index
    line = formula_lines(terms.formula)[0]
    return {
        "formula": formula_html(line, {"o": o, "i": i, "n": 0}),
        "dy": dy.value,
        "x": x.value,
        "value": terms.value,
    }


def _new() -> Network:
    return RECIPES["seed"].build(np.random.default_rng(0), (28, 28), 10)


@lru_cache(maxsize=2)
def _trained(data: DataSet) -> tuple[Network, list[float]]:
    """The trained network, and the loss before each step."""
    network, optimizer = _new(), Momentum()
    state = optimizer.start(network.params)
    losses = []
    for step in range(STEPS):
        batch = slice(step * BATCH, (step + 1) * BATCH)
        images, labels = data.x_train[batch], data.y_train[batch]
        losses.append(
            train_step(network, SoftmaxCrossEntropy(), optimizer, state, images, labels, learning_rate=RATE, step=step)
        )
    return network, losses


def _outputs(network: Network, images: Array) -> Array:
    return network.forward(to_batch(images))[0]


PAGES = [Page("/", "start")]
ROUTES = [Route("GET", "/api/start", "What the start page shows of each room, for one test image.", overview)]
