"""Finding the lines of writing in a picture: all its ink, in parts, and the parts in lines.

Pictures are floats 0 to 1, (H, W). A number may be read in two ways where both are likely.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.vision.decode import shrink
from digitscope.vision.ink_hypotheses import ANALYSIS_SIDE, InkHypothesis, contrast_of, ink_hypotheses
from digitscope.vision.normalize import WIDTHS, centre, fit_box, set_width, stroke_width

WORKING = 1200  # pixels of the longer side in which strokes are followed
CLOSER = 1.5  # times larger: what makes a second look worthwhile
LEAST = 300  # pixels: smaller pictures are enlarged
HEIGHT = 64  # pixels of a line's digits once they are cut out
UNIT = HEIGHT / 20  # pixels of a line for one of MNIST's
_MOST_PARTS = 300
_MANY = 60  # parts: of more than these, some are looked at first
_TRIED = 32


@dataclass(frozen=True, eq=False)
class Component:
    """Ink that is joined."""

    place: tuple[slice, slice]
    mask: NDArray[np.bool_]
    """Which pixels of the place are its own."""
    level: float
    """The contrast of its full strokes."""

    @property
    def top(self) -> int:
        return int(self.place[0].start)

    @property
    def bottom(self) -> int:
        return int(self.place[0].stop)

    @property
    def left(self) -> int:
        return int(self.place[1].start)

    @property
    def right(self) -> int:
        return int(self.place[1].stop)

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
class TextLine:
    """A line of writing, cut out, its digits about HEIGHT pixels high and its strokes as wide as MNIST's."""

    coverage: Array
    """(h, w), 0 paper to 1 ink."""
    part: NDArray[np.intp]
    """(h, w): the number of the part that each pixel is nearest to, from 0."""
    parts: int
    stroke: float
    """The width of the strokes in the line's pixels."""
    at_border: NDArray[np.bool_]
    """(parts,): which parts the picture's border cuts."""
    corner: tuple[float, float]
    """Where the line's upper left corner is in the picture: x, y."""
    scale: float
    """Pixels of the picture in one of the line."""


def find_lines(
    picture: NDArray[np.uint8], no_digits: Callable[[NDArray[np.uint8]], bool] = lambda images: False
) -> Iterator[list[TextLine]]:
    """The lines of writing in a picture, from top to bottom, under every likely assumption about its ink.

    Where there are many parts, `no_digits` is asked whether a sample of them, in MNIST's form, has too few digits to be
    writing: noise, cloth or a page of text would take long to cut up, and in vain.

    Shapes: (H, W, 3), (N, 28, 28)
    """
    colours, scale = _working(picture)
    seen: list[list[Component]] = []
    for value, hypothesis in ink_hypotheses(colours):
        contrast = contrast_of(value, hypothesis)
        parts = _parts(contrast, hypothesis)
        lines = _in_lines(parts)
        if lines and len(parts) > _MANY and no_digits(_sample(contrast, lines)):
            continue
        if scale > CLOSER and not seen and (part := _part_with(lines, scale, picture)) is not None:
            for some in find_lines(picture[part], no_digits):
                yield _moved(some, part[1].start, part[0].start)
            return
        if not any(_alike(parts, others, 0.02 * ANALYSIS_SIDE) for others in seen):
            seen.append(parts)
            yield [_cut_out(contrast, line, scale) for line in lines]


