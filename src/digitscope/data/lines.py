"""Finding the lines of writing in a picture: all its ink, in parts, and the parts in lines.

Pictures are floats 0 to 1, (H, W). As for one digit (`ink.py`), nobody says whether the ink is dark or light and how
wide its strokes are, so each is assumed in turn. A number may be read in two ways where both are likely.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.data.ink import (
    FAINTEST,
    along,
    contrast_to,
    find_ruling,
    ink_axis,
    noise_level,
    opened_paper,
    smooth_paper,
    stroke_width,
)
from digitscope.data.normalize import set_width
from digitscope.data.pictures import shrink

LOOK = 400  # pixels of the longer side in which ink and paper are told apart
WORKING = 1200  # pixels of the longer side in which strokes are followed
CLOSER = 1.5  # times larger: what makes a second look worthwhile
LEAST = 300  # pixels: smaller pictures are enlarged
HEIGHT = 64  # pixels of a line's digits once they are cut out
WIDTHS = (1.8, 3.6)  # pixels of MNIST: its strokes, from its 10th to its 90th percentile
UNIT = HEIGHT / 20  # pixels of a line for one of MNIST's
_WINDOWS = (0.04, 0.1, 0.25, 0.6)  # of the longer side: how large a piece of paper must be
_DARKER = 0.15  # what is around a sheet is darker by so much
_MOST_PARTS = 300
_MOST_GUESSES = 4


@dataclass(frozen=True, eq=False)
class Part:
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
class Line:
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


@dataclass(frozen=True, eq=False)
class _Guess:
    """An assumption about ink and paper, and how much what it finds looks like writing."""

    score: float
    dark: bool
    window: float
    """Of the longer side; infinite where the paper is one smooth surface."""
    ruling: Array | None
    """The contrast of the paper's lines, (2, H, W), where they are to be left out."""
    level: float


def find_lines(picture: NDArray[np.uint8]) -> Iterator[tuple[float, list[Line]]]:
    """The lines of writing in a picture, from top to bottom, under every likely assumption about its ink, each with a
    number: how much the ink looks like writing.

    Shapes: (H, W, 3)
    """
    colours, scale = _working(picture)
    seen: list[list[Part]] = []
    for value, guess in _looks(colours):
        contrast = _contrast(value, guess)
        parts = _parts(contrast, guess)
        lines = _in_lines(parts)
        if scale > CLOSER and not seen and (part := _part_with(lines, scale, picture)) is not None:
            for score, some in find_lines(picture[part]):
                yield score, _moved(some, part[1].start, part[0].start)
            return
        if not any(_alike(parts, others, 0.02 * LOOK) for others in seen):
            seen.append(parts)
            yield guess.score, [_cut_out(contrast, line, scale) for line in lines]


def _working(picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """The picture in as many pixels as are worked on, and how many of its own are in one."""
    colours = _at_least(shrink(picture, WORKING), LEAST)
    return colours, max(picture.shape[:2]) / max(colours.shape[:2])


def _looks(colours: NDArray[np.uint8]) -> Iterator[tuple[Array, _Guess]]:
    """The picture as one quantity, and what may be ink in it, the likeliest first. Where a sheet lies on something
    darker, the sheet alone comes first.
    """
    few = shrink(colours, LOOK).astype(np.float32) / 255
    axis = ink_axis(few)
    small = along(few, axis)
    value = along(colours.astype(np.float32) / 255, axis)
    alone = _sheet_alone(small)
    if alone is not None:
        filled, sheet = alone
        inside = _resized_to(sheet.astype(np.float32), value.shape) > 0.5
        large = np.where(inside, value, _resized_to(filled, value.shape))
        for guess, other in itertools.zip_longest(_guesses(filled)[:2], _guesses(small)):
            yield from ((image, some) for image, some in ((large, guess), (value, other)) if some is not None)
        return
    for guess in _guesses(small):
        yield value, guess


def _sheet_alone(value: Array) -> tuple[Array, NDArray[np.bool_]] | None:
    """The picture with what is around the sheet painted like the sheet's edge, and where the sheet is; None where it
    fills the picture, or is no sheet: smaller than a tenth, or not about a quadrilateral.
    """
    from scipy.ndimage import binary_erosion, binary_fill_holes, distance_transform_edt, gaussian_filter, label

    longest: int = max(value.shape)
    smooth = gaussian_filter(value, 0.008 * longest)
    if np.ptp(smooth) < _DARKER:
        return None
    bright = smooth > _otsu(smooth)
    labels, count = label(bright)
    if not count:
        return None
    sheet = binary_fill_holes(labels == 1 + int(np.bincount(labels.ravel())[1:].argmax()))
    rows, columns = np.nonzero(sheet)
    around = [rows + columns, rows - columns]
    # Its corners, if it is turned by less than 45 degrees.
    ends = [(rows[k], columns[k]) for a in around for k in (int(a.argmin()), int(a.argmax()))]
    (y0, x0), (y2, x2), (y1, x1), (y3, x3) = ends
    area = abs((x2 - x0) * (y3 - y1) - (x3 - x1) * (y2 - y0)) / 2
    border = np.concatenate([sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1]])
    if not 0.1 < sheet.mean() < 0.95 or border.mean() > 0.8 or not 0.85 < area / sheet.sum() < 1.1:
        return None
    if float(np.median(value[sheet]) - np.median(value[~sheet])) < _DARKER:
        return None
    inside = binary_erosion(sheet, iterations=max(1, round(0.015 * longest)), border_value=1)
    if not inside.any():
        return None
    nearest = distance_transform_edt(~inside, return_distances=False, return_indices=True)
    filled: Array = value[tuple(nearest)]
    return filled, inside


