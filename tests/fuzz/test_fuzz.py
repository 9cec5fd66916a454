"""A short run of every target; `python -m tests.fuzz` makes longer ones."""

from pathlib import Path

import pytest

from tests.fuzz.runner import run_case
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_a_damaged_file_ends_in_an_answer_or_one_error(name: str, tmp_path: Path) -> None:
    target = TARGETS[name]
    outcomes = [run_case(target, case, tmp_path) for case in range(target.quick_cases)]
    assert [outcome.failure for outcome in outcomes if outcome.failure] == []
    assert any(outcome.refused for outcome in outcomes)
