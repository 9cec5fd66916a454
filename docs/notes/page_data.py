"""Numbers of trained networks that the book's page can be touched with: python -m docs.notes.page_data writes them.

seed.json: the weights of "From an empty page" (chapter 5), and ten validation images, the first of each digit.
cloud.json: the slopes of 1,000 images in the plane of figure 6.4, at the start and after 300 steps.
calibration.json: scores of chapter 11's network for 1,000 images that it has not learned, and their labels.
"""

import base64
import json
from typing import Any

import numpy as np

from digitscope.arrays import Array
from digitscope.nn import Network, SoftmaxCrossEntropy
from docs.notes.book import SHARED
from docs.notes.figures.chapter_06 import data, new_seed, take_step
from docs.notes.figures.chapter_11 import plain, scores
from docs.notes.mnist import load_mnist

FOLDER = SHARED / "live"
STEPS, RATE, IMAGES = 500, 0.1, 5_000


def train() -> dict[str, Array]:
    """The chapter's training."""
    (images, labels), _ = load_mnist()
    X = images[:IMAGES].reshape(IMAGES, -1).T / np.float32(255)
    Q = (np.arange(10)[:, None] == labels[:IMAGES]).astype(np.float32)
    rng = np.random.default_rng(1)
    W1, b1, W2, b2 = (
        rng.uniform(-0.5, 0.5, shape).astype(np.float32) for shape in ((10, 784), (10, 1), (10, 10), (10, 1))
    )
    for _ in range(STEPS):
        A1, P = answers({"W1": W1, "b1": b1, "W2": W2, "b2": b2}, X)
        dZ2 = (P - Q) / IMAGES
        dZ1 = (W2.T @ dZ2) * (A1 > 0)
        W2 -= RATE * dZ2 @ A1.T
        b2 -= RATE * dZ2.sum(axis=1, keepdims=True)
        W1 -= RATE * dZ1 @ X.T
        b1 -= RATE * dZ1.sum(axis=1, keepdims=True)
    return {"W1": W1, "b1": b1, "W2": W2, "b2": b2}


def answers(weights: dict[str, Array], X: Array) -> tuple[Array, Array]:
    """The hidden units and the probabilities of images in columns."""
    A1 = np.maximum(weights["W1"] @ X + weights["b1"], 0)
    Z2 = weights["W2"] @ A1 + weights["b2"]
    E = np.exp(Z2 - Z2.max(axis=0))
    return A1, E / E.sum(axis=0)


def packed(values: Array) -> dict[str, Any]:
    """Numbers rounded to bytes, of which the largest is 127."""
    scale = float(np.abs(values).max()) / 127
    content = base64.b64encode(np.rint(values / scale).astype(np.int8).tobytes()).decode()
    return {"shape": list(values.shape), "scale": scale, "bytes": content}


def unpacked(entry: dict[str, Any]) -> Array:
    """What `packed` was given, nearly; as the page has it."""
    numbers = np.frombuffer(base64.b64decode(entry["bytes"]), np.int8)
    values: Array = numbers.reshape(entry["shape"]) * entry["scale"]
    return values


def read(name: str) -> dict[str, Any]:
    """A file of the page."""
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return content


def stored() -> dict[str, Array]:
    """The weights of the page, which are rounded to bytes."""
    return {name: unpacked(entry) for name, entry in read("seed")["weights"].items()}


def samples() -> Array:
    """The page's images, of the digits in order, in columns from 0 to 1."""
    return np.stack([np.frombuffer(base64.b64decode(x), np.uint8) for x in read("seed")["images"]], axis=1) / 255


def cloud() -> dict[str, Any]:
    """Two numbers for each image: its slope along that of all images, and along where small batches differ most."""
    x, labels = data(1000)
    network, rng = new_seed(), np.random.default_rng(0)
    moments = []
    for steps in (0, 300):
        for _ in range(steps):
            some = rng.choice(1000, 100, replace=False)
            take_step(network, x[:, some], labels[some], 0.2)
        each = np.stack([_slope(network, x[:, [n]], labels[[n]]) for n in range(1000)])
        g = each.mean(axis=0)
        along = g / np.linalg.norm(g)
        errors = each - g
        errors -= np.outer(errors @ along, along)
        across = np.linalg.svd(errors[:300], full_matrices=False)[2][0]
        moments.append(packed(np.stack([each @ along, each @ across])))
    return {"moments": moments}


def _slope(network: Network, x: Array, labels: Array) -> Array:
    scores, backward = network.forward(x)
    grads = backward(SoftmaxCrossEntropy().forward(scores, labels)[1](1.0))[1]
    return np.concatenate([g.ravel() for g in grads.values()])


def calibration() -> dict[str, Any]:
    """The scores of 1,000 images that chapter 11 judges by."""
    (images, labels), _ = load_mnist()
    judge = slice(55_000, 56_000)
    return {"scores": packed(scores(plain(), images[judge])), "labels": "".join(map(str, labels[judge]))}


def seed() -> dict[str, Any]:
    """Weights and images."""
    (images, labels), _ = load_mnist()
    first = [50_000 + int((labels[50_000:] == digit).argmax()) for digit in range(10)]
    return {
        "weights": {name: packed(values) for name, values in train().items()},
        "images": [base64.b64encode(images[i].tobytes()).decode() for i in first],
    }


def main() -> None:
    """Trains and writes."""
    for name, content in (("seed", seed()), ("cloud", cloud()), ("calibration", calibration())):
        (FOLDER / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
