"""Renders synthetic photos and screen drawings of MNIST digits, for tests and tuning of the vision code.

A pen goes along the strokes of MNIST's digits (`strokes.py`) on paper, a board or a screen; the sheet is lit and
photographed. Colours are 0 to 1; a picture on the way is float32 (3, H, W). Lengths that depend on the size of the
picture are given for a longer side of 800 pixels.
"""

import colorsys
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.errors import DataError
from digitscope.synthetic.strokes import Written, write

REFERENCE = 800  # pixels
THINNEST = 1.6  # pixels: thinner lines would not be seen, except in small pictures, where they are grey


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture and what is written on it."""

    pixels: NDArray[np.uint8]
    """(H, W, 3)"""
    boxes: Array
    """(N, 4): left, top, right, bottom of each digit's ink, in pixels, in reading order."""
    lines: Array
    """(N,): in which line each digit is, from 0."""
    kind: str
    """One of KINDS."""


@dataclass(frozen=True)
class Pen:
    """What one writes with. Each range is (lowest, highest)."""

    width: tuple[float, float]
    """In heights of a digit."""
    size: float = 0.5
    """Millimetres: the width that its lines have on paper."""
    opacity: tuple[float, float] = (0.9, 1.0)
    grain: float = 0.0
    """How much the paper's grain shows in the stroke, 0 to 1."""
    edge: float = 0.0
    """How uneven the edges are, in widths of the pen."""


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
    """A kind of picture. Of several pens, sheets and rulings one is drawn; ranges are (lowest, highest)."""

    pens: tuple[str, ...] = ("pencil", "ballpoint", "felt pen", "marker")
    sheets: tuple[str, ...] = ("white",)
    """white, coloured, blackboard, whiteboard, screen or canvas"""
    rulings: tuple[str, ...] = ("",)
    """lines, squares or none"""
    height: tuple[float, float] = (0.25, 0.8)
    """Of a digit, as a share of the picture's shorter side."""
    sides: tuple[int, int] | None = None
    """Pixels of the picture's shorter side, for a single digit; None: as the caller wants the longer one."""
    width: tuple[float, float] | None = None
    """Of the pen in heights of a digit, where it is not the pen's own."""
    shadow: float = 0.4
    """The probability of a shadow, with a soft or a sharp edge."""
    shade: float = 0.3
    """How much of the light the darkest corner may lose."""
    crease: float = 0.1
    """The probability of creases."""
    desk: float = 0.0
    """The probability that the sheet's edges are seen."""
    dark: tuple[float, float] = (0.0, 0.35)
    """How much the picture is underexposed."""
    noise: float = 0.02
    """The largest deviation of the sensor's noise."""
    blur: tuple[float, float] = (0.2, 1.2)
    """Deviation of the defocus, in pixels."""
    tilt: float = 0.15
    """How much nearer an edge may be than the middle."""
    turn: float = 6.0
    """Degrees."""
    quality: tuple[int, int] = (40, 95)
    """Of JPEG; 100 is no JPEG."""
    soft: bool = True
    """Anti-aliased, or not."""
    two_tone: bool = False
    """Nothing but black and white, as a scanner's."""


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
    "paint": replace(_DRAWN, soft=False, width=(0.02, 0.2)),
    "tablet": replace(_DRAWN, sides=(200, 1200)),
    "canvas": replace(_DRAWN, sides=(600, 1600), height=(0.06, 0.25)),
    "small": replace(_DRAWN, sides=(16, 64), height=(0.55, 0.95), width=(0.06, 0.2), quality=(85, 120)),
    "screen": replace(_DRAWN, sheets=("screen",), sides=None, quality=(50, 120)),
    "scan": replace(
        _DRAWN, pens=("ballpoint", "felt pen", "marker", "brush"), sides=(400, 1500), two_tone=True, turn=5
    ),
    # photographed, pen by pen
    "pencil": replace(_PAPER, pens=("pencil",)),
    "ballpoint": replace(_PAPER, pens=("ballpoint",)),
    "felt pen": replace(_PAPER, pens=("felt pen",)),
    "marker": replace(_PAPER, pens=("marker", "brush")),
    "chalk": replace(_PAPER, pens=("chalk",), sheets=("blackboard",), rulings=("",), crease=0),
    "whiteboard": PhotoKind(pens=("felt pen", "marker"), sheets=("whiteboard",), crease=0),
    "coloured": replace(_PAPER, sheets=("coloured",)),
    "display": PhotoKind(pens=("stylus",), sheets=("screen", "canvas"), crease=0, shadow=0.1),
    # photographed, difficulty by difficulty
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
"""Kinds of pictures by name: drawn on a computer, photographed pen by pen, photographed difficulty by difficulty."""


