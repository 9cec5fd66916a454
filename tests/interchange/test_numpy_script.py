"""The file of plain NumPy computes what Digitscope computes, and a learner can read it."""

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitscope import DataSet, Model, Network
from digitscope.bundled import SHIPPED
from digitscope.errors import DigitscopeError, ModelError
from digitscope.interchange import export_model
from digitscope.interchange.numpy_script import MAX_LINES, numpy_script
from digitscope.nn import Dense, Ensemble, ReLU, SoftmaxCrossEntropy
from digitscope.recipes import RECIPES
from tests.interchange.models import ODD, recipe_model

TOLERANCE = 1e-5


def check(model: Model, images: Any, folder: Path) -> None:
    export_model(model, folder / "net.py")
    text = (folder / "net.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    assert max(map(len, text.splitlines())) <= 120
    assert "digitscope" not in text.partition('"""\n\n')[2]  # It imports nothing of ours.
    probabilities, evidence = runpy.run_path(str(folder / "net.py"))["predict"](images)
    np.testing.assert_allclose(probabilities, model.predict_proba(images), atol=TOLERANCE)
    expected = model.loss.evidence(model.logits(images).T)
    np.testing.assert_allclose(evidence, expected, atol=TOLERANCE * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("name", SHIPPED)
def test_the_bundled_models(name: str, few: DataSet, tmp_path: Path) -> None:
    check(Model.load(name), few.x_train[:8], tmp_path)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe(name: str, few: DataSet, tmp_path: Path) -> None:
    check(recipe_model(name), few.x_train[:3], tmp_path)


@pytest.mark.parametrize("name", ODD)
def test_layers_with_other_settings(name: str, tmp_path: Path) -> None:
    check(ODD[name], np.random.default_rng(0).integers(0, 256, (5, 12, 10), dtype=np.uint8), tmp_path)


def test_it_runs_as_a_program_without_digitscope(few: DataSet, tmp_path: Path) -> None:
    export_model(Model.load("reader"), tmp_path / "reader.py")
    noise = np.random.default_rng(0).integers(0, 256, (1, 28, 28), dtype=np.uint8)
    np.save(tmp_path / "digits.npy", np.concatenate([few.x_train[:3], noise]))

    def program(*arguments: str) -> Any:
        code = "import sys, runpy; sys.modules['digitscope'] = None; runpy.run_path(sys.argv[1], run_name='__main__')"
        code = code.replace("runpy.run_path(sys.argv[1]", "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0]")
        command = [sys.executable, "-c", code, "reader.py", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    done = program("digits.npy")
    *digits, last = done.stdout.splitlines()
    assert [line.split()[0] for line in digits] == [str(label) for label in few.y_train[:3]]
    assert (last, done.stderr) == ("not a digit", "")
    help_text = program()
    assert help_text.returncode == 1
    assert "python reader.py digits.npy" in help_text.stderr
    np.save(tmp_path / "floats.npy", few.x_train[:3] / 255)
    assert "Images are expected as (N, 28, 28) of uint8; got (3, 28, 28) of float64." in program("floats.npy").stderr


def test_equal_models_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        export_model(Model.load("convnet"), tmp_path / name / "net.py")
    for ending in (".py", ".npz"):
        assert (tmp_path / "a" / f"net{ending}").read_bytes() == (tmp_path / "b" / f"net{ending}").read_bytes()


def test_a_network_too_long_to_be_read_is_an_error(tmp_path: Path) -> None:
    layers = [layer for _ in range(90) for layer in (Dense(6, 6), ReLU())]
    model = Model(Network(*layers), SoftmaxCrossEntropy(), (2, 3))
    with pytest.raises(ModelError, match=r"at most 200 lines, so that it can be read; this network needs \d+\."):
        export_model(model, tmp_path / "long.py")
    assert list(tmp_path.iterdir()) == []
    alike = Model(Network(Ensemble(*(Network(Dense(6, 6), ReLU()) for _ in range(60)))), SoftmaxCrossEntropy(), (2, 3))
    assert numpy_script(alike, "alike").count("\n") < 100


def test_a_name_that_would_be_code_is_an_error(tmp_path: Path) -> None:
    for name in ('a"b.py', "a'b.py", "a{b}.py"):
        with pytest.raises(DigitscopeError, match="a name without quotes, braces and backslashes is expected"):
            export_model(Model.load("convnet"), tmp_path / name)
