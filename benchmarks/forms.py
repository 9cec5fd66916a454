"""Measures how a model reads forms of digits and rejects drawings, by kind: what the recipe `reader` is to learn.

    uv run python -m benchmarks.forms reader runs/reader-1/model.safetensors --sheets sheets/

The drawings are made from MNIST's validation images with a seed that no training uses: rare forms, damaged digits of
the kinds in training and of kinds that are not, and drawings that are not digits. Rejection is at the promised share.

    uv run --group bench python -m benchmarks.forms reader --uci --semeion semeion.npz --photos FOLDER

adds pictures of others, prepared: scikit-learn's 8x8 digits, Semeion's 16x16 scans (images and labels), and a folder of
pictures with the subfolders single/DIGIT and notdigit.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.pictures import area_under_roc
from digitscope.arrays import Array
from digitscope.datasets import load_mnist
from digitscope.errors import NoInkError
from digitscope.model import Model
from digitscope.synthetic.damage import DIGIT_DAMAGE, OTHER_DAMAGE, UNSEEN_DAMAGE, damage, damage_once
from digitscope.synthetic.non_digits import NON_DIGITS, VARIANTS, DigitSource
from digitscope.vision import prepare

NOT_A_DIGIT = 10
SURE = 0.9
Kind = tuple[str, str, Array, Array]
"""A group, a kind's name, images (N, 28, 28) and labels (N,)."""
TILE, COLUMNS = 56, 24  # pixels, images in a row of a sheet


def generated(count: int, seed: int) -> list[Kind]:
    """`count` drawings of each form and of each kind of no digit, and four times as many of each kind of damage."""
    (x, y), _ = load_mnist()
    x, y = x[-5000:], y[-5000:]
    digits, rng = DigitSource(x, y), np.random.default_rng(seed)
    kinds: list[Kind] = [("MNIST", "validation", x, y)]
    for name, form in VARIANTS.items():
        images = np.stack([form.draw(rng, digits) for _ in range(count)])
        kinds.append(("forms", name, images, np.full(count, int(name[0]))))
    for group, table in (("damaged", DIGIT_DAMAGE), ("damaged, not in training", UNSEEN_DAMAGE)):
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


def prepared(group: str, name: str, pictures: Iterable[Any], labels: Iterable[int]) -> Kind:
    """Pictures in MNIST's format; blank where no ink was found."""
    images = []
    for picture in pictures:
        try:
            images.append(prepare(picture).image)
        except NoInkError:
            images.append(np.zeros((28, 28), np.uint8))
    return group, name, np.stack(images), np.array(list(labels))


def real(options: argparse.Namespace) -> list[Kind]:
    kinds = []
    if options.uci:
        from sklearn.datasets import load_digits

        data = load_digits()
        kinds.append(prepared("others'", "8x8", (image / 16 for image in data.images), data.target))
    if options.semeion is not None:
        with np.load(options.semeion) as data:
            kinds.append(prepared("others'", "semeion", data["images"], data["labels"]))
    if options.photos is not None:
        paths = sorted(options.photos.glob("single/[0-9]/*"))
        kinds.append(prepared("others'", "photos", paths, (int(path.parent.name) for path in paths)))
        paths = sorted(options.photos.glob("notdigit/*"))
        kinds.append(prepared("no digits, others'", "photos", paths, (NOT_A_DIGIT for _ in paths)))
    return kinds


def sheet(images: Array, texts: list[str]) -> Image.Image:
    rows = -(-len(images) // COLUMNS)
    picture = Image.new("L", (COLUMNS * (TILE + 4), rows * (TILE + 14)), 255)
    pen = ImageDraw.Draw(picture)
    for i, (image, text) in enumerate(zip(images, texts, strict=True)):
        x, y = (TILE + 4) * (i % COLUMNS), (TILE + 14) * (i // COLUMNS)
        picture.paste(Image.fromarray(255 - image).resize((TILE, TILE), Image.Resampling.NEAREST), (x, y))
        pen.text((x, y + TILE), text, fill=0)
    return picture


def measure(model: Model, kinds: list[Kind], refuse: float, sheets: Path | None) -> None:
    evidence: dict[str, list[float]] = {}
    totals: dict[str, list[Array]] = {}
    for group, name, images, labels in kinds:
        answers = model.answers(images, refuse=refuse, threads=1)
        digit = np.array([answer.digit for answer in answers])
        accepted = np.array([answer.is_digit for answer in answers])
        probability = np.array([answer.probability for answer in answers])
        evidence.setdefault(group, []).extend(answer.evidence for answer in answers)
        right = (digit == labels) & accepted
        totals.setdefault(group, []).append(
            np.stack([right, ~accepted, accepted & (probability >= SURE), digit == labels])
        )
        if labels[0] == NOT_A_DIGIT:
            print(f"{group:25} {name:15} rejected {100 * (~accepted).mean():5.1f} %")
            failed = np.flatnonzero(accepted)
        else:
            print(
                f"{group:25} {name:15} correct {100 * right.mean():5.1f} %, "
                f"rejected {100 * (~accepted).mean():4.1f} %, "
                f"correct without rejection {100 * (digit == labels).mean():5.1f} %"
            )
            failed = np.flatnonzero(~right)
        if sheets is not None and len(failed):
            sheets.mkdir(parents=True, exist_ok=True)
            texts = [f"{labels[i]}:{digit[i]}{'' if accepted[i] else 'x'} {answers[i].evidence:.0f}" for i in failed]
            sheet(images[failed], texts).save(sheets / f"{group} {name}.png")
    none = [score for group, scores in evidence.items() if group.startswith("no digits") for score in scores]
    for group, parts in totals.items():
        right, rejected, sure, named = np.concatenate(parts, axis=1)
        if group.startswith("no digits"):
            print(f"{group}: {100 * rejected.mean():.1f} % of {len(rejected)} rejected")
            continue
        wrong = 100 * (~named[sure]).mean() if sure.any() else 0.0
        print(
            f"{group}: {100 * right.mean():.1f} % of {len(right)} correct, {100 * rejected.mean():.1f} % rejected; "
            f"{wrong:.2f} % of {sure.sum()} answers of at least {SURE:.0%} wrong; "
            f"area under the ROC curve against all that are no digits {area_under_roc(evidence[group], none):.4f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--refuse", type=float, default=0.01)
    parser.add_argument("--sheets", type=Path, help="write pictures of all failures into this folder")
    parser.add_argument("--uci", action="store_true")
    parser.add_argument("--semeion", type=Path)
    parser.add_argument("--photos", type=Path)
    options = parser.parse_args()
    kinds = generated(options.count, options.seed) + real(options)
    for name in options.models:
        model = Model.load(name)
        assert model.calibration is not None
        threshold = model.calibration.evidence_threshold(options.refuse)
        print(f"\n{name}: temperature {model.calibration.temperature:.3f}, threshold {threshold:.2f}")
        measure(model, kinds, options.refuse, options.sheets)


if __name__ == "__main__":
    main()
