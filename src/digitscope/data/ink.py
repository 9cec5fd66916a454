"""Finding the ink of one digit on its paper.

Pictures are floats 0 to 1, (H, W, 3) in colour or (H, W) as one quantity. Nobody says whether the ink is dark or light,
thin or thick, or how the light falls. So each is assumed in turn, and the one stays whose ink looks most like a digit.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from digitscope.arrays import Array

FAINTEST = 10 / 255  # contrast, of a range of 1: anything weaker is paper
_WINDOWS = (0.12, 0.3, 0.7)  # of the picture's longer side: how large a piece of paper must be
_SLOPES = np.linspace(-0.12, 0.12, 9)  # of a ruling that is not quite level: up to 7 degrees


@dataclass(frozen=True, eq=False)
class Ink:
    """The ink of one digit. Shapes: all (H, W)"""

    dark: bool
    """Whether the ink is darker than its paper."""
    paper: Array
    """The paper without the ink, 0 to 1, as the picture has it."""
    contrast: Array
    """How far each pixel differs from its paper in the direction of ink, from 0."""
    ruled: bool
    """Whether the paper's lines were taken away."""
    ink: Array
    """All that is ink, as bool."""
    digit: Array
    """What belongs to the digit, as bool."""
    level: float
    """The contrast of a full stroke of the digit."""

    @property
    def coverage(self) -> Array:
        """How much of each pixel the digit's ink covers, 0 to 1: its contrast over that of a full stroke.

        A stroke's edge is softer than its core, so the pixels around the digit count, too.
        """
        from scipy.ndimage import binary_dilation

        others = self.ink & ~self.digit
        near = binary_dilation(self.digit, np.ones((3, 3)), iterations=2) & ~others
        covered: Array = np.clip(self.contrast / self.level, 0, 1) * near
        return covered


