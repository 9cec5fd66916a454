"""Checks a seed that a reader has written from an empty page (chapter 5): python -m docs.notes check my_seed.py

The file has six functions. They are checked in order, and the first thing that is missing or wrong is said.
"""

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from digitscope.arrays import Array
from digitscope.nn import Dense, Network, ReLU, SoftmaxCrossEntropy, softmax
from docs.notes.mnist import load_mnist

SHAPES = {"W1": (10, 784), "b1": (10, 1), "W2": (10, 10), "b2": (10, 1)}
FUNCTIONS = {
    "columns(images)": "the pictures as columns of numbers from 0 to 1, (784, N): (1.2)",
    "one_hot(labels)": "a column for each label, (10, N), 1 at its class and else 0",
    "start(rng)": "W1 (10, 784), b1 (10, 1), W2 (10, 10) and b2 (10, 1), at random",
    "forward(W1, b1, W2, b2, X)": "A1 (10, N), what the hidden units say, and P (10, N), the shares: (2.7), (4.1)",
    "backward(W1, b1, W2, b2, X, Q)": "dW1, db1, dW2, db2, the derivatives of the loss (4.8): (5.19)",
    "train(images, labels)": "W1, b1, W2, b2 after some hundred steps against the derivatives",
}
LEAST = 0.75
"""The share of new images that a trained seed reads, at least. That of chapter 5 reads 85 %."""


class WrongSeedError(Exception):
    """What is missing or wrong, as one line for the reader."""


def check_seed(path: Path) -> Iterator[str]:
    """The functions of the file that are right, in order.

    Raises: WrongSeedError behind the last of them if another is missing or wrong.
    """
    written = runpy.run_path(str(path))
    checks = (_columns, _one_hot, _start, _forward, _backward, _train)
    for (call, returns), check in zip(FUNCTIONS.items(), checks, strict=True):
        function = written.get(call.partition("(")[0])
        if not callable(function):
            raise WrongSeedError(f"Next, write {call}. It returns {returns}.")
        try:
            check(function)
        except WrongSeedError as error:
            raise WrongSeedError(f"{call}: {error}") from None
        yield call


def _columns(columns: Callable[..., Any]) -> None:
    images = load_mnist()[0][0][:3]
    X = _array(columns(images), "the result", (784, 3))
    right = images.reshape(3, 784).T / 255
    _expect(not np.allclose(X, right * 255), "the numbers go up to 255; divide by 255, (1.2).")
    _expect(np.allclose(X, right, atol=1e-6), "the numbers are not those of the pictures: row by row, (1.1).")


def _one_hot(one_hot: Callable[..., Any]) -> None:
    Q = _array(one_hot(np.array([7, 0, 9, 7])), "the result", (10, 4))
    _expect(np.array_equal(Q, np.eye(10)[:, [7, 0, 9, 7]]), "column n has its 1 in row labels[n], and else 0.")


def _start(start: Callable[..., Any]) -> None:
    W1, _, W2, _ = _four(start(np.random.default_rng(0)), "W1, b1, W2, b2")
    for name, W in (("W1", W1), ("W2", W2)):
        _expect(
            len(np.unique(W, axis=0)) == 10, f"two rows of {name} are alike, and such units stay alike (chapter 7)."
        )


def _forward(forward: Callable[..., Any]) -> None:
    weights, X, _ = _example()
    A1, P = _several(forward(*weights, X), "A1, P")
    A1, P = _array(A1, "A1", (10, 30)), _array(P, "P", (10, 30))
    W1, b1, W2, b2 = weights
    Z1 = W1 @ X + b1
    _expect(A1.min() >= 0, "A1 has negative numbers: the ReLU makes them 0.")
    _expect(np.allclose(A1, np.maximum(Z1, 0), atol=1e-4), "A1 is not the ReLU of (2.7).")
    _expect(
        np.allclose(P.sum(axis=0), 1, atol=1e-4), "the shares of an image, a column of P, do not add up to 1: (4.1)."
    )
    _expect(
        np.allclose(P, softmax(W2 @ A1 + b2), atol=1e-4), "P is not the softmax (4.1) of the second layer's scores."
    )
    with np.errstate(all="ignore"):
        large = np.asarray(_several(forward(W1, b1, 1e4 * W2, b2, X), "A1, P")[1])
    _expect(bool(np.isfinite(large).all()), "large scores make P infinite or no number: subtract the largest, (4.20).")


