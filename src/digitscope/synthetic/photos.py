"""Renders synthetic photos and screen drawings of MNIST digits, for tests and tuning of the vision code.

A pen follows the strokes of MNIST's digits (`strokes.py`) on paper, a board or a screen. The sheet is then lit and
photographed. Colours are 0 to 1; an unfinished picture is float32 (3, H, W). Lengths that scale with the picture are
stated for a longer side of 800 pixels.
"""

import colorsys
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.errors import DataError
from digitscope.synthetic.strokes import PlacedDigit, write_lines

REFERENCE_SIDE = 800  # pixels
MIN_LINE_WIDTH = 1.6  # pixels: thinner lines would not be visible, except in small pictures, where they are grey


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture and the positions of its digits."""

    pixels: NDArray[np.uint8]
    """(H, W, 3)"""
    boxes: Array
    """(N, 4): left, top, right, bottom of each digit's ink, in pixels, in reading order."""
    lines: Array
    """(N,): index of each digit's line, from 0."""
    ink: NDArray[np.uint8]
    """(H, W): the share of each pixel that the digits' strokes cover, 0 to 255, sharp as before the camera's blur."""
    kind: str
    """One of KINDS."""


@dataclass(frozen=True)
class Pen:
    """A writing instrument. Each range is (lowest, highest)."""

    width: tuple[float, float]
    """Width of a line, in heights of a digit."""
    size: float = 0.5
    """Width of a line on paper, in millimetres."""
    opacity: tuple[float, float] = (0.9, 1.0)
    grain: float = 0.0
    """Visibility of the paper's grain in the stroke, 0 to 1."""
    edge: float = 0.0
    """Unevenness of the stroke's edges, in widths of the pen."""


PENS = {
    "pencil": Pen(width=(0.02, 0.07), opacity=(0.6, 0.9), grain=0.5, edge=0.15),
    "ballpoint": Pen(width=(0.015, 0.07), opacity=(0.75, 1.0), grain=0.15, edge=0.05),
    "felt pen": Pen(width=(0.05, 0.14), size=1.0, edge=0.04),
    "marker": Pen(width=(0.09, 0.22), size=3.0, edge=0.04),
    "brush": Pen(width=(0.12, 0.25), size=4.0, edge=0.15),
    "chalk": Pen(width=(0.05, 0.15), opacity=(0.7, 0.95), grain=0.7, edge=0.25),
    "stylus": Pen(width=(0.012, 0.2), opacity=(1.0, 1.0)),
}


@dataclass(frozen=True, kw_only=True)
class PhotoKind:
    """A kind of picture. One of its pens, sheets and rulings is chosen at random; ranges are (lowest, highest)."""

    pens: tuple[str, ...] = ("pencil", "ballpoint", "felt pen", "marker")
    sheets: tuple[str, ...] = ("white",)
    """Each is white, coloured, blackboard, whiteboard, screen or canvas."""
    rulings: tuple[str, ...] = ("",)
    """Each is lines, squares, or empty for no ruling."""
    height: tuple[float, float] = (0.25, 0.8)
    """Height of a digit as a fraction of the picture's shorter side."""
    sides: tuple[int, int] | None = None
    """Shorter side of a picture of one digit, in pixels; None if the caller sets the longer side."""
    width: tuple[float, float] | None = None
    """Width of a line in heights of a digit; None for the pen's own."""
    shadow: float = 0.4
    """Probability of a shadow, with a soft or a sharp edge."""
    shade: float = 0.3
    """Largest loss of light in the darkest corner, as a fraction."""
    crease: float = 0.1
    """Probability of creases."""
    desk: float = 0.0
    """Probability that the sheet's edges are visible, on a desk."""
    dark: tuple[float, float] = (0.0, 0.35)
    """Underexposure, as a fraction of the light."""
    noise: float = 0.02
    """Largest standard deviation of the sensor's noise."""
    blur: tuple[float, float] = (0.2, 1.2)
    """Standard deviation of the defocus blur, in pixels."""
    tilt: float = 0.15
    """Largest tilt: how much closer to the camera an edge may be than the middle, as a fraction."""
    turn: float = 6.0
    """Largest rotation, in degrees."""
    quality: tuple[int, int] = (40, 95)
    """JPEG quality; from 100 on there is no JPEG compression."""
    antialiased: bool = True
    """Whether edges of strokes are anti-aliased."""
    two_tone: bool = False
    """Whether the picture is pure black and white, like a fax or a scan."""


