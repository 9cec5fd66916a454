"""Telling the ink of writing from its paper.

Pictures are floats 0 to 1, (H, W). As for one digit (`ink.py`), nobody says whether the ink is dark or light and how
wide its strokes are, so each is assumed in turn.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.vision.decode import shrink
from digitscope.vision.ink import (
    FAINTEST,
    along,
    contrast_to,
    find_ruling,
    ink_axis,
    median_or_zero,
    noise_level,
    opened_paper,
    range_around,
    smooth_paper,
)

ANALYSIS_SIDE = 400  # pixels of the longer side in which ink and paper are told apart
_WINDOWS = (0.04, 0.1, 0.25, 0.6)  # of the longer side: how large a piece of paper must be
_DARKER = 0.15  # what is around a sheet is darker by so much
_MOST_HYPOTHESES = 4


@dataclass(frozen=True, eq=False)
class InkHypothesis:
    """An assumption about ink and paper, and how much what it finds looks like writing."""

    score: float
    dark: bool
    window: float
    """Of the longer side; infinite where the paper is one smooth surface."""
    ruling: Array | None
    """The contrast of the paper's lines, (2, H, W), where they are to be left out."""
    level: float


def ink_hypotheses(colours: NDArray[np.uint8]) -> Iterator[tuple[Array, InkHypothesis]]:
    """The picture as one quantity, and what may be ink in it, the likeliest first. Where a sheet lies on something
    darker, the sheet alone comes first.
    """
    few = shrink(colours, ANALYSIS_SIDE).astype(np.float32) / 255
    axis = ink_axis(few)
    small = along(few, axis)
    value = along(colours.astype(np.float32) / 255, axis)
    alone = _sheet_alone(small)
    if alone is not None:
        filled, sheet = alone
        inside = _resized_to(sheet.astype(np.float32), value.shape) > 0.5
        large = np.where(inside, value, _resized_to(filled, value.shape))
        for hypothesis, other in itertools.zip_longest(_hypotheses(filled)[:2], _hypotheses(small)):
            yield from ((image, some) for image, some in ((large, hypothesis), (value, other)) if some is not None)
        return
    for hypothesis in _hypotheses(small):
        yield value, hypothesis


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


def _hypotheses(value: Array) -> list[InkHypothesis]:
    """What is likely about ink and paper, the likeliest first."""
    border = np.concatenate([value[0], value[-1], value[:, 0], value[:, -1]])
    light = float((border > (value.min() + value.max()) / 2).mean())  # paper reaches the border more often than ink
    found = []
    for dark in (True, False):
        bright = 1 - value if dark else value
        usual = light if dark else 1 - light
        edges = range_around(bright)
        papers = [(math.inf, smooth_paper(bright))]
        papers += [(share, opened_paper(bright, _window(share, bright))) for share in _WINDOWS]
        contrasts = [(share, _lit(contrast_to(paper, bright), paper, dark)) for share, paper in papers]
        lines = find_ruling(contrasts[2][1])
        for share, contrast in contrasts:
            noise = noise_level(bright) if share == math.inf else 1.4826 * median_or_zero(contrast[contrast > 0])
            for ruled in (False, True) if lines.any() else (False,):
                some = _without(contrast, lines, 1) if ruled else contrast
                score, level, thickest = _likeness(some, edges, noise)
                if 1.7 * thickest > share * max(value.shape) and share < _WINDOWS[-1]:
                    continue  # perhaps only what is left of wider strokes
                found.append(
                    InkHypothesis(score * (0.5 + usual) * (1 + 2 * ruled), dark, share, lines if ruled else None, level)
                )
    found.sort(key=lambda hypothesis: -hypothesis.score)
    found = [hypothesis for hypothesis in found if hypothesis.score > 0.1 * found[0].score]
    # Those that differ in kind from all before come first.
    kinds = [(hypothesis.dark, hypothesis.window == math.inf) for hypothesis in found]
    order = sorted(range(len(found)), key=lambda i: kinds[:i].count(kinds[i]))
    return [found[i] for i in order][:_MOST_HYPOTHESES]


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


def contrast_of(value: Array, hypothesis: InkHypothesis) -> Array:
    """The contrast of a picture to its paper, without ruling."""
    bright = 1 - value if hypothesis.dark else value
    if hypothesis.window == math.inf:
        paper = smooth_paper(bright)
        contrast = _lit(contrast_to(paper, bright), paper, hypothesis.dark)
    else:
        half = _resized(bright, 0.5)
        paper = _resized_to(opened_paper(half, _window(hypothesis.window, half)), bright.shape)
        contrast = _lit(contrast_to(np.minimum(paper, bright), bright), paper, hypothesis.dark)
    if hypothesis.ruling is not None:
        large = np.stack([_resized_to(line, bright.shape) for line in hypothesis.ruling])
        contrast = _without(contrast, large, max(1, round(max(bright.shape) / max(hypothesis.ruling.shape))))
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
        zone = maximum_filter1d(line, 2 * slack + 3, axis=axis) > FAINTEST / 2
        if not zone.any():
            continue
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
