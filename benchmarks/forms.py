"""Measures how a model reads forms of digits and rejects drawings, by kind: what the recipe `reader` is to learn.

    uv run python -m benchmarks.forms reader runs/reader-1/model.safetensors

The drawings are made from MNIST's validation images with a seed that no training uses: rare forms, damaged digits of
the kinds in training and of kinds that are not, and drawings that are not digits. They are in MNIST's format, so this
takes a minute. `benchmarks.pictures` measures pictures, which are prepared first.
"""

import argparse

import numpy as np

from benchmarks.pictures.scores import area_under_roc
from digitscope.arrays import Array
from digitscope.datasets import load_mnist
from digitscope.model import Model
from digitscope.synthetic.degradation import DIGIT_DAMAGE, OTHER_DAMAGE, UNSEEN_DAMAGE, damage, damage_once
from digitscope.synthetic.non_digits import NON_DIGITS, VARIANTS, DigitSource

NOT_A_DIGIT = 10
SURE = 0.9
Kind = tuple[str, str, Array, Array]
"""A group, a kind's name, images (N, 28, 28) and labels (N,)."""


def generated(count: int, seed: int) -> list[Kind]:
    """`count` drawings of each form and of each kind of no digit, and four times as many of each kind of damage."""
    (x, y), _ = load_mnist()
    x, y = x[-5000:], y[-5000:]
    digits, rng = DigitSource(x, y), np.random.default_rng(seed)
    kinds: list[Kind] = [("MNIST", "validation", x, y)]
    for name, form in VARIANTS.items():
        images = np.stack([form.draw(rng, digits) for _ in range(count)])
        kinds.append(("forms", name, images, np.full(count, int(name[0]))))
    for group, table in (("damaged", DIGIT_DAMAGE), ("damaged otherwise", UNSEEN_DAMAGE)):
        for name, harm in table.items():
            chosen = rng.choice(len(x), min(4 * count, len(x)), replace=False)
            kinds.append((group, name, np.stack([damage_once(x[i], rng, harm) for i in chosen]), y[chosen]))
    for name, form in NON_DIGITS.items():
        images = np.stack([form.draw(rng, digits) for _ in range(count)])
        kinds.append(("no digits", name, images, np.full(count, NOT_A_DIGIT)))
    others = np.concatenate([images for group, _, images, _ in kinds if group == "no digits"])
    others = damage(others[rng.permutation(len(others))[: 8 * count]], rng, OTHER_DAMAGE)
    kinds.append(("no digits", "damaged", others, np.full(len(others), NOT_A_DIGIT)))
    return kinds


def measure(model: Model, kinds: list[Kind], refuse: float) -> None:
    """Prints the figures of each kind, then of each group."""
    results: dict[str, list[Array]] = {}
    for group, name, images, labels in kinds:
        answers = model.answers(images, refuse=refuse, threads=1)
        digit = np.array([answer.digit for answer in answers])
        rejected = np.array([not answer.is_digit for answer in answers])
        sure = ~rejected & (np.array([answer.probability for answer in answers]) >= SURE)
        evidence = np.array([answer.evidence for answer in answers])
        results.setdefault(group, []).append(np.stack([digit == labels, rejected, sure, evidence]))
        print(f"{group:18}{name:16}{_text(digit == labels, rejected)}")
    joined = {group: np.concatenate(parts, axis=1) for group, parts in results.items()}
    for group, (right, rejected, sure, evidence) in joined.items():
        text = _text(right > 0, rejected > 0)
        if group != "no digits":
            errors = (right[sure > 0] == 0).mean() if sure.any() else 0.0
            area = area_under_roc(evidence.tolist(), joined["no digits"][3].tolist())
            text += (
                f"; of {sure.sum():.0f} sure answers {100 * errors:.2f} % wrong; area under the ROC curve {area:.4f}"
            )
        print(f"{group} ({len(right)}): {text}")


def _text(right: Array, rejected: Array) -> str:
    if not right.any():
        return f"rejected {100 * rejected.mean():5.1f} %"
    return (
        f"correct {100 * (right & ~rejected).mean():5.1f} %, rejected {100 * rejected.mean():4.1f} %, "
        f"correct if none is rejected {100 * right.mean():5.1f} %"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--refuse", type=float, default=0.01)
    options = parser.parse_args()
    kinds = generated(options.count, options.seed)
    for name in options.models:
        model = Model.load(name)
        if model.calibration is None:
            raise SystemExit(f"{name} has no calibration.")
        threshold = model.calibration.evidence_threshold(options.refuse)
        print(f"\n{name}: temperature {model.calibration.temperature:.3f}, threshold {threshold:.2f}")
        measure(model, kinds, options.refuse)


if __name__ == "__main__":
    main()
