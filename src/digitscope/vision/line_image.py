"""A line of writing as the line reader sees it: ink of a fixed height, digits about DIGIT high, any width."""

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array

HEIGHT = 32
"""Height of a line's image, in pixels."""
DIGIT = 22
"""Height of most digits in it."""
MARGIN = 8
"""Empty columns at either end."""
MAX_WIDTH = 2048
"""Maximum width of a line's image. A longer line is narrowed."""
TAIL = 0.02
"""Share of the ink above the digits' upper edge, and of the ink below their lower edge."""


def ink_rows(ink: Array) -> tuple[float, float]:
    """The upper and lower edge of the digits, in pixels of the ink; the whole height if there is no ink.

    They are quantiles of the ink over the rows. A row counts at most twice the mean of the rows with ink, so that
    ruling does not decide.

    Shapes: ink (H, W), 0 paper to 1 ink
    """
    rows = ink.sum(axis=1, dtype=np.float64)
    total = float(rows.sum())
    if total < 1e-6:
        return 0.0, float(len(ink))
    rows = np.minimum(rows, 2 * rows[rows > 0.02 * rows.max()].mean())
    below = np.concatenate([[0], np.cumsum(rows)]) / rows.sum()
    places = np.arange(len(below))
    top, bottom = (float(np.interp(share, below, places)) for share in (TAIL, 1 - TAIL))
    return top, max(bottom, top + 1)


def line_image(
    ink: Array, top: float | None = None, bottom: float | None = None
) -> tuple[NDArray[np.float32], float, float]:
    """The line's image, the number of the ink's columns along the side of one of its pixels, and its middle row.

    Column j of the image is at column (j - MARGIN) * scale of the ink, and row i at (i - HEIGHT / 2) * scale + middle.

    top, bottom: the digits' upper and lower edge in the ink, if they are known; otherwise those of `ink_rows`

    Shapes: ink (H, W), 0 paper to 1 ink -> (HEIGHT, W')
    """
    from PIL import Image

    if top is None or bottom is None:
        top, bottom = ink_rows(ink)
    middle = (top + bottom) / 2
    height, width = ink.shape
    scale = max((bottom - top) / DIGIT, width / (MAX_WIDTH - 2 * MARGIN))
    columns = max(1, round(width / scale))
    box = (0.0, middle - HEIGHT / 2 * scale, float(width), middle + HEIGHT / 2 * scale)
    above, below = max(0, int(np.ceil(-box[1]))), max(0, int(np.ceil(box[3] - height)))
    padded = np.pad(np.asarray(ink, np.float32), ((above, below), (0, 0)))
    moved = (box[0], max(0.0, box[1] + above), box[2], min(box[3] + above, float(len(padded))))
    resized = Image.fromarray(padded).resize((columns, HEIGHT), Image.Resampling.BILINEAR, box=moved)
    image = np.zeros((HEIGHT, columns + 2 * MARGIN), np.float32)
    image[:, MARGIN : MARGIN + columns] = np.clip(np.asarray(resized), 0, 1)
    return image, width / columns, middle
