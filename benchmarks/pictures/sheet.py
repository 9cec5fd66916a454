"""A contact sheet of pictures that were answered wrongly."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.pictures.scores import Result
from digitscope.vision import to_picture

TILE, COLUMNS, CAPTION = 170, 8, 38  # pixels, pictures in a row, pixels


def contact_sheet(failures: Sequence[Result]) -> Image.Image:
    """Each picture with its kind, the right text and the answer with its confidence."""
    rows = -(-len(failures) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (TILE + 10), max(1, rows) * (TILE + CAPTION + 8)), "#e8e8f0")
    pen = ImageDraw.Draw(sheet)
    for i, result in enumerate(failures):
        x, y = (TILE + 10) * (i % COLUMNS), (TILE + CAPTION + 8) * (i // COLUMNS)
        picture = Image.fromarray(np.ascontiguousarray(to_picture(result.example.picture)))
        scale = TILE / max(picture.size)
        size = tuple(max(1, round(scale * side)) for side in picture.size)
        smoothly = Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST
        sheet.paste(picture.resize((size[0], size[1]), smoothly), (x, y))
        for k, caption in enumerate((result.example.kind, result.right_text, result.answer_text)):
            pen.text((x, y + TILE + 12 * k), caption[:28], fill="black" if k else "#606070")
    return sheet
