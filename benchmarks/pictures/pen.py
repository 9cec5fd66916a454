"""A sheet on which digits, signs, letters and lines are drawn, and what a scanner or a camera makes of it.

The generator of photos in `digitscope.synthetic` is what the reader is tuned with. This one shares only the paths of
MNIST's digits and the glyphs with it, so that what is measured is not what was tuned. Lengths are in pixels.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from digitscope.arrays import Array
from digitscope.datasets import load_mnist
from digitscope.synthetic.glyph_tables import LETTERS
from digitscope.synthetic.glyphs import Glyph, parse_glyphs, vary_glyph
from digitscope.synthetic.strokes import trace

Rng = np.random.Generator
Pixels = NDArray[np.uint8]
Box = tuple[float, float, float, float]
"""left, top, right, bottom"""
Colour = Sequence[float] | Array
"""red, green, blue, 0 to 1"""

UNSEEN = 5000
"""Number of images at the end of MNIST's training part that no bundled model was trained on."""
FINE = 3
"""Points of a layer along a pixel's side."""

SIGNS = """
- 05-45
. 08
, 18~19~09
: 04 08
/ 50-09
( 30~13~16~39
) 00~23~26~09
= 04-54 06-56
+ 05-65 32-38
% 60-09 00~11~02 68~57~69
"""
MORE_LETTERS = """
b 20-28 27~36~65~78~49~28
g 73~42~13~25~56~73-77~59~19
l 20-29
o 53~14~17~39~68~75~53
q 73~42~13~25~56~73-79-99
s 73~53~24~46~68~59~19
z 14-74-19-79
G 82~50~13~06~39~88-85-55
O 40~14~49~84~40
S 81~50~22~45~77~49~18
"""
"""Letters that `glyph_tables` leaves out because one of them alone may be read as a digit."""


@dataclass(frozen=True, eq=False)
class Written:
    """A character as points along its lines. The unit is the height of a digit, and 0 the upper end of digits."""

    points: Array
    """(N, 2)"""
    largest_radius: float
    """A pen of a larger radius would fill the loops."""


@cache
def unseen_digits() -> tuple[tuple[Pixels, ...], ...]:
    """MNIST's images that no bundled model was trained on, by label."""
    (images, labels), _ = load_mnist()
    return tuple(tuple(images[-UNSEEN:][labels[-UNSEEN:] == k]) for k in range(10))


@cache
def _glyphs() -> dict[str, list[Glyph]]:
    found: dict[str, list[Glyph]] = {}
    for glyph in parse_glyphs(SIGNS) + parse_glyphs(LETTERS) + parse_glyphs(MORE_LETTERS):
        found.setdefault(glyph.name, []).append(glyph)
    return found


def letters() -> str:
    """All letters that `write` can write."""
    return "".join(name for name in _glyphs() if len(name) == 1 and name.isascii() and name.isalpha())


@cache
def fonts() -> tuple[str, ...]:
    """Font files with upright digits: Debian's free fonts, or else those that come with matplotlib."""
    from matplotlib import get_data_path

    folders = [Path("/usr/share/fonts"), Path("/usr/share/texmf/fonts/opentype")]
    files = sorted(path for folder in folders for path in folder.rglob("*.[ot]tf") if "ath" not in path.stem)
    if not files:
        files = sorted((Path(get_data_path()) / "fonts" / "ttf").glob("DejaVu*.ttf"))
    return tuple(str(path) for path in files if "Display" not in path.stem)


def digit_image(label: int, rng: Rng) -> Pixels:
    images = unseen_digits()[label]
    return images[rng.integers(len(images))]


def write_image(image: Pixels, slant: float = 0.0) -> Written:
    """An image in MNIST's format as the path of a pen, with a height of 1, or less if it is wide."""
    stroke = trace(image)
    points = stroke.points - stroke.points.min(axis=0)
    unit = max(points[:, 1].max(), 0.75 * points[:, 0].max(), 1)
    points = points / unit
    points[:, 1] += 1 - points[:, 1].max()
    points[:, 0] -= slant * (points[:, 1] - 1)
    points[:, 0] -= points[:, 0].min()
    return Written(points, stroke.max_radius / unit)


