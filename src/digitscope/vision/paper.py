"""Paper and light: the colour axis in which ink stands out, background estimation, contrast and noise.

Pictures are floats 0 to 1, (H, W, 3) in colour or (H, W) as one quantity. In a picture called `bright` the ink is
brighter than the paper: it is `value` for light ink and 1 - value for dark ink.
"""

import numpy as np

from digitscope.arrays import Array

FAINTEST = 10 / 255
"""Minimum contrast of ink, in a range of 1: anything weaker is paper."""


def ink_axis(rgb: Array) -> Array:
    """The direction of colour in which ink stands out most from its paper.

    With d the difference of a pixel from the median around it, the unit vector a that maximizes sum (a . d)^2 is the
    eigenvector of sum d d^T with the largest eigenvalue. It is scaled so that sum |a| = 1, which leaves grey unchanged.

    Shapes: (H, W, 3) -> (3,)
    """
    from scipy.ndimage import median_filter, zoom

    if (rgb == rgb[..., :1]).all():
        return np.full(3, 1 / 3)
    steps = [max(1, side // 32) for side in rgb.shape[:2]]
    small = rgb[:: steps[0], :: steps[1]]
    window = [side // 2 + 1 for side in small.shape[:2]]
    factors = [rgb.shape[i] / small.shape[i] for i in range(2)]
    medians = [median_filter(small[..., i], window) for i in range(3)]
    around = np.stack([zoom(m, factors, order=1, mode="nearest", grid_mode=True) for m in medians], axis=2)
    d = (rgb - around).reshape(-1, 3)
    d = d[np.abs(d).max(axis=1) > FAINTEST]
    if not len(d) or np.ptp(d, axis=1).max() < FAINTEST:
        return np.full(3, 1 / 3)
    axis: Array = np.linalg.eigh(d.T @ d)[1][:, -1]
    if axis.sum() < 0:
        axis = -axis
    scaled: Array = axis / np.abs(axis).sum()
    return scaled


def project_colours(rgb: Array, axis: Array) -> Array:
    """The colours projected on an axis, sum a rgb, shifted to the range 0 to 1. (H, W, 3), (3,) -> (H, W)"""
    value: Array = (rgb @ axis + np.maximum(-axis, 0).sum()).astype(np.float32)
    return value


def relative_light(paper: Array) -> Array:
    """The light on each pixel of the paper, relative to its median. paper: from a `bright` picture, so 1 - light

    A shadow dims ink and paper by the same factor, so a contrast divided by the light is the same inside and outside.
    """
    light = np.maximum(1 - paper, 0.02)
    relative: Array = np.clip(light / np.median(light), 0.3, 1.5)
    return relative


def smooth_paper(bright: Array) -> Array:
    """Background estimation by a smooth surface: the paper under bright ink as a polynomial of the second degree.

    The coefficients c of sum_k c_k x^i y^j minimize sum w (bright - surface)^2, where w = exp(-(r/s)^2) for pixels that
    are brighter than the surface by r, else 1: ink hardly counts. The scale s decreases to that of the paper's noise.

    Shapes: (H, W) -> (H, W)
    Source: iteratively reweighted least squares with Welsch's weights, Holland and Welsch 1977.
    """
    rows, columns = (np.linspace(-1, 1, side, dtype=np.float32) for side in bright.shape)
    y, x = np.broadcast_to(rows[:, None], bright.shape), np.broadcast_to(columns, bright.shape)
    terms = np.stack([np.ones_like(bright), x, y, x * x, x * y, y * y])
    sparse = tuple(slice(None, None, max(1, side // 64)) for side in bright.shape)
    sampled_terms, samples = terms[:, *sparse].reshape(len(terms), -1), bright[sparse].ravel()
    c = np.zeros(len(terms), np.float32)
    c[0] = np.median(samples)
    smallest_scale = max(4 * noise_level(bright), FAINTEST / 2)
    scale = max(float(np.ptp(samples)) / 2, smallest_scale)
    ridge = 1e-3 * len(samples) * np.eye(len(terms), dtype=np.float32)
    ridge[0, 0] = 0
    for _ in range(20):
        r = np.maximum(samples - c @ sampled_terms, 0)
        w = np.exp(-((r / scale) ** 2))
        c = np.linalg.solve((sampled_terms * w) @ sampled_terms.T + ridge * w.mean(), (sampled_terms * w) @ samples)
        scale = max(0.75 * scale, smallest_scale)
    surface: Array = np.tensordot(c, terms, 1)
    return surface


def noise_level(value: Array) -> float:
    """The standard deviation of the noise of single pixels.

    In v[i,j] - v[i+1,j] - v[i,j+1] + v[i+1,j+1] light and most edges cancel, and the noise of four pixels is left. Its
    deviation is twice that of one pixel, estimated by 1.4826 times the median absolute deviation.
    """
    if min(value.shape) < 2:
        return 0.0
    twice = np.diff(np.diff(value, axis=0), axis=1)
    return 1.4826 * float(np.median(np.abs(twice))) / 2


def opened_paper(bright: Array, window: int) -> Array:
    """Background estimation by a grey-scale opening: the maximum of the minimum in windows.

    The opening removes everything bright that is narrower than the window, and leaves the edge of a shadow in place.

    Shapes: (H, W) -> (H, W)
    """
    from scipy.ndimage import gaussian_filter, grey_opening

    smooth = gaussian_filter(bright, max(bright.shape) / 500)
    paper: Array = np.minimum(grey_opening(smooth, size=(window, window), mode="nearest"), bright)
    return paper


def median_or_zero(values: Array) -> float:
    """The median; 0 if there are no values."""
    return float(np.median(values)) if values.size else 0.0


def contrast_to(paper: Array, bright: Array) -> Array:
    """The difference by which each pixel is brighter than the paper, at least 0.

    An opening is darker than noisy paper. Most pixels are paper, so the median contrast is subtracted.
    """
    contrast: Array = np.maximum(bright - paper - np.median(bright - paper), 0)
    return contrast


def local_range(bright: Array) -> Array:
    """The difference of the largest and the smallest value around each pixel, within about a hundredth of the side."""
    from scipy.ndimage import maximum_filter, minimum_filter

    size = 2 * max(1, round(max(bright.shape) / 150)) + 1
    change: Array = maximum_filter(bright, size) - minimum_filter(bright, size)
    return change


def otsu_threshold(value: Array) -> float:
    """The threshold that maximizes the variance between the two classes below and above it.

    Source: Otsu 1979, "A threshold selection method from gray-level histograms".
    """
    counts, edges = np.histogram(value, 64)
    below = np.cumsum(counts)
    middle = (edges[:-1] + edges[1:]) / 2
    mass = np.cumsum(counts * middle)
    above = below[-1] - below
    mean_below, mean_above = mass / np.maximum(below, 1), (mass[-1] - mass) / np.maximum(above, 1)
    return float(edges[1 + int((below * above * (mean_below - mean_above) ** 2).argmax())])
