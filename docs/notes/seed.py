"""Writes the weights of the network of "From an empty page" (chapter 5) for the book's page: python -m docs.notes.seed

page/seed.json has them as bytes, and ten validation images, the first of each digit.
"""

import base64
import json
from typing import Any

import numpy as np

from digitscope.arrays import Array
from docs.notes import NOTES
from docs.notes.mnist import load_mnist

FILE = NOTES / "page" / "seed.json"
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


def stored() -> dict[str, Array]:
    """The weights of the page, which are rounded to bytes."""
    content = json.loads(FILE.read_text("utf-8"))
    return {
        name: np.frombuffer(base64.b64decode(entry["bytes"]), np.int8).reshape(entry["shape"]) * entry["scale"]
        for name, entry in content["weights"].items()
    }


def samples() -> Array:
    """The page's images, of the digits in order, in columns from 0 to 1."""
    content = json.loads(FILE.read_text("utf-8"))
    return np.stack([np.frombuffer(base64.b64decode(x), np.uint8) for x in content["images"]], axis=1) / 255


def main() -> None:
    """Trains and writes."""
    (images, labels), _ = load_mnist()
    content: dict[str, Any] = {"weights": {}, "images": []}
    for name, values in train().items():
        scale = float(np.abs(values).max()) / 127
        rounded = np.rint(values / scale).astype(np.int8)
        content["weights"][name] = {
            "shape": list(values.shape),
            "scale": scale,
            "bytes": base64.b64encode(rounded.tobytes()).decode(),
        }
    for digit in range(10):
        first = 50_000 + int((labels[50_000:] == digit).argmax())
        content["images"].append(base64.b64encode(images[first].tobytes()).decode())
    FILE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