def photograph_digit(
    image: NDArray[np.uint8], rng: np.random.Generator, *, kind: str | None = None, side: int = REFERENCE
) -> Photo:
    """A picture of one digit. As `photograph_numbers`, with image (28, 28)."""
    return photograph_numbers([np.asarray(image)[None]], rng, kind=kind, side=side)


def photograph_numbers(
    lines: Sequence[NDArray[np.uint8]], rng: np.random.Generator, *, kind: str | None = None, side: int = REFERENCE
) -> Photo:
    """A picture of digits in one line or several, all in one hand.

    The generator decides everything that is not given.

    Shapes: lines of images uint8 (N, 28, 28), 0 paper to 255 ink
    kind: one of KINDS, drawn at random where it is None
    side: pixels of the picture's longer side; kinds with sides of their own keep to these
    Raises: ShapeError where an image is not of this shape and type, or empty; DataError where there is no digit,
    or no such kind.
    """
    if not lines or not all(len(images) for images in lines):
        raise DataError("A picture expects at least one digit in each line; got none.")
    name = str(rng.choice(list(KINDS))) if kind is None else kind
    if name not in KINDS:
        raise DataError(f"There is no kind of picture named {name}. Choose one of {', '.join(KINDS)}.")
    look = KINDS[name]
    pen = PENS[str(rng.choice(look.pens))]
    width = _log_uniform(rng, look.width or pen.width)
    written = write(lines, rng, width=width, steadiness=rng.uniform(0.3, 1))
    height, across = _size(look, lines, side, rng)
    camera = _camera(look, height, across, rng)
    unit, placing = _place(written, look, camera, (height, across), rng)

    sheet = str(rng.choice(look.sheets))
    paper, ink = _colours(sheet, pen, rng)
    millimetre = max(width * unit, THINNEST) / (pen.size * rng.uniform(0.7, 1.4))
    picture = _sheet(sheet, look, paper, np.linalg.inv(camera), millimetre, (height, across), rng)
    boxes = [_draw(picture, digit, camera @ placing, pen, ink, look.soft, rng) for digit in written]
    if look.two_tone:
        middle = (_luminance(paper) + _luminance(ink)) / 2
        grey = picture.mean(axis=0) + rng.normal(0, 0.03, (height, across))
        picture[:] = grey > middle
    else:
        _light(picture, look, rng)
    pixels = _expose(picture, look, rng)
    return Photo(pixels, np.array(boxes), np.array([digit.line for digit in written]), name)


def _log_uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(*np.log(bounds))))


def _size(look: PhotoKind, lines: Sequence[Array], side: int, rng: np.random.Generator) -> tuple[int, int]:
    """Height and width of the picture in pixels."""
    rows, columns = len(lines), max(map(len, lines))
    if look.sides is not None:
        short = _log_uniform(rng, look.sides)
        ratio = float(rng.choice([1, 1, 1, rng.uniform(0.6, 1.6)]))
        if max(rows, columns) > 1:  # room for more than one digit
            ratio = 0.7 * columns / rows
            short = max(short, 20 * min(rows, columns))
        return round(short * max(1, 1 / ratio)), round(short * max(1, ratio))
    ratio = float(rng.choice([3 / 4, 4 / 3, 1, 9 / 16, 16 / 9]))
    if columns > 1 and rng.random() < 0.5:  # cut to the line
        ratio = max(ratio, 0.7 * columns / rows)
    return round(side * min(1, 1 / ratio)), round(side * min(1, ratio))


