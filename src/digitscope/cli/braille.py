"""Small images as text, for a terminal."""

import numpy as np

from digitscope.arrays import Array

# The eight dots of a Braille character, by row and column, as bits of its number above U+2800.
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
_RAMP = " .:-=+*#%@"


def side_by_side(images: Array, *, encoding: str) -> str:
    """Images as lines of text, side by side: Braille dots if the encoding is a UTF, else ASCII.

    Shapes: uint8 (N, H, W) -> ceil(H / 4) lines of N times ceil(W / 2) characters, with two spaces between images
    """
    braille = encoding.lower().startswith("utf")
    blocks = [_braille(image) if braille else _ascii(image) for image in images]
    return "\n".join("  ".join(parts).rstrip() for parts in zip(*blocks, strict=True))


def _cells(image: Array) -> Array:
    """The image in cells of 4 x 2 pixels, padded with paper: (rows, 4, columns, 2)."""
    height, width = image.shape
    padded = np.pad(image, ((0, -height % 4), (0, -width % 2)))
    return padded.reshape(padded.shape[0] // 4, 4, padded.shape[1] // 2, 2)


def _braille(image: Array) -> list[str]:
    dots = ((_cells(image) > 96) * _DOTS[None, :, None, :]).sum(axis=(1, 3))
    return ["".join(chr(0x2800 + int(dot)) for dot in row) for row in dots]


def _ascii(image: Array) -> list[str]:
    shade = _cells(image).mean(axis=(1, 3)) * (len(_RAMP) - 1) / 255
    return ["".join(_RAMP[int(value + 0.5)] for value in row) for row in shade]
