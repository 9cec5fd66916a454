"""Runs a chapter's code in order in one clean interpreter, and compares what it prints with what the chapter says.

```python blocks are run, except those that quote the source. What a block prints stands right behind it in a
```text block. Numbers may differ by one unit of their last printed digit, since processors round differently.
"""

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

NUMBER = re.compile(r"[-−]?\d+(?:\.\d*)?(?:e[-+]?\d+)?")


def run_chapter(path: Path, *, write: bool = False) -> "subprocess.CompletedProcess[str]":
    """Runs this file on the chapter in a new process, in an empty folder, BLAS on one thread, warnings as errors."""
    command = [sys.executable, "-P", "-W", "error", __file__, str(path.resolve())]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(
            [*command, "--write"] if write else command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )


def same_output(printed: str, expected: str) -> bool:
    """Whether all is alike but for spaces and for one unit of the last printed digit of each number."""
    a, b = printed.split(), expected.split()
    if [NUMBER.sub("#", word) for word in a] != [NUMBER.sub("#", word) for word in b]:
        return False
    pairs = zip(NUMBER.findall(" ".join(a)), NUMBER.findall(" ".join(b)), strict=True)
    return all(abs(_value(x) - _value(y)) <= 1.001 * max(_unit(x), _unit(y)) for x, y in pairs)


def _value(number: str) -> float:
    return float(number.replace("−", "-"))


def _unit(number: str) -> float:
    """What the last digit counts; nothing for a whole number, which must be right."""
    mantissa, _, exponent = number.partition("e")
    digits = len(mantissa.partition(".")[2])
    if not exponent and "." not in mantissa:
        return 0.0
    return float(10.0 ** (int(exponent or 0) - digits))


def main(path: Path, *, write: bool) -> list[str]:
    """What is wrong with the chapter's blocks; with `write` the printed text goes into the chapter."""
    from sybil.document import Document
    from sybil.evaluators.python import PythonEvaluator
    from sybil.example import Example
    from sybil.parsers.markdown import CodeBlockParser

    printed: str | None = None  # by the block before, None where there is none
    wrong: list[str] = []
    changes: list[tuple[int, int, str]] = []
    evaluate = PythonEvaluator()

    def run_block(example: Example) -> None:
        nonlocal printed
        nothing_left(example.line)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            evaluate(example)
        printed = out.getvalue()

    def compare(example: Example) -> None:
        nonlocal printed
        if printed is None:
            wrong.append(f"line {example.line}: a text block must stand right behind the block that prints it.")
        elif write:
            changes.append((example.region.start, example.region.end, f"```text\n{printed.rstrip()}\n```"))
        elif not same_output(printed, example.parsed):
            wrong.append(
                f"line {example.line}: expected\n{example.parsed.rstrip()}\nbut printed was\n{printed.rstrip()}"
            )
        printed = None

    def nothing_left(line: int) -> None:
        if printed:
            wrong.append(f"before line {line}: a block prints what the chapter does not show:\n{printed.rstrip()}")

    document = Document.parse(str(path), CodeBlockParser("python", run_block), CodeBlockParser("text", compare))
    for example in document.examples():
        example.evaluate()
    nothing_left(document.text.count("\n"))
    text = document.text
    for start, end, new in reversed(changes):
        text = text[:start] + new + text[end:]
    if text != document.text:
        path.write_text(text, encoding="utf-8")
    return wrong


if __name__ == "__main__":
    faults = main(Path(sys.argv[1]), write="--write" in sys.argv)
    print("\n\n".join(faults))
    sys.exit(bool(faults))
