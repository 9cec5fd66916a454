"""The command; see the package's docstring."""

import argparse
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from threadpoolctl import threadpool_limits

import benchmarks.pictures as package
from benchmarks.machine import commit, machine, versions
from benchmarks.pictures.examples import Example, examples_of, uci_digits
from benchmarks.pictures.generated import Digest, generated
from benchmarks.pictures.pen import fonts
from benchmarks.pictures.scores import Result, answer, summary
from benchmarks.pictures.sheet import contact_sheet
from digitscope.model import REFUSED_SHARE, Model
from digitscope.vision import to_picture

MAX_FAILURES = 400
"""Pictures on a contact sheet."""
TILES = {"digit": 110, "not a digit": 110, "number": 170, "no number": 170}
"""Longer side of a picture on a contact sheet, in pixels, by task."""
HEADS = {
    "right": "right",
    "right_mean_over_sources": "sources",
    "right_as_written": "written",
    "character_errors": "ch. err.",
    "refused": "refused",
    "refused_with_right_digit": "(right)",
    "wrong_with_confidence": "sure err.",
    "nothing_found": "nothing",
    "confident": "sure",
    "confident_errors": "sure err.",
    "roc_area": "ROC",
    "claims": "claims",
    "claims_of_half": "p >= 0.5",
    "digits_of_half": "digits",
    "seconds": "s",
    "processor_seconds": "s (CPU)",
    "longest_processor_seconds": "longest",
}
"""Heads of the table's columns."""
_PLAIN = ("pictures", "claims", "claims_of_half", "digits_of_half")
_SECONDS = ("seconds", "processor_seconds", "longest_processor_seconds")


def table(sets: dict[str, Any]) -> str:
    """The summary as text: for each set and task a row for all pictures, and one for each kind."""
    lines = []
    for name, tasks in sets.items():
        for task, entry in tasks.items():
            columns = [key for key in entry["all"] if key != "pictures"]
            lines.append(
                f"\n{name}: {task:{max(1, 40 - len(name))}}{'n':>6}" + "".join(f"{HEADS[c]:>10}" for c in columns)
            )
            rows = {"all": entry["all"], **entry.get("kinds", {})}
            for row, figures in rows.items():
                cells = "".join(f"{_cell(c, figures[c]) if c in figures else '':>10}" for c in columns)
                lines.append(f"  {row[:39]:40}{figures['pictures']:>6}{cells}")
    return "\n".join(lines)


def _cell(column: str, value: float) -> str:
    if column in _PLAIN:
        return f"{value:.0f}"
    if column in _SECONDS:
        return f"{value:.3f}"
    return f"{value:.4f}" if column == "roc_area" else f"{100 * value:.1f} %"


def measure(examples: Iterator[Example], model: Model, refuse: float, digest: Digest) -> list[Result]:
    """The answers. To save memory, pictures are kept only if the answer is wrong, and small."""
    results = []
    for example in examples:
        digest.add(example)
        result = answer(example, model, refuse)
        kept = None if result.right else _thumbnail(example.picture)
        results.append(replace(result, example=replace(example, picture=kept)))
        if sys.stderr.isatty():
            print(f"\r{len(results)} {example.set}: {example.kind:50.50}", end="", file=sys.stderr)
    return results


def _thumbnail(picture: Any) -> Any:
    small = Image.fromarray(np.ascontiguousarray(to_picture(picture)))
    small.thumbnail((max(TILES.values()),) * 2)
    return np.array(small)


def write_sheets(results: Sequence[Result], folder: Path) -> None:
    """A contact sheet of the failures of each set and task."""
    folder.mkdir(parents=True, exist_ok=True)
    failures = sorted((r for r in results if not r.right), key=lambda r: (r.example.set, r.example.task))
    for (name, task), group in groupby(failures, key=lambda r: (r.example.set, r.example.task)):
        sheet = contact_sheet(list(group)[:MAX_FAILURES], TILES[task])
        sheet.save(folder / f"{name}, {task}.png".replace(" ", "_"))


def write_record(path: Path, sets: dict[str, Any], conditions: dict[str, Any]) -> None:
    """Writes the figures of each set with the conditions of its measurement. Other sets in the file stay."""
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    content.update({name: {**conditions, "figures": figures} for name, figures in sets.items()})
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def command(options: argparse.Namespace) -> str:
    """The command that gives the same figures elsewhere: folders by their names alone, and not what it writes."""
    words = ["uv", "run", "python", "-m", "benchmarks.pictures", *(folder.name for folder in options.folders)]
    words += ["--model", Path(options.model).name, "--refuse", str(options.refuse)]
    if options.uci:
        words.append("--uci")
    if options.generated:
        words += ["--generated", str(options.generated), "--seed", str(options.seed)]
    if options.kinds:
        words += ["--kinds", *options.kinds]
    if options.as_numbers:
        words.append("--as-numbers")
    return shlex.join(words)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pictures",
        description=package.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", type=Path, nargs="*", metavar="FOLDER")
    parser.add_argument("--model", default="reader")
    parser.add_argument("--refuse", type=float, default=REFUSED_SHARE)
    parser.add_argument("--uci", action="store_true")
    parser.add_argument(
        "--generated", type=int, default=0, metavar="COUNT", help="pictures of a kind, times its factor"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="+", default=[], help="only generated kinds whose names begin like this")
    parser.add_argument("--as-numbers", action="store_true", help="read pictures of one digit as numbers, too")
    parser.add_argument("--sheets", type=Path, metavar="FOLDER", help="write contact sheets of all failures")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="write all figures as JSON, and keep those of other sets"
    )
    options = parser.parse_args(arguments)
    model, digest = Model.load(options.model), Digest()

    def examples() -> Iterator[Example]:
        for folder in options.folders:
            yield from examples_of(folder)
        if options.uci:
            yield from uci_digits()
        if options.generated:
            yield from generated(options.generated, options.seed, tuple(options.kinds))

    def tasks() -> Iterator[Example]:
        for example in examples():
            yield example
            if options.as_numbers and example.task == "digit":
                yield replace(example, set=f"{example.set} as numbers", task="number")

    with threadpool_limits(1):
        warm_up = np.zeros((60, 60), np.uint8)
        warm_up[10:50, 28:32] = 255
        for task in ("digit", "number"):
            answer(Example("", "", "", "", task, "1", warm_up), model, options.refuse)
        results = measure(tasks(), model, options.refuse, digest)
    sets = summary(results)
    print(table(sets))
    if options.sheets is not None:
        write_sheets(results, options.sheets)
    if options.record is not None:
        write_record(
            options.record,
            sets,
            {
                "command": command(options),
                "digest": str(digest),
                "fonts": len(fonts()),
                "machine": machine(),
                "versions": versions("numpy", "scipy", "pillow", "digitscope"),
                "commit": commit(),
                "date": datetime.now(UTC).date().isoformat(),
            },
        )


if __name__ == "__main__":
    main()