def _otsu(value: Array) -> float:
    """The threshold between two levels: the variance between what is below and what is above it is largest.

    Source: Otsu 1979
    """
    counts, edges = np.histogram(value, 64)
    below = np.cumsum(counts)
    middle = (edges[:-1] + edges[1:]) / 2
    mass = np.cumsum(counts * middle)
    above = below[-1] - below
    mean_below, mean_above = mass / np.maximum(below, 1), (mass[-1] - mass) / np.maximum(above, 1)
    return float(edges[1 + int((below * above * (mean_below - mean_above) ** 2).argmax())])


def _part_with(lines: list[list[Part]], scale: float, picture: Array) -> tuple[slice, slice] | None:
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


def _moved(lines: list[Line], x: float, y: float) -> list[Line]:
    return [replace(line, corner=(line.corner[0] + x, line.corner[1] + y)) for line in lines]


def _alike(parts: list[Part], others: list[Part], most: float) -> bool:
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


def _guesses(value: Array) -> list[_Guess]:
    """What is likely about ink and paper, the likeliest first."""
    border = np.concatenate([value[0], value[-1], value[:, 0], value[:, -1]])
    light = float((border > (value.min() + value.max()) / 2).mean())  # paper reaches the border more often than ink
    found = []
    for dark in (True, False):
        bright = 1 - value if dark else value
        usual = light if dark else 1 - light
        edges = _change(bright)
        papers = [(math.inf, smooth_paper(bright))]
        papers += [(share, opened_paper(bright, _window(share, bright))) for share in _WINDOWS]
        contrasts = [(share, _lit(contrast_to(paper, bright), paper, dark)) for share, paper in papers]
        lines = find_ruling(contrasts[2][1])
        for share, contrast in contrasts:
            noise = noise_level(bright) if share == math.inf else 1.4826 * _median(contrast[contrast > 0])
            for ruled in (False, True) if lines.any() else (False,):
                some = _without(contrast, lines, 1) if ruled else contrast
                score, level, thickest = _likeness(some, edges, noise)
                if 1.7 * thickest > share * max(value.shape) and share < _WINDOWS[-1]:
                    continue  # perhaps only what is left of wider strokes
                found.append(
                    _Guess(score * (0.5 + usual) * (1 + 2 * ruled), dark, share, lines if ruled else None, level)
                )
    found.sort(key=lambda guess: -guess.score)
    found = [guess for guess in found if guess.score > 0.1 * found[0].score]
    # Those that differ in kind from all before come first.
    kinds = [(guess.dark, guess.window == math.inf) for guess in found]
    return sorted(found, key=lambda guess: kinds[: found.index(guess)].count(kinds[found.index(guess)]))[:_MOST_GUESSES]


def _lit(contrast: Array, paper: Array, dark: bool) -> Array:
    """The contrast as it would be in full light.

    A shadow darkens paper and what is written on it by the same factor, so dark ink is compared with its paper. Light
    ink is left as it is.
    """
    if not dark:
        return contrast
    light = np.maximum(1 - paper, 0.1)
    lit: Array = contrast * (np.percentile(light, 95) / light)
    return lit


def _window(share: float, bright: Array) -> int:
    longest: int = max(bright.shape)
    return max(3, round(share * longest))


def _median(values: Array) -> float:
    return float(np.median(values)) if values.size else 0.0


def _change(bright: Array) -> Array:
    """How much the picture changes around each pixel."""
    from scipy.ndimage import maximum_filter, minimum_filter

    size = 2 * max(1, round(max(bright.shape) / 150)) + 1
    change: Array = maximum_filter(bright, size) - minimum_filter(bright, size)
    return change


