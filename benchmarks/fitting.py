"""What fit_ink and fit_reader share: maximum likelihood with a bounded loss, a held-out comparison and a record.

Each example gives the probability P(w) that the right answer has under weights w. The loss of an example,

    L = -log(e + (1 - e) P),   dL/dw = -(1 - e) P / (e + (1 - e) P) d(log P)/dw,

is at most -log e. Otherwise the fit would be dominated by examples whose ink was not found, which no weights can get
right.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import numpy as np
from scipy.optimize import minimize

from benchmarks.machine import machine, versions
from digitscope.arrays import Array
from digitscope.recipes.records import records_folder

SMALLEST = float(np.exp(-5))
"""e: the loss of an example is at most 5 nats."""
RIDGE = 1e-3
"""Factor of the sum of the squared weights in the loss, which keeps weights without data finite."""

Example = TypeVar("Example")
LogProbability = Callable[[Example, Array], tuple[float, Array]]
"""(example, weights) -> log P of the right answer, which may be -inf, and its gradient"""


def bounded_loss(
    examples: Sequence[Example], weights: Array, log_probability: LogProbability[Example]
) -> tuple[float, Array]:
    """The mean loss plus the ridge, and its gradient."""
    total, gradient = 0.0, np.zeros_like(weights)
    for example in examples:
        log_p, log_p_gradient = log_probability(example, weights)
        p = np.exp(log_p)
        total -= np.log(SMALLEST + (1 - SMALLEST) * p)
        gradient -= (1 - SMALLEST) * p / (SMALLEST + (1 - SMALLEST) * p) * log_p_gradient
    return total / len(examples) + RIDGE * float(weights @ weights), gradient / len(examples) + 2 * RIDGE * weights


def fit(examples: Sequence[Example], start: Array, log_probability: LogProbability[Example]) -> Array:
    """The weights that minimize the bounded loss, by L-BFGS."""
    loss = partial(_loss, examples, log_probability)
    result = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200})
    weights: Array = result.x
    return weights


def _loss(examples: Sequence[Example], log_probability: LogProbability[Example], weights: Array) -> tuple[float, Array]:
    return bounded_loss(examples, weights, log_probability)


def generate(make: Callable[[int, int], Example | None], seed: int, count: int, processes: int) -> list[Example | None]:
    """make(seed, k) for each k, in several processes, on which neither the order nor the results depend."""
    if processes == 1:
        return [make(seed, k) for k in range(count)]
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(partial(make, seed), range(count), chunksize=4))


@dataclass(frozen=True)
class Comparison:
    """The performance of weights on held-out photos."""

    accuracy: float
    """The fraction of right answers in all photos, including those without usable ink."""
    loss: float
    """The mean bounded loss over usable photos, in nats."""
    right: tuple[bool, ...]


def compare(
    examples: Sequence[Example | None],
    weights: Array,
    log_probability: LogProbability[Example],
    is_right: Callable[[Example, Array], bool],
) -> Comparison:
    usable = [example for example in examples if example is not None]
    loss, _ = bounded_loss(usable, weights, log_probability)
    right = tuple(example is not None and is_right(example, weights) for example in examples)
    return Comparison(float(np.mean(right)), loss - RIDGE * float(weights @ weights), right)


def fit_and_compare(
    name: str,
    documentation: str | None,
    count: int,
    present: Mapping[str, float],
    start: Array,
    make: Callable[[int, int], Example | None],
    log_probability: LogProbability[Example],
    is_right: Callable[[Example, Array], bool],
    arguments: Sequence[str] | None = None,
) -> None:
    """The command: fits the weights on `count` photos and compares them with the present ones on as many others.

    Prints both weights and their performance, and writes the record unless --quick was given.

    name: name of the module, without "fit_"
    make: (seed, k) -> the k-th example, or None if its photo has no usable ink
    """
    parser = argparse.ArgumentParser(description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=count, help="photos to fit on, and as many to compare on")
    parser.add_argument(
        "--seed", type=int, default=1, help="seed of the photos to fit on; those to compare on have the next"
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="4 photos and no record, as a test that everything runs")
    options = parser.parse_args(arguments)
    count = 4 if options.quick else options.count
    training, held_out = (generate(make, options.seed + k, count, options.processes) for k in (0, 1))
    usable = [example for example in training if example is not None]
    weights = {"present": np.array(list(present.values())), "fitted": fit(usable, start, log_probability)}
    for feature, old, new in zip(present, weights["present"], weights["fitted"], strict=True):
        print(f"{feature:34} {old:7.2f} in the source {new:7.2f} fitted")
    results = {which: compare(held_out, values, log_probability, is_right) for which, values in weights.items()}
    for which, result in results.items():
        print(f"{which}: accuracy {result.accuracy:.1%}, loss {result.loss:.4f} nats, on {count} held-out photos")
    old_right, new_right = results["present"].right, results["fitted"].right
    only = [
        sum(a and not b for a, b in zip(*pair, strict=True))
        for pair in ((old_right, new_right), (new_right, old_right))
    ]
    print(f"right with the present weights only: {only[0]}, with the fitted ones only: {only[1]}")
    if options.quick:
        return
    path = records_folder() / "vision_weights.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    content[name] = {
        "command": f"uv run python -m benchmarks.fit_{name} --count {count} --seed {options.seed}",
        "photos": count,
        "usable_photos_fitted_on": len(usable),
        "seeds": {"fit": options.seed, "held_out": options.seed + 1},
        "present": dict(present),
        "fitted": {feature: round(float(value), 4) for feature, value in zip(present, weights["fitted"], strict=True)},
        "held_out": {
            which: {"accuracy": round(result.accuracy, 4), "loss": round(result.loss, 4)}
            for which, result in results.items()
        },
        "right_with_one_only": {"present": only[0], "fitted": only[1]},
        "machine": machine(),
        "versions": versions("numpy", "scipy", "pillow", "digitscope"),
        "date": datetime.now(UTC).date().isoformat(),
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"record: {path.name}", file=sys.stderr)
