"""Finds the lines of writing in a picture: connected components of its ink, grouped into lines.

Pictures are floats 0 to 1, (H, W).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.vision.decode import shrink
from digitscope.vision.ink_hypotheses import ANALYSIS_SIDE, contrast_of, ink_hypotheses
from digitscope.vision.normalize import SHAPE, WIDTHS, Shape, centre, fit_box, set_width, stroke_width

WORKING = 1200
"""Maximum longer side, in pixels, of the picture in which lines are searched for."""
MIN_ZOOM = 1.5
"""If the part with all lines can be enlarged by this factor, the search is repeated in it."""
MIN_SIDE = 300
"""Minimum longer side, in pixels: smaller pictures are enlarged."""
HEIGHT = 64
"""Height, in pixels, of the digits in a `TextLine`."""
UNIT = HEIGHT / 20
"""Number of pixels in a `TextLine` for one of MNIST's."""
_MAX_COMPONENTS = 300
_MANY_COMPONENTS = 60
"""If there are more components, a sample of them is classified first."""
_SAMPLE_SIZE = 32


@dataclass(frozen=True, eq=False)
class Component:
    """A connected component of the ink."""

    place: tuple[slice, slice]
    mask: NDArray[np.bool_]
    """The pixels of `place` that belong to the component."""
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

    @property
    def area(self) -> float:
        return float(self.mask.sum())


@dataclass(frozen=True, eq=False)
class TextLine:
    """A line of writing, cut out and scaled. Digits are about HEIGHT pixels high, and strokes as wide as MNIST's."""

    coverage: Array
    """(h, w), 0 paper to 1 ink."""
    component: NDArray[np.intp]
    """(h, w): the index, from 0, of the component that is nearest to each pixel."""
    components: int
    """The number of components."""
    stroke: float
    """The width of the strokes in the line's pixels."""
    at_border: NDArray[np.bool_]
    """(components,): whether the picture's border cuts the component."""
    corner: tuple[float, float]
    """The line's upper left corner in the picture: x, y."""
    scale: float
    """Number of the picture's pixels along the side of one of the line's."""


def find_lines(
    picture: NDArray[np.uint8],
    no_digits: Callable[[NDArray[np.uint8]], bool] = lambda images: False,
    shape: Shape = SHAPE,
) -> Iterator[list[TextLine]]:
    """The lines of writing in a picture, from top to bottom, under every likely assumption about its ink.

    If there are many components, `no_digits` decides whether a sample of them, in MNIST's format, has too few digits to
    be writing. This avoids the long segmentation of noise, cloth or a page of text.

    Shapes: (H, W, 3), (N, *shape)
    """
    colours, scale = _working_picture(picture)
    seen: list[list[Component]] = []
    for value, hypothesis in ink_hypotheses(colours):
        contrast = contrast_of(value, hypothesis)
        components = _components(contrast, hypothesis.level)
        lines = _group_in_lines(components)
        if lines and len(components) > _MANY_COMPONENTS and no_digits(_sample(contrast, lines, shape)):
            continue
        if scale > MIN_ZOOM and not seen and (crop := _crop_around(lines, scale, picture)) is not None:
            for closer_lines in find_lines(picture[crop], no_digits, shape):
                yield _shifted(closer_lines, crop[1].start, crop[0].start)
            return
        if not any(_same_components(components, others, 0.02 * ANALYSIS_SIDE) for others in seen):
            seen.append(components)
            yield [_cut_out(contrast, line, scale) for line in lines]


def find_lines_in_ink(ink: Array) -> list[TextLine]:
    """The lines of writing, from top to bottom, if it is known where ink is, as in a drawing.

    Shapes: ink (H, W), 0 paper to 1 ink
    """
    margin = 2  # a stroke that ends at the border of a drawing is not cut by it
    padded = np.pad(ink, margin)
    lines = [_cut_out(padded, line, 1.0) for line in _group_in_lines(_components(padded, 1.0))]
    return _shifted(lines, -margin, -margin)