def write(text: str, rng: Rng, *, gap: tuple[float, float] = (0.12, 0.4), blank: float = 0.6) -> list[Written]:
    """A line in one handwriting, with its characters at their places.

    gap: smallest and largest distance between neighbours; a negative one makes digits touch or overlap
    """
    slant, own_gap, wave = rng.normal(0.08, 0.12), rng.uniform(*gap), rng.normal(0, 0.02)
    written, end = [], 0.0
    for character in text:
        if character == " ":
            end += blank * rng.uniform(0.8, 1.3)
            continue
        if character.isdigit():
            shape = write_image(digit_image(int(character), rng), slant + rng.normal(0, 0.05))
        else:
            forms = _glyphs()[character]
            lines = vary_glyph(forms[rng.integers(len(forms))], rng, shake=0.025)
            points = np.concatenate([_dense(line) for line in lines])
            shape = Written(points - [points[:, 0].min(), 0], 1.0)
        size = float(np.clip(rng.normal(1, 0.06), 0.8, 1.2))
        points = (shape.points - [0, 1]) * size + [end, 1 + rng.normal(0, 0.03) + wave * end]
        written.append(Written(points, size * shape.largest_radius))
        end = points[:, 0].max() + own_gap * rng.uniform(0.6, 1.4)
    return written


def _dense(line: Array) -> Array:
    """Points on a line that are at most 0.02 apart."""
    parts = [line[:1]]
    for start, stop in pairwise(line):
        count = max(1, int(np.ceil(np.hypot(*(stop - start)) / 0.02)))
        parts.append(start + (stop - start) * np.linspace(0, 1, count + 1)[1:, None])
    return np.concatenate(parts)


def extent(written: Sequence[Written]) -> Box:
    points = np.concatenate([character.points for character in written])
    left, top = points.min(axis=0)
    right, bottom = points.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