def _camera(look: PhotoKind, height: int, width: int, rng: np.random.Generator) -> Array:
    """From the plane of the sheet, in pixels from the middle, to the picture's pixels. (3, 3)"""
    turn = np.radians(rng.uniform(-look.turn, look.turn))
    tilt, towards = rng.uniform(0, look.tilt), rng.uniform(0, 2 * np.pi)
    axis = np.array([np.cos(towards), np.sin(towards)])
    flat = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    flat = (np.eye(2) - 0.5 * tilt * np.outer(axis, axis)) @ flat  # what is tilted away is shorter
    camera = np.eye(3)
    camera[:2, :2] = flat
    camera[2, :2] = tilt / (max(height, width) / 2) * axis @ flat
    middle = np.array([[1, 0, width / 2], [0, 1, height / 2], [0, 0, 1]])
    seen: Array = middle @ camera
    return seen


def _project(matrix: Array, points: Array) -> Array:
    """Points (N, 2) seen through a camera (3, 3)."""
    x, y, depth = matrix @ np.stack([points[:, 0], points[:, 1], np.ones(len(points))])
    return np.stack([x / depth, y / depth], axis=1)


def _place(
    written: Sequence[Written], look: PhotoKind, camera: Array, size: tuple[int, int], rng: np.random.Generator
) -> tuple[float, Array]:
    """Where on the sheet the digits are: the pixels in a unit, and (3, 3) from units to the sheet's pixels.

    All of them are in the picture: they become smaller until they are.
    """
    height, width = size
    boxes = np.array([digit.box() for digit in written])
    (left, top), (right, bottom) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    corners = np.array([(x, y) for x in (left, right) for y in (top, bottom)])
    margin = 0.01 * min(size)
    unit = _log_uniform(rng, look.height) * min(size)
    where = rng.uniform(-1, 1, 2) * rng.choice([0.3, 1.0])  # from the middle to where the border allows
    while True:
        block = np.array([right - left, bottom - top]) * unit
        room = np.maximum(np.array([width, height]) - block, 0) / 2
        (x, y), *_ = _project(np.linalg.inv(camera), np.array([[width / 2, height / 2]]) + where * room)
        middle = np.array([left + right, top + bottom]) / 2
        placing = np.array([[unit, 0, x - unit * middle[0]], [0, unit, y - unit * middle[1]], [0, 0, 1]])
        seen = _project(camera @ placing, corners)
        if seen.min() >= margin and (seen <= np.array([width, height]) - margin).all():
            return unit, placing
        unit *= 0.97
        where *= 0.98


def _colours(sheet: str, pen: Pen, rng: np.random.Generator) -> tuple[Array, Array]:
    """The colours of a sheet and of an ink that can be told from it. Twice (3,)"""
    while True:
        paper, ink = _sheet_colour(sheet, rng), _ink_colour(sheet, pen, rng)
        contrast = np.abs(paper - ink).max()
        if contrast > 0.35 and abs(_luminance(paper) - _luminance(ink)) > (0.1 if sheet == "coloured" else 0.2):
            return paper, ink


def _luminance(colour: Array) -> float:
    """ITU-R 601"""
    return float(colour @ [0.299, 0.587, 0.114])


def _hsv(rng: np.random.Generator, saturation: tuple[float, float], value: tuple[float, float]) -> Array:
    """A colour of any hue."""
    return np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(*saturation), rng.uniform(*value)))


def _sheet_colour(sheet: str, rng: np.random.Generator) -> Array:
    if sheet == "canvas":
        return np.full(3, float(rng.random() < 0.6))
    if sheet == "blackboard":
        boards = [(0.12, 0.3, 0.2), (0.2, 0.33, 0.28), (0.13, 0.14, 0.15), (0.25, 0.26, 0.27), (0.1, 0.2, 0.28)]
        return np.clip(boards[rng.integers(len(boards))] + rng.normal(0, 0.02, 3), 0, 1)
    if sheet == "screen":
        return _hsv(rng, (0.3, 1), (0.1, 0.8))
    if sheet == "coloured":
        return _hsv(rng, (0.15, 0.5), (0.75, 1)) if rng.random() < 0.6 else _hsv(rng, (0.4, 0.9), (0.25, 0.85))
    white: Array = rng.uniform(0.85, 1) * (1 - np.abs(rng.normal(0, 0.02, 3)))
    return white


