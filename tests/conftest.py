"""Small data shared by many tests."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from digitscope.datasets import DataSet, load_mnist
from digitscope.training import default_threads

# Where Python is told to write no bytecode, each worker compiles all libraries and tests anew, and each process that a
# test starts compiles NumPy and SciPy.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

LONGEST = ("test_the_code_is_clean[mypy]", "[10-regularization]")
"""Tests that would be the only ones to run at the end, had they not begun first."""


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist, which some environments lack
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: in the tests of pages, a worker often waits for its browser."""
    return default_threads() + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.name.endswith(LONGEST))


@pytest.fixture(scope="session", autouse=True)
def blas_on_one_thread() -> Iterator[None]:
    """Tests run in parallel, one on each core. Tests that need more threads set their number."""
    with threadpool_limits(1, "blas"):
        yield


@pytest.fixture(scope="session")
def mnist() -> DataSet:
    (x_train, y_train), (x_test, y_test) = load_mnist()
    return DataSet("mnist", x_train, y_train.astype(np.int64), x_test, y_test.astype(np.int64))


@pytest.fixture(scope="session")
def few(mnist: DataSet) -> DataSet:
    """1,200 training images and 300 test images."""
    assert mnist.x_test is not None
    assert mnist.y_test is not None
    return DataSet("few", mnist.x_train[:1200], mnist.y_train[:1200], mnist.x_test[:300], mnist.y_test[:300])


@pytest.fixture(scope="session")
def few_file(few: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a file that --data takes."""
    assert few.x_test is not None
    assert few.y_test is not None
    path = tmp_path_factory.mktemp("data") / "few.npz"
    np.savez(path, x_train=few.x_train, y_train=few.y_train, x_test=few.x_test, y_test=few.y_test)
    return path


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Works in an empty folder; called, it lists the files there."""
    monkeypatch.chdir(tmp_path)
    return lambda: sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for all examples of a property test, each of which overwrites its file."""
    return tmp_path_factory.mktemp("scratch")