_DRAWN = PhotoKind(
    pens=("stylus",),
    sheets=("canvas",),
    height=(0.4, 0.9),
    sides=(200, 900),
    shadow=0,
    shade=0,
    crease=0,
    dark=(0, 0),
    noise=0,
    blur=(0, 0),
    tilt=0,
    turn=0,
    quality=(100, 100),
)


_PAPER = PhotoKind(rulings=("", "", "lines", "squares"))

KINDS = {
    # drawn on a computer
    "paint": replace(_DRAWN, antialiased=False, width=(0.02, 0.2)),
    "tablet": replace(_DRAWN, sides=(200, 1200)),
    "canvas": replace(_DRAWN, sides=(600, 1600), height=(0.06, 0.25)),
    "small": replace(_DRAWN, sides=(16, 64), height=(0.55, 0.95), width=(0.06, 0.2), quality=(85, 120)),
    "screen": replace(_DRAWN, sheets=("screen",), sides=None, quality=(50, 120)),
    "scan": replace(
        _DRAWN, pens=("ballpoint", "felt pen", "marker", "brush"), sides=(400, 1500), two_tone=True, turn=5
    ),
    # photographed, by pen
    "pencil": replace(_PAPER, pens=("pencil",)),
    "ballpoint": replace(_PAPER, pens=("ballpoint",)),
    "felt pen": replace(_PAPER, pens=("felt pen",)),
    "marker": replace(_PAPER, pens=("marker", "brush")),
    "chalk": replace(_PAPER, pens=("chalk",), sheets=("blackboard",), rulings=("",), crease=0),
    "whiteboard": PhotoKind(pens=("felt pen", "marker"), sheets=("whiteboard",), crease=0),
    "coloured": replace(_PAPER, sheets=("coloured",)),
    "display": PhotoKind(pens=("stylus",), sheets=("screen", "canvas"), crease=0, shadow=0.1),
    # photographed, by difficulty
    "lined": replace(_PAPER, rulings=("lines",)),
    "squared": replace(_PAPER, rulings=("squares",)),
    "shadow": replace(_PAPER, shadow=1, shade=0.5),
    "creased": replace(_PAPER, crease=1),
    "tilted": replace(_PAPER, tilt=0.4, turn=15),
    "blurred": replace(_PAPER, blur=(1.5, 3.5), width=(0.04, 0.2)),
    "dim": replace(_PAPER, dark=(0.4, 0.7), noise=0.05, width=(0.03, 0.2)),
    "far": replace(_PAPER, height=(0.05, 0.2), width=(0.05, 0.2)),
    "desk": replace(_PAPER, desk=1, height=(0.1, 0.4)),
    "thumbnail": PhotoKind(
        pens=("felt pen", "marker"), sides=(28, 72), height=(0.5, 0.9), blur=(0, 0.3), quality=(85, 120)
    ),
}
"""Kinds of pictures by name: drawn on a computer, photographed by pen, photographed by difficulty."""


def photograph_digit(
    image: NDArray[np.uint8], rng: np.random.Generator, *, kind: str | None = None, side: int = REFERENCE_SIDE
) -> Photo:
    """A picture of one digit, image uint8 (28, 28); see `photograph_numbers`."""
    return photograph_numbers([np.asarray(image)[None]], rng, kind=kind, side=side)


