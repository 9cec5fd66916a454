"""The ink of one digit on its paper: which connected component of the binarized picture is the digit.

Pictures are floats 0 to 1, (H, W). Whether the ink is dark or light, whether it is thin or thick, and how the light
falls are not known. So each possibility is tried, each connected component of each result gets a score for how much it
looks like a digit, and the component with the highest score is the digit.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from digitscope.arrays import Array
from digitscope.vision.paper import (
    FAINTEST,
    contrast_to,
    local_range,
    median_or_zero,
    noise_level,
    opened_paper,
    relative_light,
    smooth_paper,
)
from digitscope.vision.ruling import find_ruling, line_reach, subtract_ruling

_WINDOWS = (0.12, 0.3, 0.7)
"""Sides of the opening's windows, as fractions of the picture's longer side. A piece of paper must be at least this
large."""
_TINY_SIDE = 24
"""Longer side, in pixels, of a tiny picture: a digit fills it, and the windows are hardly larger than strokes."""
_MAX_COMPONENTS = 8
"""Maximum number of components above one threshold: those with the most ink."""

WEIGHTS = {
    "level": 0.8,  # contrast
    "size": 0.8,  # longer side / longer side of the picture
    "centre": 6.7,  # minus the squared distance from the picture's middle, in sides of the picture
    "full": 1.4,  # share of ink in the square around it
    "thin": -1.1,  # widest stroke / longer side
    "thickness": 0.7,  # the same, if it is more than a third
    "slender": 0.7,  # spread across / spread along
    "share": 0.25,  # its share of all ink above the same threshold
    "edges": 3.0,  # the share of the outline where the picture changes
    "ridge": 1.3,  # the share of the paper close around it that differs from it
    "surrounded": 1.6,  # the share of paper along frames around it
    "inside": 2.4,  # 1 minus the share of the picture's border that it covers
    "touch": -1.5,  # sides of the picture that it touches, at most two
    "widest": -2.4,  # found in the widest window
    "ruled": 0.7,  # found after ruled lines were removed
    "opened": -1.2,  # found after everything thin was removed
}
"""The features of a digit, each a logarithm or a number, and their weights in the score.

The weights were fitted to generated photos by a conditional logit: the scores are the logits of a softmax over all
components of a picture, and the components that are the digit get the highest probability.
`python -m benchmarks.fit_ink` fits them again.

