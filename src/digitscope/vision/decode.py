"""A picture as it is on disk or in memory, decoded: upright, in colour, a byte each for red, green and blue."""

import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.errors import PictureError
from digitscope.files.opening import check_file

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 50_000_000

# Pillow knows more, among them formats that start other programs (EPS) or that nobody keeps a digit in.
_FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"]
_HEIC = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1", b"ftyphevc")  # from the file's fifth byte


def read_picture(path: Path) -> NDArray[np.uint8]:
    """The picture in a PNG, JPEG, WebP, GIF (its first frame), BMP, TIFF, PNM or, with the extra heic, HEIC file.

    It is turned upright by its EXIF data. What is transparent is paper.

    Shapes: (H, W, 3) uint8
    Raises: PictureError where the file is missing, empty, damaged, not a picture or over 50 megapixels.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    check_file(path, PictureError)
    formats = _FORMATS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns about what does no harm here, such as odd EXIF data,
        warnings.simplefilter("error", Image.DecompressionBombWarning)  # and about what does
        try:
            with path.open("rb") as file:
                if file.read(12)[4:] in _HEIC:
                    formats = _heic_formats(path)
            with Image.open(path, formats=formats) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise _too_large(str(path), f"{image.width}x{image.height}")
                ImageOps.exif_transpose(image, in_place=True)  # a copy of 12 megapixels takes 30 ms
                return _from_image(image)
        except PictureError:
            raise
        except UnidentifiedImageError:
            raise PictureError(f"{path} is not a picture that can be read. Give a PNG or JPEG file.") from None
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise _too_large(str(path), "it") from error
        # The decoders raise whatever they stumble over: OSError, SyntaxError, struct.error, KeyError, ...
        except Exception as error:
            raise PictureError(f"{path} is damaged: {' '.join(str(error).split())}. Save or copy it again.") from error


def _heic_formats(path: Path) -> list[str]:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise PictureError(
            f"{path} is a HEIC picture, which needs pillow-heif. Install digitscope[heic], or save it as a JPEG file."
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
        return picture_from_array(values)
    image.load()
    mode = "RGBA" if image.has_transparency_data else "RGB"
    return picture_from_array(np.asarray(image if image.mode == mode else image.convert(mode)))


def picture_from_array(array: Any) -> NDArray[np.uint8]:
    """The picture in an array.

    Numbers: bool; uint8, uint16, other integers 0 to 255; floats 0 to 1, 0 to 255, or standardized (some are negative:
    from the smallest to the largest). Integers of 16 bits that need only 12 come from a camera and are a full range.
    What is transparent is paper.

    Shapes: (H, W), (H, W, 1), (1, H, W) grey, (H, W, 3), (3, H, W) RGB, (H, W, 4), (4, H, W) RGBA, any of them as a
    batch of one, or the H² numbers of a square in a row -> (H, W, 3) uint8
    Raises: PictureError where it is none of these, or has numbers that are not finite.
    """
    values = np.asarray(array)
    expected = "Give one picture as (H, W), (H, W, 3) or (H, W, 4), uint8 0 to 255 or floats 0 to 1."
    if values.dtype.kind not in "buif":
        raise PictureError(f"A picture expects numbers; got an array of {values.dtype}. {expected}")
    while values.ndim > 2 and len(values) == 1:
        values = values[0]
    side = math.isqrt(values.size)
    if values.size == side * side and values.shape in ((values.size,), (1, values.size)) and side > 1:
        values = values.reshape(side, side)
    if values.ndim == 3 and values.shape[2] not in (1, 3, 4) and values.shape[0] in (3, 4):
        values = np.moveaxis(values, 0, 2)
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or values.shape[2] not in (1, 3, 4) or values.size == 0:
        raise PictureError(f"A picture expects rows, columns and colours; got the shape {np.shape(array)}. {expected}")
    if values.shape[0] * values.shape[1] > MAX_PIXELS:
        raise _too_large("The array", f"{values.shape[1]}x{values.shape[0]}")
    if values.dtype != np.uint8:
        values = _to_bytes(values, expected)
    if values.shape[2] < 4:
        return np.broadcast_to(values, (*values.shape[:2], 3))
    return _on_paper(values)


def _to_bytes(values: Array, expected: str) -> NDArray[np.uint8]:
    if not np.isfinite(values).all():
        raise PictureError(f"A picture expects finite numbers; got nan or infinity. {expected}")
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
        raise PictureError(f"A picture expects numbers from 0 to {top:g}; got {low:g} to {high:g}. {expected}")
    return ((values.astype(np.float32) - bottom) * (255 / (top - bottom))).round().astype(np.uint8)


def _on_paper(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The colours (H, W, 3) of a picture (H, W, 4), paper where it is transparent.

    Mostly opaque: its own median colour. Else what is opaque is the ink: white, or black where the ink is light.
    """
    from PIL import Image

    colour, opaque = picture[..., :3], picture[..., 3]
    if (opaque == 255).all():
        return colour
    if opaque.mean() > 127.5:
        paper = tuple(int(value) for value in np.median(colour[opaque > 127], axis=0))
    else:
        light = int(colour[opaque > 127].mean() > 127.5) if (opaque > 127).any() else 0
        paper = (255 - 255 * light,) * 3
    image = Image.new("RGBA", (picture.shape[1], picture.shape[0]), paper)
    return np.asarray(Image.alpha_composite(image, Image.fromarray(picture)))[..., :3]


def shrink(picture: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """The picture with a longer side of `longest` pixels at most, each the mean of those that it covers."""
    from PIL import Image

    scale = longest / max(picture.shape[:2])
    if scale >= 1:
        return picture
    width, height = (max(1, round(scale * side)) for side in picture.shape[1::-1])
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BOX))


def as_bytes(picture: Array) -> NDArray[np.uint8]:
    """Floats 0 to 1 as bytes 0 to 255."""
    return (255 * np.clip(picture, 0, 1)).round().astype(np.uint8)