def _backward(backward: Callable[..., Any]) -> None:
    weights, X, Q = _example()
    first, second = Dense(784, 10), Dense(10, 10)
    first.params, second.params = ({"weight": W, "bias": b} for W, b in (weights[:2], weights[2:]))
    scores, network_backward = Network(first, ReLU(), second).forward(X, training=True)
    dZ2 = SoftmaxCrossEntropy().forward(scores, Q.argmax(axis=0))[1](1.0)
    grads = network_backward(dZ2)[1]
    found = _four(backward(*weights, X, Q), "dW1, db1, dW2, db2")
    ungated = weights[2].T @ dZ2
    without_gate = (ungated @ X.T, ungated.sum(axis=1, keepdims=True), None, None)
    for i in (2, 3, 0, 1):  # as the derivatives come back
        name, dW, right = f"d{list(SHAPES)[i]}", found[i], grads[("0.weight", "0.bias", "2.weight", "2.bias")[i]]
        if _agree(dW, right):
            continue
        _expect(not _agree(dW, -right), f"{name} has the wrong sign: dZ2 = (P - Q) / N.")
        _expect(
            not _agree(dW, 30 * right), f"{name} is N times too large: the loss is the mean over the images, (4.8)."
        )
        _expect(not _agree(dW, without_gate[i]), f"{name} passes units that are shut: the ReLU's gate, (5.8).")
        alike = "b" in name and np.ptp(dW) <= 1e-4 * np.ptp(right)
        _expect(not alike, f"{name} is the same for all units: add up the images only, (5.5).")
        raise WrongSeedError(f"{name} is not the derivative of the loss: (5.19).")


def _train(train: Callable[..., Any]) -> None:
    (images, labels), _ = load_mnist()
    W1, b1, W2, b2 = _four(train(images[:5_000], labels[:5_000]), "W1, b1, W2, b2")
    X = images[50_000:].reshape(10_000, 784).T / np.float32(255)
    answers = (W2 @ np.maximum(W1 @ X + b1, 0) + b2).argmax(axis=0)
    share = np.mean(answers == labels[50_000:])
    _expect(
        share >= LEAST,
        f"learned from 5,000 images it reads {share:.0%} of 10,000 new ones; {LEAST:.0%} or more are expected."
        " 500 steps at the rate 0.1 read 85 %.",
    )


def _example() -> tuple[list[Array], Array, Array]:
    """Weights, 30 pictures and their targets."""
    rng = np.random.default_rng(0)
    (images, labels), _ = load_mnist()
    weights = [rng.uniform(-0.2, 0.2, shape) for shape in SHAPES.values()]
    return weights, images[:30].reshape(30, 784).T / 255, np.eye(10)[:, labels[:30]]


def _agree(found: Array, right: Array | None) -> bool:
    return right is not None and np.allclose(found, right, rtol=1e-3, atol=1e-5 * np.abs(right).max())


def _several(result: Any, names: str) -> tuple[Any, ...]:
    count = len(names.split(", "))
    _expect(isinstance(result, tuple | list) and len(result) == count, f"it returns {names}, which are {count} arrays.")
    return tuple(result)


def _four(result: Any, names: str) -> tuple[Array, ...]:
    several = zip(_several(result, names), names.split(", "), SHAPES.values(), strict=True)
    return tuple(_array(value, name, shape) for value, name, shape in several)


def _array(value: Any, name: str, shape: tuple[int, ...]) -> Array:
    found = np.shape(value)
    _expect(found == shape, f"{name} has the shape {found}; {shape} is expected.")
    return np.asarray(value, dtype=np.float64)


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise WrongSeedError(otherwise)
