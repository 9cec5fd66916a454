"""Fits the weights of `digitscope.reader` to generated pictures of numbers, and measures them on others.

    uv run python -m benchmarks.fit_reading --generated 4 --seed 11 --record records/reading_weights.json

Among the texts that a part of a line may have, the one with features f has the probability exp(w f) / sum exp(w f').
The weights w are those with which the right texts are most probable (conditional logit, McFadden 1974); parts whose
right text is not among them do not count. The factor beside letters then makes the confidences most probable. Pictures
of turned pages are left out. The next seed gives the pictures that the result is measured on.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from pathlib import Path

import numpy as np

from benchmarks.machine import machine, versions
from benchmarks.pictures.generated import KINDS, generated
from benchmarks.pictures.scores import digits_by_line
from digitscope.arrays import Array
from digitscope.model import Model
from digitscope.reader import WEIGHTS, Candidates, PictureReader, Weights
from digitscope.vision import to_picture
from digitscope.vision.layout import find_layout
from digitscope.vision.line_reader import OTHER

BESIDE_LETTERS = (1, 0.7, 0.5, 0.4, 0.3, 0.2)
PENALTY = 3e-4
"""Of the squares of the weights, in nats."""
MAX_WAYS = 20_000
"""Maximum number of combinations of texts of a line's parts that are looked through for the right one."""
SURE = 0.9


@dataclass(frozen=True)
class Lines:
    """What the lines of a picture may say, and the digits that they have."""

    right: tuple[str, ...]
    lines: list[list[Candidates]]
    left_out: float

    def read(self, weights: Weights) -> tuple[bool, float]:
        """Whether all digits are right, and the confidence."""
        found, confidence = [], 1 - self.left_out
        for parts in self.lines:
            digits, has_others = "", False
            for candidates in parts:
                p = candidates.probabilities(weights)
                best = int(p.argmax())
                digits += candidates.digits[best]
                has_others |= OTHER in candidates.texts[best] or bool(candidates.others[best])
                confidence *= float(p[best])
            confidence *= weights.beside_letters if digits and has_others else 1
            found += [digits] if digits else []
        return tuple(found) == self.right, confidence


KINDS_OF_NUMBERS = tuple(
    name for name, kind in KINDS.items() if name != "turned page" and kind.tasks[-1] in ("number", "no number")
)


def lines_of(count: int, seed: int, model: Model, kinds: tuple[str, ...] = KINDS_OF_NUMBERS) -> list[Lines]:
    """The lines of `count` pictures of each of these kinds that have numbers, or words."""
    reader = PictureReader(model, threads=1)
    found = []
    for example in generated(count, seed, kinds):
        if example.task in ("number", "no number"):
            layout = find_layout(to_picture(example.picture))
            lines = [[reader.candidates(part) for part in parts] for parts in layout.lines]
            slim = [[replace(part, images=[], boxes=[]) for part in line] for line in lines]
            found.append(Lines(digits_by_line(example.text), slim, layout.left_out))
    return found


def answers(pictures: Sequence[Lines], weights: Weights) -> tuple[Array, Array]:
    """For each picture, whether it is read correctly, and the confidence."""
    right, confidence = zip(*(picture.read(weights) for picture in pictures), strict=True)
    return np.array(right), np.clip(confidence, 1e-6, 1 - 1e-6)


def cost(pictures: Sequence[Lines], weights: Weights) -> float:
    """Minus the mean log probability that the confidences give to being right or wrong, in nats."""
    right, confidence = answers(pictures, weights)
    return float(-np.log(np.where(right, confidence, 1 - confidence)).mean())


@dataclass(frozen=True)
class Choice:
    """The features of a part's texts, and which of them is right."""

    features: Array
    right: int


def choices(picture: Lines) -> list[Choice]:
    """The parts of a picture whose right text is known: the picture has as many lines as were found, or no digits."""
    if not picture.right:
        parts = [part for line in picture.lines for part in line]
        return [Choice(part.features, part.digits.index("")) for part in parts if "" in part.digits]
    if len(picture.lines) != len(picture.right):
        return []
    found = []
    for line, digits in zip(picture.lines, picture.right, strict=True):
        ways = islice(product(*(range(len(part.digits)) for part in line)), MAX_WAYS)
        right = [way for way in ways if "".join(p.digits[k] for p, k in zip(line, way, strict=True)) == digits]
        if right:  # several ways divide the digits among the parts in different ways
            way = max(right, key=lambda way: sum(part.features[k, 0] for part, k in zip(line, way, strict=True)))
            found += [Choice(part.features, k) for part, k in zip(line, way, strict=True)]
    return found


def loss(weights: Array, of: Sequence[Choice]) -> tuple[float, Array]:
    """Minus the mean log probability of the right texts, in nats, with the penalty; and its gradient.

    For the features f_k of the texts, of which r is right, and p = softmax(f w):
    d(-log p_r) / dw = sum_k p_k f_k - f_r
    """
    total, gradient = 0.0, np.zeros_like(weights)
    for choice in of:
        scores = choice.features @ weights
        log_p = scores - np.logaddexp.reduce(scores)
        total -= log_p[choice.right]
        gradient += np.exp(log_p) @ choice.features - choice.features[choice.right]
    penalty = PENALTY * float(weights @ weights)
    return total / len(of) + penalty, gradient / len(of) + 2 * PENALTY * weights


def fit(pictures: Sequence[Lines]) -> Weights:
    from scipy.optimize import minimize

    of = [choice for picture in pictures for choice in choices(picture)]
    found = minimize(loss, WEIGHTS.of_features, args=(of,), jac=True, method="L-BFGS-B")
    rounded = [round(float(weight), 2) for weight in found.x]
    options = [Weights._make([*rounded, factor]) for factor in BESIDE_LETTERS]
    return min(options, key=lambda weights: cost(pictures, weights))


def figures(pictures: Sequence[Lines], weights: Weights) -> dict[str, float]:
    right, confidence = answers([picture for picture in pictures if picture.right], weights)
    sure = confidence >= SURE
    return {
        "pictures": len(pictures),
        "with numbers": len(right),
        "right": round(float(right.mean()), 4),
        "sure": round(float(sure.mean()), 4),
        "sure and wrong": int((sure & ~right).sum()),
        "cost": round(cost(pictures, weights), 4),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generated", type=int, default=4, metavar="COUNT", help="pictures of a kind")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--record", type=Path)
    options = parser.parse_args(arguments)
    model = Model.load()
    fitted_on, others = (lines_of(options.generated, options.seed + k, model) for k in (0, 1))
    fitted = fit(fitted_on)
    record = {
        "command": f"uv run python -m benchmarks.fit_reading --generated {options.generated} --seed {options.seed}",
        "fitted": fitted._asdict(),
        "of the pictures fitted to": figures(fitted_on, fitted),
        "of others": figures(others, fitted),
        "of others, with the weights of the source": {**WEIGHTS._asdict(), **figures(others, WEIGHTS)},
        "machine": machine(),
        "versions": versions("numpy", "scipy", "pillow", "digitscope"),
    }
    text = json.dumps(record, indent=1) + "\n"
    print(text, end="")
    if options.record:
        options.record.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