def _working(picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """The picture in as many pixels as are worked on, and how many of its own are in one."""
    colours = _at_least(shrink(picture, WORKING), LEAST)
    return colours, max(picture.shape[:2]) / max(colours.shape[:2])


def _part_with(lines: list[list[Component]], scale: float, picture: Array) -> tuple[slice, slice] | None:
    """Where all lines are in the picture, with room around, where that shows them much larger."""
    parts = [part for line in lines for part in line]
    if not parts:
        return None
    room = max(part.height for part in parts)
    top, bottom = min(p.top for p in parts) - room, max(p.bottom for p in parts) + room
    left, right = min(p.left for p in parts) - room, max(p.right for p in parts) + room
    rows = slice(max(0, round(scale * top)), min(picture.shape[0], round(scale * bottom)))
    columns = slice(max(0, round(scale * left)), min(picture.shape[1], round(scale * right)))
    longest = max(rows.stop - rows.start, columns.stop - columns.start)
    return (rows, columns) if longest * CLOSER < max(picture.shape[:2]) else None


def _moved(lines: list[TextLine], x: float, y: float) -> list[TextLine]:
    return [replace(line, corner=(line.corner[0] + x, line.corner[1] + y)) for line in lines]


def _alike(parts: list[Component], others: list[Component], most: float) -> bool:
    """Whether these are the same parts, but for so many pixels."""
    if len(parts) != len(others):
        return False
    corners = [np.array(sorted((p.left, p.top, p.right, p.bottom) for p in some)) for some in (parts, others)]
    return not parts or float(np.abs(corners[0] - corners[1]).max()) <= most


def _at_least(colours: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The picture, enlarged where its longer side has fewer pixels."""
    from PIL import Image

    factor = -(-side // max(colours.shape[:2]))
    if factor == 1:
        return colours
    height, width = colours.shape[:2]
    return np.asarray(Image.fromarray(colours).resize((factor * width, factor * height), Image.Resampling.BICUBIC))


def _parts(contrast: Array, hypothesis: InkHypothesis) -> list[Component]:
    """The joined parts of the ink that may be of digits."""
    from scipy.ndimage import find_objects, label

    level = hypothesis.level
    found: list[Component] = []
    least = max(3, 0.012 * max(contrast.shape))
    for _ in range(2):
        labels, count = label(contrast > 0.35 * level, np.ones((3, 3)))
        if not count:
            return []
        strong = np.bincount(labels[contrast > 0.55 * level], minlength=count + 1) > 0
        boxes = [
            (max(s.stop - s.start for s in box), number, box)
            for number, box in enumerate(find_objects(labels), 1)
            if strong[number]
        ]
        boxes = sorted((b for b in boxes if b[0] >= least), key=lambda b: -b[0])[:_MOST_PARTS]
        found = []
        for _size, number, box in boxes:
            mask = labels[box] == number
            found.append(Component(box, mask, float(np.percentile(contrast[box][mask], 85))))
        if not found:
            return []
        level = _weighted_median([part.level for part in found], [float(part.mask.sum()) for part in found])
    found = [part for part in found if part.level > 0.6 * level]
    return [part for part in found if not _is_edge(part, contrast.shape) and not _is_frame(part, found)]


def _weighted_median(values: list[float], weights: list[float]) -> float:
    order = np.argsort(values)
    total = np.cumsum(np.array(weights)[order])
    return float(np.array(values)[order][np.searchsorted(total, total[-1] / 2)])


def _is_edge(part: Component, shape: tuple[int, ...]) -> bool:
    """Whether it is a shadow or a desk that comes in from the border: much of it lies along the border."""
    mask = part.mask
    cut = [part.top == 0, part.bottom == shape[0], part.left == 0, part.right == shape[1]]
    along_border = [int(side.sum()) for side in (mask[0], mask[-1], mask[:, 0], mask[:, -1])]
    length = sum(n for n, yes in zip(along_border, cut, strict=True) if yes)
    return sum(cut) >= 3 or length > 0.6 * max(part.height, part.width)


def _is_frame(part: Component, others: list[Component]) -> bool:
    """Whether it goes around others: the border of a box, or the ruling of a form."""
    if part.mask.mean() > 0.3:
        return False
    inside = [
        other
        for other in others
        if other is not part
        and part.top < other.top
        and other.bottom < part.bottom
        and part.left < other.left
        and other.right < part.right
        and other.height > 0.25 * part.height
    ]
    return len(inside) > 0 and part.height > 20


def _in_lines(parts: list[Component]) -> list[list[Component]]:
    """The parts in lines from top to bottom, without specks and long strokes that are no digits."""
    if not parts:
        return []
    height = _weighted_median([float(part.height) for part in parts], [float(part.mask.sum()) for part in parts])
    parts = [part for part in parts if not _is_rule(part, height)]
    main = sorted((part for part in parts if part.height >= 0.4 * height), key=lambda part: part.left)
    line_of = list(range(len(main)))
    for i, part in enumerate(main):
        after = next((j for j in range(i + 1, len(main)) if _beside(part, main[j])), None)
        if after is not None:
            old, new = line_of[after], line_of[i]
            line_of = [new if number == old else number for number in line_of]
    lines = [[main[i] for i in range(len(main)) if line_of[i] == number] for number in sorted(set(line_of))]
    for part in parts:
        if part.height < 0.4 * height:
            near = [line for line in lines if _belongs(part, line)]
            if near:
                min(near, key=lambda line: _away(part, line)).append(part)
    lines.sort(key=lambda line: np.mean([part.middle for part in line]))
    return lines


def _is_rule(part: Component, height: float) -> bool:
    """Whether it is a line below, between or beside digits: long, and its strokes thin and level or upright."""
    long, short = max(part.height, part.width), min(part.height, part.width)
    thickness = part.mask.sum() / long
    flat = part.width > part.height
    return bool(long > (1.3 if flat else 2.2) * height and thickness < 0.12 * long and short < 0.35 * long)


def _beside(part: Component, other: Component) -> bool:
    """Whether two parts share enough height to be in one line."""
    shared = min(part.bottom, other.bottom) - max(part.top, other.top)
    return shared > 0.45 * min(part.height, other.height)


def _nearest(part: Component, line: list[Component]) -> Component:
    return min(line, key=lambda other: max(other.left - part.right, part.left - other.right, 0))


def _belongs(part: Component, line: list[Component]) -> bool:
    near = _nearest(part, line)
    gap = max(near.left - part.right, part.left - near.right)
    return near.top - 0.3 * near.height < part.middle < near.bottom + 0.2 * near.height and gap < 1.0 * near.height


def _away(part: Component, line: list[Component]) -> float:
    near = _nearest(part, line)
    return abs(part.middle - near.middle)


def _sample(contrast: Array, lines: list[list[Component]]) -> NDArray[np.uint8]:
    """Some of the parts that are as high as digits, in MNIST's form. (N, 28, 28)"""
    parts = [part for line in lines for part in line]
    height = _weighted_median([float(part.height) for part in parts], [float(part.mask.sum()) for part in parts])
    tall = [part for part in parts if part.height >= 0.4 * height]
    some = tall[:: max(1, len(tall) // _TRIED)]
    return np.stack([centre(fit_box(part.mask * np.clip(contrast[part.place] / part.level, 0, 1))) for part in some])


def _cut_out(contrast: Array, parts: list[Component], scale: float) -> TextLine:
    """A line by itself: enlarged or reduced, its strokes brought to a width that MNIST has."""
    from PIL import Image
    from scipy.ndimage import distance_transform_edt

    top, bottom = min(p.top for p in parts), max(p.bottom for p in parts)
    left, right = min(p.left for p in parts), max(p.right for p in parts)
    pad = 3
    inside = (
        slice(max(0, top - pad), min(contrast.shape[0], bottom + pad)),
        slice(max(0, left - pad), min(contrast.shape[1], right + pad)),
    )
    corner = inside[1].start, inside[0].start
    labels = np.zeros(contrast[inside].shape, np.intp)
    levels = np.ones(len(parts) + 1)
    for number, part in enumerate(parts, 1):
        rows, columns = (slice(s.start - c, s.stop - c) for s, c in zip(part.place, corner[::-1], strict=True))
        labels[rows, columns][part.mask] = number
        levels[number] = part.level
    distance, nearest = distance_transform_edt(labels == 0, return_indices=True)
    owner = labels[tuple(nearest)]
    coverage = np.where(distance <= 2, np.clip(contrast[inside] / levels[owner], 0, 1), 0)

    tall = [float(part.height) for part in parts]
    height = _weighted_median(tall, tall)
    factor = HEIGHT / height
    size = [max(4, round(factor * side)) for side in coverage.shape]
    image = Image.fromarray(coverage.astype(np.float32)).resize((size[1], size[0]), Image.Resampling.BICUBIC)
    drawing = np.clip(np.asarray(image), 0, 1)
    places = [
        np.minimum((np.arange(n) + 0.5) * m / n, m - 1).astype(int) for n, m in zip(size, coverage.shape, strict=True)
    ]
    owner = owner[np.ix_(*places)] - 1
    now = stroke_width(drawing, fine=UNIT) or WIDTHS[0]
    wanted = float(np.clip(now, *WIDTHS))
    edge = 0
    if wanted != now:
        before = drawing.shape
        drawing = set_width(drawing, now, wanted, fine=UNIT)
        edge = (drawing.shape[0] - before[0]) // 2
        owner = np.pad(owner, edge, mode="edge")
    at_border = [
        p.top == 0 or p.left == 0 or p.bottom == contrast.shape[0] or p.right == contrast.shape[1] for p in parts
    ]
    return TextLine(
        coverage=drawing,
        part=owner,
        parts=len(parts),
        stroke=wanted * UNIT,
        at_border=np.array(at_border),
        corner=(scale * (corner[0] - edge / factor), scale * (corner[1] - edge / factor)),
        scale=scale / factor,
    )