def ink_axis(rgb: Array) -> Array:
    """The direction in which colours differ most from those around them: the one in which ink stands out.

    With d the difference of a pixel from the median around it, the a of length 1 that makes sum (a . d)^2 largest is
    the eigenvector of sum d d^T with the largest eigenvalue. Scaled so that sum |a| = 1, and grey stays what it is.

    Shapes: (H, W, 3) -> (3,)
    """
    from scipy.ndimage import median_filter, zoom

    steps = [max(1, side // 32) for side in rgb.shape[:2]]
    small = rgb[:: steps[0], :: steps[1]]
    around = np.stack([median_filter(small[..., i], [side // 2 + 1 for side in small.shape[:2]]) for i in range(3)], 2)
    factors = [rgb.shape[i] / small.shape[i] for i in range(2)]
    d = (rgb - zoom(around, (*factors, 1), order=1, mode="nearest", grid_mode=True)).reshape(-1, 3)
    d = d[np.abs(d).max(axis=1) > FAINTEST]
    if not len(d) or np.ptp(d, axis=1).max() < FAINTEST:
        return np.full(3, 1 / 3)
    axis: Array = np.linalg.eigh(d.T @ d)[1][:, -1]
    if axis.sum() < 0:
        axis = -axis
    scaled: Array = axis / np.abs(axis).sum()
    return scaled


def along(rgb: Array, axis: Array) -> Array:
    """The picture as one quantity, sum a rgb, moved so that it lies in 0 to 1. (H, W, 3), (3,) -> (H, W)"""
    value: Array = (rgb @ axis + np.maximum(-axis, 0).sum()).astype(np.float32)
    return value


def find_ink(value: Array) -> Ink | None:
    """The ink of the one digit in the picture, or None where there is none.

    Dark and light ink are tried, and three sizes of the pieces of paper between strokes. Each gives a contrast, the
    contrast parts, and each part a likeness to a digit; the part with the highest is the digit's largest.

    Shapes: (H, W), 0 to 1
    """
    best: tuple[float, Ink] | None = None
    paper_is_light = _light_border(value)
    for dark in (True, False):
        bright = 1 - value if dark else value
        usual = paper_is_light if dark else 1 - paper_is_light
        edges = _range_around(bright)
        papers = [(math.inf, smooth_paper(bright))]
        papers += [
            (size, opened_paper(bright, size)) for size in (max(3, round(w * max(value.shape))) for w in _WINDOWS)
        ]
        contrasts = [(size, paper, contrast_to(paper, bright)) for size, paper in papers]
        lines = find_ruling(contrasts[1][2])  # in the smallest window lines stand alone
        for size, paper, contrast in contrasts:
            noise = noise_level(bright) if size == math.inf else 1.4826 * _median(contrast[contrast > 0])
            for some, ruled in _with_and_without(contrast, lines):
                found = _best_part(some, bright, edges, noise)
                if found is None:
                    continue
                score, part, level, thickest = found
                if 1.7 * thickest > size and size < max(s for s, _ in papers[1:]):
                    continue  # perhaps only what is left of a wider stroke
                score *= (1 + usual) * ruled
                if best is None or score > best[0]:
                    ink, digit = _grow(some, part, level)
                    best = score, Ink(dark, 1 - paper if dark else paper, some, ruled > 1, ink, digit, level)
    return best[1] if best else None


def _light_border(value: Array) -> float:
    """The share of the border that is lighter than the mean of the lightest and the darkest: paper reaches the border
    more often than ink.
    """
    border = np.concatenate([value[0], value[-1], value[:, 0], value[:, -1]])
    return float((border > (value.min() + value.max()) / 2).mean())


def smooth_paper(bright: Array) -> Array:
    """The paper under bright ink as light falls on it: a surface of the second degree.

    The coefficients c of sum_k c_k x^i y^j make sum w (bright - surface)^2 least, where w = exp(-(r/s)^2) for what is
    brighter than the surface by r, else 1: ink hardly counts. The scale s goes down to that of the paper's noise.

    Shapes: (H, W) -> (H, W)
    Source: iteratively reweighted least squares with Welsch's weights, Holland and Welsch 1977.
    """
    rows, columns = (np.linspace(-1, 1, side, dtype=np.float32) for side in bright.shape)
    y, x = np.broadcast_to(rows[:, None], bright.shape), np.broadcast_to(columns, bright.shape)
    terms = np.stack([np.ones_like(bright), x, y, x * x, x * y, y * y])
    sparse = tuple(slice(None, None, max(1, side // 64)) for side in bright.shape)
    some, seen = terms[:, *sparse].reshape(len(terms), -1), bright[sparse].ravel()
    c = np.zeros(len(terms), np.float32)
    c[0] = np.median(seen)
    least = max(4 * noise_level(bright), FAINTEST / 2)
    scale = max(float(np.ptp(seen)) / 2, least)
    ridge = 1e-3 * len(seen) * np.eye(len(terms), dtype=np.float32)
    ridge[0, 0] = 0
    for _ in range(20):
        r = np.maximum(seen - c @ some, 0)
        w = np.exp(-((r / scale) ** 2))
        c = np.linalg.solve((some * w) @ some.T + ridge * w.mean(), (some * w) @ seen)
        scale = max(0.75 * scale, least)
    surface: Array = np.tensordot(c, terms, 1)
    return surface


def noise_level(value: Array) -> float:
    """The standard deviation of the noise from pixel to pixel.

    In v[i,j] - v[i+1,j] - v[i,j+1] + v[i+1,j+1] light and most edges cancel, and four pixels' noise is left.
    """
    if min(value.shape) < 2:
        return 0.0
    twice = np.diff(np.diff(value, axis=0), axis=1)
    return 1.4826 * float(np.median(np.abs(twice))) / 2


def opened_paper(bright: Array, window: int) -> Array:
    """The paper under bright ink as the opening of the picture: the largest of the smallest values in windows.

    Whatever is bright and narrower than the window is taken away, while an edge of a shadow stays where it is.

    Shapes: (H, W) -> (H, W)
    """
    from scipy.ndimage import gaussian_filter, grey_opening

    smooth = gaussian_filter(bright, max(bright.shape) / 500)
    paper: Array = np.minimum(grey_opening(smooth, size=(window, window), mode="nearest"), bright)
    return paper


def _median(values: Array) -> float:
    return float(np.median(values)) if values.size else 0.0


def contrast_to(paper: Array, bright: Array) -> Array:
    """How much brighter than the paper each pixel is, from 0.

    Noise makes the smallest values too small, so the median contrast, which is the paper's own, counts as none.
    """
    contrast: Array = np.maximum(bright - paper - np.median(bright - paper), 0)
    return contrast


def _with_and_without(contrast: Array, lines: Array) -> Iterator[tuple[Array, int]]:
    """The contrast, and where the paper is ruled, without the lines, and without all that is as thin as them; each with
    how much more likely it is to be what was written.
    """
    from scipy.ndimage import grey_opening

    yield contrast, 1
    if lines.any():
        yield remove_ruling(contrast, lines), 4
        yield grey_opening(contrast, size=(_reach(contrast),) * 2), 8


def find_ruling(contrast: Array) -> Array:
    """The contrast of straight lines that cross the whole picture, 0 elsewhere. (H, W) -> (2, H, W): level, upright"""
    found = [_level_lines(contrast), _level_lines(contrast.T)]
    lines = np.stack([found[0][0], found[1][0].T])
    if found[0][1] + found[1][1] <= 2 and (lines > 0).any():
        ink = np.percentile(contrast[contrast > FAINTEST], 95)
        if np.median(lines[lines > 0]) > 0.7 * ink:
            return np.zeros_like(lines)  # as dark as the ink: the bar of a 7 or a 4 that fills the picture
    return lines


def remove_ruling(contrast: Array, lines: Array) -> Array:
    """The contrast without the lines.

    A line's own contrast is the smallest along it, so ink that crosses it keeps what it has more. Where ink was no
    darker than the line, its stroke is mended from both sides.

    Shapes: (H, W), (2, H, W) -> (H, W)
    """
    from scipy.ndimage import grey_closing

    reach = 2 * _reach(contrast) + 1
    for line, size in zip(lines, ((reach, 1), (1, reach)), strict=True):
        without = np.maximum(contrast - 1.5 * line, 0)
        mended = np.minimum(contrast, grey_closing(without, size=size))
        contrast = np.where(line > 0, mended, contrast)
    return contrast


def _reach(contrast: Array) -> int:
    """Pixels, more than a line of the paper is thick."""
    return max(3, round(max(contrast.shape) / 80))


def _level_lines(contrast: Array) -> tuple[Array, int]:
    """The contrast of the lines that cross the picture from left to right, 0 elsewhere, and their number."""
    from scipy.ndimage import (
        binary_dilation,
        find_objects,
        grey_opening,
        label,
        maximum_filter1d,
        minimum_filter1d,
    )

    height, width = contrast.shape
    none = np.zeros_like(contrast)
    if min(height, width) < 60:  # a line would be as thick as a stroke
        return none, 0
    thick = maximum_filter1d(contrast, 3, axis=0)
    length = round(0.4 * width)
    lines = none
    row, column = np.mgrid[:height, :width]
    for slope in _SLOPES:
        shift = np.round(slope * (column - width // 2)).astype(int)
        line = minimum_filter1d(thick[(row + shift) % height, column], length, axis=1)
        line = maximum_filter1d(line, length, axis=1)
        lines = np.maximum(lines, line[(row - shift) % height, column])
    lines = np.minimum(lines, contrast)
    lines = lines - grey_opening(lines, size=(max(3, round(0.03 * max(height, width))), 1))  # too thick for a ruling
    thin = lines > FAINTEST / 2
    # A stroke that crosses a line leaves a gap in it.
    parts, _ = label(binary_dilation(thin, np.ones((3, max(3, round(0.15 * width))))), np.ones((3, 3)))
    crossing = [
        number
        for number, place in enumerate(find_objects(parts), 1)
        if place[1].stop - place[1].start >= 0.97 * width
        and (thin[place] & (parts[place] == number)).any(axis=0).sum() >= 0.75 * width
    ]
    keep = np.isin(parts, crossing) & (lines > 0)
    number = int(label(keep[:, :2].any(axis=1))[1])  # lines may touch, so they are counted at the edge
    return np.where(keep, lines, 0), number


def _range_around(bright: Array) -> Array:
    """How much the picture changes around each pixel, within about a hundredth of its side."""
    from scipy.ndimage import maximum_filter, minimum_filter

    size = 2 * max(1, round(max(bright.shape) / 150)) + 1
    change: Array = maximum_filter(bright, size) - minimum_filter(bright, size)
    return change


def _best_part(contrast: Array, bright: Array, edges: Array, noise: float) -> tuple[float, Array, float, float] | None:
    """The part of the ink that looks most like a digit: how much it does, the part, the contrast of its strokes, and
    their width where they are widest.

    Parts are what is joined above a threshold. With a low one a faint digit is whole, with a high one a dark digit is
    free of the shadow in which it stands; so several are tried.
    """
    from scipy.ndimage import distance_transform_edt, find_objects, label

    threshold = max(FAINTEST, min(3 * noise, 0.15))
    best = None
    while threshold < 0.6 * contrast.max():
        parts, _ = label(contrast > threshold, np.ones((3, 3)))
        for number, box in enumerate(find_objects(parts), 1):
            size = max(s.stop - s.start for s in box)
            if size < max(4, 0.04 * max(contrast.shape)):
                continue
            place = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in box)
            part = parts[place] == number
            level = float(np.percentile(contrast[place][part], 90))
            strong = part & (contrast[place] > 0.5 * level)
            thickest = 2 * float(distance_transform_edt(np.pad(strong, 1)).max())
            score = level * _likeness(strong, edges[place] > 0.3 * level, box, contrast.shape, thickest / size)
            score *= strong.sum() / part.sum()
            score *= _surrounded(bright, box, float(np.median(bright[place][strong])) - 0.5 * level) ** 2
            if best is None or score > best[0]:
                best = score, parts == number, level, thickest
        threshold *= 2
    return best


def _surrounded(bright: Array, box: tuple[slice, slice], half: float) -> float:
    """The share of paper, darker than half, along two frames around a part: the hole of a 0 has little in the outer."""
    size = max(s.stop - s.start for s in box)
    shares = []
    for margin in (0.2 * size, 0.35 * size):
        rows, columns = (slice(max(0, round(s.start - margin)), round(s.stop + margin)) for s in box)
        inside = bright[rows, columns]
        frame = np.concatenate([inside[0], inside[-1], inside[:, 0], inside[:, -1]])
        shares.append(float((frame < half).mean()))
    return 0.2 + 0.8 * min(shares)


def _likeness(part: Array, edges: Array, box: tuple[slice, slice], picture: tuple[int, ...], thickness: float) -> float:
    """How much a part looks like a digit: it is large, in the middle, thin, has edges all around where the picture has
    them, and is little of the picture's border. Shadows and pieces of paper are not.
    """
    from scipy.ndimage import binary_erosion

    likeness = max(s.stop - s.start for s in box) / max(picture)
    off_centre = [(s.start + s.stop) / 2 / side - 0.5 for s, side in zip(box, picture, strict=True)]
    likeness *= float(np.exp(-2 * np.square(off_centre).sum()))
    likeness /= 1 + (thickness / 0.35) ** 8
    outline = part & ~binary_erosion(part, border_value=1)
    if outline.any():
        likeness *= float(edges[outline].mean()) ** 10
    at_border = 0
    for axis, (s, side) in enumerate(zip(box, picture, strict=True)):
        rows = part if axis == 0 else part.T
        at_border += rows[0].sum() * (s.start == 0) + rows[-1].sum() * (s.stop == side)
    inside = 1 - float(at_border) / (2 * sum(picture))
    return float(likeness * inside**4)


def stroke_width(ink: Array, depth: Array) -> float:
    """The mean width of the strokes, in pixels.

    Across a stroke of width w the distance to its edge, counted from the middle of a pixel to the middle of the first
    outside, has the mean w/4 + 1/2.

    Shapes: ink (H, W) bool, depth (H, W) that distance
    """
    return 4 * float(depth[ink].mean()) - 2


def _grow(contrast: Array, part: Array, level: float) -> tuple[Array, Array]:
    """All ink of about the part's contrast, and what of it belongs to the part's digit.

    Ink is what has a third of a full stroke's contrast and is joined to what has half (hysteresis). To the digit
    belongs whatever is near: a 5 may have its bar apart. Specks do not, nor what comes in from the border.
    """
    from scipy.ndimage import binary_propagation, distance_transform_edt, find_objects, label

    square = np.ones((3, 3))
    strong = contrast > 0.5 * level
    ink = binary_propagation(strong, square, mask=contrast > 0.3 * level)
    parts, _ = label(ink, square)
    places = find_objects(parts)
    areas = np.bincount(parts.ravel())
    digit = np.isin(parts, np.unique(parts[part & strong]))
    largest = areas[np.unique(parts[digit])].max()
    digit = np.isin(parts, [n for n in np.unique(parts[digit]) if areas[n] >= 0.02 * largest])
    for _ in range(2):  # what is near to what was near
        rows, columns = np.nonzero(digit)
        size = max(np.ptp(rows), np.ptp(columns)) + 1
        away = distance_transform_edt(~digit)
        for number, place in enumerate(places, 1):
            at_border = any(s.start == 0 or s.stop == side for s, side in zip(place, contrast.shape, strict=True))
            share = areas[number] / largest
            if share >= 0.02 and not at_border:
                its = parts[place] == number
                if away[place][its].min() <= (0.3 if share >= 0.1 else 0.15) * size:
                    digit[place] |= its
    return ink, digit
