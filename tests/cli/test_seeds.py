"""digitscope train --seeds."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from digitscope.cli.shell import PROGRAM
from digitscope.model import Model

Files = Callable[[], list[str]]
Digitscope = Callable[..., Any]  # see conftest.py


def test_each_seed_is_trained_as_alone_and_finished_ones_stay(
    digitscope: Digitscope, few_file: Path, in_folder: Files
) -> None:
    settings = "--data", few_file, "--recipe", "mlp", "--epochs", 1
    answer = digitscope("train", *settings, "--seeds", "7,3", "--out", "two", "--json")
    assert (answer.status, answer.err) == (0, "")
    for member, seed in zip(answer.json, (7, 3), strict=True):
        assert (member["seed"], member["model"]) == (seed, str(Path("two", f"seed-{seed}", "model.safetensors")))
        info = Model.load(member["model"]).info
        assert member["validation_accuracy"] == info.validation_accuracy
        assert member["test_accuracy"] == info.test_accuracy
    digitscope("train", *settings, "--seed", 3, "--out", "alone")
    models = [Path(folder, "model.safetensors") for folder in ("two/seed-7", "two/seed-3", "alone")]
    assert models[1].read_bytes() == models[2].read_bytes() != models[0].read_bytes()

    again = digitscope("train", *settings, "--seeds", "5,3", "--out", "two")
    assert again.status == 2
    held = Path("two", "seed-3")
    assert again.err == f"Error: {held} already holds a run. Choose another --out, or continue with --resume.\n"
    assert not Path("two/seed-5").exists()

    written = models[0].stat().st_mtime_ns
    more = digitscope("train", *settings, "--seeds", "7,5", "--out", "two", "--resume")
    assert more.status == 0
    assert models[0].stat().st_mtime_ns == written
    assert more.out.count("epoch 1/1") == 1
    table = more.out[more.out.index("\nseed ") :].splitlines()
    assert [line.split()[0] for line in table[2:4]] == ["7", "5"]
    assert re.search(r"\n +7 +\d+\.\d\d % +\d+\.\d\d % +two.seed-7.model\.safetensors\n", more.out)
    (command,) = [line.removeprefix("Combine them: ") for line in table if line.startswith("Combine")]
    assert command.startswith(f"{PROGRAM} ensemble ")
    combined = digitscope(*shlex.split(command)[len(PROGRAM.split()) :])
    assert combined.status == 0
    assert "2 members" in combined.out
    assert "two/ensemble.safetensors" in in_folder()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "1,2", "--seed", "3", "--out", "x"], "--seeds expects --out, and no --seed."),
        (["--seeds", "1,2"], "--seeds expects --out, and no --seed."),
        (["--seeds", "1,1", "--out", "x"], "--seeds expects different whole numbers, .* got '1,1'"),
        (["--seeds", "1,-2", "--out", "x"], "--seeds expects different whole numbers, .* got '1,-2'"),
        (["--seeds", "", "--out", "x"], "--seeds expects different whole numbers, .* got ''"),
        (
            [
                "--recipe",
                "convnet",
                "--seeds",
                "4",
                "--out",
                "x",
                "--optimizer",
                "gradient-descent",
                "--learning-rate",
                "1e30",
            ],
            "Seed 4: The loss is .* The last good checkpoint is x.seed-4.checkpoint",
        ),
    ],
)
def test_mistakes_are_one_line(
    digitscope: Digitscope, few_file: Path, in_folder: Files, arguments: list[str], message: str
) -> None:
    answer = digitscope("train", "--data", few_file, "--recipe", "lenet", "--json", *arguments)
    assert (answer.status, answer.out) == (2, "")
    assert re.fullmatch(rf"Error: {message}.*\n", answer.err)
