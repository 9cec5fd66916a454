"""How pictures of digits are read: single ones, whole numbers, and what is no digit.

    uv run python -m benchmarks.pictures FOLDER --sheet failures.png

FOLDER/single/DIGIT/SOURCE_*.* are pictures of one digit, FOLDER/multi/NUMBER_*.* of a number, FOLDER/notdigit/*.* of
anything else; each is left out where there is none. SOURCE, up to the last underscore, is where a picture comes from.
Accuracies are given over pictures and as the mean over sources. A digit that is refused counts as wrong.

    uv run --extra bench python -m benchmarks.pictures --uci

reads the 8x8 digits that come with scikit-learn (Optical Recognition of Handwritten Digits, Alpaydin and Kaynak 1998),
as pictures.

    uv run python -m benchmarks.pictures --made 11 --seed 1

makes so many photos of one digit and of numbers, of each kind, of images that no model here has learned from, and reads
them. Numbers have up to three lines of up to ten digits, most of which come close, touch or overlap somewhere.
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
    """What is read, None where nothing is written; and the seconds."""
    began = time.perf_counter()
    try:
        answer = model.answers(prepare(picture).image[None], refuse=refuse)[0]
    except NoInkError:
        answer = None
    return answer, time.perf_counter() - began


def area_under_roc(positive: list[float], negative: list[float]) -> float:
    """The probability that a digit has more evidence than what is none, ties counting half."""
    p, n = np.array(positive)[:, None], np.array(negative)
    return float((p > n).mean() + (p == n).mean() / 2)


def by_source(right: dict[str, list[bool]]) -> str:
    everything = [r for each in right.values() for r in each]
    mean = float(np.mean([np.mean(each) for each in right.values()]))
    return f"{100 * np.mean(everything):.1f} % of {len(everything)}, mean over {len(right)} sources {100 * mean:.1f} %"


def contact_sheet(failures: list[tuple[Path, str]]) -> Image.Image:
    rows = -(-len(failures) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (TILE + 10), max(1, rows) * (TILE + 30)), "white")
    pen = ImageDraw.Draw(sheet)
    for place, (path, text) in enumerate(failures):
        x, y = (TILE + 10) * (place % COLUMNS), (TILE + 30) * (place // COLUMNS)
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
        answer, took = read_one(model, path, refuse)
        seconds.append(took)
        digits.append(answer.evidence if answer else -np.inf)
        is_digit = answer is not None and answer.is_digit
        refused += not is_digit
        text = str(answer.digit) if answer and is_digit else "no digit"
        right[path.stem.rpartition("_")[0]].append(text == path.parent.name)
        if text != path.parent.name:
            failures.append((path, f"{path.parent.name}: {text}"))
    if right:
        print(f"single digits: {by_source(right)}; {refused} refused")
        print(f"seconds a picture: median {np.median(seconds):.3f}, longest {max(seconds[1:] or seconds):.3f}")
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
            failures.append((path, f"no digit: {answer.digit} ({answer.probability:.0%})"))
    if others:
        accepted = sum(text.startswith("no digit:") for _, text in failures)
        print(f"no digits: {len(others) - accepted} of {len(others)} refused")
        if digits:
            print(f"area under the ROC curve, digit against no digit: {area_under_roc(digits, others):.4f}")
    return failures


def uci(model: Model, refuse: float) -> None:
    from sklearn.datasets import load_digits

    found = load_digits()
    answers = [read_one(model, image / 16, refuse)[0] for image in found.images]
    labels = [answer.digit if answer else -1 for answer in answers]
    refused = sum(answer is None or not answer.is_digit for answer in answers)
    print(
        f"8x8 digits: {100 * np.mean(np.array(labels) == found.target):.1f} % of {len(labels)} read, {refused} refused"
    )


def made(model: Model, count: int, seed: int, refuse: float) -> None:
    (images, labels), _ = load_mnist()
    images, labels = images[-5000:], labels[-5000:]
    apart: dict[bool, list[bool]] = defaultdict(list)
    singles, by_kind = [], {}
    for k, kind in enumerate(KINDS):
        rng = np.random.default_rng([seed, k])
        numbers = []
        for _ in range(count):
            at = int(rng.integers(len(images)))
            answer, _seconds = read_one(model, photograph_digit(images[at], rng, kind=kind).pixels, refuse)
            singles.append(answer is not None and answer.is_digit and answer.digit == labels[at])
            rows = int(rng.choice([1, 2, 3], p=[0.8, 0.12, 0.08]))
            lines = [rng.integers(len(images), size=rng.integers(2, 6 if rows > 1 else 11)) for _ in range(rows)]
            photo = photograph_numbers([images[line] for line in lines], rng, kind=kind)
            text = read(photo.pixels, model).text
            numbers.append(text == "\n".join("".join(map(str, labels[line])) for line in lines))
            apart[least_gap(photo) > 0.05].append(numbers[-1])
        by_kind[kind] = sum(numbers)
    everything = apart[True] + apart[False]
    print(f"made photos of one digit: {100 * np.mean(singles):.1f} % of {len(singles)} right")
    print(f"made photos of numbers: {100 * np.mean(everything):.1f} % of {len(everything)} wholly right")
    print(f"  whose digits stand apart: {100 * np.mean(apart[True]):.1f} % of {len(apart[True])}")
    print(f"  of {count} of each kind: {', '.join(f'{kind} {n}' for kind, n in by_kind.items())}")


def least_gap(photo: Photo) -> float:
    """The least gap between the boxes of neighbours in a line, in heights of a digit; negative where they overlap."""
    left, top, right, bottom = photo.boxes.T
    gaps = (left[1:] - right[:-1])[photo.lines[1:] == photo.lines[:-1]]
    return float(gaps.min(initial=np.inf) / (bottom - top).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--model", default="reader")
    parser.add_argument("--refuse", type=float, default=0.01)
    parser.add_argument("--sheet", type=Path, help="a picture of all failures, to look at")
    parser.add_argument("--uci", action="store_true")
    parser.add_argument("--made", type=int, default=0, metavar="COUNT")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    model = Model.load(options.model)
    if options.folder is not None:
        failures = measure(options.folder, model, options.refuse)
        if options.sheet is not None and failures:
            contact_sheet(failures).save(options.sheet)
    if options.uci:
        uci(model, options.refuse)
    if options.made:
        made(model, options.made, options.seed, options.refuse)


if __name__ == "__main__":
    main()
