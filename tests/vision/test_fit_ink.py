"""The weights by which the digit is chosen among all ink can be fitted again."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.fit_ink import NAMES, Choice, is_right, log_probability, main, photo_choice
from benchmarks.fitting import RIDGE, bounded_loss, fit
from digitscope.arrays import Array
from digitscope.recipes.records import records_folder
from digitscope.vision.ink import WEIGHTS


def choices(rng: np.random.Generator, weights: Array, count: int) -> list[Choice]:
    """Choices among six components with random features. In most, the one with the highest score is the digit."""
    examples = []
    for _ in range(count):
        features = rng.normal(size=(6, len(weights)))
        noisy = features @ weights + rng.gumbel(size=6)
        examples.append(Choice(features, np.arange(6) == noisy.argmax()))
    return examples


def test_the_gradients_against_differences() -> None:
    rng = np.random.default_rng(2)
    weights = rng.normal(size=5)
    features = rng.normal(size=(7, 5))
    examples = [*choices(rng, weights, 3), Choice(features, np.arange(7) < 2)]  # the digit may be two components
    losses: list[Callable[[Array], tuple[float, Array]]] = [
        lambda w: bounded_loss(examples, w, log_probability),
        lambda w: log_probability(examples[-1], w),
    ]
    for loss in losses:
        _, gradient = loss(weights)
        for k in range(5):
            step = 1e-5 * np.eye(5)[k]
            difference = (loss(weights + step)[0] - loss(weights - step)[0]) / 2e-5
            assert gradient[k] == pytest.approx(difference, abs=1e-7)


def test_the_loss_of_an_example_is_bounded() -> None:
    hopeless = Choice(np.array([[0.0], [1.0]]), np.array([True, False]))
    loss, gradient = bounded_loss([hopeless], np.array([100.0]), log_probability)
    assert loss - RIDGE * 100**2 == pytest.approx(5)
    assert gradient[0] - 2 * RIDGE * 100 == pytest.approx(0)


def test_weights_are_found_again() -> None:
    rng = np.random.default_rng(3)
    true = np.array([2.0, -1.0, 0.5, 0.0])
    fitted = fit(choices(rng, true, 2000), np.zeros(4), log_probability)
    np.testing.assert_allclose(fitted, true, atol=0.2)


def test_a_photo_gives_the_features_of_its_components() -> None:
    choice, again = photo_choice(1, 0), photo_choice(1, 0)
    assert choice is not None
    assert again is not None
    np.testing.assert_array_equal(choice.features, again.features)
    assert choice.features.shape == (len(choice.is_digit), len(NAMES))
    assert is_right(choice, np.array(list(WEIGHTS.values())))


def test_it_runs(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--quick", "--processes", "1"])
    assert "fitted: accuracy" in capsys.readouterr().out


def test_the_record_is_of_the_weights_in_the_source() -> None:
    record = json.loads((records_folder() / "vision_weights.json").read_text(encoding="utf-8"))["ink"]
    assert record["present"] == WEIGHTS
