import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitscope.datasets import DataSet
from digitscope.errors import ModelError, ShapeError
from digitscope.model import Model
from digitscope.nn import (
    BatchNorm,
    Conv2D,
    Dense,
    Ensemble,
    Flatten,
    MaxPool2D,
    MeanSquaredError,
    Network,
    ReLU,
    Reshape,
    Residual,
    ShiftAverage,
    Sigmoid,
    SoftmaxCrossEntropy,
    to_batch,
)


def make(loss: SoftmaxCrossEntropy | MeanSquaredError | None = None) -> Model:
    rng = np.random.default_rng(0)
    network = Network(Dense(784, 16, rng=rng), ReLU(), Dense(16, 10, rng=rng), Sigmoid())
    return Model(network, loss or SoftmaxCrossEntropy(), (28, 28), {"recipe": "test", "seed": 3})


@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(), MeanSquaredError()], ids=repr)
def test_a_model_comes_back_as_it_was(
    tmp_path: Path, few: DataSet, loss: SoftmaxCrossEntropy | MeanSquaredError
) -> None:
    model = make(loss)
    model.save(tmp_path / "m")
    model.save(tmp_path / "again")
    assert (tmp_path / "m").read_bytes() == (tmp_path / "again").read_bytes()
    loaded = Model.load(tmp_path / "m")
    assert loaded.about == model.about
    assert loaded.loss == loss
    assert loaded.parameters == 784 * 16 + 16 + 16 * 10 + 10
    p = loaded.probabilities(few.x_train[:20])
    np.testing.assert_array_equal(p, model.probabilities(few.x_train[:20]))
    np.testing.assert_allclose(p.sum(axis=1), np.ones(20), rtol=1e-6)
    np.testing.assert_array_equal(loaded.predict(few.x_train[:20]), p.argmax(axis=1))


def test_a_network_of_nested_layers_comes_back_with_its_statistics(tmp_path: Path, few: DataSet) -> None:
    rng = np.random.default_rng(1)

    def member() -> Network:
        block = Residual(Conv2D(4, 4, 3, padding=1, bias=False, rng=rng), BatchNorm(4), ReLU())
        start = Reshape(1, 28, 28), Conv2D(1, 4, 5, stride=3, rng=rng), BatchNorm(4), ReLU()
        return Network(*start, block, MaxPool2D(2), Flatten(), Dense(64, 10, rng=rng))

    looking = ShiftAverage(Ensemble(member(), member()), 28, 28, [(0, 0), (0, 1), (-1, 0)])
    network = Network(looking).measure_statistics([to_batch(few.x_train[:200])])[1]
    assert len(network.statistics) == 8
    model = Model(network, SoftmaxCrossEntropy(), (28, 28))
    model.save(tmp_path / "m")
    loaded = Model.load(tmp_path / "m")
    assert loaded.parameters == model.parameters
    assert loaded.network.config() == network.config()
    assert loaded.network.statistics.keys() == network.statistics.keys()
    for name, value in {**network.params, **network.statistics}.items():
        own = {**loaded.network.params, **loaded.network.statistics}[name]
        np.testing.assert_array_equal(own, value, strict=True)
    np.testing.assert_array_equal(loaded.probabilities(few.x_train[:20]), model.probabilities(few.x_train[:20]))
    loaded.save(tmp_path / "again")
    assert (tmp_path / "m").read_bytes() == (tmp_path / "again").read_bytes()
    model.save(tmp_path / "half", half=True)
    half = Model.load(tmp_path / "half").network
    for name, value in {**network.params, **network.statistics}.items():
        own = {**half.params, **half.statistics}[name]
        np.testing.assert_array_equal(own, value.astype(np.float16).astype(np.float32), strict=True)


def test_statistics_that_are_missing_or_of_another_shape_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m"
    network = Network(Dense(784, 10), BatchNorm(10))
    for how, message in (
        (lambda _, header: header.pop("1.mean"), r"statistics 1\.mean, 1\.variance; not in both: 1\.mean|damaged"),
        (lambda _, header: header["1.mean"].update(shape=[2, 5]), r"1\.mean expects shape \(10,\); got \(2, 5\)"),
        (lambda about, _: about["network"]["layers"][1].update(channels=9), r"expects shape \(9,\); got \(10,\)"),
        (lambda about, _: about["network"]["layers"].pop(1), r"not in both: .*1\."),
    ):
        Model(network, SoftmaxCrossEntropy(), (28, 28)).save(path)
        change(path, how)
        with pytest.raises((ModelError, ShapeError), match=message):
            Model.load(path)


