"""Finding the ink of one digit on its paper.

Pictures are floats 0 to 1, (H, W, 3) in colour or (H, W) as one quantity. Nobody says whether the ink is dark or light,
thin or thick, or how the light falls. So each is assumed in turn, and the one stays whose ink looks most like a digit.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from digitscope.arrays import Array

FAINTEST = 10 / 255  # contrast, of a range of 1: anything weaker is paper
_WINDOWS = (0.12, 0.3, 0.7)  # of the picture's longer side: how large a piece of paper must be
_STEEPEST = 0.3  # slope of a ruling: 17 degrees
_MOST_LINES = 80  # each way
_ROOMY = 24  # pixels: a digit fills a smaller picture, and the windows in it are hardly larger than strokes
_MOST_PARTS = 8  # above one threshold: those with the most ink

_WEIGHTS = {
    "level": 0.8,  # contrast
    "size": 0.8,  # its longer side, of the picture's
    "centre": 6.7,  # minus the squared distance from the picture's middle, of its sides
    "full": 1.4,  # ink, of the square around it
    "thin": -1.1,  # its widest stroke, of its longer side
    "thickness": 0.7,  # the same, where it is more than a third
    "slender": 0.7,  # its spread across, of that along
    "share": 0.25,  # of all that is above the same threshold
    "edges": 3.0,  # the share of its outline where the picture changes
    "ridge": 1.3,  # the share of paper just around it that differs from it
    "surrounded": 1.6,  # the share of paper along frames around it
    "inside": 2.4,  # 1 less the share of the picture's border that it is
    "touch": -1.5,  # sides of the picture that it touches, two at most
    "widest": -2.4,  # found in the widest window
    "ruled": 0.7,  # lines were taken away
    "opened": -1.2,  # all that is thin was taken away
}
"""What makes a part look like a digit, each a logarithm or a number, and how much each counts.

Fitted on 334 generated photos of 20 kinds: with them as logits, a softmax over all parts of a picture makes the true
ones likeliest (conditional logit, McFadden 1974).
"""


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
    contrast parts, and each part a likeness to a digit; the likeliest is the digit.

    Shapes: (H, W), 0 to 1
    """
    found = [each for dark in (True, False) for each in _found(value, dark)]
    if not found:
        return None
    best = max(found, key=lambda each: each.score)
    ink, digit = _grow(best.contrast, best.part)
    paper = 1 - best.paper if best.dark else best.paper
    return Ink(best.dark, paper, best.contrast, best.ruled, ink, digit, best.part.level)


@dataclass(frozen=True, eq=False)
class _ScoredInk:
    """A part that may be the digit, and in what it was found."""

    dark: bool
    paper: Array
    contrast: Array
    ruled: bool
    part: "ScoredComponent"
    score: float


def _found(value: Array, dark: bool) -> Iterator[_ScoredInk]:
    """All parts of ink that is darker, or else lighter, than its paper."""
    bright = 1 - value if dark else value
    edges = range_around(bright)
    sizes = [max(3, round(w * max(value.shape))) for w in _WINDOWS]
    contrasts = []
    for size, paper in [(math.inf, smooth_paper(bright)), *((size, opened_paper(bright, size)) for size in sizes)]:
        light = relative_light(paper) if dark else np.ones_like(paper)
        contrast = contrast_to(paper, bright) / light
        noise = noise_level(bright) if size == math.inf else 1.4826 * median_or_zero(contrast[contrast > 0])
        contrasts.append((size, paper, light, contrast, noise))
    lines = find_ruling(contrasts[1][3])  # in the smallest window lines stand alone
    for size, paper, light, contrast, noise in contrasts:
        for some, removed in _with_and_without(contrast, lines):
            for part in _parts(some, bright, light, edges, noise):
                if 1.7 * part.thickest > size and size < sizes[-1]:
                    continue  # perhaps only what is left of a wider stroke
                score = part.score + _WEIGHTS["widest"] * (size == sizes[-1] and max(value.shape) >= _ROOMY)
                score += _WEIGHTS[removed] if removed else 0
                yield _ScoredInk(dark, paper, some, bool(removed), part, score)


def relative_light(paper: Array) -> Array:
    """How much light falls on each place of the paper, of its median. paper: as bright ink sees it, 1 - value

    A shadow dims ink and paper alike, so a contrast divided by the light is the same in it and outside.
    """
    light = np.maximum(1 - paper, 0.02)
    relative: Array = np.clip(light / np.median(light), 0.3, 1.5)
    return relative


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


