"""Decodes a picture (a file, bytes, an image or an array): upright, in colour, uint8 (H, W, 3)."""

import io
import logging
import math
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.errors import PictureError
from digitscope.files.opening import check_file, shown_path

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 8192 * 6144
"""Of the photos that phones call 50 megapixels, the largest."""

PictureSource: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image | npt.ArrayLike"
"""A path, the bytes of a picture file, a file that is open for reading them, a PIL image, or an array."""

# Pillow knows more formats. Some of them start other programs (EPS), others are not used for pictures of digits.
_FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"]
_HEIC = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1", b"ftyphevc")  # from the file's fifth byte
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_STRIP = 1 << 20  # pixels
_WEB_ADDRESS = re.compile(r"(https?|ftp|data):", re.IGNORECASE)
_ARRAY_FORMS = "Give one picture as (H, W), (H, W, 3) or (H, W, 4), uint8 0 to 255 or floats 0 to 1."


def to_picture(source: PictureSource) -> NDArray[np.uint8]:
    """The picture in a file, in bytes, in a PIL image or in an array.

    Files are PNG, JPEG, WebP, GIF (the first frame), BMP, TIFF, PNM or, with the extra heic, HEIC. They are given by
    their path, by their bytes, or as a file that is open for reading bytes. A picture is turned upright by its EXIF
    data. Transparent pixels become paper.

    Arrays have any memory layout and byte order and one of these types: bool; uint8, uint16, other integers 0 to 255;
    floats 0 to 1, 0 to 255, or standardized (if some are negative, from the smallest to the largest). Integers of 16
    bits that need only 12 come from a camera, and 4095 is white. Grey whole numbers up to 1 and numbers up to 16 raise
    an error, because white could be 1, 16 or 255.

    Shapes: (H, W), (H, W, 1), (1, H, W) grey, (H, W, 3), (3, H, W) RGB, (H, W, 4), (4, H, W) RGBA, any of them as a
        batch of one, or the H² numbers of a square in one row -> (H, W, 3) uint8
    Raises: PictureError if it is missing, empty, damaged, not a picture or over 50 megapixels, or an array of another
        shape or with other numbers.
    """
    from PIL import Image

    if isinstance(source, str | os.PathLike):
        return _from_path(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return _from_file(io.BytesIO(source), "The picture")
    if hasattr(source, "read"):
        return _from_file(io.BytesIO(_read_bytes(source)), "The picture")
    if isinstance(source, Image.Image):
        return _from_file(source, "The picture")
    return _from_array(source)


def source_name(source: PictureSource) -> str:
    """The picture's name in errors: its path if it has one."""
    return shown_path(source) if isinstance(source, str | os.PathLike) else "The picture"


def _from_path(source: str | os.PathLike[str]) -> NDArray[np.uint8]:
    text = os.fsdecode(source)
    if _WEB_ADDRESS.match(text):
        raise PictureError(
            f"{shown_path(text[:200])} is a web address; a picture file is expected. Download it first, or give its "
            "bytes: urllib.request.urlopen(address).read()."
        )
    path = Path(text)
    check_file(path, PictureError)
    try:
        with path.open("rb") as file:
            return _from_file(file, shown_path(path))
    except OSError as error:
        raise PictureError(f"{shown_path(path)} cannot be opened: {error.strerror or error}.") from error


def _read_bytes(file: Any) -> bytes:
    try:
        content = file.read()
    except (OSError, ValueError) as error:  # a closed file, one that is open for writing
        raise PictureError(f"An open file is expected to be readable; it is not: {error}.") from error
    if not isinstance(content, bytes):
        raise PictureError(
            f'An open file is expected to give bytes; it gave {type(content).__name__}. Open it with mode "rb".'
        )
    return content


def _from_file(file: "IO[bytes] | Image", name: str) -> NDArray[np.uint8]:
    """The picture in a file that is open at its start, or in a PIL image that may not be loaded yet."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns about harmless things, such as odd EXIF data,
        warnings.simplefilter("error", Image.DecompressionBombWarning)  # and about harmful ones
        try:
            if isinstance(file, Image.Image):
                return _from_image(ImageOps.exif_transpose(_bounded(file, name)))
            head = file.read(12)
            if not head:
                raise PictureError(f"{name} is empty (0 bytes). Give the bytes of a picture file from its start.")
            file.seek(0)
            formats = _heic_formats(name) if head[4:] in _HEIC else _FORMATS
            with _silent_libtiff(head), Image.open(file, formats=formats) as image:
                ImageOps.exif_transpose(_bounded(image, name), in_place=True)  # a copy of 12 megapixels takes 30 ms
                return _from_image(image)
        except PictureError:
            raise
        except UnidentifiedImageError:
            raise PictureError(f"{name} is not a picture that can be read. Give a PNG or JPEG file.") from None
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise _too_large(name, "it") from error
        # For damaged files the decoders raise many kinds of errors: OSError, SyntaxError, struct.error, KeyError, ...
        except Exception as error:
            if isinstance(error, MemoryError):
                raise PictureError(f"{name} needs more memory than there is. Scale it down.") from None
            if isinstance(error, OSError) and error.errno is not None:  # too many open files, a disk that fails
                raise PictureError(f"{name} cannot be read: {error.strerror}.") from error
            raise PictureError(f"{name} is damaged: {' '.join(str(error).split())}. Save or copy it again.") from error


@contextmanager
def _silent_libtiff(head: bytes) -> Iterator[None]:
    """Keeps what libtiff and Pillow's logger say about a damaged TIFF file off the terminal: the error says it.

    libtiff writes to file descriptor 2 itself.
    """
    if head[:4] not in _TIFF:
        yield
        return
    logger = logging.getLogger("PIL.TiffImagePlugin")
    try:
        stderr = os.dup(2)
    except OSError:  # closed, or too many open files
        yield
        return
    disabled, logger.disabled = logger.disabled, True
    try:
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        logger.disabled = disabled


def _bounded(image: "Image", name: str) -> "Image":
    """The image if it is not too large, without decoding its pixels."""
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(name, f"{image.width}x{image.height}")
    if not image.width * image.height:
        raise PictureError(f"{name} has no pixels ({image.width}x{image.height}).")
    return image


def _heic_formats(name: str) -> list[str]:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise PictureError(
            f"{name} is a HEIC picture, which needs pillow-heif. Install digitscope[heic], or save it as a JPEG file."
        ) from None
    register_heif_opener()
    return ["HEIF"]


def _too_large(name: str, size: str) -> PictureError:
    return PictureError(f"{name} has too many pixels ({size}); {MAX_PIXELS:,} are read at most. Scale it down.")


def _from_image(image: "Image") -> NDArray[np.uint8]:
    if image.mode.startswith(("I", "F")):  # 16 or 32 bits
        values = np.asarray(image)
        if image.mode != "F":
            values = np.clip(values, 0, 65535).astype(np.uint16)
        return _in_colour(_to_bytes(values)[..., None])
    image.load()
    mode = "RGBA" if image.has_transparency_data else "RGB"
    width, height = image.size
    rows = _rows_of_strip(width)

    def strips() -> Iterator[NDArray[np.uint8]]:
        for top in range(0, height, rows):
            strip = image.crop((0, top, width, min(height, top + rows)))
            yield np.asarray(strip if strip.mode == mode else strip.convert(mode))

    return _on_paper(strips, (height, width)) if mode == "RGBA" else np.concatenate(list(strips()))


def _from_array(array: npt.ArrayLike) -> NDArray[np.uint8]:
    try:
        values = np.asarray(array)
    except (ValueError, TypeError) as error:
        raise PictureError(
            f"A picture is expected as a path, bytes, an open file, a PIL image or an array; got a "
            f"{type(array).__name__}. {_ARRAY_FORMS}"
        ) from error
    if values.dtype.kind not in "buif":
        raise PictureError(f"A picture expects numbers; got an array of {values.dtype}. {_ARRAY_FORMS}")
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    while values.ndim > 3 or (values.ndim == 3 and values.shape[2] not in (1, 3, 4)):
        if len(values) != 1:
            break
        values = values[0]
    side = math.isqrt(values.size)
    if values.size == side * side and values.shape in ((values.size,), (1, values.size)) and side > 1:
        values = values.reshape(side, side)
    if values.ndim == 3 and values.shape[2] not in (1, 3, 4) and values.shape[0] in (3, 4):
        values = np.moveaxis(values, 0, 2)
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or values.shape[2] not in (1, 3, 4) or values.size == 0:
        raise PictureError(
            f"A picture expects rows, columns and colours; got the shape {np.shape(array)}. {_ARRAY_FORMS}"
        )
    if values.shape[0] * values.shape[1] > MAX_PIXELS:
        raise _too_large("The array", f"{values.shape[1]}x{values.shape[0]}")
    if values.shape[2] == 1:
        _check_grey_range(values)
    return _in_colour(_to_bytes(values))


def _check_grey_range(values: Array) -> None:
    """Raises an error for masks of 0 and 1 and for levels from 0 to at most 16, which would look almost black."""
    low, high = values.min(), values.max()
    if values.dtype.kind == "b" or low < 0 or not high <= 16:
        return
    if high > 1:
        raise PictureError(
            f"A picture expects numbers from 0 to 255 or floats from 0 to 1; got {low:g} to {high:g}. "
            "Divide them by the value of white, such as picture / 16."
        )
    if high == 1 and values.dtype.kind in "ui":
        raise PictureError(
            "A picture expects numbers from 0 to 255 or floats from 0 to 1; got whole numbers 0 and 1, a mask. "
            "Give picture * 255."
        )


def _to_bytes(values: Array) -> NDArray[np.uint8]:
    """Numbers in any form that `to_picture` accepts, converted to 0 to 255."""
    if values.dtype == np.uint8:
        return values
    if not np.isfinite(values).all():
        raise PictureError(f"A picture expects finite numbers; got nan or infinity. {_ARRAY_FORMS}")
    low, high = float(values.min()), float(values.max())
    bottom = 0.0
    if values.dtype == bool:
        top = 1.0
    elif values.dtype == np.uint16:
        top = 65535 if high > 4095 else 4095 if high > 255 else 255
    elif values.dtype.kind == "f" and low < 0:
        bottom, top = low, max(high, low + 1e-6)
    else:
        top = 1 if values.dtype.kind == "f" and high <= 1 else 255
    if low < bottom or high > top:
        raise PictureError(f"A picture expects numbers from 0 to {top:g}; got {low:g} to {high:g}. {_ARRAY_FORMS}")
    return ((values.astype(np.float32) - bottom) * (255 / (top - bottom))).round().astype(np.uint8)


def _in_colour(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 1) grey, (H, W, 3) or (H, W, 4) with transparency -> (H, W, 3)"""
    if values.shape[2] != 4:
        return np.broadcast_to(values, (*values.shape[:2], 3))
    rows = _rows_of_strip(values.shape[1])
    return _on_paper(lambda: (values[i : i + rows] for i in range(0, len(values), rows)), values.shape[:2])


def _rows_of_strip(width: int) -> int:
    """Rows of a picture that are converted at a time, so that no further copies of a large one are in memory."""
    return max(1, _STRIP // width)


def _on_paper(strips: Callable[[], Iterable[NDArray[np.uint8]]], size: tuple[int, ...]) -> NDArray[np.uint8]:
    """The colours (H, W, 3) of a picture whose strips of rows are (h, W, 4), with paper in place of transparent pixels.

    If most pixels are opaque, the paper has their median colour. Otherwise the opaque pixels are the ink, and the paper
    is white, or black if the ink is light.
    """
    from PIL import Image

    paper = _paper_colour(strips())
    result = np.empty((*size, 3), np.uint8)
    top = 0
    for strip in strips():
        target = result[top : top + len(strip)]
        if (strip[..., 3] == 255).all():
            target[...] = strip[..., :3]
        else:
            below = Image.new("RGBA", (strip.shape[1], strip.shape[0]), paper)
            target[...] = np.asarray(Image.alpha_composite(below, Image.fromarray(strip)))[..., :3]
        top += len(strip)
    return result


def _paper_colour(strips: Iterable[NDArray[np.uint8]]) -> tuple[int, ...]:
    """The colour of the paper, as `_on_paper` describes it."""
    opacity, pixels = 0, 0
    counts = np.zeros((3, 256), np.int64)  # how many opaque pixels have each level of red, green and blue
    for strip in strips:
        opaque = strip[..., 3]
        opacity, pixels = opacity + int(opaque.sum(dtype=np.int64)), pixels + opaque.size
        for levels, found in zip(strip[opaque > 127].T[:3], counts, strict=True):
            found += np.bincount(levels, minlength=256)
    if opacity > 127.5 * pixels:
        return tuple(_median(found) for found in counts)
    light = int(counts.sum(axis=0) @ np.arange(256) > 127.5 * counts.sum())
    return (255 - 255 * light,) * 3


def _median(counts: Array) -> int:
    """The median level, rounded down, of pixels of which so many have each level."""
    reached = np.cumsum(counts)
    middle = [int(np.searchsorted(reached, rank, side="right")) for rank in ((reached[-1] - 1) // 2, reached[-1] // 2)]
    return sum(middle) // 2


def shrink(picture: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """The picture, scaled down to at most `longest` pixels along its longer side by averaging."""
    from PIL import Image

    scale = longest / max(picture.shape[:2])
    if scale >= 1:
        return picture
    width, height = (max(1, round(scale * side)) for side in picture.shape[1::-1])
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BOX))


def as_bytes(picture: Array) -> NDArray[np.uint8]:
    """Floats 0 to 1 as bytes 0 to 255."""
    return (255 * np.clip(picture, 0, 1)).round().astype(np.uint8)
