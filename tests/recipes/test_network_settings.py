"""Settings of any rung: its network, its plan, and its title."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from digitscope.datasets import DataSet
from digitscope.errors import DigitscopeError
from digitscope.nn import (
    BackgroundCrossEntropy,
    Dense,
    Dropout,
    Ensemble,
    Flatten,
    Layer,
    LeakyReLU,
    MeanSquaredError,
    Network,
    ReLU,
    Residual,
    Sigmoid,
    SoftmaxCrossEntropy,
    Tanh,
    he,
    zeros,
)
from digitscope.recipes import RECIPES
from digitscope.recipes.network_settings import with_activation, with_dropout, with_layers, with_output_for
from digitscope.training.settings import ACTIVATIONS

ACTIVATION_LAYERS = ReLU, LeakyReLU, Sigmoid, Tanh


def build(recipe: str, **settings: Any) -> Network:
    return RECIPES[recipe].with_settings(**settings).build(np.random.default_rng(1), (28, 28), 10)


def kinds(network: Network) -> list[type[Layer]]:
    return [type(layer) for layer in network.layers]


def dense_widths(network: Network) -> list[int]:
    return [layer.out_features for layer in network.layers if isinstance(layer, Dense)]


@pytest.mark.parametrize("name", RECIPES)
def test_without_settings_a_recipe_is_itself(name: str) -> None:
    assert RECIPES[name].with_settings() == RECIPES[name]
    assert RECIPES[name].with_settings(epochs=3, augment="none").build is RECIPES[name].build


@pytest.mark.parametrize(
    ("recipe", "layers", "expected"),
    [
        ("mlp", (16, 16), [Dense, ReLU, Dropout, Dense, ReLU, Dropout, Dense]),
        ("simard-mlp", (), [Dense]),
        ("sigmoid", (16, 16), [Dense, Sigmoid, Dense, Sigmoid, Dense, Sigmoid]),
        ("sigmoid", (), [Dense, Sigmoid]),
    ],
)
def test_layers_replace_the_hidden_layers_of_a_dense_network(
    recipe: str, layers: tuple[int, ...], expected: list[type[Layer]]
) -> None:
    network = build(recipe, layers=layers)
    assert kinds(network) == expected
    assert dense_widths(network) == [*layers, 10]


@pytest.mark.parametrize("name", RECIPES)
def test_layers_stand_between_convolutions_and_output(name: str) -> None:
    network, plain = build(name, layers=[7, 5]), build(name)
    if network.members:
        assert isinstance(network.layers[0], Ensemble)
        pairs = list(zip(network.members, plain.members, strict=True))
    else:
        pairs = [(network, plain)]
    for learner, own in pairs:
        assert isinstance(learner, Network)
        assert isinstance(own, Network)
        assert dense_widths(learner) == [7, 5, 10]
        first = kinds(own).index(Dense)
        assert kinds(learner)[: first + 1] == kinds(own)[: first + 1]
        for i, layer in enumerate(own.layers[:first]):  # the convolutions have the same initial weights
            for key, value in layer.params.items():
                np.testing.assert_array_equal(learner.layers[i].params[key], value)
    assert network(np.zeros((784, 2), np.float32)).shape == (10, 2)


@pytest.mark.parametrize(
    ("recipe", "own"), [("seed", (10,)), ("sigmoid", (30,)), ("mlp", (320,)), ("lenet", (120, 84))]
)
def test_a_recipes_own_settings_change_no_bit(recipe: str, own: tuple[int, ...]) -> None:
    expected, network = build(recipe), build(recipe, layers=own)
    for name, value in expected.params.items():
        np.testing.assert_array_equal(network.params[name], value)
    assert kinds(build("mlp", dropout=0.15)) == kinds(build("mlp"))


def test_new_layers_have_the_recipes_initial_weights() -> None:
    weights = build("sigmoid", layers=(50,)).params["0.weight"]
    assert abs(weights.std() - 1) < 0.01  # N(0, 1)
    weights = build("seed", layers=(50,)).params["0.weight"]
    assert weights.min() < -0.49
    assert weights.max() < 0.5


@pytest.mark.parametrize(
    ("name", "activation"), [*((name, "leaky-relu") for name in RECIPES), *(("sigmoid", name) for name in ACTIVATIONS)]
)
def test_an_activation_replaces_all_hidden_ones(name: str, activation: str) -> None:
    network, plain = build(name, activation=activation), build(name)
    for (place, layer), (_, own) in zip(network.named_layers(), plain.named_layers(), strict=True):
        if isinstance(own, ACTIVATION_LAYERS) and place != str(len(plain.layers) - 1):
            assert type(layer) is ACTIVATIONS[activation]
        else:
            assert type(layer) is type(own)
    for key, value in plain.params.items():
        np.testing.assert_array_equal(network.params[key], value)


def test_an_activation_reaches_into_residual_connections() -> None:
    (residual,) = [layer for layer in build("deep", activation="tanh").layers if isinstance(layer, Residual)][:1]
    assert kinds(residual)[-1] is Tanh


@pytest.mark.parametrize(
    ("recipe", "settings", "expected"),
    [
        ("mlp", {"dropout": 0.4}, [Dense, ReLU, Dropout, Dense]),
        ("mlp", {"dropout": 0.0}, [Dense, ReLU, Dense]),
        ("sigmoid", {"dropout": 0.4}, [Dense, Sigmoid, Dropout, Dense, Sigmoid]),
        ("sigmoid", {"dropout": 0.4, "layers": (5, 5)}, [Dense, Sigmoid, Dropout] * 2 + [Dense, Sigmoid]),
    ],
)
def test_dropout_is_before_each_dense_layer_but_the_first(
    recipe: str, settings: dict[str, Any], expected: list[type[Layer]]
) -> None:
    network = build(recipe, **settings)
    assert kinds(network) == expected
    assert {layer.rate for layer in network.layers if isinstance(layer, Dropout)} <= {0.4}


def test_dropout_of_a_convolutional_network_is_before_its_output() -> None:
    assert kinds(build("convnet", dropout=0.4))[-2:] == [Dropout, Dense]
    assert kinds(build("convnet", dropout=0.4))[:-2] == kinds(build("convnet"))[:-1]


def test_a_loss_determines_the_output_layer() -> None:
    assert kinds(build("sigmoid", loss="cross-entropy")) == [Dense, Sigmoid, Dense]
    assert kinds(build("mlp", loss="squared-error"))[-2:] == [Dense, Sigmoid]
    assert kinds(build("mlp", loss=SoftmaxCrossEntropy(0.3))) == kinds(build("mlp"))
    assert kinds(build("mlp", loss=BackgroundCrossEntropy())) == kinds(build("mlp"))


def test_the_title_names_the_differences() -> None:
    recipe = RECIPES["mlp"].with_settings(layers=(16, 16), optimizer="adam", label_smoothing=0.0)
    assert recipe.title == (
        f"{RECIPES['mlp'].title} (changed: layers 16,16; optimizer adam; label smoothing 0; learning rate 0.005)"
    )


def test_layers_without_parameters_are_not_hidden_layers() -> None:
    plain = Network(Flatten(), Dense(4, 3), ReLU(), Dense(3, 2))
    assert kinds(with_dropout(plain, 0.4)) == [Flatten, Dense, ReLU, Dropout, Dense]
    with pytest.raises(DigitscopeError, match="activation expects a network with a hidden layer"):
        with_activation(Network(Flatten(), Dense(4, 2)), Tanh)
    deeper = with_layers(Network(Dense(4, 2), Sigmoid()), [3], weight=he, bias=zeros, rng=np.random.default_rng(0))
    assert kinds(deeper) == [Dense, ReLU, Dense, Sigmoid]  # the output's function is not that of hidden layers


@pytest.mark.parametrize("output", [Sigmoid(), Tanh()])
def test_an_output_with_an_activation_fits_the_squared_error(output: Layer) -> None:
    network = Network(Dense(4, 2), output)
    assert with_output_for(network, MeanSquaredError()) is network


def test_the_parameters_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digitscope.recipes.network_settings.MAX_PARAMETERS", 785 * 16 + 17 * 10)
    assert dense_widths(build("mlp", layers=(16,))) == [16, 10]
    with pytest.raises(DigitscopeError, match="17 gives 13,525"):
        build("mlp", layers=(17,))


Start = Callable[[DataSet], Any]
REFUSED: dict[str, tuple[Start, str]] = {
    "no hidden layer to bend": (
        lambda few: RECIPES["mlp"].with_settings(layers=(), activation="tanh").start(few, 0),
        "activation expects a network with a hidden layer",
    ),
    "no hidden layer to drop": (
        lambda few: RECIPES["mlp"].with_settings(layers=(), dropout=0.2).start(few, 0),
        "dropout expects a network with a hidden layer",
    ),
    "widths of nothing": (lambda few: RECIPES["mlp"].with_settings(layers=(0,)), "layers is expected as a list"),
    "widths as text": (lambda few: RECIPES["mlp"].with_settings(layers="16"), "layers is expected as a list"),  # type: ignore[arg-type]
    "gigabytes": (
        lambda few: RECIPES["mlp"].with_settings(layers=(50_000, 50_000)).start(few, 0),
        "up to 100,000,000 parameters; 50000,50000 gives 2,539,800,010",
    ),
    "no such activation": (
        lambda few: RECIPES["mlp"].with_settings(activation="swish"),
        "expects one of relu, .*'swish'",
    ),
    "all dropped": (lambda few: RECIPES["mlp"].with_settings(dropout=1.0), "dropout is expected as a number"),
    "background": (lambda few: RECIPES["reader"].with_settings(loss="cross-entropy"), "only its own loss takes"),
    "shifts of sigmoids": (
        lambda few: RECIPES["fast"].with_settings(loss=MeanSquaredError()).start(few, 0),
        "average the probabilities of a cross-entropy",
    ),
    "an ensemble of sigmoids": (
        lambda few: RECIPES["ensemble"].with_settings(loss="squared-error").start(few, 0),
        "average the probabilities of a cross-entropy",
    ),
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED)
def test_an_invalid_setting_is_one_clear_error(few: DataSet, call: Start, message: str) -> None:
    with pytest.raises(DigitscopeError, match=message):
        call(few)
