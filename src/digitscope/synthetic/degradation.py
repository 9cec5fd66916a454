"""Damages drawings as dry pens, small scans, compression, narrow crops and other lines do, and prepares them again.

A drawing in MNIST's format is enlarged, damaged, and brought back into the format by the last steps of
`vision.prepare`. So a network learns from such drawings in the form in which it meets them: a scan of eight pixels has
soft blocks instead of strokes, and a hair-thin pen is thickened.

A sheet is float32 (H, W), 0 (paper) to 1 (ink).
"""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import Array
from digitscope.synthetic.glyphs import Image, curve_matrix
from digitscope.vision.normalize import BOX, cut_out
from digitscope.vision.prepare import fit_to_format

Rng = np.random.Generator

SHEET = 100
"""Longer side of an enlarged drawing, in pixels: five for one of MNIST's."""
SCALE = SHEET // BOX
LEAST_INK = 0.6
"""The fraction of the ink that must remain; otherwise the drawing is damaged again, differently."""
LEAST_LEFT = 0.45
"""The same for the prepared image, from which preparation has removed what is faint. Its pen may be thinner."""
TRIES = 4


@dataclass(frozen=True)
class Damage:
    """A kind of damage: its share among the damaged, and the function that damages a sheet."""

    share: float
    apply: Callable[[Array, Rng], Array]


def damage(images: Image, rng: Rng, kinds: Mapping[str, Damage]) -> Image:
    """Each image, damaged in one of these ways. Equal generators give equal images.

    Shapes: uint8 (N, 28, 28), in MNIST's format, with some ink -> the same
    """
    names = list(kinds)
    shares = np.array([kind.share for kind in kinds.values()])
    chosen = rng.choice(len(names), len(images), p=shares / shares.sum())
    damaged = [damage_once(image, rng, kinds[names[k]]) for image, k in zip(images, chosen, strict=True)]
    return np.stack(damaged) if damaged else images.copy()


def damage_once(image: Image, rng: Rng, kind: Damage) -> Image:
    """The image with this damage; unchanged if too little ink would be left in every try."""
    sheet = enlarged(image)
    for _ in range(TRIES):
        penned = repenned(stretched(sheet, rng), rng)
        result = kind.apply(penned, rng)
        pixel = max(1.0, penned.size / result.size)  # a scan's pixels are larger
        if pixel * result.sum() > LEAST_INK * penned.sum() and result.max() > 0.5:
            image_of_result = prepared(result)
            if image_of_result.sum(dtype=float) > LEAST_LEFT * image.sum(dtype=float):
                return image_of_result
    return image


def prepared(coverage: Array) -> Image:
    """A sheet in MNIST's format, as `vision.prepare` ends. (H, W) -> uint8 (28, 28)"""
    return fit_to_format(np.pad(coverage, 1))[1]


def enlarged(image: NDArray[np.uint8]) -> Array:
    """The drawing, cropped and enlarged, with edges about a pixel soft. (28, 28) -> (H, W), max(H, W) = SHEET"""
    digit = cut_out(image.astype(np.float32) / 255)
    scale = SHEET / max(digit.shape)
    large = resized(digit, tuple(max(2, round(scale * side)) for side in digit.shape), smooth=True)
    sharp: Array = np.clip(3 * (large - 0.5) + 0.5, 0, 1)
    return sharp


def resized(sheet: Array, shape: tuple[int, ...], *, smooth: bool = False) -> Array:
    """The sheet in another size; each pixel is the mean of those that it covers, or `smooth`ly interpolated."""
    from PIL import Image as Pillow

    method = Pillow.Resampling.BICUBIC if smooth else Pillow.Resampling.BOX
    picture = Pillow.fromarray(sheet.astype(np.float32)).resize((shape[1], shape[0]), method)
    clipped_to_ink: Array = np.clip(np.asarray(picture), 0, 1)
    return clipped_to_ink


def stretched(sheet: Array, rng: Rng) -> Array:
    """Wider or narrower by up to a third."""
    height, width = sheet.shape
    factor = np.exp(np.clip(rng.normal(0, 0.15), -0.3, 0.3))
    return resized(sheet, (height, max(2, round(factor * width))), smooth=True)


