from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitscope.errors import DataError, ShapeError, TrainingError
from digitscope.nn import (
    BackgroundCrossEntropy,
    Loss,
    MeanSquaredError,
    SoftmaxCrossEntropy,
    log_sum_exp,
    softmax,
    weighted_loss,
)

LOGITS = np.array([[1.0, -2.0], [0.5, 3.0], [2.0, 0.1]])
LABELS = np.array([2, 0])

# torch 2.13.0, float64: cross_entropy(LOGITS.T, LABELS, label_smoothing=...) and its gradient, transposed.
TORCH: dict[float, tuple[float, list[list[float]]]] = {
    0.0: (
        2.762148895928969,
        [
            [0.11561194881107452, -0.4968269949927763],
            [0.07012219158304424, 0.4709156969703599],
            [-0.18573414039411879, 0.025911298022416495],
        ],
    ),
    0.1: (
        2.685482229262303,
        [
            [0.09894528214440786, -0.463493661659443],
            [0.053455524916377575, 0.45424903030369324],
            [-0.15240080706078546, 0.009244631355749829],
        ],
    ),
}


@pytest.mark.parametrize("smoothing", TORCH)
def test_cross_entropy_agrees_with_pytorch(smoothing: float) -> None:
    value, backward = SoftmaxCrossEntropy(smoothing).forward(LOGITS, LABELS)
    expected, gradient = TORCH[smoothing]
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(backward(1.0), gradient, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(backward(0.25), 0.25 * np.array(gradient), rtol=1e-12, atol=1e-15)


# The same with a row of zeros below LOGITS and the second label 3, the background.
TORCH_BACKGROUND: dict[float, tuple[float, list[list[float]]]] = {
    0.0: (
        1.825880120056628,
        [
            [0.10654865214431186, 0.003030883763905747],
            [0.06462502427658137, 0.44982303427395987],
            [-0.21037073502931314, 0.02475071180129691],
        ],
    ),
    0.1: (
        1.8683801200566281,
        [
            [0.09404865214431186, -0.009469116236094253],
            [0.052125024276581375, 0.43732303427395985],
            [-0.17287073502931316, 0.012250711801296908],
        ],
    ),
}


@pytest.mark.parametrize("smoothing", TORCH_BACKGROUND)
def test_cross_entropy_with_a_background_agrees_with_pytorch(smoothing: float) -> None:
    value, backward = BackgroundCrossEntropy(smoothing).forward(LOGITS, np.array([2, 3]))
    expected, gradient = TORCH_BACKGROUND[smoothing]
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(backward(1.0), gradient, rtol=1e-12, atol=1e-15)


def test_the_evidence_is_the_log_odds_against_the_background() -> None:
    with_background = softmax(np.concatenate([LOGITS, np.zeros((1, 2))]))
    evidence = BackgroundCrossEntropy().evidence(LOGITS)
    np.testing.assert_allclose(1 / (1 + np.exp(-evidence)), 1 - with_background[3], rtol=1e-12)
    np.testing.assert_allclose(log_sum_exp(1e30 * LOGITS), [2e30, 3e30])  # none overflows


def test_which_answers_count_as_right() -> None:
    logits = np.array([[3.0, 3.0, -1.0, -1.0, 2.0], [0.0, 0.0, -2.0, -2.0, 4.0]])
    assert BackgroundCrossEntropy().count_right(logits, np.array([0, 2, 2, 0, 1])) == 3
    assert SoftmaxCrossEntropy().count_right(logits, np.array([0, 1, 0, 1, 1])) == 3


def test_squared_error_by_hand() -> None:
    outputs = np.array([[0.5, 1.0], [0.25, 0.0]])
    value, backward = MeanSquaredError().forward(outputs, np.array([0, 1]))
    assert value == pytest.approx(((0.25 + 0.0625) + (1.0 + 1.0)) / 4)
    np.testing.assert_allclose(backward(1.0), [[-0.25, 0.5], [0.125, -0.5]])


def test_equal_logits_cost_the_logarithm_of_the_classes() -> None:
    value, _ = SoftmaxCrossEntropy().forward(np.zeros((10, 7)), np.arange(7))
    assert value == pytest.approx(np.log(10))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
def test_logits_of_any_size_stay_finite(size: float, dtype: type[np.floating[Any]]) -> None:
    logits = np.array([[size, -size], [-size, size], [0.0, 0.0]]).astype(dtype)
    right, backward = SoftmaxCrossEntropy().forward(logits, np.array([0, 1]))
    assert right == 0
    assert np.isfinite(backward(1.0)).all()
    wrong, backward = SoftmaxCrossEntropy().forward(logits, np.array([1, 0]))
    assert wrong == pytest.approx(2 * size)
    np.testing.assert_allclose(backward(1.0), [[0.5, -0.5], [-0.5, 0.5], [0.0, 0.0]], atol=1e-12)
    assert backward(1.0).dtype == dtype


@given(classes=st.integers(1, 12), n=st.integers(1, 5), size=st.floats(0, 1e6), seed=st.integers(0, 2**32 - 1))
def test_softmax_is_a_distribution_and_ignores_a_shift(classes: int, n: int, size: float, seed: int) -> None:
    logits = np.random.default_rng(seed).normal(size=(classes, n)) * size
    p = softmax(logits)
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=0), np.ones(n), rtol=1e-12)
    np.testing.assert_allclose(softmax(logits + 8.0), p, atol=1e-9)
    assert (p.max(axis=0) == p[logits.argmax(axis=0), np.arange(n)]).all()


