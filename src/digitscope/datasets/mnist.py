"""MNIST, the handwritten digits that come with the package. See mnist/README.md for their source and licence."""

from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray

from digitscope.datasets.idx import read_images, read_labels

_Part = tuple[NDArray[np.uint8], NDArray[np.uint8]]

# The MD5 of each file's content, unzipped: the four files as their authors published them.
RAW_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def load_mnist() -> tuple[_Part, _Part]:
    """The training and the test part of MNIST, in their published order: (x_train, y_train), (x_test, y_test).

    Pixels run from 0 (paper) to 255 (ink), labels from 0 to 9.

    Shapes: (60000, 28, 28), (60000,), (10000, 28, 28), (10000,), all uint8
    Source: LeCun et al. 1998, section III-A.
    """
    with as_file(files("digitscope.datasets") / "mnist") as folder:
        x_train, y_train, x_test, y_test = (
            (read_images if "images" in name else read_labels)(folder / f"{name}.gz") for name in RAW_MD5
        )
    return (x_train, y_train), (x_test, y_test)