def test_images_that_do_not_fit_are_refused(few: DataSet) -> None:
    with pytest.raises(ShapeError, match=r"expects images of uint8, \(N, 28, 28\); got uint8, \(2, 784\)"):
        make().predict(few.x_train[:2].reshape(2, 784))
    with pytest.raises(ShapeError, match=r"got float64, \(2, 28, 28\)"):
        make().predict(few.x_train[:2] / 255)


def change(path: Path, how: Any) -> None:
    """Rewrites the description in a model file."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    about = json.loads(header["__metadata__"]["digitscope"])
    how(about, header)
    header["__metadata__"]["digitscope"] = json.dumps(about)
    new = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(new)) + new + content[8 + length :])


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (lambda about, _: about.update(format=99), "expected a model of format 1; got 99"),
        (lambda about, _: about.update(kind="checkpoint"), "expected a Digitscope model .*; it is a checkpoint"),
        (lambda about, _: about["network"]["layers"].pop(0), "not in both: .*weight"),
        (lambda about, _: about["network"]["layers"][0].update(type="Evil"), "The layer 'Evil' is not known"),
        (lambda about, _: about["network"]["layers"][0].update(in_features=10**9), "expects shape|is damaged"),
        (lambda about, _: about["network"]["layers"][0].update(in_features=10**15), "expects shape|is damaged"),
        (lambda about, _: about["network"]["layers"][0].update(in_features="x"), "is damaged"),
        (lambda about, _: about.pop("network"), "is damaged"),
        (lambda about, _: about.update(loss="eval"), "is damaged"),
        (lambda about, _: about.update(image_shape=[28]), "is damaged"),
        (lambda _, header: header["0.bias"].update(dtype="I32"), "0.bias expects float32 or float16; got int32"),
        (lambda _, header: header["0.bias"].update(shape=[4, 4]), r"0.bias expects shape \(16, 1\); got \(4, 4\)"),
        (lambda _, header: header["0.bias"].update(data_offsets=[0, 10**12]), "it is damaged or something else"),
    ],
)
def test_a_damaged_description_is_refused(tmp_path: Path, how: Any, message: str) -> None:
    path = tmp_path / "m"
    make().save(path)
    change(path, how)
    with pytest.raises((ModelError, ShapeError), match=message):
        Model.load(path)


@pytest.mark.parametrize("cut", [0, 3, 8, 200, 2000, -4])
def test_a_truncated_file_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "m"
    make().save(path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ModelError, match="expected a Digitscope model"):
        Model.load(path)


def test_what_is_not_there_and_what_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no such file"):
        Model.load(tmp_path / "nothing")
    with pytest.raises(ModelError, match="that is a folder"):
        Model.load(tmp_path)


def test_validation_says_how_sure_to_be(tmp_path: Path, few: DataSet) -> None:
    model = make()
    images, labels = few.x_train[:99], few.y_train[:99]
    assert model.conformal is None
    assert all(answer.is_digit and len(answer.plausible) == 1 for answer in model.answers(images, refuse=0.5))
    calibrated = model.calibrated(images, labels)
    assert calibrated.conformal is not None
    calibrated.save(tmp_path / "m")
    loaded = Model.load(tmp_path / "m")
    assert loaded.conformal is not None
    np.testing.assert_array_equal(loaded.conformal.evidence, calibrated.conformal.evidence)
    np.testing.assert_array_equal(loaded.probabilities(images), calibrated.probabilities(images))
    # Untrained, its logits say too much or too little; the temperature makes the likelihood no worse.
    before, after = (m.probabilities(images)[np.arange(99), labels] for m in (model, calibrated))
    assert np.log(after).mean() > np.log(before).mean()
    answers = loaded.answers(images, refuse=0.1)
    assert sum(not answer.is_digit for answer in answers) == 9  # those below the tenth of 99 scores
    assert all(answer.is_digit for answer in loaded.answers(images, refuse=0))
    assert max(len(answer.plausible) for answer in answers) == 10  # nothing was learned, so anything may be
    for answer, p in zip(answers, loaded.probabilities(images), strict=True):
        assert answer.digit == p.argmax() == answer.plausible[0]
        assert answer.probability == pytest.approx(p.max())