class Sheet:
    """Paper with layers of ink, each of one colour."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = round(width), round(height)
        self._layers: list[tuple[Image.Image, Array, float]] = []

    def layer(self, colour: Colour, opacity: float = 1.0, *, behind: bool = False) -> "Layer":
        """A new layer, above or behind all others."""
        image = Image.new("L", (FINE * self.width, FINE * self.height))
        self._layers.insert(0 if behind else len(self._layers), (image, np.array(colour, np.float32), opacity))
        return Layer(image)

    def picture(self, paper: Colour) -> Array:
        """(H, W, 3), 0 to 1"""
        picture = np.empty((self.height, self.width, 3), np.float32)
        picture[:] = paper
        for image, colour, opacity in self._layers:
            small = image.resize((self.width, self.height), Image.Resampling.BOX)
            coverage = np.asarray(small, np.float32)[..., None] * (opacity / 255)
            picture += coverage * (colour - picture)
        return picture


class Layer:
    def __init__(self, image: Image.Image) -> None:
        self._image = image
        self._pen = ImageDraw.Draw(image)

    def dots(self, points: Array, radius: float) -> None:
        for x, y in (FINE * points).tolist():
            r = FINE * radius
            self._pen.ellipse((x - r, y - r, x + r, y + r), fill=255)

    def write(self, written: Sequence[Written], x: float, y: float, height: float, width: float) -> Box:
        """Draws a line of characters from its left end, digits from y to y + height. Returns the ink's box.

        width: of the pen, in heights of a digit
        """
        for character in written:
            radius = max(min(width / 2, character.largest_radius) * height, 0.4)
            self.dots(character.points * height + [x, y], radius)
        left, top, right, bottom = extent(written)
        r = width * height / 2
        return x + left * height - r, y + top * height - r, x + right * height + r, y + bottom * height + r

    def line(self, x0: float, y0: float, x1: float, y1: float, width: float) -> None:
        self._pen.line([FINE * v for v in (x0, y0, x1, y1)], fill=255, width=max(1, round(FINE * width)))

    def print(self, text: str, x: float, y: float, height: float, font: str) -> Box:
        """Prints text with its upper left corner at x, y; capital letters are about `height` high."""
        loaded = ImageFont.truetype(font, max(4, round(FINE * height * 1.4)))
        self._pen.text((FINE * x, FINE * y), text, fill=255, font=loaded, anchor="la")
        left, top, right, bottom = self._pen.textbbox((FINE * x, FINE * y), text, font=loaded, anchor="la")
        return left / FINE, top / FINE, right / FINE, bottom / FINE

    def segments(self, text: str, x: float, y: float, height: float, rng: Rng) -> Box:
        """Digits of seven segments."""
        slant, across = rng.choice([0.0, 0.12]), 0.55 * height
        thick, open_end = rng.uniform(0.07, 0.14) * height, rng.choice([0.01, 0.05]) * height
        short_seven = rng.random() < 0.8
        for k, character in enumerate(text):
            left = x + k * 1.5 * across
            lit = _SEGMENTS[int(character)] + ("f" if character == "7" and not short_seven else "")
            for name in lit:
                x0, y0, x1, y1 = _ENDS[name]
                start, stop = (
                    np.array([left + x0 * across, y + y0 * height]),
                    np.array([left + x1 * across, y + y1 * height]),
                )
                inset = (stop - start) / np.hypot(*(stop - start)) * (thick / 2 + open_end)
                side = np.array([-(stop - start)[1], (stop - start)[0]]) / np.hypot(*(stop - start)) * thick / 2
                ends = np.array([start + inset, stop - inset])
                points = np.concatenate([ends + side, ends[::-1] - side])
                points[:, 0] -= slant * (points[:, 1] - y - height)
                self._pen.polygon((FINE * points).ravel().tolist(), fill=255)
        return x, y, x + (len(text) - 1) * 1.5 * across + across, y + height

    def erase(self, x: float, y: float, radius: float) -> None:
        x, y, r = FINE * x, FINE * y, FINE * radius
        self._pen.ellipse((x - r, y - r, x + r, y + r), fill=0)


_SEGMENTS = ("abcdef", "bc", "abdeg", "abcdg", "bcfg", "acdfg", "acdefg", "abc", "abcdefg", "abcdfg")
_ENDS = {
    "a": (0, 0, 1, 0),
    "b": (1, 0, 1, 0.5),
    "c": (1, 0.5, 1, 1),
    "d": (0, 1, 1, 1),
    "e": (0, 0.5, 0, 1),
    "f": (0, 0, 0, 0.5),
    "g": (0, 0.5, 1, 0.5),
}

INKS = ((0.1, 0.15, 0.5), (0.07, 0.07, 0.09), (0.15, 0.3, 0.7), (0.7, 0.1, 0.12), (0.3, 0.3, 0.32), (0.05, 0.4, 0.2))


def random_ink(rng: Rng) -> Array:
    return np.clip(
        np.array(INKS[rng.choice(len(INKS), p=[0.3, 0.35, 0.1, 0.07, 0.13, 0.05])]) + rng.normal(0, 0.03, 3), 0, 1
    )


def random_paper(rng: Rng) -> Array:
    return rng.uniform(0.85, 1.0) * np.array([1, 1 - rng.uniform(0, 0.04), 1 - rng.uniform(0, 0.12)])


def capture(picture: Array, rng: Rng, *, clean: float = 0.35, faint: bool = False) -> Pixels:
    """The picture as a file: with the probability `clean` as it is, otherwise photographed or scanned.

    faint: ink of 12 to 30 % contrast instead of full contrast
    """
    if faint:
        paper = np.median(picture, axis=(0, 1))
        picture = paper + rng.uniform(0.12, 0.3) / max(1e-6, np.abs(picture - paper).max()) * (picture - paper)
    if rng.random() < clean:
        return _bytes(picture)
    height, width = picture.shape[:2]
    ramp = np.linspace(-0.5, 0.5, width)[None, :] * rng.normal(0, 0.2) + np.linspace(-0.5, 0.5, height)[
        :, None
    ] * rng.normal(0, 0.2)
    lit = picture * np.clip(rng.uniform(0.65, 1.0) * (1 + ramp), 0.2, 1.1)[..., None]
    blur = rng.uniform(0.0, 0.004) * max(height, width) if min(height, width) > 60 else rng.uniform(0, 0.5)
    pixels = np.asarray(Image.fromarray(_bytes(lit)).filter(ImageFilter.GaussianBlur(min(blur, 1.6))), np.float32) / 255
    pixels = pixels + rng.normal(0, rng.uniform(0, 0.03), (height, width, 1))
    content = io.BytesIO()
    Image.fromarray(_bytes(pixels)).save(content, format="JPEG", quality=int(rng.integers(40, 96)))
    return np.array(Image.open(content))


def _bytes(picture: Array) -> Pixels:
    return np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8)
