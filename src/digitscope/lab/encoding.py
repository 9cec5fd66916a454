"""Arrays and pictures as values that JSON can hold."""

import base64
import io
import math

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
        "data": base64_text(little.tobytes()),
    }


def base64_text(content: bytes) -> str:
    """The bytes as base64."""
    return base64.b64encode(content).decode("ascii")


def finite(number: float | None) -> float | None:
    """The number, or None for NaN and infinities, which JSON lacks."""
    return float(number) if number is not None and math.isfinite(number) else None


def png(picture: Array) -> bytes:
    """A picture, uint8 (H, W) or (H, W, 3), as a PNG file."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(picture).save(content, "PNG")
    return content.getvalue()
