"""Finds the lines of writing in a picture: its ink, by the network of `ink_map`, grouped into lines.

The network sees digits best if they are about DIGIT pixels high. So the picture is first searched in few pixels, and
then again, around what was found, in the size in which its digits have this height.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.nn import Network
from digitscope.vision.ink_map import INK_NETWORK, ink_map, load_ink_network, resized
from digitscope.vision.line_image import ink_rows

FIRST_PIXELS = 130_000
"""Number of pixels of the picture in which the network looks first."""
DIGIT_PIXELS = 20_000
"""The same if a single digit is expected."""
MAX_PIXELS = 450_000
"""Maximum number of pixels in which it looks again."""
MAX_SIDE = 1600
TINY = 32
"""Longer side, in pixels, of the largest picture whose ink is found without the network."""
SHARP = 24
"""Longer side, in pixels, from which on a tiny picture is enlarged without smoothing."""
_MIN_RANGE = 64
"""Minimum difference of the tones in it, of 255."""
SMALLEST = 200
"""Minimum longer side, in pixels: smaller pictures are enlarged."""
MAX_ENLARGEMENT = 2.0
"""Maximum enlargement of other pictures."""
DIGIT = 45
"""Height of digits, in pixels, at which the network finds ink best."""
THRESHOLD = 0.3
"""The probability from which on a pixel is ink."""
FAINTEST = 0.1
"""The least probability of ink that makes "no ink" unsure."""
PEAK = 0.6
"""A component has a pixel of at least this probability."""
GAP = 3.0
"""Minimum gap between two parts of a line that are read separately, in heights of a digit."""
FLAT = 0.75
"""Minimum share of a picture that has the tone of its paper, if the paper is flat."""
EVEN = 4
"""Maximum difference of a pixel from flat paper, of 255."""
FOUND = 0.5
"""Share of a component on flat paper that the network has to find."""
OTHER_COLOUR = 0.25
"""Distance from the mixtures of paper and ink, as a share of their distance, from which a colour is another one."""
JOINED = 4
"""Distance, in pixels, up to which pieces of ink are one component."""
SMALLEST_SHARE = 0.008
"""Minimum size of writing, as a share of the picture's longer side."""
SMALLEST_SIZE = 4.5
"""Minimum size of writing, in pixels of the picture."""
APART = 0.25
"""Maximum distance between parts of a digit, as a share of its size."""
SCANNED_APART = 1.0
"""The same in a scan of nothing but the digit."""
_MAX_COMPONENTS = 400


Box = tuple[float, float, float, float]
"""left, top, right, bottom"""


@dataclass(frozen=True, eq=False)
class Component:
    """A connected component of the ink, with its box in pixels of the map."""

    number: int
    top: int
    bottom: int
    left: int
    right: int
    area: float
    level: float
    """The mean probability of its ink."""

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


@dataclass(frozen=True, eq=False)
class Part:
    """A part of a line that is read at once, cut out of the ink map and made level."""

    ink: Array
    """(h, w), 0 paper to 1 ink."""
    top: float
    """The upper edge of its digits, in rows of `ink`."""
    bottom: float
    corner: tuple[float, float]
    """x and y of its upper left corner in the map."""
    slope: float
    """Rows that the line falls in each column of the map."""

    def to_map(self, box: Box) -> Box:
        """A box in pixels of the map, for one in pixels of `ink`."""
        left, top, right, bottom = box
        x, y = self.corner
        y += self.slope * (left + right) / 2
        return x + left, y + top, x + right, y + bottom


@dataclass(frozen=True, eq=False)
class PageLayout:
    """The writing in a picture."""

    ink: Array
    """(h, w): the probability of ink in the part of the picture that was searched last."""
    corner: tuple[float, float]
    """x and y of the map's upper left corner in the picture."""
    scale: float
    """Number of the picture's pixels along the side of one of the map's."""
    components: tuple[Component, ...]
    labels: NDArray[np.intp]
    """(h, w): the number of each pixel's component, or 0."""
    lines: tuple[tuple[Part, ...], ...]
    """Parts from left to right, for each line from top to bottom."""
    left_out: float
    """Ink in no line, as a share of all ink."""
    quarters: int = 0
    """How often the map was turned by 90 degrees counter-clockwise."""
    repeated: int = 1
    """How often each of the picture's pixels is repeated in a row of the map, if it was enlarged in this way."""

    def searched(self, size: tuple[int, int]) -> tuple[slice, slice]:
        """The rows and columns of the picture, of this size, that the map shows."""
        left, top, right, bottom = self.to_picture((0, 0, *self.ink.shape[::-1]))
        rows = slice(max(0, round(top)), min(size[0], round(bottom)))
        return rows, slice(max(0, round(left)), min(size[1], round(right)))

    def to_picture(self, box: Box) -> Box:
        """A box in pixels of the picture, for one in pixels of the map."""
        left, top, right, bottom = box
        height, width = self.ink.shape
        for _ in range(self.quarters):  # turns it back; what is on top now was on the right
            left, top, right, bottom = height - bottom, left, height - top, right
            height, width = width, height
        (x, y), s = self.corner, self.scale
        return x + s * left, y + s * top, x + s * right, y + s * bottom