def _likeness(contrast: Array, edges: Array, noise: float) -> tuple[float, float, float]:
    """How much the ink looks like writing, the contrast of its strokes, and the width of the widest.

    Writing has parts of strokes with edges all around that are not at the border. Several thresholds are tried.
    """
    from scipy.ndimage import binary_erosion, distance_transform_edt, find_objects, label

    threshold = max(FAINTEST, min(3 * noise, 0.15))
    best = 0.0, 0.0, 0.0
    longest = max(contrast.shape)
    while threshold < 0.6 * contrast.max():
        labels, _ = label(contrast > threshold, np.ones((3, 3)))
        boxes = [(max(s.stop - s.start for s in box), n, box) for n, box in enumerate(find_objects(labels), 1)]
        boxes = sorted((b for b in boxes if b[0] >= max(4, 0.025 * longest)), key=lambda b: -b[0])[:40]
        found = []
        for size, number, box in boxes:
            place = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in box)
            part = labels[place] == number
            level = float(np.percentile(contrast[place][part], 90))
            strong = np.pad(part & (contrast[place] > 0.5 * level), 1)
            thickest = 2 * float(distance_transform_edt(strong).max())
            strong = strong[1:-1, 1:-1]
            outline = strong & ~binary_erosion(strong, border_value=1)
            sharp = float((edges[place][outline] > 0.3 * level).mean()) if outline.any() else 1.0
            cut = sum(
                s.stop - s.start
                for axis, s in enumerate(box[::-1])
                for end in (box[1 - axis].start == 0, box[1 - axis].stop == contrast.shape[1 - axis])
                if end
            )
            score = level * size / longest * sharp**8 / (1 + (thickest / size / 0.4) ** 8)
            score *= (strong.sum() / part.sum()) / (1 + (cut / size) ** 2)
            found.append((score, level, thickest))
        if found:
            scores = np.array(found)
            # The square root of the sum of squares: one large digit rather than many specks.
            total = float(np.sqrt(np.square(scores[:, 0]).sum()))
            if total > best[0]:
                level = float(np.average(scores[:, 1], weights=scores[:, 0]))
                best = total, level, float(scores[scores[:, 0] > 0.2 * scores[:, 0].max(), 2].max())
        threshold *= 2
    return best


def _contrast(value: Array, guess: _Guess) -> Array:
    """The contrast of a picture to its paper, without ruling."""
    bright = 1 - value if guess.dark else value
    if guess.window == math.inf:
        paper = smooth_paper(bright)
        contrast = _lit(contrast_to(paper, bright), paper, guess.dark)
    else:
        half = _resized(bright, 0.5)
        paper = _resized_to(opened_paper(half, _window(guess.window, half)), bright.shape)
        contrast = _lit(contrast_to(np.minimum(paper, bright), bright), paper, guess.dark)
    if guess.ruling is not None:
        large = np.stack([_resized_to(line, bright.shape) for line in guess.ruling])
        contrast = _without(contrast, large, max(1, round(max(bright.shape) / max(guess.ruling.shape))))
    return contrast


def _resized(image: Array, factor: float) -> Array:
    return _resized_to(image, tuple(max(1, round(factor * side)) for side in image.shape))


def _resized_to(image: Array, shape: tuple[int, ...]) -> Array:
    from PIL import Image

    way = Image.Resampling.BOX if shape[0] < image.shape[0] else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(image.astype(np.float32)).resize((shape[1], shape[0]), way))


def _without(contrast: Array, lines: Array, slack: int) -> Array:
    """The contrast without the paper's lines: where a line goes, ink stays only where it is thicker than the line, as
    that of a stroke that crosses it. So musicians' scores lose their staff lines.

    Shapes: (H, W), (2, H, W) level and upright lines
    """
    from scipy.ndimage import grey_closing, maximum_filter1d

    result = contrast
    for axis, line in enumerate(lines):
        if not line.any():
            continue
        zone = maximum_filter1d(line, 2 * slack + 3, axis=axis) > FAINTEST / 2
        own = float(np.percentile(contrast[zone], 75))
        ink = contrast > 0.4 * own
        runs = _run_lengths(ink & zone, axis)
        thick = float(np.median(runs[runs > 0])) if (runs > 0).any() else 0
        whole = _run_lengths(ink, axis)
        gone = zone & (whole <= 1.6 * thick + 1)
        # A stroke much darker than the line keeps what it has.
        gone &= ~(contrast > 2.5 * own)
        cleared = np.where(gone, 0, result)
        reach = int(thick) + 2
        mended = np.minimum(result, grey_closing(cleared, size=(2 * reach + 1, 1) if axis == 0 else (1, 2 * reach + 1)))
        result = np.where(gone, mended, result)
    return result