def _ink_colour(sheet: str, pen: Pen, rng: np.random.Generator) -> Array:
    if sheet == "canvas":
        if rng.random() < 0.85:
            return np.full(3, float(rng.random() < 0.5))
        return _hsv(rng, (0, 1), (0, 1))
    if sheet == "screen":
        return np.full(3, rng.uniform(0.9, 1)) if rng.random() < 0.7 else _hsv(rng, (0, 1), (0, 1))
    if sheet == "blackboard":
        return np.array([0.95, 0.95, 0.93]) if rng.random() < 0.6 else _hsv(rng, (0.15, 0.5), (0.85, 1))
    if pen is PENS["pencil"]:
        return np.full(3, rng.uniform(0.2, 0.4))
    if sheet == "coloured":
        return _hsv(rng, (0.3, 1), (0.1, 1))
    inks = [(0.1, 0.15, 0.5), (0.07, 0.07, 0.09), (0.15, 0.3, 0.7), (0.7, 0.1, 0.12), (0.05, 0.4, 0.2), (0.4, 0.1, 0.4)]
    return np.clip(inks[rng.choice(6, p=[0.3, 0.35, 0.1, 0.1, 0.1, 0.05])] + rng.normal(0, 0.03, 3), 0, 1)


def _sheet(
    sheet: str,
    look: PhotoKind,
    colour: Array,
    to_sheet: Array,
    millimetre: float,
    size: tuple[int, int],
    rng: np.random.Generator,
) -> Array:
    """The empty sheet with its texture, smudges, ruling and creases, on a desk where its edges are seen. (3, H, W)

    millimetre: in pixels
    """
    scale = max(size) / REFERENCE
    picture = np.empty((3, *size), np.float32)
    picture[:] = colour[:, None, None]
    if sheet == "canvas" or sheet == "screen":
        return picture
    rough = {"blackboard": 0.03, "whiteboard": 0.004}.get(sheet, 0.012)
    texture = rng.uniform(0.3, 1) * rough * (_grain(rng, size, 1.2 * scale) + _grain(rng, size, 5 * scale))
    if sheet == "blackboard":  # chalk that was wiped away
        texture += rng.uniform(0, 0.06) * np.maximum(_grain(rng, size, 60 * scale), 0)
    picture += texture
    x, y = _sheet_places(to_sheet, size)
    ruling = str(rng.choice(look.rulings))
    if ruling:
        _rule(picture, ruling, x, y, millimetre, rng)
    if rng.random() < look.crease:
        for _ in range(rng.integers(1, 4)):
            picture *= _crease(x, y, size, rng)
    if rng.random() < look.desk:
        _lay_on_desk(picture, x, y, rng)
    return picture


def _grain(rng: np.random.Generator, size: tuple[int, int], length: float) -> Array:
    """Smooth noise of mean 0 and deviation 1 or a little less; its hills are `length` pixels wide. float32 (H, W)"""
    from PIL import Image

    small = [max(2, round(side / max(length, 1))) for side in size]
    noise = Image.fromarray(rng.standard_normal(small, np.float32))
    return np.asarray(noise.resize(size[::-1], Image.Resampling.BICUBIC))


def _sheet_places(to_sheet: Array, size: tuple[int, int]) -> tuple[Array, Array]:
    """Where on the sheet the middle of each pixel is, x and y in pixels. Twice float32 (H, W)"""
    column = np.arange(size[1], dtype=np.float32) + np.float32(0.5)
    row = (np.arange(size[0], dtype=np.float32) + np.float32(0.5))[:, None]
    m = (to_sheet / to_sheet[2, 2]).astype(np.float32)
    x, y, depth = (m[i, 0] * column + m[i, 1] * row + m[i, 2] for i in range(3))
    return x / depth, y / depth


def _rule(picture: Array, ruling: str, x: Array, y: Array, millimetre: float, rng: np.random.Generator) -> None:
    """Lines or squares, 4 to 9 millimetres apart, on a sheet that is a little bent, at times with a margin."""
    largest = max(picture.shape)
    gap = max(millimetre * rng.uniform(*((6, 9) if ruling == "lines" else (4, 8))), largest / 80)
    width = max(1.0, gap * rng.uniform(0.02, 0.06))
    colour = np.array([(0.55, 0.68, 0.85), (0.6, 0.6, 0.62), (0.65, 0.8, 0.75), (0.85, 0.6, 0.65)])[rng.integers(4)]
    strength = rng.uniform(0.4, 1)
    y = y + rng.normal(0, 0.01) / largest * x * x
    lines = _lines(y, gap, width, rng)
    if ruling == "squares":
        lines = np.maximum(lines, _lines(x, gap, width, rng))
    elif rng.random() < 0.3:
        side = rng.uniform(0.2, 0.45) * picture.shape[2]
        margin = np.clip(0.5 + width / 2 - np.abs(x + side), 0, 1)
        _mix(picture, margin, np.array([0.85, 0.45, 0.5]))
    _mix(picture, strength * lines, colour)