def photograph_numbers(
    lines: Sequence[NDArray[np.uint8]], rng: np.random.Generator, *, kind: str | None = None, side: int = REFERENCE_SIDE
) -> Photo:
    """A picture of one or more lines of digits in one handwriting. Equal generators give equal pictures.

    kind: one of KINDS; None for a random one
    side: the picture's longer side in pixels; kinds with `sides` ignore it

    Shapes: each line uint8 (N, 28, 28), 0 paper to 255 ink
    Raises: ShapeError if an image has another shape or type, or is empty; DataError if a line has no digit or the kind
    is unknown.
    """
    if not lines or not all(len(images) for images in lines):
        raise DataError("A picture expects at least one digit in each line; got none.")
    name = str(rng.choice(list(KINDS))) if kind is None else kind
    if name not in KINDS:
        raise DataError(f"There is no kind of picture named {name}. Choose one of {', '.join(KINDS)}.")
    style = KINDS[name]
    pen = PENS[str(rng.choice(style.pens))]
    width = _log_uniform(rng, style.width or pen.width)
    written = write_lines(lines, rng, width=width, steadiness=rng.uniform(0.3, 1))
    height, across = _picture_size(style, lines, side, rng)
    camera = _camera_matrix(style, height, across, rng)
    unit, placing = _place_digits(written, style, camera, (height, across), rng)

    sheet = str(rng.choice(style.sheets))
    paper, ink = _contrasting_colours(sheet, pen, rng)
    millimetre = max(width * unit, MIN_LINE_WIDTH) / (pen.size * rng.uniform(0.7, 1.4))
    picture = _draw_sheet(sheet, style, paper, np.linalg.inv(camera), millimetre, (height, across), rng)
    coverage = np.zeros((height, across), np.float32)
    to_pixels = camera @ placing
    boxes = [_draw_digit(picture, coverage, digit, to_pixels, pen, ink, style.antialiased, rng) for digit in written]
    if style.two_tone:
        middle = (_luminance(paper) + _luminance(ink)) / 2
        grey = picture.mean(axis=0) + rng.normal(0, 0.03, (height, across))
        picture[:] = grey > middle
    else:
        _apply_light(picture, style, rng)
    pixels = _simulate_camera(picture, style, rng)
    return Photo(pixels, np.array(boxes), np.array([digit.line for digit in written]), _grey_uint8(coverage), name)


def _log_uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(*np.log(bounds))))


def _picture_size(style: PhotoKind, lines: Sequence[Array], side: int, rng: np.random.Generator) -> tuple[int, int]:
    """Height and width of the picture, in pixels."""
    rows, columns = len(lines), max(map(len, lines))
    if style.sides is not None:
        short = _log_uniform(rng, style.sides)
        ratio = float(rng.choice([1, 1, 1, rng.uniform(0.6, 1.6)]))
        if max(rows, columns) > 1:  # wide enough for all digits
            ratio = 0.7 * columns / rows
            short = max(short, 20 * min(rows, columns))
        return round(short * max(1, 1 / ratio)), round(short * max(1, ratio))
    ratio = float(rng.choice([3 / 4, 4 / 3, 1, 9 / 16, 16 / 9]))
    if columns > 1 and rng.random() < 0.5:  # cropped to the line
        ratio = max(ratio, 0.7 * columns / rows)
    return round(side * min(1, 1 / ratio)), round(side * min(1, ratio))


def _camera_matrix(style: PhotoKind, height: int, width: int, rng: np.random.Generator) -> Array:
    """(3, 3): maps the plane of the sheet, in pixels from its middle, to the picture's pixels."""
    turn = np.radians(rng.uniform(-style.turn, style.turn))
    tilt, direction = rng.uniform(0, style.tilt), rng.uniform(0, 2 * np.pi)
    axis = np.array([np.cos(direction), np.sin(direction)])
    flat = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    flat = (np.eye(2) - 0.5 * tilt * np.outer(axis, axis)) @ flat  # foreshortening along the tilt
    camera = np.eye(3)
    camera[:2, :2] = flat
    camera[2, :2] = tilt / (max(height, width) / 2) * axis @ flat
    middle = np.array([[1, 0, width / 2], [0, 1, height / 2], [0, 0, 1]])
    to_pixels: Array = middle @ camera
    return to_pixels


def _project(matrix: Array, points: Array) -> Array:
    """Points (N, 2) mapped by a projective matrix (3, 3)."""
    x, y, depth = matrix @ np.stack([points[:, 0], points[:, 1], np.ones(len(points))])
    return np.stack([x / depth, y / depth], axis=1)


def _place_digits(
    written: Sequence[PlacedDigit], style: PhotoKind, camera: Array, size: tuple[int, int], rng: np.random.Generator
) -> tuple[float, Array]:
    """Places the digits on the sheet: the number of pixels in a unit, and (3, 3), which maps units to the sheet's
    pixels.

    The digits shrink until all of them are in the picture.
    """
    height, width = size
    boxes = np.array([digit.box() for digit in written])
    (left, top), (right, bottom) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    corners = np.array([(x, y) for x in (left, right) for y in (top, bottom)])
    margin = 0.01 * min(size)
    unit = _log_uniform(rng, style.height) * min(size)
    offset = rng.uniform(-1, 1, 2) * rng.choice([0.3, 1.0])  # from the middle, relative to the room on each side
    while True:
        block = np.array([right - left, bottom - top]) * unit
        slack = np.maximum(np.array([width, height]) - block, 0) / 2
        (x, y), *_ = _project(np.linalg.inv(camera), np.array([[width / 2, height / 2]]) + offset * slack)
        middle = np.array([left + right, top + bottom]) / 2
        placing = np.array([[unit, 0, x - unit * middle[0]], [0, unit, y - unit * middle[1]], [0, 0, 1]])
        projected = _project(camera @ placing, corners)
        if projected.min() >= margin and (projected <= np.array([width, height]) - margin).all():
            return unit, placing
        unit *= 0.97
        offset *= 0.98