Source: McFadden 1974, "Conditional logit analysis of qualitative choice behavior".
"""


@dataclass(frozen=True, eq=False)
class Ink:
    """The ink of one digit. Shapes: all (H, W)"""

    dark: bool
    """Whether the ink is darker than its paper."""
    paper: Array
    """The paper without the ink, 0 to 1, as the picture has it."""
    contrast: Array
    """The difference of each pixel from its paper in the direction of ink, at least 0."""
    ruled: bool
    """Whether ruled lines were removed."""
    ink: Array
    """All ink, as bool."""
    digit: Array
    """The ink that belongs to the digit, as bool."""
    level: float
    """The contrast of a full stroke of the digit."""

    @property
    def coverage(self) -> Array:
        """The fraction of each pixel that the digit's ink covers: its contrast divided by that of a full stroke.

        A stroke's edge is softer than its core, so the pixels around the digit count, too.
        """
        from scipy.ndimage import binary_dilation

        others = self.ink & ~self.digit
        near = binary_dilation(self.digit, np.ones((3, 3)), iterations=2) & ~others
        covered: Array = np.clip(self.contrast / self.level, 0, 1) * near
        return covered


def find_ink(value: Array) -> Ink | None:
    """The ink of the one digit in the picture, or None if there is no ink.

    Shapes: (H, W), 0 to 1
    """
    candidates = list(ink_candidates(value))
    if not candidates:
        return None
    best = max(candidates, key=lambda candidate: candidate.score)
    ink, digit = _segment(best.contrast, best.component)
    paper = 1 - best.paper if best.dark else best.paper
    return Ink(best.dark, paper, best.contrast, best.ruled, ink, digit, best.component.level)


@dataclass(frozen=True, eq=False)
class InkComponent:
    """A connected component of the ink above some threshold."""

    place: tuple[slice, slice]
    mask: Array
    """The pixels of `place` that belong to the component, as bool."""
    level: float
    """The contrast of its strokes."""
    thickest: float
    """The largest width of its strokes, in pixels."""
    features: dict[str, float]
    """The features that show how much it looks like a digit, by the names of WEIGHTS."""


@dataclass(frozen=True, eq=False)
class InkCandidate:
    """A component that may be the digit, and the assumptions about ink and paper under which it was found."""

    dark: bool
    paper: Array
    contrast: Array
    ruled: bool
    component: InkComponent
    features: dict[str, float]
    """The features of the component and of the assumptions, by the names of WEIGHTS; those left out are 0."""
    score: float
    """The sum of weight times feature."""


def ink_candidates(value: Array) -> Iterator[InkCandidate]:
    """Every component that may be the digit.

    Dark and light ink are tried, and for each four estimates of the paper: a smooth surface, and openings with three
    windows, each for strokes narrower than the window. Each paper gives a contrast, and each contrast its components.

    Shapes: (H, W), 0 to 1
    """
    for dark in (True, False):
        yield from _candidates_of(value, dark)


def _candidates_of(value: Array, dark: bool) -> Iterator[InkCandidate]:
    """The candidates whose ink is darker than the paper (`dark`) or lighter."""
    bright = 1 - value if dark else value
    edges = local_range(bright)
    sizes = [max(3, round(window * max(value.shape))) for window in _WINDOWS]
    contrasts = []
    for size, paper in [(math.inf, smooth_paper(bright)), *((size, opened_paper(bright, size)) for size in sizes)]:
        light = relative_light(paper) if dark else np.ones_like(paper)
        contrast = contrast_to(paper, bright) / light
        noise = noise_level(bright) if size == math.inf else 1.4826 * median_or_zero(contrast[contrast > 0])
        contrasts.append((size, paper, light, contrast, noise))
    lines = find_ruling(contrasts[1][3])  # in the smallest window lines are not connected to wider ink
    for size, paper, light, contrast, noise in contrasts:
        for cleaned, removal in _with_and_without(contrast, lines):
            # In all but the widest window, a stroke about as wide may only be the rest of a wider one.
            window = size if size < sizes[-1] else math.inf
            for component in _components(cleaned, bright, light, edges, noise, window):
                features = {"widest": float(size == sizes[-1] and max(value.shape) >= _TINY_SIDE)}
                if removal:
                    features[removal] = 1.0
                score = _score(component.features)
                for name, feature in features.items():
                    score += WEIGHTS[name] * feature
                features = component.features | features
                yield InkCandidate(dark, paper, cleaned, bool(removal), component, features, score)


def _score(features: dict[str, float]) -> float:
    return sum(WEIGHTS[name] * feature for name, feature in features.items())


def _with_and_without(contrast: Array, lines: Array) -> Iterator[tuple[Array, str]]:
    """The contrast, and if the paper is ruled, without the lines, and without everything as thin as they are."""
    from scipy.ndimage import grey_opening

    yield contrast, ""
    if lines.any():
        yield subtract_ruling(contrast, lines), "ruled"
        yield grey_opening(contrast, size=(line_reach(contrast),) * 2), "opened"


def _components(
    contrast: Array, bright: Array, light: Array, edges: Array, noise: float, window: float
) -> Iterator[InkComponent]:
    """The connected components of the ink above several thresholds.

    Components whose strokes are about as wide as the window are left out. Above a low threshold a faint digit is
    complete; above a high one a dark digit is separate from the shadow around it. A component that is the same above
    two thresholds counts once.
    """
    from scipy.ndimage import distance_transform_edt, find_objects, label

    side = max(contrast.shape)
    reach = max(1, round(side / 150))
    lowest, highest = max(FAINTEST, min(3 * noise, 0.15)), 0.6 * float(contrast.max())
    thresholds = [lowest * 2**i for i in range(8) if lowest * 2**i < highest]
    seen = set()
    for threshold in reversed(thresholds):
        above = contrast > threshold
        labels, _ = label(above, np.ones((3, 3)))
        boxes = find_objects(labels)
        amounts = np.bincount(labels[above], contrast[above], minlength=1)
        for number in np.argsort(-amounts)[: min(len(boxes), _MAX_COMPONENTS)]:
            box = boxes[number - 1]
            size = max(s.stop - s.start for s in box)
            if size < max(4, 0.03 * side):
                continue
            rows, columns = (slice(max(0, s.start - 3 * reach - 1), s.stop + 3 * reach + 1) for s in box)
            place = (rows, columns)
            mask, cut_out = labels[place] == number, contrast[place]
            level = float(np.percentile(cut_out[mask], 90))
            strong = mask & (cut_out > 0.5 * level)
            key = (int(strong.sum()), round(level, 2), box[0].start // 3, box[1].start // 3)
            if key in seen:
                continue
            seen.add(key)
            coarse = 2 if size > 150 else 1
            depth = distance_transform_edt(np.pad(strong, 1)[::coarse, ::coarse])
            thickest = 2 * max(1, coarse * float(depth.max()))
            if 1.7 * thickest > window:
                continue
            half = 0.5 * level * light[place]
            features = _shape_features(strong, box, contrast.shape, thickest / size)
            features |= {
                "level": math.log(level),
                "share": math.log(max(1e-3, amounts[number] / amounts.sum())),
                "edges": _log_share(edges[place] > 0.6 * half, _outline(strong)),
                "ridge": _ridge(bright[place], strong, mask, half, reach),
                "surrounded": math.log(_surrounded(bright, box, float(np.median(bright[place][strong])) - 0.5 * level)),
            }
            yield InkComponent(place, mask, level, thickest, features)


def _shape_features(
    mask: Array, box: tuple[slice, slice], picture: tuple[int, ...], thickness: float
) -> dict[str, float]:
    """The features of a component's pixels alone. picture: height and width; thickness: of the longer side."""
    size = max(s.stop - s.start for s in box)
    off_centre = [(s.start + s.stop) / 2 / side - 0.5 for s, side in zip(box, picture, strict=True)]
    at_border, touched = 0.0, 0
    for rows, s, side in zip((mask, mask.T), box, picture, strict=True):
        at_border += rows[0].sum() * (s.start == 0) + rows[-1].sum() * (s.stop == side)
        touched += (s.start == 0) + (s.stop == side)
    spread = np.linalg.eigvalsh(np.cov(np.nonzero(mask)) if mask.sum() > 2 else np.eye(2))
    across, lengthwise = np.maximum(spread, 1 / 12)  # of one pixel
    return {
        "size": math.log(size / max(picture)),
        "centre": -float(np.square(off_centre).sum()),
        "full": math.log(mask.sum() / size**2),
        "thin": math.log(thickness),
        "thickness": -math.log(1 + (thickness / 0.35) ** 8),
        "slender": max(-3.0, 0.5 * math.log(across / lengthwise)),
        "inside": math.log(max(0.05, 1 - at_border / (2 * sum(picture)))),
        "touch": min(2, touched) * (max(picture) >= _TINY_SIDE),
    }


