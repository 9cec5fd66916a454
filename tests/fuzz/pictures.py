"""Pictures as a target: what is decoded is a picture, and no decoder writes to the terminal."""

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from digitscope.errors import NoInkError
from digitscope.vision import prepare, to_picture


@cache
def picture_files() -> dict[str, bytes]:
    """A written one in the formats and modes that people have."""
    grey = np.full((40, 30), 230, np.uint8)
    grey[8:33, 13:17] = 30
    page = Image.fromarray(grey)
    colour = page.convert("RGB")
    clear = page.convert("LA")
    clear.putalpha(Image.fromarray(np.where(grey < 99, 255, 90).astype(np.uint8)))
    indexed = colour.quantize(4)
    frames: dict[str, Any] = {"save_all": True, "append_images": [page.rotate(9)]}
    kinds: list[tuple[str, Any, dict[str, Any]]] = [
        ("grey.png", page, {}),
        ("one.png", page.convert("1"), {}),
        ("colour.png", colour, {}),
        ("clear.png", clear.convert("RGBA"), {}),
        ("grey-clear.png", clear, {}),
        ("indexed.png", indexed, {"transparency": 1}),
        ("deep.png", Image.fromarray(grey.astype(np.uint16) * 257), {}),
        ("moving.png", page, frames),
        ("photo.jpg", colour, {"exif": _turned()}),
        ("progressive.jpg", page, {"progressive": True}),
        ("print.jpg", colour.convert("CMYK"), {}),
        ("a.gif", indexed, {"transparency": 0}),
        ("moving.gif", page, frames),
        ("a.webp", clear.convert("RGBA"), {"lossless": True}),
        ("a.bmp", colour, {}),
        ("a.ppm", colour, {}),
        *(
            (f"{name}.tif", page, {"compression": name})
            for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")
        ),
        ("fax.tif", page.convert("1"), {"compression": "group4"}),
        ("photo.tif", colour, {"compression": "jpeg"}),
    ]
    files = {}
    for name, image, options in kinds:
        file = io.BytesIO()
        suffix = name.rpartition(".")[2]
        image.save(file, {"jpg": "JPEG", "tif": "TIFF", "ppm": "PPM"}.get(suffix, suffix.upper()), **options)
        files[name] = file.getvalue()
    return files


def _turned() -> Any:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def use_picture(path: Path) -> None:
    """Decodes the picture; a small one is also prepared."""
    with _nothing_on_stderr():
        picture = to_picture(path)
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
            raise AssertionError(f"a picture of shape {picture.shape}, {picture.dtype}")
        if picture.size < 10_000 and path.name[0] == "1":  # it takes longer: every ninth or so
            try:
                image = prepare(path, (20, 16)).image
            except NoInkError:
                return
            if image.shape != (20, 16):
                raise AssertionError(f"an image of shape {image.shape}")


@contextmanager
def _nothing_on_stderr() -> Iterator[None]:
    """Raises: AssertionError if anything is written to file descriptor 2, as libtiff does."""
    before = os.dup(2)
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)
            length = written.seek(0, os.SEEK_END)
            written.seek(0)
        if length:
            raise AssertionError(f"on stderr: {written.read(200)!r}")