def repenned(sheet: Array, rng: Rng) -> Array:
    """The sheet drawn with another pen, half of the time: up to 1.2 of MNIST's pixels thinner or 2 wider, which fills
    small loops."""
    from PIL import Image as Pillow
    from PIL import ImageFilter

    if rng.random() < 0.5:
        return sheet
    change = int(rng.choice([-3, -2, -1, 1, 2, 3, 4, 5]))  # pixels of the sheet at each edge
    padded = np.pad(sheet, 6)
    picture = Pillow.fromarray((255 * padded).astype(np.uint8))
    size = 2 * abs(change) + 1
    thick = ImageFilter.MaxFilter(size) if change > 0 else ImageFilter.MinFilter(size)
    changed = np.asarray(picture.filter(thick), np.float32) / 255
    if change < 0:  # the finest lines do not vanish
        changed = np.maximum(changed, _cores(padded))
    return changed


def _cores(sheet: Array) -> Array:
    """The ridges of the strokes: what no erosion may remove, about a pixel and a half wide."""
    from PIL import Image as Pillow
    from PIL import ImageFilter

    depth = np.asarray(
        Pillow.fromarray((255 * sheet).astype(np.uint8)).filter(ImageFilter.GaussianBlur(2.5)), np.float32
    )
    top = np.asarray(Pillow.fromarray(depth.astype(np.uint8)).filter(ImageFilter.MaxFilter(3)), np.float32)
    ridge: Array = ((depth >= top - 1) & (sheet > 0.5)).astype(np.float32)
    return ridge


# Scans


def bilevel_scan(sheet: Array, rng: Rng, smallest: float = 8, largest: float = 30) -> Array:
    """A black-and-white scan of 8 to 30 pixels, with a few wrong pixels at the edges of the ink."""
    small = _scanned(sheet, rng, smallest, largest)
    small = small + rng.normal(0, rng.uniform(0, 0.12), small.shape) * (small > 0.05) * (small < 0.95)
    level = rng.uniform(0.25, 0.55) * min(1.0, float(np.percentile(small, 98)))
    bits: Array = (small > level).astype(np.float32)
    return bits


def grey_scan(sheet: Array, rng: Rng) -> Array:
    """A scan of 7 to 20 pixels with a few or many greys, brightened or not, and a haze of other ink in some pixels."""
    small = _scanned(sheet, rng, 7, 20)
    small = np.clip(small * rng.uniform(1, 1.8) / max(1e-6, float(small.max())), 0, 1)
    if rng.random() < 0.4:
        small = np.maximum(small, rng.uniform(0.1, 0.35) * rng.random(small.shape) ** 3)
    steps = int(rng.choice([4, 16, 255]))
    greys: Array = np.round(small * steps) / steps
    return greys


def square_scan(sheet: Array, rng: Rng) -> Array:
    """A scan of 10 to 22 pixels, stretched until it is about square; a narrow 1 not so far."""
    height, width = sheet.shape
    factor = min(height / width, 2.2) ** rng.uniform(0.6, 1.05)
    wide = resized(sheet, (height, max(2, round(factor * width))), smooth=True)
    return bilevel_scan(wide, rng, 10, 22)


def _scanned(sheet: Array, rng: Rng, smallest: float, largest: float) -> Array:
    """The sheet on a grid of random size and offset."""
    side = float(np.exp(rng.uniform(np.log(smallest), np.log(largest))))
    pitch = max(sheet.shape) / side  # pixels of the sheet in one of the scan
    height, width = (max(2, round(length / pitch)) for length in sheet.shape)
    if rng.random() < 0.5:  # the grid begins anywhere
        before = (rng.uniform(0, 1, 2) * pitch).astype(int)
        sheet = np.pad(sheet, ((before[0], round(pitch) - before[0]), (before[1], round(pitch) - before[1])))
        height, width = height + 1, width + 1
    return resized(sheet, (height, width))


# Pens and paper


def broken(sheet: Array, rng: Rng) -> Array:
    """Strokes with one to four gaps, each a thin stroke of paper across them."""
    ink = np.argwhere(sheet > 0.5)
    rows, columns = np.mgrid[: sheet.shape[0], : sheet.shape[1]]
    kept = sheet.copy()
    for _ in range(rng.integers(1, 5)):
        row, column = ink[rng.integers(len(ink))]
        angle = rng.uniform(0, np.pi)
        across = (rows - row) * np.cos(angle) + (columns - column) * np.sin(angle)
        along = (columns - column) * np.cos(angle) - (rows - row) * np.sin(angle)
        gap = rng.uniform(0.4, 1.3) * SCALE
        kept[(np.abs(across) < gap) & (np.abs(along) < 3 * SCALE)] = 0
    return kept


def worn(sheet: Array, rng: Rng) -> Array:
    """A dry pen: the ink is missing in irregular places."""
    cells = int(rng.integers(8, 30))
    texture = resized(rng.uniform(0, 1, (cells, cells)).astype(np.float32), sheet.shape, smooth=True)
    missing = texture < np.quantile(texture, rng.uniform(0.05, 0.3))
    remaining: Array = sheet * np.where(missing, rng.uniform(0, 0.3), 1).astype(np.float32)
    return remaining