def _working_picture(picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """The picture in working size, and the number of its pixels along the side of one in working size."""
    colours = _enlarged(shrink(picture, WORKING), MIN_SIDE)
    return colours, max(picture.shape[:2]) / max(colours.shape[:2])


def _crop_around(lines: list[list[Component]], scale: float, picture: Array) -> tuple[slice, slice] | None:
    """The part of the picture with all lines and some margin; None if the lines would not be much larger in it."""
    components = [component for line in lines for component in line]
    if not components:
        return None
    margin = max(component.height for component in components)
    top, bottom = min(p.top for p in components) - margin, max(p.bottom for p in components) + margin
    left, right = min(p.left for p in components) - margin, max(p.right for p in components) + margin
    rows = slice(max(0, round(scale * top)), min(picture.shape[0], round(scale * bottom)))
    columns = slice(max(0, round(scale * left)), min(picture.shape[1], round(scale * right)))
    longest = max(rows.stop - rows.start, columns.stop - columns.start)
    return (rows, columns) if longest * MIN_ZOOM < max(picture.shape[:2]) else None


def _shifted(lines: list[TextLine], x: float, y: float) -> list[TextLine]:
    return [replace(line, corner=(line.corner[0] + x, line.corner[1] + y)) for line in lines]


def _same_components(components: list[Component], others: list[Component], tolerance: float) -> bool:
    """Whether the components have the same boxes, except for `tolerance` pixels."""
    if len(components) != len(others):
        return False
    corners = [np.array(sorted((p.left, p.top, p.right, p.bottom) for p in group)) for group in (components, others)]
    return not components or float(np.abs(corners[0] - corners[1]).max()) <= tolerance


def _enlarged(colours: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The picture, enlarged if its longer side has fewer pixels."""
    from PIL import Image

    factor = -(-side // max(colours.shape[:2]))
    if factor == 1:
        return colours
    height, width = colours.shape[:2]
    return np.asarray(Image.fromarray(colours).resize((factor * width, factor * height), Image.Resampling.BICUBIC))


def _components(contrast: Array, level: float) -> list[Component]:
    """The connected components of the ink that may belong to digits. level: the contrast of full strokes"""
    from scipy.ndimage import find_objects, label

    found: list[Component] = []
    min_size = max(3, 0.012 * max(contrast.shape))
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
        boxes = sorted((b for b in boxes if b[0] >= min_size), key=lambda b: -b[0])[:_MAX_COMPONENTS]
        found = []
        for _size, number, box in boxes:
            mask = labels[box] == number
            found.append(Component(box, mask, float(np.percentile(contrast[box][mask], 85))))
        if not found:
            return []
        level = _weighted_median([c.level for c in found], [c.area for c in found])
    found = [component for component in found if component.level > 0.6 * level]
    return [c for c in found if not _is_edge(c, contrast.shape) and not _is_frame(c, found)]


def _weighted_median(values: list[float], weights: list[float]) -> float:
    order = np.argsort(values)
    total = np.cumsum(np.array(weights)[order])
    return float(np.array(values)[order][np.searchsorted(total, total[-1] / 2)])


def _median_height(components: list[Component]) -> float:
    """The median of the components' heights, weighted by their areas."""
    return _weighted_median([float(c.height) for c in components], [c.area for c in components])


def _is_edge(component: Component, shape: tuple[int, ...]) -> bool:
    """Whether the component is a shadow or a desk: much of it lies along the border of the picture."""
    mask = component.mask
    cut = [component.top == 0, component.bottom == shape[0], component.left == 0, component.right == shape[1]]
    along_border = [int(side.sum()) for side in (mask[0], mask[-1], mask[:, 0], mask[:, -1])]
    length = sum(n for n, yes in zip(along_border, cut, strict=True) if yes)
    return sum(cut) >= 3 or length > 0.6 * max(component.height, component.width)


def _is_frame(component: Component, others: list[Component]) -> bool:
    """Whether the component surrounds others, like the border of a box or the ruling of a form."""
    if component.mask.mean() > 0.3:
        return False
    inside = [
        other
        for other in others
        if other is not component
        and component.top < other.top
        and other.bottom < component.bottom
        and component.left < other.left
        and other.right < component.right
        and other.height > 0.25 * component.height
    ]
    return len(inside) > 0 and component.height > 20


def _group_in_lines(components: list[Component]) -> list[list[Component]]:
    """The components, grouped into lines from top to bottom, without specks and long rules."""
    if not components:
        return []
    height = _median_height(components)
    components = [component for component in components if not _is_rule(component, height)]
    main = sorted((c for c in components if c.height >= 0.4 * height), key=lambda c: c.left)
    line_of = list(range(len(main)))
    for i, component in enumerate(main):
        after = next((j for j in range(i + 1, len(main)) if _in_one_line(component, main[j])), None)
        if after is not None:
            old, new = line_of[after], line_of[i]
            line_of = [new if number == old else number for number in line_of]
    lines = [[main[i] for i in range(len(main)) if line_of[i] == number] for number in sorted(set(line_of))]
    for component in components:
        if component.height < 0.4 * height:
            near = [line for line in lines if _belongs(component, line)]
            if near:
                min(near, key=lambda line: _vertical_distance(component, line)).append(component)
    lines.sort(key=lambda line: np.mean([component.middle for component in line]))
    return lines


def _is_rule(component: Component, height: float) -> bool:
    """Whether the component is a rule below, between or beside digits: long, thin, and horizontal or vertical."""
    long, short = max(component.height, component.width), min(component.height, component.width)
    thickness = component.mask.sum() / long
    flat = component.width > component.height
    return bool(long > (1.3 if flat else 2.2) * height and thickness < 0.12 * long and short < 0.35 * long)


def _in_one_line(component: Component, other: Component) -> bool:
    """Whether two components share enough of their height to be in one line."""
    shared = min(component.bottom, other.bottom) - max(component.top, other.top)
    return shared > 0.45 * min(component.height, other.height)


def _nearest(component: Component, line: list[Component]) -> Component:
    return min(line, key=lambda other: max(other.left - component.right, component.left - other.right, 0))


def _belongs(component: Component, line: list[Component]) -> bool:
    near = _nearest(component, line)
    gap = max(near.left - component.right, component.left - near.right)
    return near.top - 0.3 * near.height < component.middle < near.bottom + 0.2 * near.height and gap < 1.0 * near.height


def _vertical_distance(component: Component, line: list[Component]) -> float:
    near = _nearest(component, line)
    return abs(component.middle - near.middle)


def _sample(contrast: Array, lines: list[list[Component]], shape: Shape) -> NDArray[np.uint8]:
    """A sample of the components that are as high as digits, in MNIST's format. (N, *shape)"""
    components = [component for line in lines for component in line]
    height = _median_height(components)
    tall = [component for component in components if component.height >= 0.4 * height]
    sample = tall[:: max(1, len(tall) // _SAMPLE_SIZE)]
    inks = [c.mask * np.clip(contrast[c.place] / c.level, 0, 1) for c in sample]
    return np.stack([centre(fit_box(ink, shape), shape) for ink in inks])


def _cut_out(contrast: Array, components: list[Component], scale: float) -> TextLine:
    """A line, cut out and scaled so that its digits are HEIGHT high and its strokes as wide as in MNIST."""
    from PIL import Image
    from scipy.ndimage import distance_transform_edt

    top, bottom = min(p.top for p in components), max(p.bottom for p in components)
    left, right = min(p.left for p in components), max(p.right for p in components)
    pad = 3
    inside = (
        slice(max(0, top - pad), min(contrast.shape[0], bottom + pad)),
        slice(max(0, left - pad), min(contrast.shape[1], right + pad)),
    )
    corner = inside[1].start, inside[0].start
    labels = np.zeros(contrast[inside].shape, np.intp)
    levels = np.ones(len(components) + 1)
    for number, component in enumerate(components, 1):
        rows, columns = (slice(s.start - c, s.stop - c) for s, c in zip(component.place, corner[::-1], strict=True))
        labels[rows, columns][component.mask] = number
        levels[number] = component.level
    distance, nearest = distance_transform_edt(labels == 0, return_indices=True)
    owner = labels[tuple(nearest)]
    coverage = np.where(distance <= 2, np.clip(contrast[inside] / levels[owner], 0, 1), 0)

    tall = [float(component.height) for component in components]
    height = _weighted_median(tall, tall)
    factor = HEIGHT / height
    size = [max(4, round(factor * side)) for side in coverage.shape]
    image = Image.fromarray(coverage.astype(np.float32)).resize((size[1], size[0]), Image.Resampling.BICUBIC)
    drawing = np.clip(np.asarray(image), 0, 1)
    places = [
        np.minimum((np.arange(n) + 0.5) * m / n, m - 1).astype(int) for n, m in zip(size, coverage.shape, strict=True)
    ]
    owner = owner[np.ix_(*places)] - 1
    width = stroke_width(drawing, fine=UNIT) or WIDTHS[0]
    target = float(np.clip(width, *WIDTHS))
    edge = 0
    if target != width:
        before = drawing.shape
        drawing = set_width(drawing, width, target, fine=UNIT)
        edge = (drawing.shape[0] - before[0]) // 2
        owner = np.pad(owner, edge, mode="edge")
    at_border = [
        p.top == 0 or p.left == 0 or p.bottom == contrast.shape[0] or p.right == contrast.shape[1] for p in components
    ]
    return TextLine(
        coverage=drawing,
        component=owner,
        components=len(components),
        stroke=target * UNIT,
        at_border=np.array(at_border),
        corner=(scale * (corner[0] - edge / factor), scale * (corner[1] - edge / factor)),
        scale=scale / factor,
    )
