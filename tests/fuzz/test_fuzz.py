"""A short run of every target; `python -m tests.fuzz` makes longer ones."""

import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz.runner import Target, run_case
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_a_damaged_file_ends_in_an_answer_or_one_error(name: str, tmp_path: Path) -> None:
    target = TARGETS[name]
    outcomes = [run_case(target, case, tmp_path) for case in range(target.quick_cases)]
    assert [outcome.failure for outcome in outcomes if outcome.failure] == []
    assert {outcome.refused for outcome in outcomes} == {True, False}


@pytest.mark.parametrize("name", TARGETS)
def test_undamaged_files_are_accepted(name: str, tmp_path: Path) -> None:
    target = TARGETS[name]
    for file, content in target.files().items():
        (tmp_path / file).write_bytes(content)
        target.use(tmp_path / file)


def fail(path: Path) -> None:
    raise ValueError("a fault")


def warn(path: Path) -> None:
    warnings.warn("a fault", stacklevel=1)


def be_slow(path: Path) -> None:
    time.sleep(0.01)


@pytest.mark.parametrize(
    ("use", "failure"), [(fail, "ValueError: a fault"), (warn, "UserWarning: a fault"), (be_slow, "0.0 seconds")]
)
def test_a_fault_is_reported_and_its_file_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: Callable[[Path], None], failure: str
) -> None:
    monkeypatch.setattr("tests.fuzz.runner.SECONDS", 0.005 if use is be_slow else 10)
    target = Target(lambda: {"a.bin": b"abc"}, lambda content, rng: content[1:], use, quick_cases=1)
    outcome = run_case(target, 7, tmp_path)
    assert (outcome.refused, outcome.failure) == (False, f"{tmp_path / '7-a.bin'}: {failure}")
    assert (tmp_path / "7-a.bin").read_bytes() == b"bc"
