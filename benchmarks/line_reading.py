"""Measures the line reader on generated lines that it was not trained on.

    uv run python -m benchmarks.line_reading MODEL.safetensors --count 600 --seed 1000

By kind of text: whole texts right, digits right (signs, spaces and letters left out of both), character errors, answers
of 0.9 confidence or more whose digits are wrong; and of lines of one digit, how many are right if it is known that
there is exactly one.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.machine import machine, versions
from benchmarks.pictures.scores import edit_distance
from benchmarks.train_line_reader import UNSEEN
from digitscope.datasets import load_mnist
from digitscope.synthetic.text_lines import KINDS, LineWriter, WrittenLine
from digitscope.vision.line_reader import LineReader

SURE = 0.9


def only_digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit())


@dataclass(frozen=True)
class Answer:
    """What a reader said of a line."""

    line: WrittenLine
    text: str
    confidence: float
    seconds: float

    @property
    def digits_right(self) -> bool:
        return only_digits(self.text) == only_digits(self.line.text)


def figures(answers: Sequence[Answer]) -> dict[str, float]:
    sure = [answer for answer in answers if answer.confidence >= SURE]
    length = sum(len(only_digits(a.line.text)) for a in answers)
    errors = sum(edit_distance(only_digits(a.text), only_digits(a.line.text)) for a in answers)
    return {
        "lines": len(answers),
        "text": float(np.mean([a.text == a.line.text for a in answers])),
        "digits": float(np.mean([a.digits_right for a in answers])),
        "errors": errors / max(length, 1),
        "sure": len(sure) / len(answers),
        "sure and wrong": float(np.mean([not a.digits_right for a in sure])) if sure else 0.0,
        "seconds": float(np.median([a.seconds for a in answers])),
    }


def by_line_reader(reader: LineReader, lines: Sequence[WrittenLine]) -> tuple[list[Answer], list[Answer]]:
    """The answers, and those for lines of one digit if it is known that there is one."""
    answers, single = [], []
    for line in lines:
        begin = time.perf_counter()
        logits = reader(line.ink / np.float32(255))
        reading = logits.read()
        answers.append(Answer(line, reading.text, reading.confidence, time.perf_counter() - begin))
        if line.kind == "digit":
            p = logits.digit()
            single.append(Answer(line, str(p.argmax()), float(p.max() / p.sum()), 0.0))
    return answers, single


def show(name: str, answers: Sequence[Answer]) -> dict[str, dict[str, float]]:
    print(f"{name:28}{'lines':>6}{'text':>8}{'digits':>8}{'errors':>8}{'sure':>8}{'wrong':>8}{'ms':>7}")
    table = {}
    for kind in (*KINDS, "all"):
        chosen = [answer for answer in answers if kind in ("all", answer.line.kind)]
        if chosen:
            table[kind] = row = figures(chosen)
            shares = "".join(f"{row[n]:8.1%}" for n in ("text", "digits", "errors", "sure", "sure and wrong"))
            print(f"  {kind:26}{row['lines']:6}{shares}{1000 * row['seconds']:7.1f}")
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--sheet", type=Path, help="draw the lines whose digits are wrong to this file")
    options = parser.parse_args(arguments)
    (images, labels), _ = load_mnist()
    writer = LineWriter(images[-UNSEEN:], labels[-UNSEEN:])
    lines = [writer.write(np.random.default_rng([options.seed, k])) for k in range(options.count)]
    answers, single = by_line_reader(LineReader.load(options.model), lines)
    tables = {"line reader": show("line reader", answers), "told of one digit": show("told of one digit", single)}
    if options.sheet:
        draw(answers, options.sheet)
    if options.json:
        record = {
            "command": f"uv run python -m benchmarks.line_reading {options.model.name} --count {options.count} "
            f"--seed {options.seed}",
            "figures": tables,
            "machine": machine(),
            "versions": versions("numpy", "scipy", "pillow", "digitscope"),
        }
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def draw(answers: Sequence[Answer], path: Path) -> None:
    """A sheet of the lines whose digits are wrong: the text, the answer and its confidence."""
    from PIL import Image, ImageDraw

    wrong = [answer for answer in answers if not answer.digits_right][:120]
    sheet = Image.new("L", (1320, 62 * (-(-len(wrong) // 4) or 1)), 255)
    pen = ImageDraw.Draw(sheet)
    for k, answer in enumerate(wrong):
        x, y = 330 * (k % 4), 62 * (k // 4)
        ink = Image.fromarray(255 - answer.line.ink)
        factor = min(46 / ink.size[1], 320 / ink.size[0])
        sheet.paste(ink.resize([max(1, round(factor * side)) for side in ink.size]), (x, y + 13))
        pen.text((x, y), f"{answer.line.text}  read {answer.text} ({answer.confidence:.0%})", fill=0)
    sheet.save(path)


if __name__ == "__main__":
    main()
