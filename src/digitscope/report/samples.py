"""A picture of samples from a data set."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from digitscope.arrays import Array, image_grid
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


def captioned_sheet(images: Array, captions: Sequence[str], *, scale: int = 2) -> Array:
    """All images, dark on white and enlarged, each above a short caption.

    Shapes: uint8 (N, H, W) -> uint8 (rows, columns), grey
    """
    import matplotlib as mpl
    from PIL import Image, ImageDraw, ImageFont

    width = images.shape[2]
    line, gap = 16, 8
    enlarged = images.repeat(scale, axis=1).repeat(scale, axis=2)
    cells = np.pad(enlarged, ((0, 0), (gap, line), (gap // 2, gap - gap // 2)))
    columns = min(COLUMNS, max(1, len(cells)))
    if not len(cells):
        cells = np.zeros((1, *cells.shape[1:]), np.uint8)
    sheet = Image.fromarray(255 - image_grid(cells, columns))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", 12)
    for number, caption in enumerate(captions):
        row, column = divmod(number, columns)
        middle = column * cells.shape[2] + (gap + scale * width) // 2
        draw.text((middle, (row + 1) * cells.shape[1] - line // 2), caption, fill=0, font=font, anchor="mm")
    return np.asarray(sheet)


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