def _outline(mask: Array) -> Array:
    from scipy.ndimage import binary_erosion

    outline: Array = mask & ~binary_erosion(mask, border_value=1)
    return outline


def _log_share(true: Array, where: Array) -> float:
    return math.log(max(0.05, float(true[where].mean()))) if where.any() else 0.0


def _ridge(bright: Array, strong: Array, mask: Array, half: Array, reach: int) -> float:
    """The share of the surroundings that is darker, by half a stroke's contrast, than the component beside it.

    A stroke has paper on both sides; the edge of a shadow or of the sheet has paper on one side only.
    """
    from scipy.ndimage import maximum_filter

    far, near = 2 * math.floor(2.5 * reach) + 1, 2 * reach + 1
    beside = maximum_filter(np.where(strong, bright, -1), far)
    ring = (beside > -1) & ~maximum_filter(strong, near) & ~mask
    return _log_share(bright < beside - half, ring)


def _surrounded(bright: Array, box: tuple[slice, slice], half: float) -> float:
    """The share of paper, darker than `half`, along two frames around a component.

    The hole of a 0 has little paper in its outer frame.
    """
    size = max(s.stop - s.start for s in box)
    shares = []
    for margin in (0.2 * size, 0.35 * size):
        rows, columns = (slice(max(0, round(s.start - margin)), round(s.stop + margin)) for s in box)
        inside = bright[rows, columns]
        frame = np.concatenate([inside[0], inside[-1], inside[:, 0], inside[:, -1]])
        shares.append(float((frame < half).mean()))
    return 0.2 + 0.8 * min(shares)


def _segment(contrast: Array, component: InkComponent) -> tuple[Array, Array]:
    """Masks of all ink with about the component's contrast, and of the ink that belongs to the digit.

    Ink has a third of a full stroke's contrast and is connected to ink with half of it (thresholding with hysteresis).
    Every component near the digit belongs to it, since the bar of a 5 may be separate; specks and components that touch
    the border do not.
    """
    from scipy.ndimage import binary_propagation, distance_transform_edt, find_objects, label

    square = np.ones((3, 3))
    strong = contrast > 0.5 * component.level
    ink = binary_propagation(strong, square, mask=contrast > 0.3 * component.level)
    labels, _ = label(ink, square)
    boxes = find_objects(labels)
    areas = np.bincount(labels.ravel())
    digit = np.isin(labels, np.unique(labels[component.place][component.mask & strong[component.place]]))
    largest = areas[np.unique(labels[digit])].max()
    digit = np.isin(labels, [n for n in np.unique(labels[digit]) if areas[n] >= 0.02 * largest])
    for _ in range(2):  # the second round searches around the components added in the first
        rows, columns = np.nonzero(digit)
        size = max(np.ptp(rows), np.ptp(columns)) + 1
        distance = distance_transform_edt(~digit)
        for number, box in enumerate(boxes, 1):
            at_border = any(s.start == 0 or s.stop == side for s, side in zip(box, contrast.shape, strict=True))
            share = areas[number] / largest
            if share >= 0.02 and not at_border:
                mask = labels[box] == number
                if distance[box][mask].min() <= (0.3 if share >= 0.1 else 0.15) * size:
                    digit[box] |= mask
    return ink, digit
