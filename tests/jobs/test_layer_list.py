"""Networks from a list of layers: shapes as the layers themselves have them, and errors that name the layer."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digitscope.errors import TrainingError
from digitscope.jobs.layer_list import LayerChoice, network_of, plan_layers
from digitscope.nn import BatchNorm, Dense, Flatten, Network, Reshape

RNG = np.random.default_rng(0)


def choices() -> st.SearchStrategy[LayerChoice]:
    def kind(name: str, **sizes: st.SearchStrategy[Any]) -> st.SearchStrategy[LayerChoice]:
        return st.builds(LayerChoice, st.just(name), **sizes)

    small = st.integers(1, 3)
    return st.one_of(
        kind("dense", units=st.integers(1, 9)),
        kind("convolution", units=small, kernel=st.integers(1, 5), stride=small, padding=st.integers(0, 2)),
        kind("residual", kernel=st.sampled_from([1, 3])),
        kind("max-pool", size=small),
        kind("average-pool", size=small),
        *(kind(name) for name in ("batch-norm", "relu", "leaky-relu", "sigmoid", "tanh")),
        kind("dropout", rate=st.floats(0, 0.9)),
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(choices(), max_size=6), st.tuples(st.integers(3, 12), st.integers(3, 12)), st.integers(2, 5))
def test_a_plan_says_what_the_network_does(layers: list[LayerChoice], shape: tuple[int, int], classes: int) -> None:
    try:
        planned = plan_layers(layers, shape, classes)
    except TrainingError:  # the errors are tested below
        return
    network = network_of(layers, RNG, shape, classes)
    pixels = math.prod(shape)
    assert network.output_shape((pixels,)) == (classes,)
    assert network.forward(np.zeros((pixels, 2), np.float32), training=True, rng=RNG)[0].shape == (classes, 2)
    own = [
        (layer, shape_in)
        for layer, shape_in in zip(network.layers, network.input_shapes((pixels,)), strict=True)
        if not isinstance(layer, Reshape | Flatten)
    ]
    for plan, (layer, shape_in) in zip(planned, own, strict=True):
        assert math.prod(plan.output) == math.prod(layer.output_shape(shape_in))
        assert plan.parameters == sum(p.size for p in layer.params.values())


def test_maps_begin_where_they_are_needed() -> None:
    layers = [LayerChoice("relu"), LayerChoice("convolution", units=2, kernel=3), LayerChoice("max-pool")]
    network = network_of(layers, RNG, (8, 8), 10)
    assert [type(layer).__name__ for layer in network.layers] == [
        *("ReLU", "Reshape", "Conv2D", "MaxPool2D", "Flatten", "Dense")
    ]
    dense = network_of([LayerChoice("dense", units=3), LayerChoice("batch-norm")], RNG, (8, 8), 10)
    assert [type(layer) for layer in dense.layers] == [Dense, BatchNorm, Dense]
    assert isinstance(network_of([], RNG, (8, 8), 10), Network)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([{"kind": "dense", "units": 5}, {"kind": "max-pool"}], r"Layer 2 \(max-pool\): expected feature maps"),
        ([{"kind": "max-pool", "size": 9}], r"Layer 1 \(max-pool\): .* at least 9x9 pixels, with padding; got 8x8"),
        (
            [{"kind": "convolution", "units": 1, "kernel": 8}, {"kind": "max-pool"}],
            r"Layer 2 \(max-pool\): .* at least 2x2 pixels, with padding; got 1x1",
        ),
        ([{"kind": "relu"}] * 41, "up to 40 layers; got 41"),
        ([{"kind": "dense", "units": 4096}] * 3, r"Layer 2 \(dense\): .* up to 5,000,000 parameters"),
        (
            [{"kind": "convolution", "units": 4096, "kernel": 1, "padding": 8}] * 2,
            r"Layer 1 \(convolution\): .* up to 1,000,000 numbers",
        ),
        (
            [{"kind": "convolution", "units": 300, "kernel": 15, "padding": 8}] * 2,
            r"Layer 2 \(convolution\): .* up to 5,000,000 parameters",
        ),
        (
            [{"kind": "convolution", "units": 512, "kernel": 3, "padding": 1}] * 2,
            r"Layer 2 \(convolution\): .* up to 400,000,000 operations",
        ),
    ],
)
def test_a_list_that_does_not_fit_names_the_layer(layers: list[dict[str, Any]], expected: str) -> None:
    choices = [LayerChoice(**layer) for layer in layers]
    for function in (
        lambda: plan_layers(choices, (8, 8) if "operations" not in expected else (16, 16), 10),
        lambda: network_of(choices, RNG, (8, 8) if "operations" not in expected else (16, 16), 10),
    ):
        with pytest.raises(TrainingError, match=expected):
            function()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"kind": "attention"}, "kind expects one of dense, .*; got 'attention'"),
        ({"kind": 3}, "kind is expected as text"),
        ({"kind": "dense"}, "a dense layer needs its units"),
        ({"kind": "dropout"}, "a dropout layer needs its rate"),
        ({"kind": "convolution", "units": 3}, "needs its kernel"),
        ({"kind": "relu", "units": 3}, "a relu layer takes no units; got 3"),
        ({"kind": "dense", "units": 0}, "units is expected as a whole number from 1 on"),
        ({"kind": "dense", "units": 5000}, "units is expected up to 4096; got 5000"),
        ({"kind": "dense", "units": True}, "units is expected as a whole number"),
        ({"kind": "dropout", "rate": 1.0}, "rate is expected as a number from 0 on, below 1"),
        ({"kind": "residual", "kernel": 4}, "expected to be odd; got 4"),
    ],
)
def test_a_layer_that_cannot_be(values: dict[str, Any], expected: str) -> None:
    with pytest.raises(TrainingError, match=expected):
        LayerChoice(**values)
