"""Measures how well pictures are read: single digits, whole numbers, and pictures that are not digits.

    uv run python -m benchmarks.pictures FOLDER --sheet failures.png

FOLDER/single/DIGIT/SOURCE_*.* are pictures of one digit, FOLDER/multi/NUMBER_*.* of a number, FOLDER/notdigit/*.* of
anything else; each of the three may be missing. SOURCE, up to the last underscore, is the picture's origin. Accuracies
are printed over pictures and as the mean over sources. A digit that is rejected counts as wrong.

    uv run --group bench python -m benchmarks.pictures --uci

reads the 8x8 digits that come with scikit-learn (Optical Recognition of Handwritten Digits, Alpaydin and Kaynak 1998),
as pictures.

    uv run python -m benchmarks.pictures --generated 11 --seed 1

generates 11 photos of one digit and 11 of numbers, of each kind, from images that no bundled model was trained on, and
reads them. Numbers have up to three lines of up to ten digits, most of which come close, touch or overlap somewhere.
"""

import argparse
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from digitscope.datasets import load_mnist
from digitscope.errors import NoInkError
from digitscope.model import Answer, Model
from digitscope.reader import read
from digitscope.synthetic.photos import KINDS, Photo, photograph_digit, photograph_numbers
from digitscope.vision import prepare, to_picture

TILE, COLUMNS = 150, 6  # pixels, pictures in a row of the sheet


def read_one(model: Model, picture: Any, refuse: float) -> tuple[Answer | None, float]:
    """The answer, None if the picture has no ink; and the seconds."""
    began = time.perf_counter()
    try:
        answer = model.answers(prepare(picture).image[None], refuse=refuse)[0]
    except NoInkError:
        answer = None
    return answer, time.perf_counter() - began


def area_under_roc(positive: list[float], negative: list[float]) -> float:
    """The probability that a digit has more evidence than a picture that is not a digit; ties count half."""
    p, n = np.array(positive)[:, None], np.array(negative)
    return float((p > n).mean() + (p == n).mean() / 2)


def by_source(right: dict[str, list[bool]]) -> str:
    results = [result for of_source in right.values() for result in of_source]
    mean = float(np.mean([np.mean(of_source) for of_source in right.values()]))
    return f"{100 * np.mean(results):.1f} % of {len(results)}, mean over {len(right)} sources {100 * mean:.1f} %"


