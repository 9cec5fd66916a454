"""A picture of samples from a data set."""

import io
from pathlib import Path

import numpy as np

from digitscope.arrays import Array
from digitscope.errors import DataError
from digitscope.files.atomic import write_atomic

COLUMNS = 16
_GAP = 2


def sample_sheet(images: Array, labels: Array) -> Array:
    """The first sixteen images of each class that occurs, one row for each class, dark on white.

    Shapes: uint8 (N, H, W), labels (N,) -> uint8 (rows (H + 2) + 2, 16 (W + 2) + 2)
    """
    _, height, width = images.shape
    present = np.unique(labels)
    sheet = np.full((len(present) * (height + _GAP) + _GAP, COLUMNS * (width + _GAP) + _GAP), 255, dtype=np.uint8)
    for row, k in enumerate(present):
        for column, i in enumerate(np.flatnonzero(labels == k)[:COLUMNS]):
            top, left = _GAP + row * (height + _GAP), _GAP + column * (width + _GAP)
            sheet[top : top + height, left : left + width] = 255 - images[i]
    return sheet


def write_samples(path: Path, images: Array, labels: Array) -> None:
    """Writes the sample sheet at double size, in the picture format of the file's extension.

    Raises: DataError if the extension is not that of a picture format.
    """
    from PIL import Image

    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind is None or kind not in Image.SAVE:
        raise DataError(f"{path}: expected a name that ends like a picture's, such as samples.png.")
    sheet = sample_sheet(images, labels).repeat(2, axis=0).repeat(2, axis=1)
    content = io.BytesIO()
    Image.fromarray(sheet).save(content, format=kind)
    write_atomic(path, content.getvalue())