def median_or_zero(values: Array) -> float:
    """The median, 0 where there are no values."""
    return float(np.median(values)) if values.size else 0.0


def contrast_to(paper: Array, bright: Array) -> Array:
    """How much brighter than the paper each pixel is, from 0.

    Noise makes the smallest values too small, so the median contrast, which is the paper's own, counts as none.
    """
    contrast: Array = np.maximum(bright - paper - np.median(bright - paper), 0)
    return contrast


def _with_and_without(contrast: Array, lines: Array) -> Iterator[tuple[Array, str]]:
    """The contrast, and where the paper is ruled, without the lines, and without all that is as thin as them."""
    from scipy.ndimage import grey_opening

    yield contrast, ""
    if lines.any():
        yield remove_ruling(contrast, lines), "ruled"
        yield grey_opening(contrast, size=(_reach(contrast),) * 2), "opened"


def find_ruling(contrast: Array) -> Array:
    """The contrast of the straight lines of ruled paper, 0 elsewhere. (H, W) -> (2, H, W): level, upright

    They are found anywhere, up to 17 degrees from level or upright, each by itself: in a photo they need not be
    parallel. A line that reaches both ends of the picture is one; lines that are hidden in parts are, where they are
    three or more. What is as dark as the ink is none, unless three or more reach both ends: a digit that fills the
    picture has long strokes, too.
    """
    found = [*_level_lines(contrast), *(line.upright() for line in _level_lines(contrast.T))]
    lines = np.zeros((2, *contrast.shape), contrast.dtype)
    if not found:
        return lines
    ink = float(np.percentile(contrast[contrast > FAINTEST], 95)) if (contrast > FAINTEST).any() else 0.0
    across = [line for line in found if line.across]
    many = len(across) >= 3
    for line in found if len(found) >= 3 else across:
        if (line.across and many) or line.level < 0.7 * ink:
            np.maximum.at(lines[line.axis], (line.rows, line.columns), line.contrast)
    kept: Array = np.minimum(lines, contrast)
    return kept


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
    return int(max(3, round(max(contrast.shape) / 80)))


@dataclass(frozen=True, eq=False)
class RuledLine:
    """A line of ruled paper. Arrays: one value for each of its pixels"""

    rows: Array
    columns: Array
    contrast: Array
    level: float
    """The median contrast along its middle."""
    across: bool
    """Whether it reaches both ends of the picture."""
    axis: int = 0
    """0 level, 1 upright"""

    def upright(self) -> "RuledLine":
        return replace(self, rows=self.columns, columns=self.rows, axis=1)


def _level_lines(contrast: Array) -> list[RuledLine]:
    """The lines that run from left to right.

    Points that stand out from those above and below vote for all lines through them, y = b + s (x - W/2) (Hough's
    transform). The line with most votes for its length is taken, bent to its points by least squares, and its votes
    are withdrawn; then the next.
    """
    from scipy.ndimage import grey_opening, maximum_filter1d, uniform_filter1d

    height, width = contrast.shape
    if min(height, width) < 60:  # a line would be as thick as a stroke
        return []
    side = max(height, width)
    thin = contrast - grey_opening(contrast, size=(max(3, round(0.03 * side)), 1))
    thin = uniform_filter1d(thin, max(1, round(side / 45)), axis=1)
    peak = thin >= maximum_filter1d(thin, 5, axis=0)
    least = max(FAINTEST / 2, 3 * float(np.percentile(thin[::2, ::2], 70)))
    y, x = np.nonzero(peak & (thin > least))
    if len(x) < 0.5 * width:
        return []
    unit = width / 2
    slopes = np.linspace(-_STEEPEST, _STEEPEST, 2 * max(20, round(_STEEPEST * unit / 1.2)) + 1)
    margin = math.ceil(_STEEPEST * unit) + 3
    starts = np.arange(-margin, height + margin)  # b

    def votes_of(x: Array, y: Array) -> Array:
        """How many of the points each line has, (slopes, starts)"""
        place = np.round(y + margin - slopes[:, None] * (x - unit)).astype(np.int64)
        place += len(starts) * np.arange(len(slopes))[:, None]
        return np.bincount(place.ravel(), minlength=slopes.size * starts.size).reshape(slopes.size, starts.size)

    # How long each line is in the picture, in columns; short ones in a corner are not looked for.
    rise = np.maximum(np.abs(slopes[:, None]) * unit, 0.25)
    length = (np.minimum(starts + rise, height - 0.5) - np.maximum(starts - rise, -0.5)) / (2 * rise) * width
    length = np.clip(length, 0.5 * width, width)
    votes = votes_of(x, y)
    thick = maximum_filter1d(contrast, 3, axis=0)
    lines = []
    for _ in range(_MOST_LINES):
        share = votes.copy()
        share[:, 1:] += votes[:, :-1]
        share[:, :-1] += votes[:, 1:]
        share = share / length
        steep, start = np.unravel_index(int(share.argmax()), share.shape)
        if share[steep, start] < 0.5:
            break
        straight = np.array([slopes[steep], starts[start]])
        path = _path(x - unit, y, straight, np.arange(width) - unit)
        its = np.abs(y - path[x]) <= 2
        line = _line(thick, path, x[its])
        if line is not None:
            lines.append(line)
        taken = its | (np.abs(y - np.polyval(straight, x - unit)) <= 1.5)
        votes -= votes_of(x[taken], y[taken])
        x, y = x[~taken], y[~taken]
    return lines