def dashed(sheet: Array, rng: Rng) -> Array:
    """Stripes of paper across the whole drawing, in one direction or two, so that lines become dashes."""
    rows, columns = np.mgrid[: sheet.shape[0], : sheet.shape[1]]
    kept = sheet
    for angle in [rng.uniform(0, np.pi)] if rng.random() < 0.5 else rng.uniform(0, 0.3) + np.array([0.3, 1.9]):
        across = rows * np.cos(angle) + columns * np.sin(angle) + rng.uniform(0, 99)
        period = rng.uniform(3, 6) * SCALE
        kept = kept * (across % period > rng.uniform(0.15, 0.33) * period)
    return kept.astype(np.float32)


def ragged(sheet: Array, rng: Rng) -> Array:
    """Edges as rough as those of a marker on coarse paper."""
    cells = tuple(max(2, round(side / rng.uniform(2, 5))) for side in sheet.shape)
    noise = resized(rng.uniform(0, 1, cells).astype(np.float32), sheet.shape, smooth=True)
    soft = _blurred(sheet, rng.uniform(1, 2.5))
    rough: Array = np.clip(4 * (soft + rng.uniform(0.3, 0.8) * (noise - 0.5) - 0.45) + 0.5, 0, 1)
    return rough


def blurred(sheet: Array, rng: Rng) -> Array:
    """Out of focus, by up to a stroke's width."""
    soft = _blurred(sheet, rng.uniform(2, 6))
    return soft / max(1e-6, float(soft.max()))


def _blurred(sheet: Array, radius: float) -> Array:
    from PIL import Image as Pillow
    from PIL import ImageFilter

    picture = Pillow.fromarray((255 * np.pad(sheet, 3)).astype(np.uint8))
    soft: Array = np.asarray(picture.filter(ImageFilter.GaussianBlur(radius)), np.float32)[3:-3, 3:-3] / 255
    return soft


def clipped(sheet: Array, rng: Rng) -> Array:
    """Cut off by the picture's edge on one side or two: at most a tenth of its size."""
    for axis in rng.permutation(2)[: rng.integers(1, 3)]:
        cut = max(1, round(rng.uniform(0.02, 0.1) * sheet.shape[axis]))
        part = slice(cut, None) if rng.random() < 0.5 else slice(None, -cut)
        sheet = sheet[part] if axis == 0 else sheet[:, part]
    return sheet


def compressed(sheet: Array, rng: Rng) -> Array:
    """A small JPEG of poor quality."""
    from PIL import Image as Pillow

    small = _scanned(sheet, rng, 18, 60)
    contrast = rng.uniform(0.3, 1)
    picture = Pillow.fromarray((255 * (1 - contrast * np.pad(small, 4))).astype(np.uint8))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=int(rng.integers(8, 45)))
    grey = 1 - np.asarray(Pillow.open(stream), np.float32)[4:-4, 4:-4] / 255
    floor = rng.uniform(0.1, 0.3)
    coverage: Array = np.clip((grey / max(1e-6, float(np.percentile(grey, 98))) - floor) / (0.9 - floor), 0, 1)
    return coverage


# What is beside and behind


def ruled(sheet: Array, rng: Rng) -> Array:
    """A rest of a ruled line under the digit, across it or at its top, thinner than the strokes or paler."""
    height, width = sheet.shape
    margin = round(rng.uniform(0, 0.2) * width) + 1
    room = np.pad(sheet, ((2 * SCALE, 2 * SCALE), (margin, margin)))
    rows, columns = np.mgrid[: room.shape[0], : room.shape[1]]
    place = 2 * SCALE + rng.choice([1.02, 1.02, 1.0, rng.uniform(0, 1), -0.02]) * height
    thickness = rng.uniform(0.15, 0.5) * SCALE
    line = np.abs(rows - place - rng.uniform(-0.06, 0.06) * (columns - columns.mean())) < thickness
    begin, end = rng.uniform(0, 0.3), rng.uniform(0.7, 1)
    line &= (columns >= begin * room.shape[1]) & (columns <= end * room.shape[1])
    crossed: Array = np.maximum(room, line * np.float32(rng.uniform(0.3, 1)))
    return crossed