@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(), BackgroundCrossEntropy(), MeanSquaredError()], ids=repr)
def test_probabilities_add_up_to_one_and_keep_the_order(loss: Loss) -> None:
    outputs = np.array([[0.9, -0.1, 0.0], [0.3, 0.2, 0.0]], dtype=np.float32)
    p = loss.probabilities(outputs)
    np.testing.assert_allclose(p.sum(axis=0), np.ones(3), rtol=1e-6)
    assert p.argmax(axis=0).tolist()[:2] == [0, 1]
    assert p[:, 2].tolist() == [0.5, 0.5]


LOSSES_TO_MISUSE = [SoftmaxCrossEntropy(), SoftmaxCrossEntropy(0.1), BackgroundCrossEntropy(), MeanSquaredError()]


@pytest.mark.parametrize("loss", LOSSES_TO_MISUSE, ids=repr)
@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([0, 1, 2], ShapeError, r"got \(3, 2\) and \(3,\)\.$"),
        ([[0], [1]], ShapeError, r"got \(3, 2\) and \(2, 1\)"),
        (
            [[1, 0], [0, 1], [0, 0]],
            ShapeError,
            r"got \(3, 2\) and \(3, 2\)\. Convert one-hot labels .*argmax\(axis=0\)",
        ),
        (0, ShapeError, r"got \(3, 2\) and \(\)"),
        ([0, -1], DataError, r"from 0 to \d; got -1\. Correct"),
        ([0, 4], DataError, r"from 0 to \d; got 4\. Correct"),
        ([0.0, 1.0], DataError, r"integer labels; got float64\. Convert"),
        ([True, False], DataError, "integer labels; got bool"),
        (["0", "1"], DataError, "integer labels; got <U1"),
    ],
)
def test_labels_that_do_not_fit_are_refused(loss: Loss, labels: Any, error: type[Exception], message: str) -> None:
    for argument in (labels, np.array(labels)):
        with pytest.raises(error, match=message):
            loss.forward(LOGITS, argument)


def test_the_label_after_the_last_class_is_only_the_background() -> None:
    labels = np.array([0, 3])
    assert np.isfinite(BackgroundCrossEntropy().forward(LOGITS, labels)[0])
    for loss in (SoftmaxCrossEntropy(), MeanSquaredError()):
        with pytest.raises(DataError, match=r"for 3 outputs expects labels from 0 to 2; got 3"):
            loss.forward(LOGITS, labels)


def test_a_loss_of_no_examples_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"N at least 1; got \(3, 0\) and \(0,\)"):
        SoftmaxCrossEntropy().forward(LOGITS[:, :0], np.zeros(0, int))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, list])
def test_labels_of_every_integer_type_give_the_same(dtype: Any) -> None:
    for loss in LOSSES_TO_MISUSE:
        labels = [2, 0] if dtype is list else np.array([2, 0], dtype)
        value, backward = loss.forward(LOGITS, labels)  # type: ignore[arg-type]
        expected, expected_backward = loss.forward(LOGITS, np.array([2, 0]))
        assert value == expected
        np.testing.assert_array_equal(backward(1.0), expected_backward(1.0))


