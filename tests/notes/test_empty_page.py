"""A reader who writes the seed from an empty page is told what is missing or wrong, and that it is right in the end."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from docs.notes.__main__ import notes
from docs.notes.empty_page import FUNCTIONS, WrongSeedError, check_seed

SEED = """
import numpy as np


def columns(images):
    return images.reshape(len(images), -1).T / np.float32(255)


def one_hot(labels):
    return (np.arange(10)[:, None] == labels).astype(np.float32)


def start(rng):
    shapes = (10, 784), (10, 1), (10, 10), (10, 1)
    return [rng.uniform(-0.2, 0.2, shape).astype(np.float32) for shape in shapes]


def forward(W1, b1, W2, b2, X):
    A1 = np.maximum(W1 @ X + b1, 0)
    Z2 = W2 @ A1 + b2
    E = np.exp(Z2 - Z2.max(axis=0))
    return A1, E / E.sum(axis=0)


def backward(W1, b1, W2, b2, X, Q):
    A1, P = forward(W1, b1, W2, b2, X)
    dZ2 = (P - Q) / Q.shape[1]
    dZ1 = (W2.T @ dZ2) * (A1 > 0)
    return dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True), dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)


def train(images, labels):
    X, Q = columns(images[:500]), one_hot(labels[:500])
    weights = start(np.random.default_rng(1))
    for step in range(60):
        weights = [W - 0.7 * dW for W, dW in zip(weights, backward(*weights, X, Q))]
    return weights
"""


def test_the_seed_is_right(tmp_path: Path) -> None:
    file = tmp_path / "my_seed.py"
    file.write_text(SEED, "utf-8")
    assert list(check_seed(file)) == list(FUNCTIONS)


def test_an_empty_file_is_told_what_to_write(tmp_path: Path) -> None:
    file = tmp_path / "my_seed.py"
    file.touch()
    done = CliRunner().invoke(notes, ["check", str(file)])
    assert done.exit_code == 1
    assert done.output.startswith("Next, write columns(images). It returns the pictures as columns")
    file.write_text(SEED.partition("def start")[0], "utf-8")
    done = CliRunner().invoke(notes, ["check", str(file)])
    assert done.output.startswith("right: columns(images)\nright: one_hot(labels)\nNext, write start(rng).")


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        (" / np.float32(255)", "", "columns(images): the numbers go up to 255"),
        (".reshape(len(images), -1).T", ".reshape(784, -1)", "columns(images): the numbers are not those"),
        ("[:, None] == labels", " == labels[:, None]", "one_hot(labels): the result has the shape (4, 10)"),
        ("rng.uniform(-0.2, 0.2, shape)", "np.zeros(shape)", "start(rng): two rows of W1 are alike"),
        ("np.maximum(W1 @ X + b1, 0)", "W1 @ X + b1", "A1 has negative numbers"),
        ("E / E.sum(axis=0)", "E / E.sum(axis=1, keepdims=True)", "do not add up to 1: (4.1)"),
        (" - Z2.max(axis=0)", "", "subtract the largest, (4.20)"),
        ("(P - Q)", "(Q - P)", "dW2 has the wrong sign"),
        (" / Q.shape[1]", "", "dW2 is N times too large"),
        (" * (A1 > 0)", "", "dW1 passes units that are shut"),
        ("dZ2.sum(axis=1, keepdims=True)", "np.full((10, 1), dZ2.sum())", "db2 is the same for all units"),
        ("dZ1 @ X.T, ", "dZ1 @ X.T / 2, ", "dW1 is not the derivative of the loss: (5.19)"),
        ("range(60)", "range(0)", "5,000 images it reads"),
    ],
)
def test_a_mistake_is_named(right: str, wrong: str, told: str, tmp_path: Path) -> None:
    assert SEED.count(right) == 1
    file = tmp_path / "my_seed.py"
    file.write_text(SEED.replace(right, wrong), "utf-8")
    with pytest.raises(WrongSeedError) as error:
        list(check_seed(file))
    assert told in str(error.value)