def framed(sheet: Array, rng: Rng) -> Array:
    """Rests of the frame of a form's cell on one to three sides, beside the digit or touching it.

    A narrow digit has one below it only: others would make a 7 or another 1 of it.
    """
    height, width = sheet.shape
    room = np.pad(sheet, round(rng.uniform(0.05, 0.3) * SHEET))
    margin = (room.shape[0] - height) // 2
    rows, columns = np.mgrid[: room.shape[0], : room.shape[1]]
    sides = rng.permutation(4 if width > 0.4 * height else 1)[: rng.integers(1, 4)]
    thickness, ink = rng.uniform(0.2, 0.6) * SCALE, np.float32(rng.uniform(0.5, 1))
    crossed = room
    for side in sides:
        across, along = (rows, columns) if side < 2 else (columns, rows)
        length, extent = (height, room.shape[1]) if side < 2 else (width, room.shape[0])
        away = rng.uniform(-0.04 * length, margin)
        place = margin - away if side % 2 else margin + length + away
        begin, end = np.sort(rng.uniform(0, 1, 2)) if rng.random() < 0.5 else (0, 1)
        line = np.abs(across - place - rng.uniform(-0.03, 0.03) * (along - along.mean())) < thickness
        line &= (along >= begin * extent) & (along <= end * extent)
        crossed = np.maximum(crossed, line * ink)
    return crossed


def cluttered(sheet: Array, rng: Rng) -> Array:
    """Pale lines behind the digit, or specks around it."""
    room = np.pad(sheet, round(rng.uniform(0, 0.12) * SHEET) + 1)
    rows, columns = np.mgrid[: room.shape[0], : room.shape[1]]
    behind = np.zeros_like(room)
    if rng.random() < 0.5:
        for _ in range(rng.integers(1, 6)):
            row, column = rng.uniform(0, 1, 2) * room.shape
            radius = rng.uniform(0.2, 0.7) * SCALE
            behind[(rows - row) ** 2 + (columns - column) ** 2 < radius**2] = rng.uniform(0.5, 1)
    else:
        behind = _pale_lines(room.shape, rng)
    both: Array = np.maximum(room, behind)
    return both


def _pale_lines(shape: tuple[int, ...], rng: Rng) -> Array:
    """One to three pale lines, straight or curved, anywhere."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    picture = Pillow.new("L", (shape[1], shape[0]))
    pen = ImageDraw.Draw(picture)
    for _ in range(rng.integers(1, 4)):
        points = rng.uniform(-0.1, 1.1, (int(rng.integers(2, 6)), 2))
        line = (curve_matrix(points) @ points if len(points) > 2 else points) * shape[::-1]
        pen.line([tuple(point) for point in line.tolist()], fill=255, width=int(rng.integers(2, 9)))
    pale: Array = np.asarray(picture, np.float32) / 255 * np.float32(rng.uniform(0.15, 0.45))
    return pale


# Kinds that no training uses: for the calibration of what is refused


def halftone(sheet: Array, rng: Rng) -> Array:
    """A printed or faxed grey: dots instead of shades. Source of the matrix: Bayer 1973"""
    small = _scanned(_blurred(sheet, rng.uniform(0.5, 2)), rng, 30, 60) * rng.uniform(0.7, 1)
    bayer = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) / 16 + 1 / 32
    rows, columns = (-(-side // 4) for side in small.shape)
    levels = np.tile(bayer, (rows, columns))[: small.shape[0], : small.shape[1]]
    dots: Array = (small > levels).astype(np.float32)
    return dots


def smeared(sheet: Array, rng: Rng) -> Array:
    """The camera or the paper moved: the mean of copies along a straight way of up to two strokes' widths."""
    reach = rng.uniform(1, 2.5) * SCALE
    angle = rng.uniform(0, np.pi)
    room = np.pad(sheet, 8)
    steps = np.linspace(-0.5, 0.5, 7)
    copies = [
        np.roll(room, (round(reach * t * np.sin(angle)), round(reach * t * np.cos(angle))), (0, 1)) for t in steps
    ]
    mean = np.mean(copies, axis=0)
    smear: Array = (mean / max(1e-6, float(mean.max()))).astype(np.float32)
    return smear


def turned(sheet: Array, rng: Rng) -> Array:
    """Turned by 10 to 20 degrees."""
    from PIL import Image as Pillow

    angle = rng.choice([-1, 1]) * rng.uniform(10, 20)
    picture = Pillow.fromarray(sheet).rotate(angle, Pillow.Resampling.BILINEAR, expand=True)
    return cut_out(np.asarray(picture))


def half_lit(sheet: Array, rng: Rng) -> Array:
    """Pale on one side, and thinner there after the contrast is raised."""
    rows, columns = np.mgrid[: sheet.shape[0], : sheet.shape[1]] / max(sheet.shape)
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * columns + np.sin(angle) * rows
    light = 1 - rng.uniform(0.3, 0.6) * (along - along.min()) / max(1e-6, float(np.ptp(along)))
    lit: Array = np.clip(2 * (_blurred(sheet, 2) * light - 0.35) + 0.5, 0, 1).astype(np.float32)
    return lit


