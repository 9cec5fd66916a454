"""A picture of one digit, as the network expects it."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from digitscope.data.reading import check_file
from digitscope.errors import PictureError

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 28  # pixels
MAX_PIXELS = 50_000_000

# Pillow knows more, among them formats that start other programs (EPS) or that nobody keeps a digit in.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")


def read_picture(path: Path) -> NDArray[np.uint8]:
    """The picture as MNIST has its digits: 28x28, grey, ink bright on dark paper.

    The picture is turned upright by its EXIF data, what is transparent becomes white paper, and colours become
    grey (ITU-R 601). It is scaled with anti-aliasing until its longer side has 28 pixels and centred in a square
    of its paper, the median grey along its border. Where the paper is brighter than half, the grey is inverted.
    A 28x28 grey picture on dark paper comes back bit for bit.

    Shapes: (28, 28) uint8, 0 (paper) to 255 (ink)
    Raises: PictureError where the file is missing, empty, damaged, not a picture or over 50 megapixels.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    check_file(path, PictureError)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns about what does no harm here, such as odd EXIF data,
        warnings.simplefilter("error", Image.DecompressionBombWarning)  # and about what does
        try:
            with Image.open(path, formats=_FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise _too_large(path, f"{image.width}x{image.height}")
                grey = _to_grey(ImageOps.exif_transpose(image))
        except PictureError:
            raise
        except UnidentifiedImageError:
            raise PictureError(f"{path} is not a picture that can be read. Give a PNG or JPEG file.") from None
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise _too_large(path, "it") from error
        # The decoders raise whatever they stumble over: OSError, SyntaxError, struct.error, KeyError, ...
        except Exception as error:
            raise PictureError(f"{path} is damaged: {' '.join(str(error).split())}. Save or copy it again.") from error
    return _fit(grey)


def _too_large(path: Path, size: str) -> PictureError:
    return PictureError(f"{path} has too many pixels ({size}); {MAX_PIXELS:,} are read at most. Scale it down.")


def _to_grey(image: "Image") -> "Image":
    """The picture in 8-bit grey, its transparent parts white."""
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits
        return Image.fromarray((np.clip(np.asarray(image), 0, 65535) / 257).round().astype(np.uint8))
    if image.has_transparency_data:
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image.convert("RGBA"))
    return image.convert("RGB").convert("L")


def _fit(grey: "Image") -> NDArray[np.uint8]:
    """The picture scaled to fit 28x28, centred on its own paper, ink bright."""
    from PIL import Image

    pixels = np.asarray(grey)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    paper = int(np.median(border))
    # Scaled before it is padded, or a strip of 1x1000000 pixels would need a square of them.
    scale = SIDE / max(grey.size)
    width, height = (max(1, round(scale * side)) for side in grey.size)
    square = Image.new("L", (SIDE, SIDE), paper)
    square.paste(grey.resize((width, height), Image.Resampling.BICUBIC), ((SIDE - width) // 2, (SIDE - height) // 2))
    digit = np.array(square)
    return 255 - digit if paper > 127 else digit