@cache
def ink_network() -> Network:
    """The network that finds ink, loaded once."""
    return load_ink_network(INK_NETWORK)


def find_layout(picture: NDArray[np.uint8], *, pixels: int = FIRST_PIXELS) -> PageLayout:
    """The lines of writing.

    pixels: of the picture in which the network looks first; DIGIT_PIXELS if one digit is expected, which is large

    Shapes: picture (H, W, 3)
    """
    height, width = picture.shape[:2]
    longest = max(height, width)
    if longest <= TINY:
        ink, zoom = ink_of_tiny(picture)
        layout = _layout(ink, (0.0, 0.0), 1 / zoom)
        return replace(layout, repeated=zoom) if longest >= SHARP else layout
    zoom = min(1.0, (pixels / (height * width)) ** 0.5, MAX_SIDE / longest)
    if longest < SMALLEST and pixels == FIRST_PIXELS:
        zoom = SMALLEST / longest
    smallest = max(SMALLEST_SIZE, SMALLEST_SHARE * longest)
    ink = _ink_of(picture, zoom)
    components, labels = find_components(ink, zoom * smallest)
    if not components and pixels < FIRST_PIXELS:
        return find_layout(picture)
    if not components and zoom < 0.7:  # small writing on a large page
        zoom = min(1.0, (8 * FIRST_PIXELS / (height * width)) ** 0.5, MAX_SIDE / longest)
        ink = _ink_of(picture, zoom)
        components, labels = find_components(ink, zoom * smallest)
    if not components:
        peak = float(ink.max(initial=0))
        return PageLayout(ink, (0.0, 0.0), 1 / zoom, (), labels, (), peak if peak > FAINTEST else 0.0)
    tall = typical_height(components)
    rows, columns = _around(components, tall, zoom, (height, width))
    area = (rows.stop - rows.start) * (columns.stop - columns.start)
    limit = max(MAX_ENLARGEMENT, zoom) if longest >= SMALLEST else zoom
    closer = min(zoom * DIGIT / tall, limit, (MAX_PIXELS / area) ** 0.5)
    corner = (0.0, 0.0)
    if closer < 0.7 * zoom or closer > 1.4 * zoom:
        again = _ink_of(picture[rows, columns], closer)
        if find_components(again, closer * smallest)[0]:
            ink, zoom, corner = again, closer, (columns.start, rows.start)
    return _layout(ink, corner, 1 / zoom, zoom * smallest)


def _ink_of(picture: NDArray[np.uint8], zoom: float, least: float = FOUND) -> Array:
    """The ink map of a picture in another size. Shapes: (H, W, 3) -> (h, w)"""
    pixels = resized(picture, zoom)
    return complete_strokes(ink_map(pixels, ink_network()), pixels, least)


def complete_strokes(ink: Array, pixels: NDArray[np.uint8], least: float = FOUND) -> Array:
    """The ink map; on flat paper, as of a drawing program, with what the network missed of a stroke.

    The network may take a straight stroke for ruling. On flat paper, all that differs from it is known. If the network
    claims the share `least` of a component of it, all of the component is ink. For one that is shorter than half of
    another that is ink, such as a minus sign, any claim is enough. A printed line that touches the ink, of another
    colour, is no part of its component.

    Shapes: ink (h, w), pixels (h, w, 3)
    """
    from scipy.ndimage import find_objects, label

    grey = pixels.mean(axis=2, dtype=np.float32)
    difference = np.abs(grey - np.median(grey))
    level = float(np.partition(difference, -16, axis=None)[-16]) if difference.size >= 16 else 0.0
    if level < _MIN_RANGE or (difference <= EVEN).mean() < FLAT:
        return ink
    plain = np.clip(difference / level, 0, 1)
    differs = plain > 0.4
    labels, count = label(differs & _alike(ink, pixels, *label(differs, np.ones((3, 3)))), np.ones((3, 3)))
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    claimed = np.bincount(labels[ink > THRESHOLD], minlength=count + 1)
    edges = [np.unique(side) for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1])]
    frames = np.bincount(np.concatenate(edges), minlength=count + 1) >= 2
    kept = (claimed >= least * areas) & ~frames
    sizes = np.array([0, *(max(r.stop - r.start, c.stop - c.start) for r, c in find_objects(labels))])
    kept |= (claimed > 0) & ~frames & (sizes < sizes[kept].max(initial=0) / 2)
    kept[0] = False
    completed: Array = np.maximum(ink, np.where(_dilated(kept[labels], 1), plain, 0))
    return completed