def _contrasting_colours(sheet: str, pen: Pen, rng: np.random.Generator) -> tuple[Array, Array]:
    """The colours of a sheet and of an ink that contrasts with it. Both (3,)"""
    while True:
        paper, ink = _sheet_colour(sheet, rng), _ink_colour(sheet, pen, rng)
        contrast = np.abs(paper - ink).max()
        if contrast > 0.35 and abs(_luminance(paper) - _luminance(ink)) > (0.1 if sheet == "coloured" else 0.2):
            return paper, ink


def _luminance(colour: Array) -> float:
    """Brightness of a colour (3,). Source: ITU-R BT.601"""
    return float(colour @ [0.299, 0.587, 0.114])


def _random_colour(rng: np.random.Generator, saturation: tuple[float, float], value: tuple[float, float]) -> Array:
    """A colour of random hue, with saturation and value in the given ranges. (3,)"""
    return np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(*saturation), rng.uniform(*value)))


def _sheet_colour(sheet: str, rng: np.random.Generator) -> Array:
    if sheet == "canvas":
        return np.full(3, float(rng.random() < 0.6))
    if sheet == "blackboard":
        boards = [(0.12, 0.3, 0.2), (0.2, 0.33, 0.28), (0.13, 0.14, 0.15), (0.25, 0.26, 0.27), (0.1, 0.2, 0.28)]
        return np.clip(boards[rng.integers(len(boards))] + rng.normal(0, 0.02, 3), 0, 1)
    if sheet == "screen":
        return _random_colour(rng, (0.3, 1), (0.1, 0.8))
    if sheet == "coloured":
        if rng.random() < 0.6:
            return _random_colour(rng, (0.15, 0.5), (0.75, 1))
        return _random_colour(rng, (0.4, 0.9), (0.25, 0.85))
    white: Array = rng.uniform(0.85, 1) * (1 - np.abs(rng.normal(0, 0.02, 3)))
    return white


def _ink_colour(sheet: str, pen: Pen, rng: np.random.Generator) -> Array:
    if sheet == "canvas":
        if rng.random() < 0.85:
            return np.full(3, float(rng.random() < 0.5))
        return _random_colour(rng, (0, 1), (0, 1))
    if sheet == "screen":
        return np.full(3, rng.uniform(0.9, 1)) if rng.random() < 0.7 else _random_colour(rng, (0, 1), (0, 1))
    if sheet == "blackboard":
        return np.array([0.95, 0.95, 0.93]) if rng.random() < 0.6 else _random_colour(rng, (0.15, 0.5), (0.85, 1))
    if pen is PENS["pencil"]:
        return np.full(3, rng.uniform(0.2, 0.4))
    if sheet == "coloured":
        return _random_colour(rng, (0.3, 1), (0.1, 1))
    inks = [(0.1, 0.15, 0.5), (0.07, 0.07, 0.09), (0.15, 0.3, 0.7), (0.7, 0.1, 0.12), (0.05, 0.4, 0.2), (0.4, 0.1, 0.4)]
    return np.clip(inks[rng.choice(6, p=[0.3, 0.35, 0.1, 0.1, 0.1, 0.05])] + rng.normal(0, 0.03, 3), 0, 1)


