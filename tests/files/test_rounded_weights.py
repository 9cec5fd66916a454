"""Weights of one byte: how far they are from the network's own."""

import numpy as np

from digitscope.files.rounded_weights import rounded, unrounded


def test_each_weight_is_within_half_a_step_of_its_output() -> None:
    rng = np.random.default_rng(0)
    weight = (rng.normal(size=(5, 3, 2, 2)) * np.array([1e-3, 1, 50, 0, 2]).reshape(5, 1, 1, 1)).astype(np.float32)
    arrays = {"0.weight": weight, "0.bias": rng.normal(size=(5, 1)).astype(np.float32), "1.scale": np.ones(5)}
    stored = rounded(arrays)
    assert stored["0.weight"].dtype == np.int8
    found = unrounded(stored)
    assert found.keys() == arrays.keys()
    assert all(array.dtype == np.float32 for array in found.values())
    step = np.abs(weight).max(axis=(1, 2, 3), keepdims=True) / 127
    assert (np.abs(found["0.weight"] - weight) <= step * 0.501).all()
    np.testing.assert_array_equal(found["0.bias"], arrays["0.bias"])
    np.testing.assert_array_equal(found["1.scale"], arrays["1.scale"])


def test_rounding_again_changes_no_bit() -> None:
    weight = np.random.default_rng(1).normal(size=(4000, 9)).astype(np.float32)
    once = rounded({"w": weight * np.geomspace(1e-30, 1e30, 4000, dtype=np.float32)[:, None]})
    again = rounded(unrounded(once))
    for name, array in once.items():
        np.testing.assert_array_equal(again[name], array, strict=True)


def test_float16_of_before_is_read_as_it_is() -> None:
    stored = {"w": np.ones((2, 3), np.float16)}
    np.testing.assert_array_equal(unrounded(stored)["w"], np.ones((2, 3), np.float32))