def _alike(ink: Array, pixels: Array, labels: Array, count: int) -> NDArray[np.bool_]:
    """Whether each pixel is a mixture of the paper's colour p and the mean colour c of its component's claimed ink.

    With v = pixel - p, d = c - p and t = v.d / |d|^2: |v - t d| < OTHER_COLOUR |d|. True if no ink of it is claimed.
    """
    colours = pixels.astype(np.float32)
    paper = np.median(colours.reshape(-1, 3), axis=0)
    known = ink > 0.5
    of = labels[known]
    sums = np.stack([np.bincount(of, plane[known], count + 1) for plane in np.moveaxis(colours, 2, 0)], axis=1)
    found = np.bincount(of, minlength=count + 1)
    towards = (sums / np.maximum(found, 1)[:, None] - paper)[labels]
    away = colours - paper
    length = np.maximum(np.square(towards).sum(axis=2), 1)
    t = (away * towards).sum(axis=2) / length
    near = np.square(away - t[..., None] * towards).sum(axis=2) < OTHER_COLOUR**2 * length
    alike: NDArray[np.bool_] = near | (found == 0)[labels]
    return alike


def _dilated(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    from scipy.ndimage import binary_dilation

    return np.asarray(binary_dilation(mask, np.ones((3, 3)), by))


def _layout(
    ink: Array, corner: tuple[float, float], scale: float, smallest: float = 3, quarters: int = 0
) -> PageLayout:
    components, labels = find_components(ink, smallest)
    lines, left_out = _lines(ink, components, labels)
    return PageLayout(ink, corner, scale, tuple(components), labels, lines, left_out, quarters)


def ink_of_tiny(picture: NDArray[np.uint8]) -> tuple[Array, int]:
    """The ink of a picture of a few pixels, enlarged, and by which factor.

    Such a picture is a scan of a digit without ruling or shadows, where the network has too little to go by. Paper is
    the tone that prevails in the corners and in the whole.
    """
    from PIL import Image

    grey = picture.mean(axis=2, dtype=np.float32)
    low, high = np.percentile(grey, [2, 98])
    ink = np.clip((grey - low) / max(high - low, 1), 0, 1)
    if (ink.mean() + ink[:: max(1, len(ink) - 1), :: max(1, ink.shape[1] - 1)].mean()) / 2 > 0.5:
        ink = 1 - ink
    paper = float(np.median(ink[ink < 0.5]))  # uneven paper is not ink
    ink = np.clip((ink - paper) / (1 - paper), 0, 1)
    if high - low < _MIN_RANGE:
        ink = np.zeros_like(ink)
    height, width = ink.shape
    zoom = -(-2 * DIGIT // max(height, width))
    filters = Image.Resampling.NEAREST if max(height, width) >= SHARP else Image.Resampling.BICUBIC
    return np.clip(np.asarray(Image.fromarray(ink).resize((zoom * width, zoom * height), filters)), 0, 1), zoom


def turned(layout: PageLayout, quarters: int) -> PageLayout:
    """The layout if the picture is turned by 90 degrees counter-clockwise, `quarters` times."""
    ink = np.ascontiguousarray(np.rot90(layout.ink, quarters))
    return _layout(ink, layout.corner, layout.scale, quarters=quarters)


def as_one_line(layout: PageLayout) -> PageLayout:
    """The layout if its lines are pieces of one: the segments of a display, which lie in rows, or broken digits."""
    tall = max(c.bottom for c in layout.components) - min(c.top for c in layout.components)
    kept = sorted((c for c in layout.components if not _is_rule(c, tall)), key=lambda c: c.left)
    return replace(layout, lines=((_part(layout.ink, layout.labels, kept, 1.0),),) if kept else ())


def layout_of_ink(ink: Array) -> PageLayout:
    """The lines of writing if it is known where ink is, as in a drawing. Shapes: ink (H, W), 0 paper to 1 ink"""
    return _layout(ink, (0.0, 0.0), 1.0)


def _around(components: Sequence[Component], margin: float, zoom: float, size: tuple[int, int]) -> tuple[slice, slice]:
    """The rows and columns of the picture with all components and a margin, both in pixels of the map."""
    top, bottom = min(c.top for c in components) - margin, max(c.bottom for c in components) + margin
    left, right = min(c.left for c in components) - margin, max(c.right for c in components) + margin
    return (
        slice(max(0, int(top / zoom)), min(size[0], int(np.ceil(bottom / zoom)))),
        slice(max(0, int(left / zoom)), min(size[1], int(np.ceil(right / zoom)))),
    )


def find_components(ink: Array, smallest: float = 3) -> tuple[list[Component], NDArray[np.intp]]:
    """The connected components of an ink map, and the number of its component, or 0, for each pixel.

    Ink that is JOINED pixels apart is connected, so that broken strokes are not pieces. Without a component whose
    longer side has `smallest` pixels, there are only specks, which are no writing.
    """
    from scipy.ndimage import binary_dilation, find_objects, label

    inked = ink > THRESHOLD
    labels, count = label(binary_dilation(inked, np.ones((3, 3)), JOINED // 2), np.ones((3, 3)))
    labels = np.where(inked, labels, 0)
    if not count:
        return [], labels
    peaks = np.bincount(labels[ink > PEAK], minlength=count + 1) > 0
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    totals = np.bincount(labels.ravel(), weights=ink.ravel(), minlength=count + 1)
    found = []
    for number, box in enumerate(find_objects(labels), 1):
        if box is None:
            continue
        rows, columns = box
        if peaks[number] and max(rows.stop - rows.start, columns.stop - columns.start) >= 3:
            area = float(areas[number])
            level = float(totals[number]) / area
            found.append(Component(number, rows.start, rows.stop, columns.start, columns.stop, area, level))
    writing = [c for c in found if max(c.height, c.width) >= smallest and not _is_speck(c, max(ink.shape))]
    if not writing:
        return [], labels
    tall = typical_height(writing)
    found = [c for c in found if max(c.height, c.width) > 0.06 * tall]
    return sorted(found, key=lambda c: -c.area)[:_MAX_COMPONENTS], labels


def _is_speck(component: Component, side: int) -> bool:
    """Whether the component is small, round and filled."""
    longer, shorter = max(component.height, component.width), min(component.height, component.width)
    return longer < 0.05 * side and longer < 1.7 * shorter and component.area > 0.6 * longer * shorter


def typical_height(components: Sequence[Component]) -> float:
    """The median height, weighted by area."""
    heights = np.array([c.height for c in components], float)
    order = np.argsort(heights)
    total = np.cumsum(np.array([c.area for c in components])[order])
    return float(heights[order][np.searchsorted(total, total[-1] / 2)])


def _lines(
    ink: Array, components: Sequence[Component], labels: NDArray[np.intp]
) -> tuple[tuple[tuple[Part, ...], ...], float]:
    """The lines, and the share of the ink in none."""
    grouped = [line for line in group_in_lines(components) if not _is_remnant(line, components, ink.shape)]
    used = sum(c.area for line in grouped for c in line)
    lines = []
    for line in grouped:
        tall = typical_height(line)
        parts = [_part(ink, labels, part, tall) for part in _split(line, GAP * tall)]
        lines.append(tuple(parts))
    return tuple(lines), 1 - used / sum(c.area for c in components) if components else 0.0


def group_in_lines(components: Sequence[Component]) -> list[list[Component]]:
    """The components, grouped into lines from top to bottom, each from left to right, without long rules."""
    if not components:
        return []
    height = typical_height(components)
    kept = [c for c in components if not _is_rule(c, height)]
    main = sorted((c for c in kept if c.height >= 0.4 * height), key=lambda c: c.left)
    line_of = list(range(len(main)))
    for i, component in enumerate(main):
        beside = [j for j in range(i + 1, len(main)) if _side_by_side(component, main[j])]
        close = [j for j in beside if main[j].left - component.right < 0.5 * height]
        for j in {*beside[:1], *close}:
            old, new = line_of[j], line_of[i]
            line_of = [new if number == old else number for number in line_of]
    lines = [[main[i] for i in range(len(main)) if line_of[i] == number] for number in sorted(set(line_of))]
    lines = _with_fragments(lines, height)
    for component in sorted((c for c in kept if c.height < 0.4 * height), key=lambda c: -c.width):
        near = [line for line in lines if _belongs(component, line)]
        if near:
            min(near, key=lambda line: abs(component.middle - _nearest(component, line).middle)).append(component)
        elif component.width > 0.25 * height:
            lines.append([component])
    lines.sort(key=lambda line: float(np.mean([component.middle for component in line])))
    return [sorted(line, key=lambda c: c.left) for line in lines]


def _with_fragments(lines: Sequence[list[Component]], height: float) -> list[list[Component]]:
    """The lines, each with those that are only pieces of its digits."""
    whole: list[list[Component]] = []
    for line in sorted(lines, key=lambda line: -sum(c.area for c in line)):
        pieces_of = None
        if max(c.height for c in line) < 0.75 * height:
            pieces_of = next((w for w in whole if all(_inside(c, w) for c in line)), None)
        if pieces_of is None:
            whole.append(line)
        else:
            pieces_of.extend(line)
    return whole


def _inside(component: Component, line: Sequence[Component]) -> bool:
    return _belongs(component, line, 0.4, 0.2)


def _is_remnant(line: Sequence[Component], components: Sequence[Component], shape: tuple[int, ...]) -> bool:
    """Whether a line is what the upper or lower edge left of another one, or of a frame."""
    tall = typical_height(components)
    return all((c.top <= 1 or c.bottom >= shape[0] - 1) and c.height < 0.7 * tall for c in line)


def _is_rule(component: Component, height: float) -> bool:
    """Whether the component is long, thin and straight: ruling, or a frame's side."""
    long, short = max(component.height, component.width), max(1, min(component.height, component.width))
    flat = component.width > component.height
    return long > (2.5 if flat else 3.5) * height and short < 0.15 * long


def _side_by_side(component: Component, other: Component) -> bool:
    """Whether two components share enough of their height to be in one line."""
    shared = min(component.bottom, other.bottom) - max(component.top, other.top)
    return shared > 0.45 * min(component.height, other.height)


def _gap(component: Component, other: Component) -> int:
    return max(other.left - component.right, component.left - other.right)


def _nearest(component: Component, line: Sequence[Component]) -> Component:
    return min(line, key=lambda other: max(_gap(component, other), 0))


def _belongs(component: Component, line: Sequence[Component], reach: float = 1.5, slack: float = 0.3) -> bool:
    """Whether a small component is at the height of the line's components near it; both in heights of the line."""
    tall = max(c.height for c in line)
    near = [c for c in line if _gap(component, c) < reach * tall]
    if not near:
        return False
    top, bottom = min(c.top for c in near), max(c.bottom for c in near)
    return top - slack * tall < component.middle < bottom + slack * tall


def _split(line: Sequence[Component], gap: float) -> list[list[Component]]:
    """The components of a line, parted at wide gaps."""
    parts, end = [[line[0]]], line[0].right
    for component in line[1:]:
        if component.left - end > gap:
            parts.append([])
        parts[-1].append(component)
        end = max(end, component.right)
    return parts


def _slope(components: Sequence[Component], tall: float) -> float:
    """How far a line falls in each column: the median over pairs of components (Theil 1950)."""
    main = [c for c in components if c.height > 0.6 * tall]
    if len(main) < 3 or main[-1].right - main[0].left < 3 * tall:
        return 0.0
    x = np.array([(c.left + c.right) / 2 for c in main])
    slopes = []
    for edge in (np.array([float(c.bottom) for c in main]), np.array([c.middle for c in main])):
        dx, dy = x[:, None] - x, edge[:, None] - edge
        slopes += (dy[dx > tall] / dx[dx > tall]).tolist()
    return float(np.clip(np.median(slopes), -0.35, 0.35)) if slopes else 0.0


def _part(ink: Array, labels: NDArray[np.intp], components: Sequence[Component], tall: float) -> Part:
    """The components' ink, cut out with a margin of a few pixels and made level."""
    pad = 3
    slope = _slope(components, tall)
    left, right = (max(0, min(c.left for c in components) - pad), max(c.right for c in components) + pad)
    top, bottom = (max(0, min(c.top for c in components) - pad), max(c.bottom for c in components) + pad)
    inside = ink[top:bottom, left:right]
    mask = _soft_mask(labels[top:bottom, left:right], [c.number for c in components])
    cut = np.where(mask, inside, 0).astype(np.float32)
    if slope:
        cut, above = _levelled(cut, slope)
    else:
        above = 0
    first, last = ink_rows(cut)
    if last - first < 0.55 * tall:  # a dash, or a point: as high as its line
        middle = (first + last) / 2
        first, last = middle - tall / 2, middle + tall / 2
    return Part(cut, first, last, (left, top - above), slope)


def _levelled(ink: Array, slope: float) -> tuple[Array, int]:
    """The ink with each column moved up by slope times its number, and the number of rows added above."""
    height, width = ink.shape
    shifts = np.round(slope * np.arange(width)).astype(int)
    above = max(0, int(shifts.max()))
    levelled = np.zeros((height + above + max(0, int(-shifts.min())), width), ink.dtype)
    rows = np.arange(height)[:, None] + above - shifts
    levelled[rows, np.arange(width)] = ink
    return levelled, above


@dataclass(frozen=True, eq=False)
class DigitInk:
    """The ink of the one digit in a picture."""

    layout: PageLayout
    in_map: Array
    """(h, w): the digit's ink in the map, 0 paper to 1 ink."""
    box: tuple[slice, slice]
    """Its rows and columns in the map, with a margin of some pixels."""

    @property
    def coverage(self) -> Array:
        """The digit alone, 0 paper to 1 ink; as small as in the picture, if that was only enlarged."""
        step = self.layout.repeated
        return self.in_map[::step, ::step] if step > 1 else self.in_map[self.box]


def find_digit(picture: NDArray[np.uint8]) -> DigitInk | None:
    """The digit in a picture that shows exactly one; None if it shows no ink. Shapes: (H, W, 3)"""
    is_tiny = max(picture.shape[:2]) <= TINY
    found = one_digit(find_layout(picture, pixels=DIGIT_PIXELS), is_scan=is_tiny)
    if found is None and not is_tiny:
        zoom = min(1.0, SMALLEST / max(picture.shape[:2]))
        found = one_digit(_layout(_ink_of(picture, zoom, least=0), (0.0, 0.0), 1 / zoom))
    return found


def one_digit(layout: PageLayout, *, is_scan: bool = False) -> DigitInk | None:
    """The component that looks most like the digit, by its size and strength, and those that are part of it.

    is_scan: whether the picture is a scan of nothing but the digit, and its ink is as in `ink_of_tiny`
    """
    apart = SCANNED_APART if is_scan else APART
    if not layout.components:
        return None
    height, width = layout.ink.shape

    def score(c: Component) -> float:
        cut = (c.top <= 1) + (c.left <= 1) + (c.bottom >= height - 1) + (c.right >= width - 1)
        return float(np.log(c.area) + 2 * np.log(c.level) + 0.5 * np.log(max(c.height, c.width)) - 0.5 * cut)

    first = max(layout.components, key=score)
    chosen, others = [first], [c for c in layout.components if c is not first]
    while True:
        top, bottom = min(c.top for c in chosen), max(c.bottom for c in chosen)
        left, right = min(c.left for c in chosen), max(c.right for c in chosen)
        size = max(bottom - top, right - left)
        longest_line = (1.15 if _is_straight(first) else 0.8) * size
        near = [
            c
            for c in others
            if max(c.left - right, left - c.right, c.top - bottom, top - c.bottom) < apart * size
            and c.level > 0.7 * first.level
            and not (_is_straight(c) and max(c.height, c.width) > longest_line)
        ]
        if not near:
            break
        chosen += near
        others = [c for c in others if c not in near]
    reach = max(2, int(np.ceil(1.5 / layout.scale)))
    ink = np.where(_soft_mask(layout.labels, [c.number for c in chosen], reach), layout.ink, 0)
    pad = reach
    box = slice(max(0, top - pad), bottom + pad), slice(max(0, left - pad), right + pad)
    strength = 1.0 if is_scan else max(0.3, float(np.percentile(ink[ink > THRESHOLD], 80)))
    return DigitInk(layout, np.clip(ink / strength, 0, 1), box)


def _is_straight(component: Component) -> bool:
    longer, shorter = max(component.height, component.width), min(component.height, component.width)
    return shorter < 0.25 * longer


def _soft_mask(labels: NDArray[np.intp], numbers: Sequence[int], reach: int = 2) -> NDArray[np.bool_]:
    """The pixels of some components, and those up to `reach` pixels beside them that belong to no other."""
    wanted = np.isin(labels, numbers)
    mask: NDArray[np.bool_] = _dilated(wanted, reach) & ((labels == 0) | wanted)
    return mask
