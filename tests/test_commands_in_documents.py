"""Every command line of the README and of docs exists, with its options."""

import re
import shlex
from pathlib import Path

import click
import pytest

from digitscope.cli import cli

ROOT = Path(__file__).parents[1]
COMMAND = re.compile(r"^    (?:uv run )?(?:mpiexec -n \d+ )?digitscope (?P<line>[^#\n]*)", re.MULTILINE)
LINES = [
    pytest.param(found["line"], id=f"{path.name}: {found['line'].strip()}")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    for found in COMMAND.finditer(path.read_text(encoding="utf-8"))
]


def check_command(line: str) -> None:
    """Raises: an error of click unless `digitscope LINE` has a verb and options that exist."""
    verb, *arguments = shlex.split(line)
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None, line
    command.make_context(verb, arguments)


@pytest.mark.parametrize("line", LINES)
def test_the_command_exists(line: str) -> None:
    check_command(line)


def test_a_wrong_option_is_noticed() -> None:
    assert len(LINES) > 20
    with pytest.raises(click.NoSuchOption):
        check_command("train --recipy mlp")
