"""Arrays and pictures as values that JSON can hold."""

import base64
import io

import numpy as np

from digitscope.arrays import Array


def encoded(array: Array) -> dict[str, object]:
    """Shape, type and elements in row-major order, little endian, as base64; engine.js decodes it.

    Booleans become uint8, int64 becomes int32, which JavaScript has. Raises: OverflowError for integers beyond int32.
    """
    if array.dtype == bool:
        array = array.astype(np.uint8)
    elif array.dtype == np.int64:
        if array.size and max(-int(array.min()), int(array.max())) >= 1 << 31:
            raise OverflowError("encoded expects integers within int32.")
        array = array.astype(np.int32)
    little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
    return {
        "shape": list(array.shape),
        "type": array.dtype.name,
        "data": base64.b64encode(little.tobytes()).decode("ascii"),
    }


def png(picture: Array) -> bytes:
    """A picture, uint8 (H, W) or (H, W, 3), as a PNG file."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(picture).save(content, "PNG")
    return content.getvalue()