def _lines(place: Array, gap: float, width: float, rng: np.random.Generator) -> Array:
    """How much of each pixel is covered by lines `gap` apart."""
    near = place / gap + rng.random()
    near -= np.floor(near)
    covered: Array = np.clip(0.5 + width / 2 - gap * np.abs(near - 0.5), 0, 1)
    return covered


def _mix(picture: Array, share: Array, colour: Array) -> None:
    """Puts a colour on a picture, `share` of it at each pixel, in place."""
    for plane, value in zip(picture, colour, strict=True):
        plane += share * (np.float32(value) - plane)


def _across(x: Array, y: Array, size: tuple[int, int], rng: np.random.Generator) -> Array:
    """How far each place is from a line in any direction through the sheet's middle part, in longer sides."""
    angle = rng.uniform(0, 2 * np.pi)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    distance: Array = (x * cos + y * sin) / max(size) - np.float32(rng.uniform(-0.35, 0.35))
    return distance


def _crease(x: Array, y: Array, size: tuple[int, int], rng: np.random.Generator) -> Array:
    """What a crease leaves of the light: its two slopes, and perhaps the sheet beyond it, face elsewhere."""
    distance = _across(x, y, size, rng)
    slopes = np.float32(rng.uniform(-0.18, 0.18)) * np.clip(distance / 0.004, -1, 1) * np.exp(-np.abs(distance) / 0.012)
    light: Array = 1 - slopes - np.float32(rng.uniform(0, 0.1)) * (distance > 0)
    return light