def _run_lengths(ink: NDArray[np.bool_], axis: int) -> NDArray[np.intp]:
    """For each pixel of ink how long the run of ink through it is along the axis, 0 for paper."""
    rows = ink if axis == 1 else ink.T
    padded = np.pad(rows, ((0, 0), (1, 1))).astype(np.int8)
    change = np.diff(padded, axis=1)
    starts, ends = np.nonzero(change == 1), np.nonzero(change == -1)
    length = ends[1] - starts[1]
    runs = np.zeros(rows.shape, np.intp)
    runs[rows] = np.repeat(length, length)
    return runs if axis == 1 else runs.T


def _parts(contrast: Array, guess: _Guess) -> list[Part]:
    """The joined parts of the ink that may be of digits."""
    from scipy.ndimage import find_objects, label

    level = guess.level
    found: list[Part] = []
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
            found.append(Part(box, mask, float(np.percentile(contrast[box][mask], 85))))
        if not found:
            return []
        level = _weighted_median([part.level for part in found], [float(part.mask.sum()) for part in found])
    found = [part for part in found if part.level > 0.6 * level]
    return [part for part in found if not _is_edge(part, contrast.shape) and not _is_frame(part, found)]


def _weighted_median(values: list[float], weights: list[float]) -> float:
    order = np.argsort(values)
    total = np.cumsum(np.array(weights)[order])
    return float(np.array(values)[order][np.searchsorted(total, total[-1] / 2)])


def _is_edge(part: Part, shape: tuple[int, ...]) -> bool:
    """Whether it is a shadow or a desk that comes in from the border: much of it lies along the border."""
    mask = part.mask
    cut = [part.top == 0, part.bottom == shape[0], part.left == 0, part.right == shape[1]]
    along_border = [int(side.sum()) for side in (mask[0], mask[-1], mask[:, 0], mask[:, -1])]
    length = sum(n for n, yes in zip(along_border, cut, strict=True) if yes)
    return sum(cut) >= 3 or length > 0.6 * max(part.height, part.width)


def _is_frame(part: Part, others: list[Part]) -> bool:
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


def _in_lines(parts: list[Part]) -> list[list[Part]]:
    """The parts in lines from top to bottom, without specks and long strokes that are no digits."""
    if not parts:
        return []
    height = _weighted_median([float(part.height) for part in parts], [float(part.mask.sum()) for part in parts])
    parts = [part for part in parts if not _is_rule(part, height)]
    main = sorted((part for part in parts if part.height >= 0.4 * height), key=lambda part: part.left)
    line_of = list(range(len(main)))
    for i, part in enumerate(main):
        after = [
            (other.left - part.right, j)
            for j, other in enumerate(main)
            if j != i and (other.left, j) > (part.left, i) and _beside(part, other)
        ]
        if after:
            j = min(after)[1]
            old, new = line_of[j], line_of[i]
            line_of = [new if number == old else number for number in line_of]
    lines = [[main[i] for i in range(len(main)) if line_of[i] == number] for number in sorted(set(line_of))]
    for part in parts:
        if part.height < 0.4 * height:
            near = [line for line in lines if _belongs(part, line)]
            if near:
                min(near, key=lambda line: _away(part, line)).append(part)
    lines.sort(key=lambda line: np.mean([part.middle for part in line]))
    return lines


def _is_rule(part: Part, height: float) -> bool:
    """Whether it is a line below, between or beside digits: long, and its strokes thin and level or upright."""
    long, short = max(part.height, part.width), min(part.height, part.width)
    thickness = part.mask.sum() / long
    flat = part.width > part.height
    return bool(long > (1.3 if flat else 2.2) * height and thickness < 0.12 * long and short < 0.35 * long)


def _beside(part: Part, other: Part) -> bool:
    """Whether two parts share enough height to be in one line."""
    shared = min(part.bottom, other.bottom) - max(part.top, other.top)
    return shared > 0.45 * min(part.height, other.height)


def _nearest(part: Part, line: list[Part]) -> Part:
    return min(line, key=lambda other: max(other.left - part.right, part.left - other.right, 0))


def _belongs(part: Part, line: list[Part]) -> bool:
    near = _nearest(part, line)
    gap = max(near.left - part.right, part.left - near.right)
    return near.top - 0.3 * near.height < part.middle < near.bottom + 0.2 * near.height and gap < 1.0 * near.height


def _away(part: Part, line: list[Part]) -> float:
    near = _nearest(part, line)
    return abs(part.middle - near.middle)


def _cut_out(contrast: Array, parts: list[Part], scale: float) -> Line:
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
    ink = np.pad(drawing > 0.5, 1)
    now = stroke_width(ink, distance_transform_edt(ink)) / UNIT if ink.any() else WIDTHS[0]
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
    return Line(
        coverage=drawing,
        part=owner,
        parts=len(parts),
        stroke=wanted * UNIT,
        at_border=np.array(at_border),
        corner=(scale * (corner[0] - edge / factor), scale * (corner[1] - edge / factor)),
        scale=scale / factor,
    )
