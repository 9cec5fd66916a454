"""The ink of whole lines: likely assumptions about ink and paper, and the contrast under each.

Pictures are floats 0 to 1, (H, W). As for one digit (`ink.py`), each possibility is tried, because the brightness of
the ink and the width of its strokes are not known.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.vision.decode import shrink
from digitscope.vision.paper import (
    FAINTEST,
    contrast_to,
    ink_axis,
    local_range,
    median_or_zero,
    noise_level,
    opened_paper,
    otsu_threshold,
    project_colours,
    smooth_paper,
)
from digitscope.vision.ruling import erase_ruling, find_ruling

ANALYSIS_SIDE = 400
"""Longer side, in pixels, of the picture in which ink and paper are separated."""
_WINDOWS = (0.04, 0.1, 0.25, 0.6)
"""Sides of the opening's windows, as fractions of the longer side. A piece of paper must be at least this large."""
_MIN_DESK_CONTRAST = 0.15
"""Minimum difference between a sheet and its darker surroundings."""
_MAX_HYPOTHESES = 4


@dataclass(frozen=True, eq=False)
class InkHypothesis:
    """An assumption about ink and paper."""

    score: float
    """How much the ink under this assumption looks like writing."""
    dark: bool
    window: float
    """Side of the opening's window / longer side; infinite if the paper is estimated as one smooth surface."""
    ruling: Array | None
    """The contrast of ruled lines, (2, H, W), if they are to be removed."""
    level: float
    """The contrast of full strokes."""


def ink_hypotheses(colours: NDArray[np.uint8]) -> Iterator[tuple[Array, InkHypothesis]]:
    """The picture as one quantity (H, W) and an assumption about its ink, the likeliest first.

    If a sheet lies on something darker, the sheet alone comes first.
    """
    small_colours = shrink(colours, ANALYSIS_SIDE).astype(np.float32) / 255
    axis = ink_axis(small_colours)
    small = project_colours(small_colours, axis)
    value = project_colours(colours.astype(np.float32) / 255, axis)
    sheet_alone = _sheet_alone(small)
    if sheet_alone is not None:
        filled, sheet = sheet_alone
        inside = _resized_to(sheet.astype(np.float32), value.shape) > 0.5
        large = np.where(inside, value, _resized_to(filled, value.shape))
        for for_sheet, for_picture in itertools.zip_longest(_hypotheses(filled)[:2], _hypotheses(small)):
            if for_sheet is not None:
                yield large, for_sheet
            if for_picture is not None:
                yield value, for_picture
        return
    for hypothesis in _hypotheses(small):
        yield value, hypothesis


def _sheet_alone(value: Array) -> tuple[Array, NDArray[np.bool_]] | None:
    """The picture with the surroundings of the sheet painted like its edge, and the mask of the sheet.

    None if the sheet fills the picture, or if there is none: a sheet covers at least a tenth of the picture and is
    roughly a quadrilateral.
    """
    from scipy.ndimage import binary_erosion, binary_fill_holes, distance_transform_edt, gaussian_filter, label

    longest: int = max(value.shape)
    smooth = gaussian_filter(value, 0.008 * longest)
    if np.ptp(smooth) < _MIN_DESK_CONTRAST:
        return None
    bright = smooth > otsu_threshold(smooth)
    labels, count = label(bright)
    if not count:
        return None
    sheet = binary_fill_holes(labels == 1 + int(np.bincount(labels.ravel())[1:].argmax()))
    rows, columns = np.nonzero(sheet)
    around = [rows + columns, rows - columns]
    # The sheet's corners, if it is rotated by less than 45 degrees.
    ends = [(rows[k], columns[k]) for a in around for k in (int(a.argmin()), int(a.argmax()))]
    (y0, x0), (y2, x2), (y1, x1), (y3, x3) = ends
    area = abs((x2 - x0) * (y3 - y1) - (x3 - x1) * (y2 - y0)) / 2
    border = np.concatenate([sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1]])
    if not 0.1 < sheet.mean() < 0.95 or border.mean() > 0.8 or not 0.85 < area / sheet.sum() < 1.1:
        return None
    if float(np.median(value[sheet]) - np.median(value[~sheet])) < _MIN_DESK_CONTRAST:
        return None
    inside = binary_erosion(sheet, iterations=max(1, round(0.015 * longest)), border_value=1)
    if not inside.any():
        return None
    nearest = distance_transform_edt(~inside, return_distances=False, return_indices=True)
    filled: Array = value[tuple(nearest)]
    return filled, inside


