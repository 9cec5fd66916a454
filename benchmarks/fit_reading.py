"""Fits the weights of `digitscope.reader` to generated pictures of numbers, and measures them on others.

    uv run python -m benchmarks.fit_reading --generated 4 --seed 11 --record records/reading_weights.json

The weights of the text are those with which most pictures are read correctly; then the
temperature and the factor beside letters are those that make the confidences most probable. Pictures of turned pages
are left out. The next seed gives the pictures that the result is measured on.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
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

OF_CLASS = (0.3, 0.5, 0.8)
OF_DIGIT = (0.4, 0.7, 1.0)
BONUS = (0.5, 0.8, 1.2, 1.6)
TEMPERATURE = (1, 1.25, 1.5, 1.75, 2, 2.5)
BESIDE_LETTERS = (1, 0.7, 0.5, 0.4, 0.3, 0.2)
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
            digits = text = ""
            for candidates in parts:
                p = candidates.probabilities(weights)
                best = int(p.argmax())
                digits, text = digits + candidates.digits[best], text + candidates.texts[best]
                confidence *= float(p[best])
            confidence *= weights.beside_letters if digits and OTHER in text else 1
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
            lines = [[replace(reader.candidates(part), images=[]) for part in parts] for parts in layout.lines]
            found.append(Lines(digits_by_line(example.text), lines, layout.left_out))
    return found


def answers(pictures: Sequence[Lines], weights: Weights) -> tuple[Array, Array]:
    """For each picture, whether it is read correctly, and the confidence."""
    right, confidence = zip(*(picture.read(weights) for picture in pictures), strict=True)
    return np.array(right), np.clip(confidence, 1e-6, 1 - 1e-6)


def cost(pictures: Sequence[Lines], weights: Weights) -> float:
    """Minus the mean log probability that the confidences give to being right or wrong, in nats."""
    right, confidence = answers(pictures, weights)
    return float(-np.log(np.where(right, confidence, 1 - confidence)).mean())


def fit(pictures: Sequence[Lines]) -> Weights:
    def quality(weights: Weights) -> tuple[float, float]:
        return float(answers(pictures, weights)[0].mean()), -cost(pictures, weights)

    of_text = max(
        (WEIGHTS._replace(of_class=a, of_digit=b, bonus=c) for a, b, c in product(OF_CLASS, OF_DIGIT, BONUS)),
        key=quality,
    )
    warmed = (of_text._replace(temperature=t, beside_letters=f) for t, f in product(TEMPERATURE, BESIDE_LETTERS))
    return min(warmed, key=lambda weights: cost(pictures, weights))


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
