"""A contact sheet of pictures that were answered wrongly."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.pictures.scores import Result
from digitscope.vision import to_picture

WIDTH = 1440  # pixels
LINE = 12  # pixels between the lines of a caption
GAP = 10  # pixels between pictures


def contact_sheet(failures: Sequence[Result], tile: int) -> Image.Image:
    """Each picture with its kind, the right text and the answer with its confidence.

    tile: longer side of a picture on the sheet, in pixels
    """
    columns = WIDTH // (tile + GAP)
    rows = [failures[i : i + columns] for i in range(0, len(failures), columns)]
    shown = [[_scaled(result, tile) for result in row] for row in rows]
    heights = [max(picture.height for picture in row) + 3 * LINE + GAP for row in shown]
    sheet = Image.new("RGB", (WIDTH, sum(heights)), "#e8e8f0")
    pen, top = ImageDraw.Draw(sheet), 0
    for row, pictures, height in zip(rows, shown, heights, strict=True):
        for column, (result, picture) in enumerate(zip(row, pictures, strict=True)):
            x = (tile + GAP) * column
            sheet.paste(picture, (x, top))
            for k, caption in enumerate((result.example.kind, result.right_text, result.answer_text)):
                place = x, top + picture.height + LINE * k
                pen.text(place, caption[: tile // 6], fill="black" if k else "#606070")
        top += height
    return sheet


def _scaled(result: Result, tile: int) -> Image.Image:
    picture = Image.fromarray(np.ascontiguousarray(to_picture(result.example.picture)))
    scale = tile / max(picture.size)
    smoothly = Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST
    width, height = (max(1, round(scale * side)) for side in picture.size)
    return picture.resize((width, height), smoothly)
