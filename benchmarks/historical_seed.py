"""The accuracy of the seed's first code: with the draws and weights of the recipe, and with its three mistakes.

    uv run python -m benchmarks.historical_seed --seeds 1 2 3 4 5 6 7 8 9 10

1. It summed each bias gradient over the units, too, so that all biases of a layer moved by the same number.
2. It divided by the 42,000 images of the file, although it trained on 41,000.
3. Its softmax was not protected against large numbers.
"""

import argparse
import statistics

import numpy as np

from digitscope.arrays import Array
from digitscope.datasets import load_data
from digitscope.metrics import accuracy
from digitscope.recipes import RECIPES

ALPHA, STEPS = 0.1, 500


def outputs(params: list[Array], X: Array) -> tuple[Array, Array, Array]:
    W1, b1, W2, b2 = params
    Z1 = W1 @ X + b1
    A1 = np.maximum(Z1, 0)
    Z2 = W2 @ A1 + b2
    A2 = np.exp(Z2) / np.exp(Z2).sum(axis=0)
    return Z1, A1, A2


def historical_step(params: list[Array], X: Array, one_hot: Array, m: int) -> None:
    Z1, A1, A2 = outputs(params, X)
    dZ2 = A2 - one_hot
    dZ1 = params[2].T @ dZ2 * (Z1 > 0)
    gradients = (dZ1 @ X.T / m, dZ1.sum() / m, dZ2 @ A1.T / m, dZ2.sum() / m)
    for p, gradient in zip(params, gradients, strict=True):
        p -= ALPHA * gradient


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", required=True, type=int, nargs="+")
    seeds = parser.parse_args().seeds
    data = load_data("mnist")
    assert data.x_test is not None
    assert data.y_test is not None
    x_test = data.x_test.reshape(-1, 784).T / 255.0
    tests, validations = [], []
    for seed in seeds:
        training = RECIPES["seed"].start(data, seed)
        params = [p.astype(np.float64) for p in training.run.network.params.values()]
        X = training.images.reshape(-1, 784).T / 255.0
        one_hot = np.eye(10)[training.labels].T
        for _ in range(STEPS):
            historical_step(params, X, one_hot, len(training.images) + len(training.validation[0]))
        x, y = training.validation
        validations.append(accuracy(y, outputs(params, x.reshape(-1, 784).T / 255.0)[2].argmax(axis=0)))
        tests.append(accuracy(data.y_test, outputs(params, x_test)[2].argmax(axis=0)))
        print(f"seed {seed}: validation {validations[-1]:.4f}, test {tests[-1]:.4f}", flush=True)
    for name, values in (("validation", validations), ("test", tests)):
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        print(
            f"{name}: mean {statistics.mean(values):.4f}, standard deviation {spread:.4f}, "
            f"{min(values):.4f} to {max(values):.4f}, n = {len(values)}"
        )


if __name__ == "__main__":
    main()
