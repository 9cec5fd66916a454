from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from digitscope.errors import DataError, ShapeError
from digitscope.nn import one_hot


def test_by_hand() -> None:
    columns = one_hot(np.array([2, 0]), 3)
    assert columns.tolist() == [[0, 1], [0, 0], [1, 0]]
    assert columns.dtype == np.float32
    assert one_hot(np.array([2, 0]), 3, np.float64).dtype == np.float64


@given(
    labels=hnp.arrays(
        st.sampled_from([np.uint8, np.int16, np.int64, np.uint64]), st.integers(0, 30), elements=st.integers(0, 100)
    ),
    more=st.integers(1, 200),
)
def test_each_column_has_a_1_in_the_row_of_its_label(labels: NDArray[np.int64], more: int) -> None:
    classes = int(labels.max(initial=0)) + more
    columns = one_hot(labels, classes)
    assert columns.shape == (classes, len(labels))
    np.testing.assert_array_equal(columns, np.eye(classes)[labels.astype(np.int64)].T)


@given(label=st.one_of(st.integers(-(2**31), -1), st.integers(10, 2**31 - 1)), place=st.integers(0, 3))
def test_labels_outside(label: int, place: int) -> None:
    labels = np.insert(np.array([0, 9, 5]), place, label)
    with pytest.raises(DataError, match=rf"labels from 0 to 9; got {label}\. Raise the number of classes"):
        one_hot(labels, 10)


@pytest.mark.parametrize("labels", [np.array([1.0]), np.array([True]), np.array(["1"]), np.array([None])])
def test_labels_that_are_not_integers(labels: NDArray[np.int64]) -> None:
    with pytest.raises(DataError, match="expects integer labels; got"):
        one_hot(labels, 10)


@pytest.mark.parametrize("shape", [(), (2, 1)])
def test_other_ranks(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"expects labels \(N,\); got \("):
        one_hot(np.zeros(shape, dtype=int), 10)


def test_the_kind_of_array_is_kept() -> None:
    made: list[str] = []

    class DeviceArray(np.ndarray[tuple[int, ...], np.dtype[np.int64]]):
        """Stands for an array on a GPU, whose functions return arrays of its own type."""

        def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
            made.append(func.__name__)
            return super().__array_function__(func, types, args, kwargs)

    assert type(one_hot(np.array([1, 0]).view(DeviceArray), 2)) is DeviceArray
    assert made == ["arange"]