@pytest.mark.parametrize("kind", [SoftmaxCrossEntropy, BackgroundCrossEntropy])
def test_label_smoothing_outside_0_to_1_is_refused(kind: Any) -> None:
    for smoothing in (1.5, -0.1, float("nan")):
        with pytest.raises(TrainingError, match=f"label_smoothing is expected .*; got {smoothing}"):
            kind(label_smoothing=smoothing)
    assert kind(label_smoothing=1.0).label_smoothing == 1


@pytest.mark.parametrize("smoothing", [0.0, 0.05, 0.3, 1.0])
def test_the_minimum_is_the_loss_at_its_best_outputs(smoothing: float) -> None:
    """At logits log q the probabilities are the smoothed labels, where the derivative is zero."""
    q = np.full((10, 1), smoothing / 10)
    q[3] += 1 - smoothing
    logits = np.log(np.maximum(q, 1e-300))
    value, backward = SoftmaxCrossEntropy(smoothing).forward(logits, np.array([3]))
    np.testing.assert_allclose(backward(1.0), 0, atol=1e-15)
    assert SoftmaxCrossEntropy(smoothing).minimum(10) == pytest.approx(value, abs=1e-12)
    # The background is the class whose logit is 0.
    relative = logits[:9] - logits[9]
    value, _ = BackgroundCrossEntropy(smoothing).forward(relative, np.array([3]))
    assert BackgroundCrossEntropy(smoothing).minimum(9) == pytest.approx(value, abs=1e-12)


def test_worked_minimums() -> None:
    assert SoftmaxCrossEntropy(0.05).minimum(10) == pytest.approx(-0.955 * np.log(0.955) - 9 * 0.005 * np.log(0.005))
    assert str(SoftmaxCrossEntropy().minimum(10)) == str(MeanSquaredError().minimum(10)) == "0.0"


EVERY_LOSS = [SoftmaxCrossEntropy(), SoftmaxCrossEntropy(0.2), BackgroundCrossEntropy(0.1), MeanSquaredError()]


@pytest.mark.parametrize("loss", EVERY_LOSS, ids=repr)
def test_the_mean_of_the_examples_losses_is_the_loss(loss: Loss) -> None:
    losses = loss.example_losses(LOGITS, LABELS)
    assert losses.shape == (2,)
    assert losses.mean() == pytest.approx(loss.forward(LOGITS, LABELS)[0], rel=1e-12)
    np.testing.assert_allclose(losses, Loss.example_losses(loss, LOGITS, LABELS), rtol=1e-12)  # by definition


@pytest.mark.parametrize("loss", EVERY_LOSS, ids=repr)
def test_the_derivative_of_a_weighted_loss_agrees_with_differences(loss: Loss) -> None:
    rng = np.random.default_rng(3)
    z, labels, weights = rng.normal(size=(4, 6)), rng.integers(0, 4, 6), rng.uniform(0, 2, 6)
    weights[2] = 0
    _, backward = weighted_loss(loss, z, labels, weights)
    slopes, h = np.zeros_like(z), 1e-5
    for index in np.ndindex(z.shape):
        step = np.zeros_like(z)
        step[index] = h
        after = weighted_loss(loss, z + step, labels, weights)[0]
        slopes[index] = (after - weighted_loss(loss, z - step, labels, weights)[0]) / (2 * h)
    np.testing.assert_allclose(backward(0.5), 0.5 * slopes, atol=1e-9)
    assert (backward(1.0)[:, 2] == 0).all()


@pytest.mark.parametrize("loss", EVERY_LOSS, ids=repr)
def test_a_whole_weight_is_a_repetition(loss: Loss) -> None:
    rng = np.random.default_rng(4)
    z, labels, counts = rng.normal(size=(4, 5)), rng.integers(0, 4, 5), np.array([1, 3, 0, 2, 4])
    rows = np.repeat(np.arange(5), counts)
    expected, expected_backward = loss.forward(z[:, rows], labels[rows])
    value, backward = weighted_loss(loss, z, labels, counts / counts.mean())
    assert value == pytest.approx(expected, rel=1e-12)
    slope = expected_backward(1.0)
    summed = np.stack([slope[:, rows == n].sum(axis=1) for n in range(5)], axis=1)
    np.testing.assert_allclose(backward(1.0), summed, rtol=1e-12, atol=1e-15)


def test_weights_of_another_shape_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"expected as \(2,\), one for each example; got \(2, 1\)"):
        weighted_loss(SoftmaxCrossEntropy(), LOGITS, LABELS, np.ones((2, 1)))
