"""MNIST's digits as the strokes of a pen."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitscope.synthetic.strokes import trace
from digitscope.vision.drawing import PenStroke

NEAR = 0.5
"""Pixels: a longer way from one point of a digit's middle line to the next begins another stroke."""


def pen_strokes(
    image: NDArray[np.uint8], *, width: float = 0.07, scale: float = 1.0, left: float = 0.0, top: float = 0.0
) -> list[PenStroke]:
    """The strokes that draw the digit: its middle lines are followed from their ends, over every third point.

    width: of the pen; scale, left, top: where on the surface the image is drawn; all as fractions of its side
    """
    points = trace(image).points.astype(float)
    neighbours = (np.hypot(*(points[:, None] - points).transpose(2, 0, 1)) < 0.3).sum(axis=1)
    remaining = sorted(range(len(points)), key=lambda i: (neighbours[i], points[i, 1]))
    lines: list[list[int]] = []
    while remaining:
        line = [remaining.pop(0)]
        while remaining:
            distances = np.hypot(*(points[remaining] - points[line[-1]]).T)
            nearest = int(distances.argmin())
            if distances[nearest] > NEAR:
                break
            line.append(remaining.pop(nearest))
        lines.append(line)
    strokes = []
    for line in lines:
        if len(line) < 4 and len(lines) > 1:
            continue
        path = points[[*line[:-1:3], line[-1]]] / 28 * scale + [left, top]
        strokes.append(PenStroke(np.column_stack([path, np.full(len(path), 0.5)]), width))
    return strokes


def strokes_json(strokes: Sequence[PenStroke]) -> list[dict[str, Any]]:
    """As the lab's pages send them."""
    return [
        {
            "points": (stroke.points * [1000, 1000, 100]).round().astype(int).ravel().tolist(),
            "width": round(1000 * stroke.width),
        }
        for stroke in strokes
    ]
