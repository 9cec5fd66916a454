"""Every kind of data set on the command line, and the conversion between them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from digitscope.cli.data import FOLDER_FORMATS
from digitscope.datasets import DataSet, load_data, writers

Digitscope = Callable[..., Any]  # see conftest.py
Files = Callable[[], list[str]]


def test_the_formats_are_those_of_the_writers() -> None:
    assert FOLDER_FORMATS == writers.FOLDER_FORMATS


@pytest.fixture
def table(in_folder: Files, few: DataSet) -> DataSet:
    """60 images in train.csv."""
    data = DataSet("train.csv", few.x_train[:60], few.y_train[:60])
    writers.write_data(data, Path("train.csv"))
    return data


def test_a_table_is_converted_from_each_format_to_the_next(
    digitscope: Digitscope, table: DataSet, in_folder: Files
) -> None:
    """The labels and images of the last one are those of the first, in the same order."""
    source = "train.csv"
    for out, *form in (
        ("a.parquet",),
        ("idx", "--format", "idx"),
        ("b.csv.gz",),
        ("parquet", "--format", "parquet"),
        ("c.npz",),
        ("csv", "--format", "csv"),
        ("d.csv",),
    ):
        answer = digitscope("data", source, "--to", out, *form)
        assert (answer.status, answer.err) == (0, "")
        assert answer.out.splitlines()[-1] == f"Converted: {out}"
        source = out
    assert Path("d.csv").read_bytes() == Path("train.csv").read_bytes()
    assert digitscope("data", "d.csv", "--to", "png", "--format", "png").status == 0
    assert {path.name for path in Path("png").iterdir()} == {str(label) for label in table.y_train}


def test_what_was_converted_is_trained_on_and_evaluated(digitscope: Digitscope, table: DataSet) -> None:
    for form in FOLDER_FORMATS:
        assert digitscope("data", "train.csv", "--to", form, "--format", form).status == 0
    trained = digitscope("train", "--data", "parquet", "--recipe", "seed", "--epochs", 1, "--out", "run", "--json")
    assert trained.status == 0, trained.err
    answers = [digitscope("evaluate", "run/model.safetensors", "--data", form, "--json") for form in FOLDER_FORMATS]
    assert {answer.status for answer in answers} == {0}
    # The model recognizes what it learned from, whatever the format.
    assert [answer.json["part"] for answer in answers] == ["validation"] * 3 + ["all"]


def test_a_submission_reads_parquet(digitscope: Digitscope, table: DataSet) -> None:
    pixels = table.x_train[:20].reshape(20, 784)
    pd.DataFrame(pixels, columns=[f"pixel{k}" for k in range(784)]).to_parquet("test.parquet")
    answer = digitscope("submit", "convnet", "test.parquet")
    assert answer.status == 0, answer.err
    np.testing.assert_array_equal(np.loadtxt("submission.csv", int, delimiter=",", skiprows=1)[:, 0], range(1, 21))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--to", "out"), ("out is expected to end in .csv, .csv.gz, .npz or .parquet, or to be a folder with",)),
        (("--to", "out.xlsx"), ("out.xlsx is expected to end in",)),
        (("--to", "train.csv"), ("train.csv exists already", "--to")),
        (("--to", "out.csv", "--format", "idx"), ("out.csv ends like a file",)),
        (("--to", "out", "--format", "xlsx"), ("'xlsx'", "'parquet'")),
        (("--format", "idx"), ("--format expects a folder to write: --to OUT.",)),
        (("--to", "train.csv/out.npz"), ("cannot be written: a part of its path is not a folder",)),
        (("--to", ""), ("--to", "empty")),
    ],
)
def test_mistakes(
    digitscope: Digitscope, table: DataSet, in_folder: Files, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    answer = digitscope("data", "train.csv", *arguments)
    assert (answer.status, answer.out) == (2, "")
    (line,) = answer.err.splitlines()
    for word in words:
        assert word in line.replace("\\", "/")
    assert in_folder() == ["train.csv"]


def test_two_parts_do_not_fit_into_one_table(digitscope: Digitscope, table: DataSet, in_folder: Files) -> None:
    two = DataSet("two", table.x_train[:50], table.y_train[:50], table.x_train[50:60], table.y_train[50:60])
    writers.write_data(two, Path("two.npz"))
    answer = digitscope("data", "two.npz", "--to", "two.csv")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err == (
        "Error: two.npz has a training and a test part, and two.csv can hold one. Give the name of a folder, and the "
        "format csv: it will hold a file for each part.\n"
    )
    assert in_folder() == ["train.csv", "two.npz"]
    assert digitscope("data", "two.npz", "--to", "two", "--format", "csv").status == 0
    assert load_data("two").digest == two.digest