def contact_sheet(failures: list[tuple[Path, str]]) -> Image.Image:
    rows = -(-len(failures) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (TILE + 10), max(1, rows) * (TILE + 30)), "white")
    pen = ImageDraw.Draw(sheet)
    for i, (path, text) in enumerate(failures):
        x, y = (TILE + 10) * (i % COLUMNS), (TILE + 30) * (i // COLUMNS)
        picture = Image.fromarray(np.ascontiguousarray(to_picture(path)))
        picture.thumbnail((TILE, TILE))
        sheet.paste(picture, (x, y))
        pen.text((x, y + TILE + 2), text, fill="black")
    return sheet


def measure(folder: Path, model: Model, refuse: float) -> list[tuple[Path, str]]:
    failures: list[tuple[Path, str]] = []
    right: dict[str, list[bool]] = defaultdict(list)
    digits, others, seconds, refused = [], [], [], 0
    for path in sorted(folder.glob("single/[0-9]/*")):
        answer, elapsed = read_one(model, path, refuse)
        seconds.append(elapsed)
        digits.append(answer.evidence if answer else -np.inf)
        is_digit = answer is not None and answer.is_digit
        refused += not is_digit
        text = str(answer.digit) if answer and is_digit else "not a digit"
        right[path.stem.rpartition("_")[0]].append(text == path.parent.name)
        if text != path.parent.name:
            failures.append((path, f"{path.parent.name}: {text}"))
    if right:
        print(f"single digits: {by_source(right)}; {refused} rejected")
        print(f"seconds per picture: median {np.median(seconds):.3f}, longest {max(seconds[1:] or seconds):.3f}")
    numbers: dict[str, list[bool]] = defaultdict(list)
    for path in sorted(folder.glob("multi/*")):
        number, _, source = path.stem.partition("_")
        text = " ".join(line.text for line in read(path, model).lines)
        numbers[source.rpartition("_")[0]].append(text == number)
        if text != number:
            failures.append((path, f"{number}: {text}"))
    if numbers:
        print(f"whole numbers: {by_source(numbers)}")
    for path in sorted(folder.glob("notdigit/*")):
        answer, _ = read_one(model, path, refuse)
        others.append(answer.evidence if answer else -np.inf)
        if answer and answer.is_digit:
            failures.append((path, f"not a digit: {answer.digit} ({answer.probability:.0%})"))
    if others:
        accepted = sum(text.startswith("not a digit:") for _, text in failures)
        print(f"not digits: {len(others) - accepted} of {len(others)} rejected")
        if digits:
            print(f"area under the ROC curve, digits against the others: {area_under_roc(digits, others):.4f}")
    return failures


def uci(model: Model, refuse: float) -> None:
    from sklearn.datasets import load_digits

    data = load_digits()
    answers = [read_one(model, image / 16, refuse)[0] for image in data.images]
    labels = [answer.digit if answer else -1 for answer in answers]
    refused = sum(answer is None or not answer.is_digit for answer in answers)
    print(f"8x8 digits: {100 * np.mean(np.array(labels) == data.target):.1f} % of {len(labels)}, {refused} rejected")


def generated(model: Model, count: int, seed: int, refuse: float) -> None:
    (images, labels), _ = load_mnist()
    images, labels = images[-5000:], labels[-5000:]
    by_separation: dict[bool, list[bool]] = defaultdict(list)
    singles, by_kind = [], {}
    for k, kind in enumerate(KINDS):
        rng = np.random.default_rng([seed, k])
        numbers = []
        for _ in range(count):
            i = int(rng.integers(len(images)))
            answer, _seconds = read_one(model, photograph_digit(images[i], rng, kind=kind).pixels, refuse)
            singles.append(answer is not None and answer.is_digit and answer.digit == labels[i])
            rows = int(rng.choice([1, 2, 3], p=[0.8, 0.12, 0.08]))
            lines = [rng.integers(len(images), size=rng.integers(2, 6 if rows > 1 else 11)) for _ in range(rows)]
            photo = photograph_numbers([images[line] for line in lines], rng, kind=kind)
            text = read(photo.pixels, model).text
            numbers.append(text == "\n".join("".join(map(str, labels[line])) for line in lines))
            by_separation[smallest_gap(photo) > 0.05].append(numbers[-1])
        by_kind[kind] = sum(numbers)
    correct, separate = by_separation[True] + by_separation[False], by_separation[True]
    print(f"generated photos of one digit: {100 * np.mean(singles):.1f} % of {len(singles)} correct")
    print(f"generated photos of numbers: {100 * np.mean(correct):.1f} % of {len(correct)} completely correct")
    print(f"  whose digits do not touch: {100 * np.mean(separate):.1f} % of {len(separate)}")
    print(f"  of {count} of each kind: {', '.join(f'{kind} {n}' for kind, n in by_kind.items())}")


def smallest_gap(photo: Photo) -> float:
    """The smallest gap between the boxes of neighbours in a line, in heights of a digit; negative if they overlap."""
    left, top, right, bottom = photo.boxes.T
    gaps = (left[1:] - right[:-1])[photo.lines[1:] == photo.lines[:-1]]
    return float(gaps.min(initial=np.inf) / (bottom - top).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--model", default="reader")
    parser.add_argument("--refuse", type=float, default=0.01)
    parser.add_argument("--sheet", type=Path, help="write a picture of all failures")
    parser.add_argument("--uci", action="store_true")
    parser.add_argument("--generated", type=int, default=0, metavar="COUNT")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    model = Model.load(options.model)
    if options.folder is not None:
        failures = measure(options.folder, model, options.refuse)
        if options.sheet is not None and failures:
            contact_sheet(failures).save(options.sheet)
    if options.uci:
        uci(model, options.refuse)
    if options.generated:
        generated(model, options.generated, options.seed, options.refuse)


if __name__ == "__main__":
    main()
