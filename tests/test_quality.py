"""Lint, types, one-way imports, names with one meaning, and documents that are true."""

import ast
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

from benchmarks.readme import full_ladder, short_ladder
from digitscope.recipes import RECIPES
from digitscope.recipes.records import load_records

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "digitscope"
MODULES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
    ],
    ids=" ".join,
)
def test_the_code_is_clean(command: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_root_holds_only_files_that_belong_there() -> None:
    strange = [
        path.name
        for path in ROOT.iterdir()
        if path.is_file() and path.suffix not in ("", ".cff", ".md", ".toml", ".lock")
    ]
    assert strange == [], "Delete them. A test that ran the verb which writes such a file lacks the fixture in_folder."


def test_imports_run_one_way() -> None:
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_every_module_is_in_the_import_contract() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = next(c for c in project["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    assert contract["exhaustive"]
    named = [name.strip() for layer in contract["layers"] for name in re.split(r"[|:]", layer)]
    assert len(named) == len(set(named))
    top = {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in MODULES}
    assert top - {"__init__", *contract["exhaustive_ignores"]} == set(named)
    # The linter walks packages only: it does not see a folder without __init__.py.
    assert {path.parent for path in MODULES} == {path.parent for path in MODULES if path.name == "__init__.py"}


def test_a_module_has_a_name_of_its_own() -> None:
    """Only a verb of the command line, a room of the lab and a rung of the ladder may be called like the module that
    does the work or the layer that it is about, and a kernel like the layer that it makes fast.
    """
    named = defaultdict(list)
    for path in MODULES:
        module = path.parent if path.name == "__init__.py" else path.with_suffix("")
        place = module.relative_to(SOURCE).as_posix()
        if re.fullmatch(r"(cli|recipes|nn/kernels|lab/rooms)/\w+", place) is None:
            named[module.name].append(place)
    assert {name: places for name, places in named.items() if len(places) > 1} == {}


def test_a_public_class_has_a_name_of_its_own() -> None:
    named = defaultdict(list)
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                named[node.name].append(path.relative_to(SOURCE).as_posix())
    assert {name: places for name, places in named.items() if len(places) > 1} == {}


@pytest.mark.parametrize("path", sorted((SOURCE / "jobs").glob("*.py")), ids=lambda path: path.stem)
def test_jobs_write_no_html(path: Path) -> None:
    """The pages are made in report."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert [text for text in texts if re.search(r"</?[a-z][\w-]*[\s/>]", text)] == []


def test_the_tables_have_the_records_figures() -> None:
    records = load_records(RECIPES).values()
    assert short_ladder(records) in (ROOT / "README.md").read_text(encoding="utf-8")
    assert full_ladder(records) in (ROOT / "docs" / "results.md").read_text(encoding="utf-8")


def test_every_rung_has_a_short_description() -> None:
    for recipe in RECIPES.values():
        assert 1 <= len(recipe.summary.split()) <= 10, recipe.name


def markdown() -> list[Path]:
    return [
        path for path in ROOT.rglob("*.md") if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    ]


@pytest.mark.parametrize("path", markdown(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_and_pictures_exist(path: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)  # no code
    for target in re.findall(r"(?:\]\(|<img src=\")([^)#\s\"]+)", text):
        if not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_every_verb_is_in_the_readme() -> None:
    from digitscope.cli import cli

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for verb in cli.commands:
        assert f"digitscope {verb}" in readme, verb


def test_every_extra_is_in_the_readme_and_in_the_error_without_it() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    for extra in extras:
        assert f"digitscope[{extra}]" in readme or f"`{extra}`" in readme, extra
        assert re.search(rf"(?i)install[\s\"']+digitscope\[{extra}\]", source), extra
