"""A network as an object: its repr, access to its layers, and its summary."""

import numpy as np
import pytest

from digitscope.errors import LayerError, ShapeError
from digitscope.nn import (
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Ensemble,
    Flatten,
    Layer,
    LeakyReLU,
    MaxPool2D,
    Network,
    ReLU,
    Reshape,
    Residual,
    ShiftAverage,
    Standardize,
)


def nested() -> Network:
    return Network(
        Reshape(1, 4, 5), Residual(BatchNorm(1), Conv2D(1, 1, 3, padding=1, bias=False)), Flatten(), Dense(20, 3)
    )


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (Dense(784, 64), "Dense(784, 64)"),
        (Conv2D(1, 16, 5), "Conv2D(1, 16, 5)"),
        (Conv2D(1, 16, 5, padding=2, bias=False), "Conv2D(1, 16, 5, padding=2, bias=False)"),
        (MaxPool2D(3, 2), "MaxPool2D(3, 2)"),
        (AveragePool2D(2), "AveragePool2D(2, 2)"),
        (Reshape(1, 28, 28), "Reshape(1, 28, 28)"),
        (Dropout(0.25), "Dropout(0.25)"),
        (LeakyReLU(), "LeakyReLU()"),
        (BatchNorm(8, eps=0.1), "BatchNorm(8, 0.1)"),
        (Standardize(), "Standardize()"),
        (Network(), "Network()"),
        (
            Network(Dense(784, 64), ReLU(), Dense(64, 10)),
            "Network(Dense(784, 64), ReLU(), Dense(64, 10); 50,890 parameters)",
        ),
        (nested(), "Network(Reshape(1, 4, 5), Residual(2 layers), Flatten(), Dense(20, 3); 74 parameters)"),
        (
            Network(*(Dense(100 + i, 101 + i) for i in range(20))),
            "Network(Dense(100, 101), Dense(101, 102), ... 17 more ..., Dense(119, 120); 244,870 parameters)",
        ),
        (Ensemble(nested(), nested()), "Ensemble(Network(4 layers), Network(4 layers); 148 parameters)"),
        (
            ShiftAverage(Network(Dense(4, 2)), 2, 2, [(0, 0), (0, 1)]),
            "ShiftAverage(Network(Dense(4, 2); 10 parameters), 2, 2, [(0, 0), (0, 1)])",
        ),
    ],
)
def test_what_a_layer_prints(layer: Layer, text: str) -> None:
    assert repr(layer) == text


def test_a_summary_has_every_layer_and_the_totals() -> None:
    assert nested().summary((20,)).splitlines() == [
        "name  layer                                     output     parameters  MFLOP",
        "0     Reshape(1, 4, 5)                          1 x 4 x 5",
        "1     Residual                                  1 x 4 x 5          11  0.000",
        "1.0     BatchNorm(1)                            1 x 4 x 5           2",
        "1.1     Conv2D(1, 1, 3, padding=1, bias=False)  1 x 4 x 5           9  0.000",
        "2     Flatten()                                 20",
        "3     Dense(20, 3)                              3                  63  0.000",
        "      total                                     3                  74  0.000",
    ]


def test_a_summary_of_an_ensemble_and_of_shifts_counts_each_part() -> None:
    member = Network(Dense(784, 800), ReLU(), Dense(800, 10))
    rows = Network(ShiftAverage(Ensemble(member, member), 28, 28, [(0, 0), (1, 0)])).summary((784,)).splitlines()
    assert [row.split()[0] for row in rows] == [
        *("name", "0", "0.0", "0.0.0", "0.0.1", "0.0.2", "0.1", "0.1.0", "0.1.1", "0.1.2", "total"),
    ]
    assert rows[1].split() == ["0", "ShiftAverage", "10", "1,272,020", "5.082"]
    assert rows[2].split() == ["0.0", "Network", "10", "636,010", "1.270"]
    assert rows[3].split() == ["0.0.0", "Dense(784,", "800)", "800", "628,000", "1.254"]
    assert rows[-1].split() == ["total", "10", "1,272,020", "5.082"]
    with pytest.raises(ShapeError, match=r"ShiftAverage expects \(784, N\); got \(783, 1\)"):
        Network(ShiftAverage(member, 28, 28, [(0, 0)])).summary((783,))


def test_layers_are_found_by_index_and_by_the_names_of_their_parameters() -> None:
    network = nested()
    assert len(network) == 4
    assert list(network) == list(network.layers)
    assert network[1] is network["1"] is network[-3] is network.layers[1]
    for parameter, value in network.params.items():
        name, _, own = parameter.rpartition(".")
        assert network[name].params[own] is value
    views = Network(ShiftAverage(network, 4, 5, [(0, 0)]))
    assert views["0.1.1"] is network["1.1"]
    assert [name for name, _ in network.named_layers()] == ["0", "1", "1.0", "1.1", "2", "3"]
    for wrong in ("4", "1.2", "", 4, -5):
        with pytest.raises(LayerError, match=rf"has the layers 0, 1, 1\.0, 1\.1, 2, 3; got {wrong!r}"):
            network[wrong]


def test_a_call_is_forward_outside_training() -> None:
    network = Network(nested(), Dropout(0.5))
    x = np.random.default_rng(0).normal(size=(20, 3))
    np.testing.assert_array_equal(network(x), network.forward(x)[0])


@pytest.mark.parametrize("wrong", [[Dense(2, 2)], ReLU, None], ids=["list", "class", "none"])
def test_what_is_not_a_layer_is_refused(wrong: Layer) -> None:
    with pytest.raises(
        LayerError, match=r"^Network expects layers, such as Network\(Dense\(784, 10\), ReLU\(\)\); got "
    ):
        Network(wrong)
