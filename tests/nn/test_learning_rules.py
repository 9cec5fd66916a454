"""Optimizers, schedules and initializers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitscope.arrays import Array
from digitscope.nn import (
    Adam,
    AdamW,
    Constant,
    Cosine,
    GradientDescent,
    Initializer,
    Momentum,
    OneCycle,
    Optimizer,
    Schedule,
    StepDecay,
    WarmUp,
    clip_scale,
    glorot,
    gradient_norm,
    he,
    lecun,
    normal,
    uniform,
    zeros,
)

START = [1.0, -2.0, 0.5]
GRADIENTS = [[0.5, -1.0, 2.0], [0.1, 0.4, -3.0], [-0.2, 0.3, 1.0]]
RATES = [0.1, 0.05, 0.2]


# torch 2.13.0, float64: three steps from START with these gradients and learning rates.
@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (GradientDescent(), [0.985, -1.98, 0.25]),
        (Momentum(momentum=0.9), [0.8635, -1.845, 0.376]),
        (Momentum(momentum=0.9, nesterov=True), [0.86215, -1.8405, 0.1384]),
        (Adam(), [0.7909772050940002, -1.8655637191827803, 0.4151184327424358]),
        (AdamW(weight_decay=0.01), [0.7878109081846175, -1.8588551777646187, 0.4135953120596701]),
    ],
    ids=lambda value: repr(value) if isinstance(value, Optimizer) else "",
)
def test_three_steps_agree_with_pytorch(optimizer: Optimizer, expected: list[float]) -> None:
    params = {"0.weight": np.array(START)}
    state = optimizer.start(params)
    for step, (gradient, rate) in enumerate(zip(GRADIENTS, RATES, strict=True)):
        optimizer.update(params, {"0.weight": np.array(gradient)}, state, rate, step)
    np.testing.assert_allclose(params["0.weight"], expected, rtol=1e-12)


@given(
    optimizer=st.one_of(
        st.just(GradientDescent()),
        st.builds(Momentum, momentum=st.floats(0, 0.99), nesterov=st.booleans()),
        st.builds(Adam, beta1=st.floats(0, 0.99), beta2=st.floats(0, 0.999), eps=st.floats(1e-8, 1)),
    ),
    learning_rate=st.floats(1e-4, 1),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_step_in_place_agrees_with_the_definition(
    optimizer: Optimizer, learning_rate: float, dtype: type[np.floating], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    w: Array = rng.normal(size=(3, 4)).astype(dtype)
    params = {"w": w.copy()}
    state = optimizer.start(params)
    slots = [np.zeros_like(w) for _ in optimizer.slots]
    for step in range(4):
        g: Array = np.asarray(rng.normal(size=w.shape), dtype)
        kept = [array.copy() for array in (w, g, *slots)]
        new_w, *new_slots = optimizer.updated(w, g, slots, learning_rate, step)
        for array, before in zip((w, g, *slots), kept, strict=True):
            np.testing.assert_array_equal(array, before)
        w, slots = new_w, new_slots
        optimizer.update(params, {"w": g}, state, learning_rate, step)
        tolerance = 1e-4 if dtype == np.float32 else 1e-11
        np.testing.assert_allclose(params["w"], w, rtol=tolerance, atol=tolerance)
        for slot, expected in zip(optimizer.slots, slots, strict=True):
            np.testing.assert_allclose(state[slot]["w"], expected, rtol=tolerance, atol=tolerance)


class SignDescent(Optimizer):
    """A custom optimizer that only defines `updated`."""

    slots = ("last",)

    def updated(self, w: Array, g: Array, slots: list[Array], learning_rate: float, step: int) -> tuple[Array, ...]:
        return w - learning_rate * np.sign(g), g


def test_a_custom_optimizer_only_needs_its_definition() -> None:
    params = {"w": np.ones(2)}
    optimizer = SignDescent()
    state = optimizer.start(params)
    optimizer.update(params, {"w": np.array([3.0, -4.0])}, state, 0.5, 0)
    assert params["w"].tolist() == [0.5, 1.5]
    assert state["last"]["w"].tolist() == [3.0, -4.0]


def test_weight_decay_does_not_change_biases() -> None:
    params = {"0.weight": np.ones(2), "0.bias": np.ones(2)}
    optimizer = GradientDescent(weight_decay=0.5)
    optimizer.update(params, {name: np.zeros(2) for name in params}, optimizer.start(params), 0.1, 0)
    assert params["0.weight"].tolist() == [0.95, 0.95]
    assert params["0.bias"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("optimizer", [GradientDescent(), Momentum(nesterov=True), Adam()], ids=repr)
def test_parts_of_an_array_are_updated_like_the_whole(optimizer: Optimizer) -> None:
    rng = np.random.default_rng(0)
    whole = {"w": rng.normal(size=1001).astype(np.float32)}
    parts = {"a": whole["w"][:377].copy(), "b": whole["w"][377:].copy()}
    gradient = rng.normal(size=1001).astype(np.float32)
    optimizer.update(whole, {"w": gradient.copy()}, optimizer.start(whole), 0.1, 0)
    optimizer.update(parts, {"a": gradient[:377].copy(), "b": gradient[377:].copy()}, optimizer.start(parts), 0.1, 0)
    np.testing.assert_array_equal(np.concatenate([parts["a"], parts["b"]]), whole["w"])


def test_the_gradients_norm_and_its_clipping() -> None:
    assert gradient_norm({"a": np.array([3.0, 4.0]), "b": np.array([[12.0]])}) == pytest.approx(13.0)
    assert clip_scale(13.0, 6.5) == 0.5
    assert clip_scale(13.0, 20.0) == 1.0
    assert clip_scale(13.0, None) == 1.0


SCHEDULES = st.one_of(
    st.builds(Constant, st.floats(1e-4, 10)),
    st.builds(StepDecay, st.floats(1e-4, 10), st.floats(0.01, 1), st.just((0.3, 0.6))),
    st.builds(Cosine, st.floats(1e-4, 10), st.floats(0, 1)),
    st.builds(OneCycle, st.floats(1e-4, 10), st.floats(0.05, 0.95), st.floats(0, 1), st.floats(0, 1)),
    st.builds(WarmUp, st.floats(1e-4, 10), st.builds(Cosine, st.just(1.0)), st.floats(0.05, 0.95)),
)


@given(schedule=SCHEDULES, steps=st.integers(1, 500))
def test_a_rate_is_never_negative_nor_above_the_highest(schedule: Schedule, steps: int) -> None:
    rates = [schedule(step, steps) for step in range(steps)]
    assert all(0 <= rate <= schedule.learning_rate * (1 + 1e-12) for rate in rates)
    assert [schedule.with_learning_rate(2 * schedule.learning_rate)(s, steps) for s in range(steps)] == pytest.approx(
        [2 * rate for rate in rates]
    )


def test_schedules_at_points_computed_by_hand() -> None:
    assert [OneCycle(1.0, warm_up=0.25, start=0.2)(s, 8) for s in (0, 1, 2, 5, 8)] == pytest.approx(
        [0.2, 0.6, 1.0, 0.5, 0.0]
    )
    assert [Cosine(2.0, final=0.5)(s, 4) for s in (0, 2, 4)] == pytest.approx([2.0, 1.5, 1.0])
    assert [StepDecay(1.0, 0.1, (0.5, 0.75))(s, 8) for s in (0, 3, 4, 6)] == pytest.approx([1, 1, 0.1, 0.01])
    assert [WarmUp(1.0, Cosine(1.0), share=0.5)(s, 8) for s in (0, 2, 4, 6, 8)] == pytest.approx([0, 0.5, 1, 0.5, 0])
    assert Constant(0.3)(7, 9) == 0.3


@pytest.mark.parametrize(
    ("initializer", "deviation", "limit"),
    [
        (uniform(-0.5, 0.5), 1 / math.sqrt(12), 0.5),
        (normal(0.7), 0.7, math.inf),
        (glorot, math.sqrt(2 / (300 + 200)), math.sqrt(6 / (300 + 200))),
        (he, math.sqrt(2 / 300), math.inf),
        (lecun, math.sqrt(1 / 300), math.inf),
        (zeros, 0.0, 0.0),
    ],
)
def test_initial_weights_have_the_documented_variance(initializer: Initializer, deviation: float, limit: float) -> None:
    w = initializer(np.random.default_rng(0), (200, 300), 300, 200)
    assert w.shape == (200, 300)
    assert w.dtype == np.float32
    assert w.std() == pytest.approx(deviation, rel=0.01)
    assert abs(float(w.mean())) < 0.01
    assert np.abs(w).max() <= limit
