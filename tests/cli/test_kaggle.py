"""digitscope kaggle, the committees and cross-validations beside it, and the wheel in a notebook without internet."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitscope.datasets import DataSet
from digitscope.errors import DigitscopeError
from digitscope.jobs.kaggle import KaggleJob, check_submission
from digitscope.jobs.train import Settings
from digitscope.model import Model

Digitscope = Callable[..., Any]  # see conftest.py
Files = Callable[[], list[str]]
ROOT = Path(__file__).parents[2]
QUICK = ["--recipe", "mlp", "--epochs", 1, "--folds", 2]


def write_table(path: str, images: Any, labels: Any = None) -> None:
    names = [f"pixel{i}" for i in range(784)]
    rows = images.reshape(len(images), 784)
    if labels is not None:
        rows, names = np.column_stack([labels, rows]), ["label", *names]
    np.savetxt(path, rows, "%d", ",", header=",".join(names), comments="")


@pytest.fixture
def tables(few: DataSet, in_folder: Files) -> None:
    """train.csv and test.csv of images that are not MNIST's: each has one pixel more."""
    images = few.x_train[:200].copy()
    images[:, 0, 0] = 9
    write_table("train.csv", images[:150], few.y_train[:150])
    write_table("test.csv", images[150:])


@pytest.mark.usefixtures("tables")
class TestKaggle:
    def test_from_the_tables_to_the_submission(self, digitscope: Digitscope, in_folder: Files) -> None:
        result = digitscope("kaggle", "train.csv", "test.csv", *QUICK, "--json").json
        lines = Path("submission.csv").read_text().splitlines()
        assert lines[0] == "ImageId,Label"
        assert [line.split(",")[0] for line in lines[1:]] == [str(n) for n in range(1, 51)]
        model = Model.load("submission-run/final.safetensors")
        assert model.info.train_images == 150
        assert model.info.validation_accuracy == result["expected_accuracy"]
        low, high = result["expected_interval"]
        assert low < result["expected_accuracy"] < high
        assert len(result["fold_accuracies"]) == 2
        first = result["least_sure"][0]
        assert lines[first["image_id"]] == f"{first['image_id']},{first['digit']}"
        assert first["probability"] <= result["least_sure"][-1]["probability"]
        assert (result["public_rows"], result["repeated_rows"], result["rows"]) == (0, 0, 50)
        assert "submission-run/least-sure.png" in in_folder()

    def test_the_terminal_says_what_to_expect(self, digitscope: Digitscope, few: DataSet) -> None:
        write_table("test.csv", few.x_train[300:330])
        answer = digitscope("kaggle", "train.csv", "test.csv", *QUICK, "--members", 2)
        assert (answer.status, answer.err) == (0, "")
        assert "fold 1 of 2: accuracy " in answer.out
        assert "submission.csv: 30 predictions, written and checked\nExpect a score of about " in answer.out
        assert "Warning: 30 of the 30 rows of test.csv are images of MNIST, whose labels are public." in answer.out
        assert answer.out.count("least sure: ImageId ") == 10
        submitted = digitscope("submit", "submission-run/final.safetensors", "test.csv", "--out", "again.csv")
        assert "the model's accuracy on 150 training images in 2 folds" in submitted.out
        assert Path("again.csv").read_bytes() == Path("submission.csv").read_bytes()

    def test_it_overwrites_only_with_force(self, digitscope: Digitscope) -> None:
        command = ["kaggle", "train.csv", "test.csv", *QUICK]
        assert digitscope(*command).status == 0
        before = Path("submission.csv").read_bytes()
        answer = digitscope(*command, "--seed", 1)
        assert answer.err == "Error: submission.csv exists already. Choose another --out, or add --force.\n"
        Path("submission.csv").unlink()
        answer = digitscope(*command, "--seed", 1)
        assert answer.status == 2
        assert "submission-run was begun with seed 0; got 1. Continue it with the same settings" in answer.err
        assert digitscope(*command).status == 0  # with the models that are there
        assert Path("submission.csv").read_bytes() == before
        assert digitscope(*command, "--seed", 1, "--force").status == 0
        assert Path("submission.csv").read_bytes() != before

    def test_other_data_begin_anew_only_with_force(self, digitscope: Digitscope, few: DataSet) -> None:
        command = ["kaggle", "train.csv", "test.csv", *QUICK]
        assert digitscope(*command).status == 0
        Path("submission.csv").unlink()
        write_table("train.csv", few.x_train[:100], few.y_train[:100])
        assert "submission-run was begun with another train.csv" in digitscope(*command).err
        Path("submission-run/kaggle.json").write_text("{damaged")
        assert digitscope(*command).status == 2
        assert digitscope(*command, "--force").status == 0

    def test_mistakes_are_one_line_before_anything_is_written(
        self, digitscope: Digitscope, few: DataSet, in_folder: Files
    ) -> None:
        write_table("letters.csv", few.x_train[:40], np.arange(40) % 20)
        np.savetxt("small.csv", np.ones((30, 64)), "%d", ",", header=",".join(map(str, range(64))), comments="")
        Path("model-run").mkdir()
        Path("model-run/model.safetensors").touch()
        before = in_folder()
        for arguments, message in (
            (
                ["train.csv", "test.csv", "--out", "./train.csv", "--force"],
                "--out is train.csv, one of the tables that are read. Choose another name.",
            ),
            (["train.csv", "test.csv", "--out", "out.xlsx"], "--out expects a name that ends with .csv"),
            (["test.csv", "train.csv"], "test.csv has no labels, which training needs. Are the two files swapped?"),
            (["letters.csv", "test.csv"], "letters.csv has the label 19; a submission has digits from 0 to 9."),
            (
                ["train.csv", "small.csv"],
                "train.csv has images of 28x28 pixels, small.csv of 8x8; one size is",
            ),
            (["train.csv", "none.csv"], "none.csv does not exist"),
            (["train.csv", "test.csv", "--folds", 99], "99 folds expect a class with at least 99 images"),
            (["train.csv", "test.csv", "--out", "model.csv"], "model-run is where the models go, but it holds others"),
        ):
            answer = digitscope("kaggle", *arguments)
            assert (answer.status, len(answer.err.splitlines())) == (2, 1), answer
            assert message in answer.err
        assert [name for name in in_folder() if not name.endswith(".lock")] == before

    def test_rows_of_the_training_file_are_noticed(self, digitscope: Digitscope) -> None:
        answer = digitscope("kaggle", "train.csv", "train.csv", *QUICK)
        assert "Warning: 150 rows of train.csv are also in the training file" in answer.out
        assert "Note: train.csv has labels, which were not used." in answer.out

    def test_two_cannot_work_in_one_folder(self, digitscope: Digitscope) -> None:
        with KaggleJob(Path("train.csv"), Path("test.csv"), Path("a.csv"), Settings("mlp"), folds=2):
            answer = digitscope("kaggle", "train.csv", "test.csv", "--recipe", "mlp", "--folds", 2, "--out", "a.csv")
        assert "a-run is in use by another training" in answer.err

    @pytest.mark.usefixtures("ctrl_c_as_before")
    def test_ctrl_c_says_how_to_continue(self, digitscope: Digitscope, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("digitscope.jobs.kaggle.write_submission", interrupted)
            answer = digitscope("kaggle", "train.csv", "test.csv", *QUICK)
        assert (answer.status, answer.err) == (130, "Stopped. The same command continues from the last checkpoint.\n")
        assert digitscope("kaggle", "train.csv", "test.csv", *QUICK).status == 0


def test_a_submission_that_changed_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "submission.csv"
    path.write_text("ImageId,Label\n1,3\n")
    check_submission(path, np.array([3]))
    for labels in ([4], [3, 3], []):
        with pytest.raises(DigitscopeError):
            check_submission(path, np.array(labels, int))


@pytest.mark.usefixtures("tables")
class TestCommittee:
    def test_it_has_an_expected_accuracy_and_is_calibrated(self, digitscope: Digitscope) -> None:
        members = []
        for seed in range(2):
            train = ["train", "--recipe", "mlp", "--data", "train.csv", "--epochs", 5, "--seed", seed, "--json"]
            members.append(digitscope(*train).json["model"])
        answer = digitscope("ensemble", *members, "--data", "train.csv", "--out", "two.safetensors")
        assert (answer.status, answer.err) == (0, "")
        assert " images of train.csv that were held out from all members (95 % interval " in answer.out
        model = Model.load("two.safetensors")
        assert model.calibration is not None
        assert (
            f"Expect about {100 * (model.info.validation_accuracy or 0):.2f} %"
            in digitscope("submit", "two.safetensors", "test.csv").out
        )
        evaluated = digitscope("evaluate", "two.safetensors", "--data", "train.csv", "--json").json
        assert evaluated["part"] == "validation"
        assert evaluated["accuracy"] == model.info.validation_accuracy

    def test_without_the_data_it_says_what_is_missing(self, digitscope: Digitscope) -> None:
        model = digitscope("train", "--recipe", "mlp", "--data", "train.csv", "--epochs", 1, "--json").json["model"]
        answer = digitscope("ensemble", model, model)
        assert "Note: no training image of mnist was held out from all members" in answer.out
        assert "name these with --data" in answer.out


@pytest.mark.usefixtures("tables")
class TestFolds:
    def test_a_recipe_is_cross_validated(self, digitscope: Digitscope, in_folder: Files) -> None:
        command = ["evaluate", "--folds", 2, "--recipe", "mlp", "--epochs", 1, "--data", "train.csv"]
        before = in_folder()
        result = digitscope(*command, "--json").json
        assert (result["recipe"], result["folds"], result["images"]) == ("mlp", 2, 150)
        assert np.sum(result["confusion"]) == 150
        answer = digitscope(*command)
        assert f"accuracy {100 * result['accuracy']:.2f} % on 150 images (training images of train.csv, 2 folds)," in (
            answer.out
        )
        assert in_folder() == before

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["convnet", "--folds", 3], "--folds evaluates a recipe, which it trains: leave out MODEL."),
            (["--folds", 3, "--robust"], "--folds evaluates a recipe, which it trains: leave out --robust."),
            (["--recipe", "mlp"], "--recipe is for a cross-validation, which needs --folds K."),
            (["--folds", 3, "--recipe", "cnn"], "--recipe expects one of"),
            (["--folds", 1], "1 is not in the range"),
        ],
    )
    def test_options_that_do_not_fit(self, digitscope: Digitscope, arguments: list[object], message: str) -> None:
        answer = digitscope("evaluate", *arguments)
        assert (answer.status, len(answer.err.splitlines())) == (2, 1)
        assert message in answer.err


@pytest.mark.usefixtures("tables")
def test_the_wheel_alone_makes_a_submission_without_internet(tmp_path: Path) -> None:
    """As docs/kaggle.md says for a notebook: without an index, and without the packages that only the lab needs."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv builds the wheel; it is not installed")
    wheels, target = tmp_path / "wheels", tmp_path / "installed"
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", wheels, ROOT], check=True, timeout=300)
    (wheel,) = wheels.glob("*.whl")
    install: list[str | Path] = [uv, "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", target, wheel]
    subprocess.run(install, check=True, timeout=300)
    code = (
        "import sys\nfor name in ('math_core', 'mdit_py_plugins', 'segno', 'starlette', 'uvicorn', 'optuna'):"
        "\n    sys.modules[name] = None\nimport digitscope\nassert digitscope.__file__.startswith(sys.argv.pop())\n"
        "from digitscope.__main__ import main\nmain()"
    )
    arguments = ["kaggle", "train.csv", "test.csv", *map(str, QUICK), str(target)]
    environment = {**os.environ, "PYTHONPATH": str(target)}
    command = [sys.executable, "-P", "-c", code, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "submission.csv: 50 predictions, written and checked" in done.stdout
