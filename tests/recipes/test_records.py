"""The figures of a record as text."""

import re
from dataclasses import replace
from pathlib import Path

from benchmarks.readme import full_ladder, short_ladder
from digitscope.recipes.records import Record

RUN = {"test_accuracy": 0.99, "train_seconds": 30.0, "parameters": 1234}
ONE = Record("mlp", "a network", "98 % (someone)", "a command", "a machine", {}, "abc", "2026-01-01", (RUN,))


def test_one_run_has_no_spread() -> None:
    assert ONE.claim == "Test accuracy 99.00 % (n = 1), 30.0 s of training, 1,234 parameters; a machine."
    assert "| **99.00 %** | 1 | 30.0 s | 1,234 |" in full_ladder([ONE])
    assert "| **99.00 %** (n = 1) | 30.0 s |" in short_ladder([ONE])


def test_several_runs_have_mean_and_standard_deviation() -> None:
    two = replace(ONE, runs=(RUN, {**RUN, "test_accuracy": 0.98, "train_seconds": 330.0}))
    assert two.claim.startswith("Test accuracy 98.50 % ± 0.71 (n = 2 seeds), 3.0 min of training")
    assert "| **98.50 %** ± 0.71 | 2 | 3.0 min |" in full_ladder([two])
    assert "| **98.50 %** ± 0.71 (n = 2) | 3.0 min |" in short_ladder([two])


def test_a_number_of_threads_other_than_two_is_shown() -> None:
    assert replace(ONE, threads=1).training == "30.0 s (1 thread)"
    assert replace(ONE, threads=8).training == "30.0 s (8 threads)"


def test_a_time_is_in_the_largest_unit_that_it_has_twice_of() -> None:
    for seconds, words in ((119.9, "119.9 s"), (120, "2.0 min"), (7194, "119.9 min"), (7200, "2.0 h")):
        assert replace(ONE, runs=({**RUN, "train_seconds": seconds},)).training == words


def test_records_name_no_place_of_the_machine_that_made_them() -> None:
    records = list((Path(__file__).parents[2] / "records").rglob("*.json"))
    assert len(records) > 10
    for record in records:
        assert re.findall(r"""[\s"'=](/\w+/|~/|[A-Z]:\\)""", record.read_text(encoding="utf-8")) == [], record
