"""The results of `digitscope look` for one picture."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digitscope import explain
from digitscope.datasets import DataSet
from digitscope.explain.pixels import pixel_slopes
from digitscope.jobs.inspection import LAYER_SENTENCES, inspect_picture, layer_outputs
from digitscope.model import Model
from digitscope.nn import Ensemble, Network, ShiftAverage, SoftmaxCrossEntropy, to_batch
from digitscope.nn.layer import built_in_layers
from digitscope.recipes import RECIPES
from digitscope.report.inspection_page import inspection_figure, write_inspection_page


def untrained(name: str) -> Model:
    network = RECIPES[name].build(np.random.default_rng(0), (28, 28), 10)
    _, network = network.measure_statistics([np.random.default_rng(1).random((784, 4), np.float32)])
    return Model(network, RECIPES[name].plan.loss, (28, 28))


@pytest.mark.parametrize("name", sorted(RECIPES.keys() - {"ensemble", "deep", "simard-mlp"}))
def test_every_layer_of_every_recipe_is_shown(name: str, few: DataSet) -> None:
    model = untrained(name)
    image = few.x_train[0]
    layers = layer_outputs(model, image)
    expected = explain.activations(model, image[None])
    assert [layer.name for layer in layers] == [str(place) for place in range(len(model.network))]
    for layer in layers:
        np.testing.assert_array_equal(layer.values.reshape(layer.shape), expected[layer.name][..., 0])
        assert layer.sentence == LAYER_SENTENCES[layer.layer.partition("(")[0]]


def test_every_layer_has_a_sentence() -> None:
    assert built_in_layers().keys() - {"Layer"} <= LAYER_SENTENCES.keys()


def test_one_member_stands_for_an_ensemble_and_one_shift_for_all(few: DataSet) -> None:
    first, second = (untrained("seed").network for _ in range(2))
    shifted = Network(ShiftAverage(first, 28, 28, [(0, 1), (0, 0), (1, 0)]))
    model = Model(Network(Ensemble(shifted, second)), SoftmaxCrossEntropy(), (28, 28))
    layers = {layer.name: layer for layer in layer_outputs(model, few.x_train[0])}
    inner = [f"0.0.0@1.{place}" for place in range(len(first))]
    assert list(layers) == ["0.0.0@0", *inner, "0.0.0@2", "0.0.0", "0.1", "0"]
    assert layers["0.0.0@2"].layer == "shift by 1, 0"
    expected = model.logits(few.x_train[:1])[0]
    np.testing.assert_allclose(layers["0"].values, expected, rtol=1e-5)


def test_the_slope_of_a_pixel_is_the_change_of_the_outputs(few: DataSet) -> None:
    """For a network of one dense layer the slope is the difference of two rows of weights."""
    from digitscope.nn import Dense

    dense = Dense(784, 10, rng=np.random.default_rng(0))
    model = Model(Network(dense), SoftmaxCrossEntropy(), (28, 28))
    weight = dense.params["weight"]
    rows = (weight[7] - weight[2]).reshape(28, 28)
    shifts = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    expected = np.mean([np.roll(rows, shift, (0, 1)) for shift in shifts], axis=0)
    np.testing.assert_allclose(pixel_slopes(model, few.x_train[0], 7, 2), expected, rtol=1e-5, atol=1e-7)


def test_a_small_step_along_the_slope_raises_the_difference(few: DataSet) -> None:
    model = Model.load("convnet")
    image = few.x_train[0]
    (answer,) = model.answers(image[None])
    digit, other = np.argsort(-answer.probabilities)[:2].tolist()
    slope = pixel_slopes(model, image, digit, other)
    x = to_batch(image[None])
    moved = [model.network(x + sign * 1e-3 * slope.reshape(-1, 1))[:, 0] for sign in (-1, 1)]
    low, high = (output[digit] - output[other] for output in moved)
    assert high > low


def test_the_page_and_the_figure(few: DataSet, tmp_path: Path) -> None:
    picture = tmp_path / "five & <b>.png"
    Image.fromarray(255 - few.x_train[0]).save(picture)
    found = inspect_picture(picture, Model.load("convnet"), name=picture.name, model_name="convnet")
    assert (found.digit, found.is_digit, len(found.layers)) == (5, True, 18)
    write_inspection_page(tmp_path / "page.html", found)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<section>") == 3 + 18
    assert "five &amp; &lt;b&gt;.png" in page
    assert "Shown are the 16 of 32 maps with the largest values." in page
    assert f"s = output[5] - output[{found.other}]" in page
    assert "docs/notes/08-convolution.md" in page
    assert inspection_figure(found).get_figheight() > 20


def test_a_model_without_thresholds_and_numbers_without_maps(few: DataSet, tmp_path: Path) -> None:
    found = inspect_picture(255 - few.x_train[0], untrained("mlp"), name="five", model_name="mine")
    assert found.is_digit
    assert "no threshold" in found.evidence_sentence
    write_inspection_page(tmp_path / "page.html", found)
    assert "The first 320 numbers, 40 per row." in (tmp_path / "page.html").read_text(encoding="utf-8")