def _lay_on_desk(picture: Array, x: Array, y: Array, rng: np.random.Generator) -> None:
    """Beyond two to four edges of the sheet a desk is seen, darkest beside the sheet."""
    height, width = picture.shape[1:]
    edges = [width / 2 - x, width / 2 + x, height / 2 - y, height / 2 + y]
    margins = np.array([width, width, height, height]) * rng.uniform(0.02, 0.12, 4) * (rng.random(4) < 0.7)
    inside = np.minimum.reduce([edge - np.float32(margin) for edge, margin in zip(edges, margins, strict=True)])
    outside = np.clip(0.5 - inside, 0, 1)
    desk = np.array([(0.35, 0.22, 0.13), (0.55, 0.4, 0.26), (0.2, 0.2, 0.22), (0.6, 0.6, 0.58)])[rng.integers(4)]
    wood = 1 + 0.12 * _grain(rng, (height, max(2, width // 30)), 4 * max(height, width) / REFERENCE).repeat(30, axis=1)
    wood = np.pad(wood, ((0, 0), (0, max(0, width - wood.shape[1]))), mode="edge")[:, :width]
    near = 1 - 0.5 * np.exp(np.minimum(inside, 0) / (0.01 * max(height, width)))
    for plane, value in zip(picture, desk, strict=True):
        plane += outside * (np.float32(value) * wood * near - plane)


def _draw(
    picture: Array, digit: Written, camera: Array, pen: Pen, ink: Array, soft: bool, rng: np.random.Generator
) -> Array:
    """Inks a digit, in place. camera: (3, 3) from units to pixels. Returns left, top, right, bottom of the ink."""
    from PIL import Image

    height, width = picture.shape[1:]
    spread = digit.radii.max() + 0.02
    around = np.array([(x, y) for x in (-spread, spread) for y in (-spread, spread)])
    seen = _project(camera, (digit.points[:, None] + around).reshape(-1, 2))
    left, top = np.maximum(np.floor(seen.min(axis=0)) - 2, 0).astype(int)
    right, bottom = np.minimum(np.ceil(seen.max(axis=0)) + 2, (width, height)).astype(int)
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
    middle, beside, below = _project(camera, digit.points.mean(axis=0) + np.array([(0, 0), (0.01, 0), (0, 0.01)]))
    pixels = np.sqrt(abs(np.linalg.det(np.stack([beside - middle, below - middle])))) / 0.01  # in a unit
    outside: Array = np.asarray(outline) * np.float32(pixels)
    thickness = 2 * digit.radii.mean() * pixels
    if thickness < THINNEST and min(height, width) >= 100:
        outside = outside - np.float32((THINNEST - thickness) / 2)
        thickness = THINNEST
    if pen.edge:
        outside = outside + np.float32(0.5 * pen.edge * thickness) * _grain(rng, size, max(1, 0.35 * thickness))
    covered = np.clip(0.5 - outside, 0, 1)
    if not soft:
        covered = (covered > 0.5).astype(np.float32)
    box: Array = _box(covered > 0.3 * covered.max()) + np.array([left, top, left, top])
    covered *= min(1.0, thickness)  # a line thinner than a pixel covers a part of it
    if pen.grain:
        grain = _grain(rng, size, max(1.0, 0.12 * thickness))
        covered *= np.clip(1 + np.float32(pen.grain) * (grain - 0.3), 0, 1)
    covered *= np.float32(rng.uniform(*pen.opacity))
    _mix(picture[:, top:bottom, left:right], covered, ink)
    return box


def _box(inked: NDArray[np.bool_]) -> Array:
    """left, top, right, bottom of what is True"""
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float64)


def _light(picture: Array, look: PhotoKind, rng: np.random.Generator) -> None:
    """Light from a side, darker corners, and a shadow, in place."""
    size = picture.shape[1:]
    column = (np.arange(size[1], dtype=np.float32) - size[1] / 2).astype(np.float32)
    row = (np.arange(size[0], dtype=np.float32) - size[0] / 2).astype(np.float32)[:, None]
    if look.shade:
        towards = _across(column, row, size, rng)
        corners = (column**2 + row**2) / (max(size) ** 2 / 2)
        picture *= 1 - rng.uniform(0, look.shade) * np.clip(towards + 0.5, 0, 1) - rng.uniform(0, 0.2) * corners
    if rng.random() < look.shadow:
        edge = _log_uniform(rng, (0.002, 0.02) if rng.random() < 0.5 else (0.03, 0.3))
        inside = _across(column, row, size, rng)
        if rng.random() < 0.5:  # of a hand or a telephone: with a corner
            inside = np.minimum(inside, _across(column, row, size, rng))
        share = np.clip(inside / np.float32(edge) + 0.5, 0, 1)
        share *= share * (3 - 2 * share)
        depth = rng.uniform(0.2, 0.55)
        for plane, tint in zip(picture, (1, 0.97, 0.9), strict=True):  # what light is left comes from the sky
            plane *= 1 - np.float32(depth * tint) * share


def _expose(picture: Array, look: PhotoKind, rng: np.random.Generator) -> NDArray[np.uint8]:
    """What a camera makes of the light: white balance, exposure, defocus, noise and JPEG. (H, W, 3)"""
    from PIL import Image, ImageFilter

    if look.dark[1]:
        balance = np.clip(rng.normal(1, 0.025, 3), 0.9, 1.1) * (1 - rng.uniform(*look.dark))
        picture *= balance[:, None, None].astype(np.float32)
    pixels = _bytes(picture)
    blur = rng.uniform(*look.blur) * max(pixels.shape) / REFERENCE
    if blur > 0:  # out of focus, a point is a patch of even light: this one is a square of this deviation
        pixels = np.asarray(Image.fromarray(pixels).filter(ImageFilter.BoxBlur(3**0.5 * blur)))
    if look.noise:
        light = np.moveaxis(pixels, 2, 0) * np.float32(1 / 255)
        # Light is made of photons: its noise grows as its root, and the sensor adds some of its own.
        noise = np.sqrt(np.maximum(light, 0.05)) * rng.standard_normal(light.shape, np.float32)
        light += np.float32(rng.uniform(0, look.noise)) * noise
        pixels = _bytes(light)
    quality = int(rng.integers(look.quality[0], look.quality[1] + 1))
    if quality < 100:
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, format="JPEG", quality=quality)
        pixels = np.asarray(Image.open(content))
    return pixels


def _bytes(picture: Array) -> NDArray[np.uint8]:
    """(3, H, W), 0 to 1 -> (H, W, 3), 0 to 255"""
    pixels = np.empty((*picture.shape[1:], 3), np.uint8)
    for i, plane in enumerate(picture):
        pixels[..., i] = np.clip(plane * np.float32(255) + np.float32(0.5), 0, 255)
    return pixels