def _draw_sheet(
    sheet: str,
    style: PhotoKind,
    colour: Array,
    to_sheet: Array,
    millimetre: float,
    size: tuple[int, int],
    rng: np.random.Generator,
) -> Array:
    """The empty sheet with texture, smudges, ruling and creases, and perhaps with the desk around it. (3, H, W)

    millimetre: its length in pixels
    """
    scale = max(size) / REFERENCE_SIDE
    picture = np.empty((3, *size), np.float32)
    picture[:] = colour[:, None, None]
    if sheet == "canvas" or sheet == "screen":
        return picture
    roughness = {"blackboard": 0.03, "whiteboard": 0.004}.get(sheet, 0.012)
    texture = (
        rng.uniform(0.3, 1) * roughness * (_smooth_noise(rng, size, 1.2 * scale) + _smooth_noise(rng, size, 5 * scale))
    )
    if sheet == "blackboard":  # smudges of wiped chalk
        texture += rng.uniform(0, 0.06) * np.maximum(_smooth_noise(rng, size, 60 * scale), 0)
    picture += texture
    x, y = _sheet_coordinates(to_sheet, size)
    ruling = str(rng.choice(style.rulings))
    if ruling:
        _draw_ruling(picture, ruling, x, y, millimetre, rng)
    if rng.random() < style.crease:
        for _ in range(rng.integers(1, 4)):
            picture *= _crease_light(x, y, size, rng)
    if rng.random() < style.desk:
        _draw_desk(picture, x, y, rng)
    return picture


def _smooth_noise(rng: np.random.Generator, size: tuple[int, int], length: float) -> Array:
    """Smooth noise of mean 0, standard deviation about 1 and a length scale of `length` pixels. float32 (H, W)"""
    from PIL import Image

    small = [max(2, round(side / max(length, 1))) for side in size]
    noise = Image.fromarray(rng.standard_normal(small, np.float32))
    return np.asarray(noise.resize(size[::-1], Image.Resampling.BICUBIC))


def _sheet_coordinates(to_sheet: Array, size: tuple[int, int]) -> tuple[Array, Array]:
    """The sheet's coordinates x and y of the middle of each pixel, in pixels. Both float32 (H, W)"""
    column = np.arange(size[1], dtype=np.float32) + np.float32(0.5)
    row = (np.arange(size[0], dtype=np.float32) + np.float32(0.5))[:, None]
    m = (to_sheet / to_sheet[2, 2]).astype(np.float32)
    x, y, depth = (m[i, 0] * column + m[i, 1] * row + m[i, 2] for i in range(3))
    return x / depth, y / depth


def _draw_ruling(picture: Array, ruling: str, x: Array, y: Array, millimetre: float, rng: np.random.Generator) -> None:
    """Draws ruled lines or squares, 4 to 9 mm apart, in place, on a slightly bent sheet. Lines may have a margin."""
    largest = max(picture.shape)
    gap = max(millimetre * rng.uniform(*((6, 9) if ruling == "lines" else (4, 8))), largest / 80)
    width = max(1.0, gap * rng.uniform(0.02, 0.06))
    colour = np.array([(0.55, 0.68, 0.85), (0.6, 0.6, 0.62), (0.65, 0.8, 0.75), (0.85, 0.6, 0.65)])[rng.integers(4)]
    strength = rng.uniform(0.4, 1)
    y = y + rng.normal(0, 0.01) / largest * x * x
    lines = _ruling_coverage(y, gap, width, rng)
    if ruling == "squares":
        lines = np.maximum(lines, _ruling_coverage(x, gap, width, rng))
    elif rng.random() < 0.3:
        side = rng.uniform(0.2, 0.45) * picture.shape[2]
        margin = np.clip(0.5 + width / 2 - np.abs(x + side), 0, 1)
        _blend(picture, margin, np.array([0.85, 0.45, 0.5]))
    _blend(picture, strength * lines, colour)


def _ruling_coverage(coordinate: Array, gap: float, width: float, rng: np.random.Generator) -> Array:
    """The fraction of each pixel that is covered by lines `gap` pixels apart."""
    phase = coordinate / gap + rng.random()
    phase -= np.floor(phase)
    coverage: Array = np.clip(0.5 + width / 2 - gap * np.abs(phase - 0.5), 0, 1)
    return coverage


def _blend(picture: Array, share: Array, colour: Array) -> None:
    """Blends a colour into a picture in place, with opacity `share` (H, W)."""
    for plane, value in zip(picture, colour, strict=True):
        plane += share * (np.float32(value) - plane)


def _distance_to_line(x: Array, y: Array, size: tuple[int, int], rng: np.random.Generator) -> Array:
    """Signed distance of each pixel from a random line through the middle part of the sheet, in longer sides."""
    angle = rng.uniform(0, 2 * np.pi)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    distance: Array = (x * cos + y * sin) / max(size) - np.float32(rng.uniform(-0.35, 0.35))
    return distance


