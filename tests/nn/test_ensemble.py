"""Ensembles, and test-time augmentation by shifts."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn import (
    BatchNorm,
    Conv2D,
    Dense,
    Ensemble,
    Flatten,
    Layer,
    Network,
    ReLU,
    Reshape,
    ShiftAverage,
    Tanh,
    check_gradients,
    log_sum_exp,
    softmax,
)
from digitscope.nn.ensemble import ensemble_logits, shift_images
from digitscope.nn.layer import Backward
from tests.nn.evaluation_mode import EvaluationMode

SHIFTS = [(0, 0), (1, 0), (-1, 0), (0, 2), (2, -1)]


class Fixed(Layer):
    """Returns the same logits for every input."""

    def __init__(self, logits: Any) -> None:
        super().__init__()
        self.logits = np.asarray(logits)

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        return self.logits, lambda dy: (np.zeros_like(x), {})


def small(seed: int, side: int = 6) -> Network:
    rng = np.random.default_rng(seed)
    conv = Conv2D(1, 2, 3, rng=rng)
    features = 2 * (side - 2) ** 2
    return Network(Reshape(1, side, side), conv, BatchNorm(2), Tanh(), Flatten(), Dense(features, 4, rng=rng))


@given(
    members=st.integers(1, 5),
    classes=st.integers(1, 6),
    batch=st.integers(1, 4),
    size=st.floats(0, 30),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_output_has_the_mean_of_the_members_probabilities_and_evidence(
    members: int, classes: int, batch: int, size: float, seed: int
) -> None:
    logits: Array = size * np.random.default_rng(seed).normal(size=(members, classes, batch))
    y = Ensemble(*[Fixed(z) for z in logits]).forward(np.zeros((3, batch)))[0]
    for n in range(batch):
        mean, evidence = [0.0] * classes, 0.0
        for z in logits:
            powers = [float(np.exp(v - z[:, n].max())) for v in z[:, n]]
            mean = [m + p / sum(powers) / members for m, p in zip(mean, powers, strict=True)]
            evidence += (float(np.log(sum(powers))) + float(z[:, n].max())) / members
        np.testing.assert_allclose(softmax(y)[:, n], mean, rtol=1e-9, atol=1e-300)
        np.testing.assert_allclose(y[:, n], np.log(mean) + evidence, rtol=1e-9, atol=1e-12)
        assert log_sum_exp(y)[n] == pytest.approx(evidence, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
def test_logits_of_any_size_stay_finite(size: float, dtype: type[np.floating]) -> None:
    one = np.array([[size, -size], [-size, size], [0, 0]], dtype)
    members = [Fixed(one), Fixed(-one)]
    y, backward = Ensemble(*members).forward(np.zeros((1, 2), dtype))
    assert y.dtype == dtype
    assert np.isfinite(y).all()
    if size < 1e3:  # added to an evidence of 1e4 nats or more, log probabilities lose their digits
        np.testing.assert_allclose(softmax(y), [[0.5, 0.5], [0.5, 0.5], [0.0, 0.0]], rtol=1e-5, atol=1e-30)
    for df in ensemble_logits([one, -one])[1](np.ones_like(y)):
        assert np.isfinite(df).all()
    assert np.isfinite(backward(np.ones_like(y))[0]).all()


def test_the_ensembles_logits_and_their_derivatives_agree_with_pytorch() -> None:
    # torch 2.13.0, float64: log(softmax(z, dim=1).mean(0)) + logsumexp(z, dim=1).mean(0), and its gradient.
    z = np.sin(np.arange(12.0) * 2).reshape(2, 3, 2)
    y, logits_backward = ensemble_logits(list(z))
    dz = logits_backward(np.cos(np.arange(6.0) * 0.7).reshape(3, 2))
    expected = [
        [-0.2428229792963128, 0.9499536621398721],
        [-0.48471003538299584, -0.4770375618545406],
        [0.9511577033832248, -0.2512601197472193],
    ]
    expected_dz = [
        [
            [0.5897351361994997, 0.3596691089500315],
            [0.051926904605300216, -0.3279675716667578],
            [-0.5277896396890085, -0.3699318395863562],
        ],
        [
            [0.4023642562319504, 0.40509870640548307],
            [0.12553703720472123, -0.17991392023479097],
            [-0.4140288923208802, -0.5634150884737745],
        ],
    ]
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    np.testing.assert_allclose(dz, expected_dz, rtol=1e-12)


@pytest.mark.parametrize(
    "network",
    [
        Ensemble(small(0)),
        Ensemble(small(0), small(1), Network(Dense(36, 8), ReLU(), Dense(8, 4))),
        Ensemble(small(0), Ensemble(small(1), small(2))),
        EvaluationMode(ShiftAverage(small(0), 6, 6, SHIFTS)),
        EvaluationMode(ShiftAverage(small(0), 6, 6, [(0, 0), (0, 0), (9, 0)])),
        EvaluationMode(Ensemble(ShiftAverage(small(0), 6, 6, SHIFTS), small(1))),
        Network(ShiftAverage(small(0), 6, 6, SHIFTS)),
    ],
    ids=["one", "three", "nested", "shifts", "shifts again", "both", "training"],
)
@pytest.mark.parametrize("batch", [1, 5])
def test_the_derivative_agrees_with_differences(network: Network, batch: int) -> None:
    rng = np.random.default_rng(3)
    result = check_gradients(network, rng.normal(size=(36, batch)), rng.integers(0, 4, batch))
    assert result.passed, str(result)
    assert len(result.comparisons) == len(network.params) + 2


def test_the_mean_over_shifts_agrees_with_a_loop_over_rolled_images() -> None:
    network = small(0, 8).astype(np.float64)
    images = np.zeros((8, 8, 5))
    images[2:6, 2:6] = np.random.default_rng(4).normal(size=(4, 4, 5))  # borders as wide as the longest shift
    x = images.reshape(64, 5)
    mean = sum(
        softmax(network.forward(np.roll(images, shift, axis=(0, 1)).reshape(64, 5))[0]) for shift in SHIFTS
    ) / len(SHIFTS)
    y = ShiftAverage(network, 8, 8, SHIFTS).forward(x)[0]
    np.testing.assert_allclose(softmax(y), mean, rtol=1e-12)
    evidence = [log_sum_exp(network.forward(np.roll(images, s, axis=(0, 1)).reshape(64, 5))[0]) for s in SHIFTS]
    np.testing.assert_allclose(log_sum_exp(y), np.mean(evidence, axis=0), rtol=1e-12)
    assert not np.allclose(softmax(y), softmax(network.forward(x)[0]), rtol=1e-3)


@given(height=st.integers(1, 5), width=st.integers(1, 5), down=st.integers(-8, 8), right=st.integers(-8, 8))
def test_a_shift_brings_in_zeros_and_drops_what_leaves(height: int, width: int, down: int, right: int) -> None:
    images = np.arange(1.0, height * width + 1).reshape(height, width, 1)
    result = shift_images(images, down, right)
    for i, j in product(range(height), range(width)):
        row, column = i - down, j - right
        inside = 0 <= row < height and 0 <= column < width
        assert result[i, j, 0] == (images[row, column, 0] if inside else 0)


def test_in_training_images_are_not_shifted() -> None:
    network = small(0)
    x = np.random.default_rng(5).normal(size=(36, 4)).astype(np.float32)
    y, backward = ShiftAverage(network, 6, 6, SHIFTS).forward(x, training=True)
    expected, expected_backward = network.forward(x, training=True)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(backward(y)[0], expected_backward(y)[0])


def test_parameters_and_statistics_are_the_members_own() -> None:
    members = small(0), small(1)
    ensemble = Ensemble(*members)
    assert ensemble.params["1.1.weight"] is members[1].params["1.weight"]
    assert ensemble.statistics["0.2.mean"] is members[0].statistics["2.mean"]
    views = ShiftAverage(members[0], 6, 6, SHIFTS)
    assert views.params["1.weight"] is members[0].params["1.weight"]
    exact = Network(views).astype(np.float64)
    x = np.random.default_rng(6).normal(size=(36, 3))
    before = views.forward(x)[0]
    exact.params = {name: np.zeros_like(p) for name, p in exact.params.items()}
    assert np.allclose(exact.forward(x)[0], 0)  # four classes of 1/4 each, and the evidence log 4
    np.testing.assert_array_equal(views.forward(x)[0], before)


def test_members_are_the_separately_trained_layers() -> None:
    members = small(0), small(1)
    for network in (Ensemble(*members), Network(Ensemble(*members)), Network(Network(Ensemble(*members)))):
        assert network.members == members
    for network in (Network(), members[0], Network(Network(*members)), Network(Ensemble(*members), ReLU())):
        assert network.members == ()


@pytest.mark.parametrize("kind", ["ensemble", "shifts"])
def test_measuring_reaches_the_members(kind: str) -> None:
    rng = np.random.default_rng(7)
    batches = [rng.normal(3, 2, (36, n)).astype(np.float32) for n in (9, 20)]
    members = [small(0), small(1)] if kind == "ensemble" else [small(0)]
    whole = Ensemble(*members) if kind == "ensemble" else ShiftAverage(members[0], 6, 6, SHIFTS)
    outputs, measured = whole.measure_statistics(batches)
    for i, member in enumerate(members):
        alone = member.measure_statistics(batches)[1]
        prefix = f"{i}." if kind == "ensemble" else ""
        for name, value in alone.statistics.items():
            np.testing.assert_array_equal(measured.statistics[prefix + name], value)
        assert not member.statistics["2.mean"].any()
    for x, y in zip(batches, outputs, strict=True):
        np.testing.assert_array_equal(measured.forward(x)[0], y)
        assert not np.allclose(whole.forward(x)[0], y)


@pytest.mark.parametrize(
    "layer", [Ensemble(small(0), small(1)), ShiftAverage(small(0), 6, 6, SHIFTS)], ids=["ensemble", "shifts"]
)
@pytest.mark.parametrize("training", [True, False], ids=["training", "use"])
def test_forward_and_backward_change_nothing(layer: Layer, training: bool) -> None:
    rng = np.random.default_rng(8)
    x = rng.normal(size=(36, 5)).astype(np.float32)
    own = {**layer.params, **layer.statistics, "x": x}
    kept = {name: value.copy() for name, value in own.items()}
    y, backward = layer.forward(x, training=training)
    dx, grads = backward(y)
    layer.forward(x + 1, training=training)
    again_dx, again = backward(y)
    np.testing.assert_array_equal(dx, again_dx)
    for name, value in own.items():
        np.testing.assert_array_equal(value, kept[name])
    without = layer.forward(x, training=training, need_dx=False)[1](y)[1]
    assert grads.keys() == layer.params.keys()
    for name, g in grads.items():
        np.testing.assert_array_equal(g, again[name])
        np.testing.assert_array_equal(g, without[name])
    assert y.dtype == dx.dtype == np.float32


def test_wrong_shapes_say_what_was_expected() -> None:
    with pytest.raises(ShapeError, match="at least 1 member; got none"):
        Ensemble()
    with pytest.raises(ShapeError, match="at least 1 shift; got none"):
        ShiftAverage(small(0), 6, 6, [])
    with pytest.raises(ShapeError, match=r"logits of one shape; got \(4, 2\), \(3, 2\)"):
        Ensemble(Fixed(np.zeros((4, 2))), Fixed(np.zeros((3, 2)))).forward(np.zeros((1, 2)))
    with pytest.raises(ShapeError, match=r"ShiftAverage expects \(36, N\); got \(35, 2\)"):
        ShiftAverage(small(0), 6, 6, SHIFTS).forward(np.zeros((35, 2)))