def _path(x: Array, y: Array, curve: Array, columns: Array) -> Array:
    """The rows in which a line is, bent to the points near it: paper is not quite flat. curve: of np.polyfit"""
    for near, degree in ((3, 1), (3, 2), (2, 2)):
        its = np.abs(y - np.polyval(curve, x)) <= near
        if its.sum() < 0.25 * len(columns):
            break
        curve = np.polyfit(x[its], y[its], degree)
    return np.polyval(curve, columns)


def _line(thick: Array, path: Array, x: Array) -> RuledLine | None:
    """The line along a path, None where it has too few points. thick (H, W), path (W,) rows, x the points' columns"""
    height, width = thick.shape
    columns = np.flatnonzero((path >= 0) & (path <= height - 1))
    if len(columns) < 0.5 * width:
        return None
    share = np.isin(columns, x).mean()
    if share < 0.55:
        return None
    across = share >= 0.75 and x.min() <= columns[0] + 0.03 * width and x.max() >= columns[-1] - 0.03 * width
    reach = _reach(thick)
    rows = np.clip(np.round(path[columns]).astype(int) + np.arange(-reach, reach + 1)[:, None], 0, height - 1)
    columns = np.broadcast_to(columns, rows.shape)
    contrast = _running(thick[rows, columns])
    level = float(np.median(contrast[reach]))
    contrast = np.minimum(contrast, 1.5 * level)  # where a stroke runs along the line
    return RuledLine(rows.ravel(), columns.ravel(), contrast.ravel(), level, bool(across))


def _running(values: Array) -> Array:
    """What values are along the last axis: their 40th percentile in windows of a quarter, joined straight."""
    width = values.shape[1]
    middles = np.linspace(0, width - 1, 9)
    windows = [values[:, max(0, round(m - width / 8)) : round(m + width / 8) + 1] for m in middles]
    levels = np.stack([np.percentile(window, 40, axis=1) for window in windows], axis=1)
    return np.stack([np.interp(np.arange(width), middles, level) for level in levels])


def range_around(bright: Array) -> Array:
    """How much the picture changes around each pixel, within about a hundredth of its side."""
    from scipy.ndimage import maximum_filter, minimum_filter

    size = 2 * max(1, round(max(bright.shape) / 150)) + 1
    change: Array = maximum_filter(bright, size) - minimum_filter(bright, size)
    return change


@dataclass(frozen=True, eq=False)
class ScoredComponent:
    """Ink that is joined, somewhere in the picture."""

    place: tuple[slice, slice]
    mask: Array
    """Which pixels of the place are its own, as bool."""
    level: float
    """The contrast of its strokes."""
    thickest: float
    """Their width where they are widest, in pixels."""
    score: float
    """How much it looks like a digit."""


