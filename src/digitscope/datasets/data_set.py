"""Labelled images for training and test, checked once, where they are put together."""

import zlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from digitscope.arguments import check_kind
from digitscope.arrays import as_images, as_labels
from digitscope.datasets.mnist_facts import MNIST_DIGEST
from digitscope.errors import DataError, DigitscopeError, printable


@dataclass(frozen=True, eq=False)
class DataSet:
    """Images and labels for training, and for the test if the source has them.

    What `arrays.as_images` and `arrays.as_labels` accept is brought to one form: images (N, H, W) uint8, 0 (paper) to
    255 (ink), one H and W for all; labels (N,) int64, counted from 0. x_test and y_test are both None if the source
    has no test part.

    Raises: DataError if a part is empty, is not what these two accept, or does not fit the other part.
    """

    name: str
    x_train: NDArray[np.uint8]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.uint8] | None = None
    y_test: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] | None = None
    """The name of each label, if the source names its classes other than by their labels."""

    def __post_init__(self) -> None:
        check_kind("DataSet's name", self.name, "text", str)
        object.__setattr__(self, "name", printable(self.name))  # names of files and folders may hold anything
        if self.class_names is not None:
            for name in self.class_names:
                check_kind("Each of DataSet's class_names", name, "text", str)
            object.__setattr__(self, "class_names", tuple(map(printable, self.class_names)))
        self._check_part("train", self.x_train, self.y_train)
        if self.x_test is None and self.y_test is None:
            return
        if self.x_test is None or self.y_test is None:
            raise DataError(f"{self.name} has one of test images and test labels; give both or neither.")
        self._check_part("test", self.x_test, self.y_test)
        if self.x_train.shape[1:] != self.x_test.shape[1:]:
            raise DataError(
                f"{self.name} has training images of {_size(self.x_train)} and test images of "
                f"{_size(self.x_test)} pixels; one size is expected."
            )

    def _check_part(self, part: str, images: npt.ArrayLike, labels: npt.ArrayLike) -> None:
        """Puts the images and labels of a part into their form."""
        what = {"train": "training", "test": "test"}[part]
        try:
            x = as_images(images)
            y = as_labels(labels, len(x))
        except DigitscopeError as error:
            raise DataError(f"{self.name}, {what} part: {error}") from error
        if x.size == 0:
            raise DataError(f"{self.name} has no {what} images: their shape is {x.shape}.")
        object.__setattr__(self, f"x_{part}", x)
        object.__setattr__(self, f"y_{part}", y)

    @property
    def classes(self) -> int:
        """The number of classes: the highest label of both parts + 1, or of names if there are more; at least 2."""
        highest = self.y_train.max() if self.y_test is None else max(self.y_train.max(), self.y_test.max())
        return max(int(highest) + 1, len(self.class_names or ()), 2)

    @property
    def evaluation_split(self) -> tuple[str, NDArray[np.uint8], NDArray[np.int64]]:
        """The images to evaluate a model on: ("test", images, labels), or all if there is no test part: ("all", ...)"""
        if self.x_test is None or self.y_test is None:
            return "all", self.x_train, self.y_train
        return "test", self.x_test, self.y_test

    @cached_property
    def digest(self) -> str:
        """Eight hexadecimal digits, the CRC-32 of the training images and labels.

        A resumed run compares them to see whether its data are still the same.
        """
        crc = zlib.crc32(self.x_train.tobytes())
        return f"{zlib.crc32(self.y_train.tobytes(), crc):08x}"

    @property
    def is_mnist(self) -> bool:
        """Whether the training part is MNIST's in its published order, from whatever file."""
        return self.digest == MNIST_DIGEST


def _size(images: NDArray[np.uint8]) -> str:
    return f"{images.shape[1]}x{images.shape[2]}"