def _crease_light(x: Array, y: Array, size: tuple[int, int], rng: np.random.Generator) -> Array:
    """The factor by which a crease changes the light: its two slopes, and the sheet beyond it, are tilted."""
    distance = _distance_to_line(x, y, size, rng)
    slopes = np.float32(rng.uniform(-0.18, 0.18)) * np.clip(distance / 0.004, -1, 1) * np.exp(-np.abs(distance) / 0.012)
    light: Array = 1 - slopes - np.float32(rng.uniform(0, 0.1)) * (distance > 0)
    return light


def _draw_desk(picture: Array, x: Array, y: Array, rng: np.random.Generator) -> None:
    """Draws a desk beyond the sheet's edges, in place, with a shadow beside the sheet."""
    height, width = picture.shape[1:]
    edges = [width / 2 - x, width / 2 + x, height / 2 - y, height / 2 + y]
    margins = np.array([width, width, height, height]) * rng.uniform(0.02, 0.12, 4) * (rng.random(4) < 0.7)
    inside = np.minimum.reduce([edge - np.float32(margin) for edge, margin in zip(edges, margins, strict=True)])
    outside = np.clip(0.5 - inside, 0, 1)
    desk = np.array([(0.35, 0.22, 0.13), (0.55, 0.4, 0.26), (0.2, 0.2, 0.22), (0.6, 0.6, 0.58)])[rng.integers(4)]
    wood = 1 + 0.12 * _smooth_noise(rng, (height, max(2, width // 30)), 4 * max(height, width) / REFERENCE_SIDE).repeat(
        30, axis=1
    )
    wood = np.pad(wood, ((0, 0), (0, max(0, width - wood.shape[1]))), mode="edge")[:, :width]
    shadow = 1 - 0.5 * np.exp(np.minimum(inside, 0) / (0.01 * max(height, width)))
    for plane, value in zip(picture, desk, strict=True):
        plane += outside * (np.float32(value) * wood * shadow - plane)


def _draw_digit(
    picture: Array,
    coverage: Array,
    digit: PlacedDigit,
    camera: Array,
    pen: Pen,
    ink: Array,
    antialiased: bool,
    rng: np.random.Generator,
) -> Array:
    """Draws a digit into the picture and its strokes into the coverage (H, W), in place.

    camera: (3, 3), maps units to pixels. Returns left, top, right, bottom of the ink.
    """
    from PIL import Image

    height, width = picture.shape[1:]
    spread = digit.radii.max() + 0.02
    corners = np.array([(x, y) for x in (-spread, spread) for y in (-spread, spread)])
    projected = _project(camera, (digit.points[:, None] + corners).reshape(-1, 2))
    left, top = np.maximum(np.floor(projected.min(axis=0)) - 2, 0).astype(int)
    right, bottom = np.minimum(np.ceil(projected.max(axis=0)) + 2, (width, height)).astype(int)
    size = (int(bottom - top), int(right - left))
    to_field = np.linalg.inv(camera @ np.vstack([digit.matrix, [0, 0, 1]]))
    to_field = to_field @ np.array([[1, 0, left], [0, 1, top], [0, 0, 1]])
    outline = Image.fromarray(digit.outline).transform(
        size[::-1],
        Image.Transform.PERSPECTIVE,
        (to_field / to_field[2, 2]).ravel()[:8].tolist(),
        Image.Resampling.BICUBIC,
        fillcolor=10,
    )
    middle, right_of_it, below_it = _project(
        camera, digit.points.mean(axis=0) + np.array([(0, 0), (0.01, 0), (0, 0.01)])
    )
    jacobian = np.stack([right_of_it - middle, below_it - middle])
    pixels_per_unit = np.sqrt(abs(np.linalg.det(jacobian))) / 0.01
    outside: Array = np.asarray(outline) * np.float32(pixels_per_unit)
    thickness = 2 * digit.radii.mean() * pixels_per_unit
    if thickness < MIN_LINE_WIDTH and min(height, width) >= 100:
        outside = outside - np.float32((MIN_LINE_WIDTH - thickness) / 2)
        thickness = MIN_LINE_WIDTH
    if pen.edge:
        outside = outside + np.float32(0.5 * pen.edge * thickness) * _smooth_noise(rng, size, max(1, 0.35 * thickness))
    covered = np.clip(0.5 - outside, 0, 1)
    if not antialiased:
        covered = (covered > 0.5).astype(np.float32)
    box: Array = _bounding_box(covered > 0.3 * covered.max()) + np.array([left, top, left, top])
    covered *= min(1.0, thickness)  # a line thinner than a pixel covers only part of it
    np.maximum(coverage[top:bottom, left:right], covered, out=coverage[top:bottom, left:right])
    if pen.grain:
        grain = _smooth_noise(rng, size, max(1.0, 0.12 * thickness))
        covered *= np.clip(1 + np.float32(pen.grain) * (grain - 0.3), 0, 1)
    covered *= np.float32(rng.uniform(*pen.opacity))
    _blend(picture[:, top:bottom, left:right], covered, ink)
    return box


def _bounding_box(inked: NDArray[np.bool_]) -> Array:
    """left, top, right, bottom of the True pixels"""
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float64)


def _apply_light(picture: Array, style: PhotoKind, rng: np.random.Generator) -> None:
    """Applies light from one side, darker corners and a shadow, in place."""
    size = picture.shape[1:]
    column = (np.arange(size[1], dtype=np.float32) - size[1] / 2).astype(np.float32)
    row = (np.arange(size[0], dtype=np.float32) - size[0] / 2).astype(np.float32)[:, None]
    if style.shade:
        distance = _distance_to_line(column, row, size, rng)
        corners = (column**2 + row**2) / (max(size) ** 2 / 2)
        picture *= 1 - rng.uniform(0, style.shade) * np.clip(distance + 0.5, 0, 1) - rng.uniform(0, 0.2) * corners
    if rng.random() < style.shadow:
        edge = _log_uniform(rng, (0.002, 0.02) if rng.random() < 0.5 else (0.03, 0.3))
        inside = _distance_to_line(column, row, size, rng)
        if rng.random() < 0.5:  # the shadow of a hand or a telephone has a corner
            inside = np.minimum(inside, _distance_to_line(column, row, size, rng))
        share = np.clip(inside / np.float32(edge) + 0.5, 0, 1)
        share *= share * (3 - 2 * share)
        depth = rng.uniform(0.2, 0.55)
        for plane, tint in zip(picture, (1, 0.97, 0.9), strict=True):  # a shadow is bluish, lit by the sky
            plane *= 1 - np.float32(depth * tint) * share


def _simulate_camera(picture: Array, style: PhotoKind, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Simulates the camera: white balance, exposure, defocus, noise and JPEG. (H, W, 3)"""
    from PIL import Image, ImageFilter

    if style.dark[1]:
        balance = np.clip(rng.normal(1, 0.025, 3), 0.9, 1.1) * (1 - rng.uniform(*style.dark))
        picture *= balance[:, None, None].astype(np.float32)
    pixels = _to_uint8(picture)
    blur = rng.uniform(*style.blur) * max(pixels.shape) / REFERENCE_SIDE
    if blur > 0:  # defocus: a point becomes a square of even light with this standard deviation
        pixels = np.asarray(Image.fromarray(pixels).filter(ImageFilter.BoxBlur(3**0.5 * blur)))
    if style.noise:
        light = np.moveaxis(pixels, 2, 0) * np.float32(1 / 255)
        # Photon noise grows with the square root of the light; the floor of 0.05 stands for the sensor's own noise.
        noise = np.sqrt(np.maximum(light, 0.05)) * rng.standard_normal(light.shape, np.float32)
        light += np.float32(rng.uniform(0, style.noise)) * noise
        pixels = _to_uint8(light)
    quality = int(rng.integers(style.quality[0], style.quality[1] + 1))
    if quality < 100:
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, format="JPEG", quality=quality)
        pixels = np.asarray(Image.open(content))
    return pixels


def _grey_uint8(grey: Array) -> NDArray[np.uint8]:
    """(H, W), 0 to 1 -> 0 to 255"""
    levels: NDArray[np.uint8] = np.clip(grey * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)
    return levels


def _to_uint8(picture: Array) -> NDArray[np.uint8]:
    """(3, H, W), 0 to 1 -> (H, W, 3), 0 to 255"""
    pixels = np.empty((*picture.shape[1:], 3), np.uint8)
    for i, plane in enumerate(picture):
        pixels[..., i] = np.clip(plane * np.float32(255) + np.float32(0.5), 0, 255)
    return pixels
