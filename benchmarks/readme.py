"""Writes what the records say to where it is claimed: the README's table and the recipes' docstrings.

uv run python -m benchmarks.readme
"""

import re
import textwrap
from pathlib import Path

from digitscope.recipes import RECIPES
from digitscope.recipes.records import ladder, load_records

ROOT = Path(__file__).parents[1]


def main() -> None:
    records = load_records(RECIPES)
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    table = f"<!-- ladder -->\n{ladder(records.values())}\n<!-- end of ladder -->"
    readme.write_text(
        re.sub(r"<!-- ladder -->.*<!-- end of ladder -->", lambda _: table, text, flags=re.DOTALL), encoding="utf-8"
    )
    for name, record in records.items():
        path = ROOT / "src" / "digitscope" / "recipes" / f"{name.replace('-', '_')}.py"
        claim = textwrap.fill(record.claim, width=116)
        source = path.read_text(encoding="utf-8")
        before, _, rest = source.partition("\nTest accuracy ")
        _, _, after = rest.partition("\n\n")
        path.write_text(f"{before}\n{claim}\n\n{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
