"""Models of every released version load in this one, and answer as they did."""

import json
from pathlib import Path

import numpy as np
import pytest

from digitscope.errors import ModelError
from digitscope.files.tensors import read_tensors
from digitscope.model import Model
from digitscope.nn import LOSSES
from digitscope.nn.layer import built_in_layers
from tests.fuzz.classifiers import load_classifier, rows_for
from tests.fuzz.mutate import join_tensors, split_tensors
from tests.released import FOLDER
from tests.released.make import make_classifiers

MODELS = sorted(FOLDER.glob("*/*.safetensors"))


@pytest.mark.parametrize("path", MODELS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_released_model_answers_as_it_did(path: Path, tmp_path: Path) -> None:
    answers = np.load(path.parent / "answers.npz")
    model = Model.load(path)
    images = answers["images"]
    np.testing.assert_allclose(model.logits(images, threads=1), answers[f"{path.stem}.logits"], rtol=1e-5, atol=1e-5)
    probabilities = model.predict_proba(images, threads=1)
    np.testing.assert_allclose(probabilities, answers[f"{path.stem}.probabilities"], rtol=1e-5, atol=1e-6)
    assert repr(model) == answers[f"{path.stem}.repr"]
    model.save(tmp_path / "again.safetensors")
    again = Model.load(tmp_path / "again.safetensors")
    assert again.info == model.info
    assert np.array_equal(again.logits(images, threads=1), model.logits(images, threads=1))


UNRELEASED = frozenset(
    ("Conv1D", "DepthToSpace", "FoldHeight", "MaxPoolHeight", "Skip", "SpaceToDepth", "SplitSteps", "Upsample2D")
)
"""Layers that no release has yet."""


def test_released_classifiers_predict_as_they_did(tmp_path: Path) -> None:
    """Of the versions that have some, and of this one."""
    make_classifiers(tmp_path / "classifiers")
    paths = [*FOLDER.glob("*/classifiers/*.safetensors"), *tmp_path.glob("classifiers/*.safetensors")]
    assert len(paths) >= 2
    for path in paths:
        classifier = load_classifier(path)
        expected = np.load(path.parent / "answers.npz")[path.stem]
        np.testing.assert_allclose(classifier.predict_proba(rows_for(classifier)), expected, rtol=1e-6)


def test_every_layer_and_loss_is_in_a_released_model() -> None:
    """If you add a layer, run tests/released/make.py for the release that brings it."""
    abouts = [json.dumps(read_tensors(path, "model")[1]) for path in MODELS]
    for name in [*sorted(built_in_layers().keys() - UNRELEASED), *LOSSES]:
        assert any(f'"{name}"' in about for about in abouts), name


def test_a_model_of_a_later_format_says_which_format_this_version_reads(tmp_path: Path) -> None:
    header, body = split_tensors(MODELS[0].read_bytes())
    about = json.loads(header["__metadata__"]["digitscope"])
    header["__metadata__"]["digitscope"] = json.dumps({**about, "format": 3})
    path = tmp_path / "later.safetensors"
    path.write_bytes(join_tensors(json.dumps(header), body))
    with pytest.raises(ModelError, match=r"got 3\. If a later version .* install that version"):
        Model.load(path)
