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
    blocks = [draw_image(image, braille=braille) for image in images]
    return "\n".join("  ".join(parts).rstrip() for parts in zip(*blocks, strict=True))


def draw_image(image: Array, *, braille: bool) -> list[str]:
    """The image as ceil(H / 4) lines of ceil(W / 2) characters: Braille dots, or ASCII."""
    return braille_cells(image > 96) if braille else _ascii(image)


def shrink_image(image: Array, height: int, width: int) -> Array:
    """The ink of the image, scaled to fit into height x width pixels and centred there."""
    from PIL import Image

    rows, columns = np.flatnonzero(image.max(axis=1) > 64), np.flatnonzero(image.max(axis=0) > 64)
    shrunk = np.zeros((height, width), np.uint8)
    if not len(rows):
        return shrunk
    ink = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = min(height / ink.shape[0], width / ink.shape[1], 1.0)
    size = [max(1, round(scale * side)) for side in reversed(ink.shape)]
    small = np.asarray(Image.fromarray(ink).resize((size[0], size[1]), Image.Resampling.BOX))
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    shrunk[top : top + size[1], left : left + size[0]] = small
    return shrunk


def braille_cells(dots: Array) -> list[str]:
    """Dots, (H, W), as ceil(H / 4) lines of ceil(W / 2) Braille characters."""
    codes = (_cells(dots) * _DOTS[None, :, None, :]).sum(axis=(1, 3))
    return ["".join(chr(0x2800 + int(code)) for code in row) for row in codes]


def _cells(image: Array) -> Array:
    """The image in cells of 4 x 2 pixels, padded with paper: (rows, 4, columns, 2)."""
    height, width = image.shape
    padded = np.pad(image, ((0, -height % 4), (0, -width % 2)))
    return padded.reshape(padded.shape[0] // 4, 4, padded.shape[1] // 2, 2)


def _ascii(image: Array) -> list[str]:
    shade = _cells(image).mean(axis=(1, 3)) * (len(_RAMP) - 1) / 255
    return ["".join(_RAMP[int(value + 0.5)] for value in row) for row in shade]
