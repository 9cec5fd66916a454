"""Copies the figures of records/ into the README, docs/results.md and the recipes' docstrings.

uv run python -m benchmarks.readme
"""

import inspect
import re
import textwrap
from collections.abc import Iterable
from pathlib import Path

from digitscope.recipes import RECIPES
from digitscope.recipes.records import Record, load_records

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- ladder -->", "<!-- end of ladder -->"


def short_ladder(records: Iterable[Record]) -> str:
    """The README's table: each rung in a few words, its accuracy and its training time."""
    rows = ["| recipe | network | test accuracy | training |", "|---|---|---|---|"]
    rows.extend(
        f"| `{r.recipe}` | {RECIPES[r.recipe].summary} | {_bold(r.accuracy)} (n = {r.n}) | {r.training} |"
        for r in records
    )
    return "\n".join(rows)


def full_ladder(records: Iterable[Record]) -> str:
    """The table of docs/results.md, with the published results."""
    rows = [
        "| recipe | network | published | test accuracy | n | training | parameters |",
        "|---|---|---|---|---|---|---|",
    ]
    rows.extend(
        f"| `{r.recipe}` | {r.title} | {r.published} | {_bold(r.accuracy)} | {r.n} | "
        f"{r.training} | {r.runs[0]['parameters']:,} |"
        for r in records
    )
    return "\n".join(rows)


def main() -> None:
    records = load_records(RECIPES)
    _write_table(ROOT / "README.md", short_ladder(records.values()))
    _write_table(ROOT / "docs" / "results.md", full_ladder(records.values()))
    for name, record in records.items():
        path = Path(inspect.getfile(RECIPES[name].build))
        claim = textwrap.fill(record.claim, width=116)
        source = path.read_text(encoding="utf-8")
        before, _, rest = source.partition("\nTest accuracy ")
        _, _, after = rest.partition("\n\n")
        path.write_text(f"{before}\n{claim}\n\n{after}", encoding="utf-8")


def _bold(accuracy: str) -> str:
    """The mean in bold, its standard deviation not."""
    return f"**{accuracy.replace(' %', ' %**')}"


def _write_table(path: Path, table: str) -> None:
    """Replaces what is between the two markers."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{table}\n{END}", text, flags=re.DOTALL)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