def _parts(contrast: Array, bright: Array, light: Array, edges: Array, noise: float) -> Iterator[ScoredComponent]:
    """The parts of the ink and how much they look like a digit.

    Parts are what is joined above a threshold. With a low one a faint digit is whole, with a high one a dark digit is
    free of the shadow in which it stands; so several are tried. What is the same above two counts once.
    """
    from scipy.ndimage import distance_transform_edt, find_objects, label

    side = max(contrast.shape)
    reach = max(1, round(side / 150))
    least, highest = max(FAINTEST, min(3 * noise, 0.15)), 0.6 * float(contrast.max())
    thresholds = [least * 2**i for i in range(8) if least * 2**i < highest]
    seen = set()
    for threshold in reversed(thresholds):
        above = contrast > threshold
        parts, _ = label(above, np.ones((3, 3)))
        boxes = find_objects(parts)
        amounts = np.bincount(parts[above], contrast[above], minlength=1)
        for number in np.argsort(-amounts)[: min(len(boxes), _MOST_PARTS)]:
            box = boxes[number - 1]
            size = max(s.stop - s.start for s in box)
            if size < max(4, 0.03 * side):
                continue
            rows, columns = (slice(max(0, s.start - 3 * reach - 1), s.stop + 3 * reach + 1) for s in box)
            place = (rows, columns)
            part, its = parts[place] == number, contrast[place]
            level = float(np.percentile(its[part], 90))
            strong = part & (its > 0.5 * level)
            key = (int(strong.sum()), round(level, 2), box[0].start // 3, box[1].start // 3)
            if key in seen:
                continue
            seen.add(key)
            coarse = 2 if size > 150 else 1
            depth = distance_transform_edt(np.pad(strong, 1)[::coarse, ::coarse])
            thickest = 2 * max(1, coarse * float(depth.max()))
            half = 0.5 * level * light[place]
            features = _shape(strong, box, contrast.shape, thickest / size)
            features |= {
                "level": math.log(level),
                "share": math.log(max(1e-3, amounts[number] / amounts.sum())),
                "edges": _log_share(edges[place] > 0.6 * half, _outline(strong)),
                "ridge": _ridge(bright[place], strong, part, half, reach),
                "surrounded": math.log(_surrounded(bright, box, float(np.median(bright[place][strong])) - 0.5 * level)),
            }
            score = sum(_WEIGHTS[name] * value for name, value in features.items())
            yield ScoredComponent(place, part, level, thickest, score)


def _shape(part: Array, box: tuple[slice, slice], picture: tuple[int, ...], thickness: float) -> dict[str, float]:
    """What can be said of a part by its pixels alone; thickness of its longer side."""
    size = max(s.stop - s.start for s in box)
    off_centre = [(s.start + s.stop) / 2 / side - 0.5 for s, side in zip(box, picture, strict=True)]
    at_border, touched = 0.0, 0
    for rows, s, side in zip((part, part.T), box, picture, strict=True):
        at_border += rows[0].sum() * (s.start == 0) + rows[-1].sum() * (s.stop == side)
        touched += (s.start == 0) + (s.stop == side)
    spread = np.linalg.eigvalsh(np.cov(np.nonzero(part)) if part.sum() > 2 else np.eye(2))
    across, along = np.maximum(spread, 1 / 12)  # of one pixel
    return {
        "size": math.log(size / max(picture)),
        "centre": -float(np.square(off_centre).sum()),
        "full": math.log(part.sum() / size**2),
        "thin": math.log(thickness),
        "thickness": -math.log(1 + (thickness / 0.35) ** 8),
        "slender": max(-3.0, 0.5 * math.log(across / along)),
        "inside": math.log(max(0.05, 1 - at_border / (2 * sum(picture)))),
        "touch": min(2, touched) * (max(picture) >= _ROOMY),
    }


def _outline(part: Array) -> Array:
    from scipy.ndimage import binary_erosion

    outline: Array = part & ~binary_erosion(part, border_value=1)
    return outline


def _log_share(true: Array, where: Array) -> float:
    return math.log(max(0.05, float(true[where].mean()))) if where.any() else 0.0


def _ridge(bright: Array, strong: Array, part: Array, half: Array, reach: int) -> float:
    """Of what lies around a part the share that is darker by half a stroke's contrast than the part beside it.

    A stroke has paper on both sides; the edge of a shadow, or of the sheet, on one.
    """
    from scipy.ndimage import maximum_filter

    far, near = 2 * math.floor(2.5 * reach) + 1, 2 * reach + 1
    ring = maximum_filter(strong, far) & ~maximum_filter(strong, near) & ~part
    beside = maximum_filter(np.where(strong, bright, -1), far)
    return _log_share(bright < beside - half, ring)


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


def _grow(contrast: Array, part: ScoredComponent) -> tuple[Array, Array]:
    """All ink of about the part's contrast, and what of it belongs to the part's digit.

    Ink is what has a third of a full stroke's contrast and is joined to what has half (hysteresis). To the digit
    belongs whatever is near: a 5 may have its bar apart. Specks do not, nor what comes in from the border.
    """
    from scipy.ndimage import binary_propagation, distance_transform_edt, find_objects, label

    square = np.ones((3, 3))
    strong = contrast > 0.5 * part.level
    ink = binary_propagation(strong, square, mask=contrast > 0.3 * part.level)
    parts, _ = label(ink, square)
    places = find_objects(parts)
    areas = np.bincount(parts.ravel())
    digit = np.isin(parts, np.unique(parts[part.place][part.mask & strong[part.place]]))
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
