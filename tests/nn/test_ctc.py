"""CTC against a sum over all paths, against differences, and at its edges."""

import itertools
import math

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.errors import DataError, ShapeError
from digitscope.nn import softmax
from digitscope.nn.ctc import CTC, align, beam_search, best_path, log_probabilities


def spells(path: tuple[int, ...]) -> list[int]:
    return [k for k, _ in itertools.groupby(path) if k]


def naive(logits: Array, labels: list[list[int]]) -> float:
    """The sum over every path, written out."""
    p = softmax(logits)
    classes, length, _ = logits.shape
    total = 0.0
    for n, wanted in enumerate(labels):
        paths = [path for path in itertools.product(range(classes), repeat=length) if spells(path) == wanted]
        total -= math.log(sum(math.prod(p[k, t, n] for t, k in enumerate(path)) for path in paths))
    return total / len(labels)


LABELS = [[1, 2], [2, 2], [], [1], [3, 1, 3]]


@pytest.fixture
def logits() -> Array:
    return np.random.default_rng(0).normal(size=(4, 5, len(LABELS)))


def test_it_is_the_sum_over_all_paths(logits: Array) -> None:
    for n, wanted in enumerate(LABELS):
        assert CTC().forward(logits[..., n : n + 1], [wanted])[0] == pytest.approx(
            naive(logits[..., n : n + 1], [wanted])
        )
    assert CTC().forward(logits, LABELS)[0] == pytest.approx(naive(logits, LABELS), rel=1e-12)


def test_the_derivative_agrees_with_differences(logits: Array) -> None:
    dz = CTC().forward(logits, LABELS)[1](1.5)
    numeric = np.zeros_like(logits)
    for index in np.ndindex(logits.shape):
        h = 1e-5
        moved = [logits.copy(), logits.copy()]
        moved[0][index] += h
        moved[1][index] -= h
        numeric[index] = 1.5 * (CTC().forward(moved[0], LABELS)[0] - CTC().forward(moved[1], LABELS)[0]) / (2 * h)
    np.testing.assert_allclose(dz, numeric, atol=1e-9)
    np.testing.assert_allclose(dz.sum(axis=0), 0, atol=1e-12)


def test_all_labels_together_have_probability_one() -> None:
    logits = np.random.default_rng(1).normal(size=(3, 4, 1))
    words = {tuple(spells(path)) for path in itertools.product(range(3), repeat=4)}
    total = sum(math.exp(-CTC().forward(logits, [list(word)])[0]) for word in words)
    assert total == pytest.approx(1)


def test_nothing_underflows() -> None:
    logits = 200 * np.random.default_rng(2).normal(size=(11, 300, 2)).astype(np.float32)
    loss, backward = CTC().forward(logits, [[1, 2, 3] * 20, [5] * 100])
    dz = backward(1.0)
    assert math.isfinite(loss)
    assert np.isfinite(dz).all()
    assert dz.dtype == np.float32


def test_the_best_path() -> None:
    paths = np.array([[0, 0, 4, 4, 0, 4, 0, 1], [2, 2, 2, 0, 0, 0, 0, 0]])
    logits = np.eye(5)[paths].transpose(2, 1, 0)
    assert best_path(logits) == [[4, 4, 1], [2]]


def test_what_cannot_be_spelled() -> None:
    logits = np.zeros((4, 3, 1))
    assert math.isfinite(CTC().forward(logits, [[1, 2, 1]])[0])
    for labels, message in (
        ([[1, 1, 1]], "at least 5 places"),
        ([[4]], "labels from 1 to 3"),
        ([[0]], "labels from 1 to 3"),
    ):
        with pytest.raises(DataError, match=message):
            CTC().forward(logits, labels)
    for wrong, labels in ((logits[0], [[1]]), (logits, [[1], [2]]), (np.zeros((4, 3, 0)), [])):
        with pytest.raises(ShapeError, match="N sequences of labels"):
            CTC().forward(wrong, labels)


@pytest.mark.parametrize("seed", range(4))
def test_beam_search_finds_the_most_probable_labels(seed: int) -> None:
    logits = 2 * np.random.default_rng(seed).normal(size=(3, 6))
    p = softmax(logits[..., None])[..., 0]
    totals: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(3), repeat=6):
        word = tuple(spells(path))
        totals[word] = totals.get(word, 0.0) + math.prod(p[k, t] for t, k in enumerate(path))
    found = beam_search(logits, width=60)
    expected = sorted(totals.items(), key=lambda item: -item[1])
    assert [tuple(labels) for labels, _ in found[:5]] == [word for word, _ in expected[:5]]
    np.testing.assert_allclose([math.exp(value) for _, value in found[:5]], [total for _, total in expected[:5]])
    assert beam_search(logits, width=3)[0][0] in [list(word) for word, _ in expected[:3]]


def test_the_log_probability_of_what_cannot_be_spelled() -> None:
    values = log_probabilities(np.zeros((3, 2)), [[1], [1, 1], [1, 2], []])
    np.testing.assert_allclose(np.exp(values), [3 / 9, 0, 1 / 9, 1 / 9])


@pytest.mark.parametrize("seed", range(4))
def test_alignment_is_the_most_probable_path(seed: int) -> None:
    logits = 2 * np.random.default_rng(seed).normal(size=(4, 6))
    p = softmax(logits[..., None])[..., 0]
    for labels in LABELS:
        paths = [path for path in itertools.product(range(4), repeat=6) if spells(path) == labels]
        best = max(paths, key=lambda path: math.prod(p[k, t] for t, k in enumerate(path)))
        runs, t = [], 0
        for k, group in itertools.groupby(best):
            length = len(list(group))
            if k:
                runs.append((t, t + length - 1))
            t += length
        assert align(logits, labels) == runs