def written_twice(sheet: Array, rng: Rng) -> Array:
    """Traced a second time, a little beside the first."""
    room = np.pad(sheet, 8)
    down, right = rng.integers(-7, 8, 2)
    both: Array = np.maximum(room, np.roll(room, (int(down), int(right)), (0, 1)))
    return cut_out(both)


def shaky(sheet: Array, rng: Rng) -> Array:
    """Written with a trembling hand: each row and column is displaced by a wave."""
    room = np.pad(sheet, 6)
    rows, columns = np.mgrid[: room.shape[0], : room.shape[1]]
    waves = rng.uniform(0.08, 0.2, 2) * 2 * np.pi / SCALE * rng.uniform(0.5, 1)
    heights = rng.uniform(1, 3.5, 2)
    moved_rows = rows + heights[0] * np.sin(waves[0] * columns * 2 + rng.uniform(0, 6))
    moved_columns = columns + heights[1] * np.sin(waves[1] * rows * 2 + rng.uniform(0, 6))
    wavy: Array = room[
        np.clip(moved_rows.round().astype(int), 0, room.shape[0] - 1),
        np.clip(moved_columns.round().astype(int), 0, room.shape[1] - 1),
    ]
    return cut_out(wavy)


def faxed(sheet: Array, rng: Rng) -> Array:
    """A scan of 18 to 45 pixels of which some are wrong, everywhere."""
    bits = bilevel_scan(sheet, rng, 18, 45)
    wrong = rng.random(bits.shape) < rng.uniform(0.003, 0.02)
    flipped: Array = np.where(wrong, 1 - bits, bits).astype(np.float32)
    return flipped


def blocky(sheet: Array, rng: Rng) -> Array:
    """A scan of 9 to 18 pixels, enlarged without smoothing."""
    return np.kron(bilevel_scan(sheet, rng, 9, 18), np.ones((8, 8), np.float32))


def _then_scanned(first: Callable[[Array, Rng], Array]) -> Callable[[Array, Rng], Array]:
    return lambda sheet, rng: bilevel_scan(first(sheet, rng), rng, smallest=14, largest=45)


def redrawn(sheet: Array, rng: Rng) -> Array:
    """Another pen and other proportions alone."""
    return sheet


DIGIT_DAMAGE: dict[str, Damage] = {
    "redrawn": Damage(0.05, redrawn),
    "bilevel scan": Damage(0.13, bilevel_scan),
    "square scan": Damage(0.12, square_scan),
    "grey scan": Damage(0.16, grey_scan),
    "broken": Damage(0.06, broken),
    "broken scan": Damage(0.03, _then_scanned(broken)),
    "worn": Damage(0.05, worn),
    "worn scan": Damage(0.03, _then_scanned(worn)),
    "dashed": Damage(0.03, dashed),
    "ragged": Damage(0.04, ragged),
    "blurred": Damage(0.03, blurred),
    "clipped": Damage(0.06, clipped),
    "clipped scan": Damage(0.03, _then_scanned(clipped)),
    "compressed": Damage(0.05, compressed),
    "ruled": Damage(0.04, ruled),
    "framed": Damage(0.06, framed),
    "cluttered": Damage(0.03, cluttered),
}
"""What happens to digits. The shares add up to 1."""

OTHER_DAMAGE: dict[str, Damage] = {
    "redrawn": Damage(0.1, redrawn),
    "bilevel scan": Damage(0.25, bilevel_scan),
    "square scan": Damage(0.15, square_scan),
    "grey scan": Damage(0.2, grey_scan),
    "ragged": Damage(0.05, ragged),
    "blurred": Damage(0.05, blurred),
    "compressed": Damage(0.1, compressed),
    "ruled": Damage(0.05, ruled),
    "framed": Damage(0.05, framed),
}
"""What happens to drawings that are not digits. A gap or a cut could make a digit of them."""

UNSEEN_DAMAGE: dict[str, Damage] = {
    "halftone": Damage(0.1, halftone),
    "smeared": Damage(0.15, smeared),
    "turned": Damage(0.15, turned),
    "half lit": Damage(0.1, half_lit),
    "written twice": Damage(0.1, written_twice),
    "shaky": Damage(0.15, shaky),
    "faxed": Damage(0.1, faxed),
    "blocky": Damage(0.15, blocky),
}
"""What happens to the digits on which the refusal is calibrated, and never to training images."""