def _hypotheses(value: Array) -> list[InkHypothesis]:
    """The likely assumptions about ink and paper, the likeliest first."""
    border = np.concatenate([value[0], value[-1], value[:, 0], value[:, -1]])
    light = float((border > (value.min() + value.max()) / 2).mean())  # paper reaches the border more often than ink
    found = []
    for dark in (True, False):
        bright = 1 - value if dark else value
        prior = light if dark else 1 - light
        edges = local_range(bright)
        papers = [(math.inf, smooth_paper(bright))]
        papers += [(share, opened_paper(bright, _window(share, bright))) for share in _WINDOWS]
        contrasts = [(share, _in_full_light(contrast_to(paper, bright), paper, dark)) for share, paper in papers]
        lines = find_ruling(contrasts[2][1])
        for share, contrast in contrasts:
            noise = noise_level(bright) if share == math.inf else 1.4826 * median_or_zero(contrast[contrast > 0])
            for ruled in (False, True) if lines.any() else (False,):
                cleaned = erase_ruling(contrast, lines, 1) if ruled else contrast
                score, level, thickest = _writing_score(cleaned, edges, noise)
                if 1.7 * thickest > share * max(value.shape) and share < _WINDOWS[-1]:
                    continue  # perhaps only the remains of wider strokes
                found.append(
                    InkHypothesis(score * (0.5 + prior) * (1 + 2 * ruled), dark, share, lines if ruled else None, level)
                )
    found.sort(key=lambda hypothesis: -hypothesis.score)
    found = [hypothesis for hypothesis in found if hypothesis.score > 0.1 * found[0].score]
    # The first hypothesis of each kind comes before the second of any kind.
    kinds = [(hypothesis.dark, hypothesis.window == math.inf) for hypothesis in found]
    order = sorted(range(len(found)), key=lambda i: kinds[:i].count(kinds[i]))
    return [found[i] for i in order][:_MAX_HYPOTHESES]


def _in_full_light(contrast: Array, paper: Array, dark: bool) -> Array:
    """The contrast that the ink would have in full light.

    A shadow darkens paper and ink by the same factor, so the contrast of dark ink is divided by the light on its paper.
    The contrast of light ink stays the same.
    """
    if not dark:
        return contrast
    light = np.maximum(1 - paper, 0.1)
    lit: Array = contrast * (np.percentile(light, 95) / light)
    return lit


def _window(share: float, bright: Array) -> int:
    longest: int = max(bright.shape)
    return max(3, round(share * longest))


def _writing_score(contrast: Array, edges: Array, noise: float) -> tuple[float, float, float]:
    """A score for how much the ink looks like writing, the contrast of its strokes, and the width of the widest stroke.

    Writing consists of components that have edges all around and do not touch the border. Several thresholds are tried.
    """
    from scipy.ndimage import binary_erosion, distance_transform_edt, find_objects, label

    threshold = max(FAINTEST, min(3 * noise, 0.15))
    best = 0.0, 0.0, 0.0
    longest = max(contrast.shape)
    while threshold < 0.6 * contrast.max():
        labels, _ = label(contrast > threshold, np.ones((3, 3)))
        boxes = [(max(s.stop - s.start for s in box), n, box) for n, box in enumerate(find_objects(labels), 1)]
        boxes = sorted((b for b in boxes if b[0] >= max(4, 0.025 * longest)), key=lambda b: -b[0])[:40]
        measured = []
        for size, number, box in boxes:
            place = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in box)
            mask = labels[place] == number
            level = float(np.percentile(contrast[place][mask], 90))
            strong = np.pad(mask & (contrast[place] > 0.5 * level), 1)
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
            score *= (strong.sum() / mask.sum()) / (1 + (cut / size) ** 2)
            measured.append((score, level, thickest))
        if measured:
            scores = np.array(measured)
            # The square root of the sum of squares favours one large digit over many specks.
            total = float(np.sqrt(np.square(scores[:, 0]).sum()))
            if total > best[0]:
                level = float(np.average(scores[:, 1], weights=scores[:, 0]))
                best = total, level, float(scores[scores[:, 0] > 0.2 * scores[:, 0].max(), 2].max())
        threshold *= 2
    return best


def contrast_of(value: Array, hypothesis: InkHypothesis) -> Array:
    """The contrast of a picture to its paper under an assumption, without ruled lines."""
    bright = 1 - value if hypothesis.dark else value
    if hypothesis.window == math.inf:
        paper = smooth_paper(bright)
        contrast = _in_full_light(contrast_to(paper, bright), paper, hypothesis.dark)
    else:
        half = _resized(bright, 0.5)
        paper = _resized_to(opened_paper(half, _window(hypothesis.window, half)), bright.shape)
        contrast = _in_full_light(contrast_to(np.minimum(paper, bright), bright), paper, hypothesis.dark)
    if hypothesis.ruling is not None:
        large = np.stack([_resized_to(line, bright.shape) for line in hypothesis.ruling])
        contrast = erase_ruling(contrast, large, max(1, round(max(bright.shape) / max(hypothesis.ruling.shape))))
    return contrast


def _resized(image: Array, factor: float) -> Array:
    return _resized_to(image, tuple(max(1, round(factor * side)) for side in image.shape))


def _resized_to(image: Array, shape: tuple[int, ...]) -> Array:
    from PIL import Image

    resampling = Image.Resampling.BOX if shape[0] < image.shape[0] else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(image.astype(np.float32)).resize((shape[1], shape[0]), resampling))
