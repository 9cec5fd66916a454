"""Drawings: each kind is in MNIST's format, curves go through their points, and drawn digits can be read."""

import numpy as np
import pytest
from matplotlib.ft2font import FT2Font
from scipy.interpolate import CubicSpline

from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.errors import DataError, ShapeError
from digitscope.model import Model
from digitscope.synthetic import glyph_tables
from digitscope.synthetic import non_digits as drawings
from digitscope.synthetic.glyphs import (
    POINT_SPACING,
    WIDTH_RANGE,
    bend,
    curve_matrix,
    dashed_lines,
    draw_glyph,
    draw_lines,
    parse_glyphs,
    random_pen_width,
    to_mnist_format,
    vary_glyph,
)
from digitscope.synthetic.non_digits import (
    NON_DIGITS,
    PRINTED_SIGNS,
    VARIANTS,
    DigitSource,
    DrawingKind,
    font_files,
    font_signs,
    non_digits,
    variants,
)
from digitscope.vision.normalize import BOX, FINE, SIDE, stroke_width

KINDS = {**NON_DIGITS, **VARIANTS}
ANYWHERE = ("noise", "gradients", "edges")
"""Kinds that may fill the whole image."""
TABLES = {name: getattr(glyph_tables, name) for name in ("LETTERS", "GREEK", "SCRIPTS", "SIGNS", "SHAPES", "DIGITS")}
EACH = 60


@pytest.fixture(scope="session")
def digits(mnist: DataSet) -> DigitSource:
    return DigitSource(mnist.x_train[:5000], mnist.y_train[:5000])


def extents(image: Array) -> list[int]:
    """The number of rows and columns from the first to the last one that is not blank."""
    return [int(np.ptp(np.flatnonzero(image.any(axis=axis)))) + 1 for axis in (1, 0)]


def widest_run(image: Array) -> int:
    """The longest run of ink in the rows of the middle."""
    rows = np.flatnonzero(image.any(axis=1))
    inside = image[rows[0] + round(0.4 * len(rows)) : rows[0] + round(0.75 * len(rows))] > 100
    runs = [len(run) for row in inside for run in "".join(".#"[pixel] for pixel in row.astype(int)).split(".")]
    return max(runs)


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_is_in_mnists_format(name: str, digits: DigitSource) -> None:
    rng = np.random.default_rng(3)
    for _ in range(EACH):
        image = KINDS[name].draw(rng, digits)
        assert image.shape == (SIDE, SIDE)
        assert image.dtype == np.uint8
        assert image.max() > 100
        longer = max(extents(image))
        if name in ANYWHERE and longer > BOX:
            continue
        assert longer <= BOX
        if name not in ANYWHERE:
            assert longer >= BOX - 1  # a faint last row may round to nothing
        mass = image / image.sum(dtype=float)
        # Only where half of the box would be blank can the centre of mass not be brought to the middle.
        for axis in (0, 1):
            middle = mass.sum(axis=1 - axis) @ (np.arange(SIDE) + 0.5)
            missed = 4 if name in NON_DIGITS else 0.6 if name == "7 serif" else 0  # its ink is nearly all in the bar
            assert SIDE / 2 - 1e-9 <= middle < SIDE / 2 + 1 or abs(middle - SIDE / 2) < missed


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_is_different_each_time_and_alike_for_equal_generators(name: str, digits: DigitSource) -> None:
    first, again, other = (
        np.stack([KINDS[name].draw(rng, digits) for _ in range(5)]) for rng in map(np.random.default_rng, (1, 1, 2))
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(np.unique(first, axis=0)) == 5


def test_equal_generators_give_equal_drawings_and_the_digits_are_not_changed(mnist: DataSet) -> None:
    images, labels = mnist.x_train[:500].copy(), mnist.y_train[:500]
    drawn = [non_digits(40, np.random.default_rng(seed), images, labels) for seed in (0, 0, 1)]
    assert drawn[0].shape == (40, SIDE, SIDE)
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    written = [variants(40, np.random.default_rng(seed), images, labels) for seed in (0, 0)]
    assert written[0][0].shape == (40, SIDE, SIDE)
    assert written[0][1].shape == (40,)
    for first, again in zip(*written, strict=True):
        np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(images, mnist.x_train[:500])


@pytest.mark.parametrize("kinds", [NON_DIGITS, VARIANTS], ids=["non-digits", "variants"])
def test_shares_add_up_to_1(kinds: dict[str, DrawingKind]) -> None:
    assert sum(kind.share for kind in kinds.values()) == pytest.approx(1)
    assert all(kind.share > 0 for kind in kinds.values())


def test_kinds_come_in_their_shares_with_their_labels(mnist: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    def grey(value: int) -> DrawingKind:
        return DrawingKind(value / 100, lambda rng, digits: np.full((SIDE, SIDE), value, np.uint8))

    fake = {"4 some": grey(10), "7 more": grey(30), "9 most": grey(60)}
    monkeypatch.setattr(drawings, "NON_DIGITS", fake)
    monkeypatch.setattr(drawings, "VARIANTS", fake)
    given = (mnist.x_train[:200], mnist.y_train[:200])
    for value in (10, 30, 60):
        share = (non_digits(4000, np.random.default_rng(0), *given)[:, 0, 0] == value).mean()
        assert share == pytest.approx(value / 100, abs=0.03)
    images, labels = variants(500, np.random.default_rng(0), *given)
    np.testing.assert_array_equal(labels, np.select([images[:, 5, 5] == v for v in (10, 30, 60)], [4, 7, 9]))


def test_every_table_can_be_read_and_every_digit_is_a_variant() -> None:
    for name, table in TABLES.items():
        rows = table.strip().splitlines()
        assert len(set(rows)) == len(rows) == len(parse_glyphs(table)), name
    assert sum(len(parse_glyphs(table)) for name, table in TABLES.items() if name != "DIGITS") > 250
    written = {figure.name.replace("-", " ") for figure in parse_glyphs(glyph_tables.DIGITS)}
    assert written | {"7 barred", *(f"{k} print" for k in range(10))} == set(VARIANTS)


def test_a_curve_goes_through_its_points_in_small_steps() -> None:
    for table in TABLES.values():
        for figure in parse_glyphs(table):
            for line in figure.lines:
                curve = line.curve @ line.points
                distances = np.hypot(*(curve[:, None] - line.points[None]).T)
                assert distances.min(axis=1).max() < 1e-9
                if len(curve) > 1:
                    assert np.hypot(*np.diff(curve, axis=0).T).max() < 3 * POINT_SPACING
                assert -0.3 < curve.min() < curve.max() < 1.3 or len(curve) == 1


def test_straight_lines_are_straight_and_have_corners() -> None:
    (figure,) = parse_glyphs("L 10-19-89")
    (line,) = figure.lines
    x, y = 9 * (line.curve @ line.points).T
    np.testing.assert_allclose(np.minimum(np.abs(x - 1), np.abs(y - 9)), 0, atol=1e-12)
    assert [x[0], y[0], x[-1], y[-1]] == pytest.approx([1, 0, 8, 9])


def test_a_straight_line_stays_straight_before_and_after_a_curve() -> None:
    (line,) = parse_glyphs("U 00-05~29~69~95-90")[0].lines
    x, y = 9 * (line.curve @ line.points).T
    straight = y < 5 - 1e-9
    assert straight.sum() > 10
    np.testing.assert_allclose(np.minimum(x, 9 - x)[straight], 0, atol=1e-12)
    assert y.max() > 9  # the curve is one: it swings lower than the two points between which it is lowest


def test_a_point_given_twice_is_a_corner_and_once_it_is_not() -> None:
    def sharpest(text: str) -> float:
        """The largest angle between two steps, degrees."""
        (line,) = parse_glyphs(f"? {text}")[0].lines
        steps = np.diff(line.curve @ line.points, axis=0)
        return float(np.degrees(np.abs(np.diff(np.unwrap(np.arctan2(*steps.T))))).max())

    assert sharpest("09~24~40-40~64~89") > 100
    assert sharpest("09~24~40~64~89") < 75


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("count", [2, 3, 4, 7])
def test_a_curve_is_scipys_spline(count: int, closed: bool) -> None:
    points = np.random.default_rng(count).uniform(0, 1, (count, 2))
    if closed:
        points = np.concatenate([points, points[:1]])
    lengths = np.hypot(*np.diff(points, axis=0).T)
    t = np.concatenate([[0], np.cumsum(np.sqrt(lengths))])
    bc_type = "periodic" if closed and len(points) > 3 else "natural"
    counts = np.maximum(1, np.round(lengths / POINT_SPACING).astype(int))
    at = np.concatenate([t[i] + (t[i + 1] - t[i]) * np.arange(n) / n for i, n in enumerate(counts)])
    np.testing.assert_allclose(curve_matrix(points) @ points, CubicSpline(t, points, bc_type=bc_type)(at), atol=1e-9)


def test_a_closed_curve_through_four_points_is_round() -> None:
    points = np.array([[1.0, 0], [0, 1], [-1, 0], [0, -1], [1, 0]])
    radius = np.hypot(*(curve_matrix(points) @ points).T)
    assert radius.min() > 0.93
    assert radius.max() < 1.07


def test_bending_turns_by_at_most_its_limit() -> None:
    upright = np.array([[0.0, 0], [1, 0]])
    for seed in range(200):
        (bent,) = bend([upright], np.random.default_rng(seed), wobble=0.0, turn=15)
        right, down = bent[1] - bent[0]
        assert abs(np.degrees(np.arctan2(down, right))) <= 15 + 1e-9


@pytest.mark.parametrize("width", [1.5, 2.5, 4])
def test_the_pen_has_the_given_width(width: float) -> None:
    lines = [np.array([[0, 0], [0, 0.5], [0, 1], [0.5, 1], [0.8, 1]])]
    drawing = draw_lines(lines, width, np.random.default_rng(0))
    rows, columns = np.nonzero(drawing)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == pytest.approx(BOX * FINE, abs=6)
    assert stroke_width(drawing / 255) == pytest.approx(width, rel=0.15)


def test_pens_are_about_as_wide_as_mnists_and_thinner_for_many_strokes() -> None:
    def widths(rows: str) -> Array:
        rng = np.random.default_rng(0)
        return np.array(
            [
                stroke_width(draw_lines(vary_glyph(figure, rng), random_pen_width(rng), rng) / 255)
                for figure in parse_glyphs(rows) * 40
            ]
        )

    letters = widths("L 10-19-89\nV 00-49-90\nC 82~50~13~06~39~88")
    assert 2.2 < np.median(letters) < 2.7
    assert WIDTH_RANGE[0] * 0.8 < letters.min() < letters.max() < WIDTH_RANGE[1] * 1.15
    lattice = widths("# 00-90 02-92 04-94 06-96 08-98 00-09 20-29 40-49 60-69 80-89")
    assert np.median(lattice) < 2


def test_dashes_leave_gaps_and_begin_and_end_on_the_line() -> None:
    line = np.array([[0.0, 0], [0, 1], [1, 1]])
    for seed in range(20):
        dashes = dashed_lines([line], np.random.default_rng(seed))
        assert len(dashes) >= 3
        lengths = [np.hypot(*np.diff(dash, axis=0).T).sum() for dash in dashes]
        assert max(lengths) <= 0.3 + 1e-9
        assert sum(lengths) < 0.75 * 2
        points = np.concatenate(dashes)
        assert (np.minimum(np.abs(points[:, 0]), np.abs(points[:, 1] - 1)) < 1e-9).all()


def test_a_seven_gets_its_bar(digits: DigitSource) -> None:
    rng = np.random.default_rng(0)
    before = [widest_run(to_mnist_format(digits.sample("7", rng))) for _ in range(100)]
    after = [widest_run(VARIANTS["7 barred"].draw(rng, digits)) for _ in range(100)]
    assert np.median(before) <= 5
    assert np.mean(np.array(after) >= 6) > 0.97


def test_a_bar_leaves_the_rest_of_the_seven(digits: DigitSource) -> None:
    (plain,) = parse_glyphs("7 10-80-39")
    seven = draw_glyph(plain, np.random.default_rng(4))
    images = np.concatenate([digits.images, seven[None]])
    labels = np.full(len(images), -1)
    for k in range(10):
        labels[digits.indices_by_class[k][0]] = k
    labels[digits.indices_by_class[7][0]], labels[-1] = -1, 7
    barred = VARIANTS["7 barred"].draw(np.random.default_rng(0), DigitSource(images, labels))
    overlaps = [
        np.minimum(np.roll(barred, (i, j), (0, 1)), seven).sum(dtype=float) / seven.sum()
        for i in (-1, 0, 1)
        for j in (-1, 0, 1)
    ]
    assert max(overlaps) > 0.97
    assert barred.sum() > 1.08 * seven.sum()


def test_drawn_digits_are_read_correctly(digits: DigitSource) -> None:
    """The bundled `reader` has learned them. Some sixes of seven segments are nearly a five."""
    model, rng = Model.load(), np.random.default_rng(8)
    for name, kind in VARIANTS.items():
        images = np.stack([kind.draw(rng, digits) for _ in range(40)])
        least = 0.6 if name == "6 segments" else 0.85 if name.endswith("segments") else 0.9
        assert (model.predict(images) == int(name[0])).mean() >= least, name


def test_the_mirrored_are_mirrored(digits: DigitSource) -> None:
    rng = np.random.default_rng(0)
    threes = {
        digits.images[i].tobytes() for i in np.concatenate([digits.indices_by_class[3], digits.indices_by_class[7]])
    }
    for _ in range(30):
        image = NON_DIGITS["mirrored"].draw(rng, digits)
        moved = [np.roll(image, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        assert any(turned.tobytes() in threes for one in moved for turned in (one[:, ::-1], one[::-1]))


def test_numbers_are_wide(digits: DigitSource) -> None:
    rng = np.random.default_rng(0)
    shapes = np.array([extents(NON_DIGITS["numbers"].draw(rng, digits)) for _ in range(80)])
    assert np.median(shapes[:, 0] / shapes[:, 1]) < 0.75


@pytest.mark.parametrize("name", ["blobs", "silhouettes"])
def test_narrow_shapes_are_horizontal(name: str, digits: DigitSource) -> None:
    """If they were vertical, they would be a 1."""
    rng = np.random.default_rng(0)
    shapes = np.array([extents(NON_DIGITS[name].draw(rng, digits)) for _ in range(300)])
    assert (shapes[:, 0] / shapes[:, 1]).max() < 2.2 < (shapes[:, 1] / shapes[:, 0]).max()


def test_the_fonts_have_letters_and_nothing_that_is_a_digit() -> None:
    assert not set(PRINTED_SIGNS) & set("0123456789oOIlsSzZbgGqQ|/)")
    assert len(font_files()) > 15
    for path in font_files():
        signs = font_signs(path)
        assert len(signs) > 40
        assert set(signs) == set(PRINTED_SIGNS) & {chr(code) for code in FT2Font(path).get_charmap()}


def test_digits_larger_than_the_box_are_made_smaller(mnist: DataSet) -> None:
    images = mnist.x_train[:300].copy()
    images[:, 0] = images[:, -1] = 255
    drawn = non_digits(100, np.random.default_rng(0), images, mnist.y_train[:300])
    assert drawn.any(axis=(1, 2)).all()


def test_a_count_of_zero_gives_no_drawings(mnist: DataSet) -> None:
    images, labels = mnist.x_train[:200], mnist.y_train[:200]
    assert non_digits(0, np.random.default_rng(0), images, labels).shape == (0, SIDE, SIDE)
    drawn, names = variants(0, np.random.default_rng(0), images, labels)
    assert drawn.shape == (0, SIDE, SIDE)
    assert names.shape == (0,)


class TestErrors:
    def test_a_negative_count(self, mnist: DataSet) -> None:
        for make in (non_digits, variants):
            with pytest.raises(DataError, match="a count of at least 0; got -1"):
                make(-1, np.random.default_rng(0), mnist.x_train[:200], mnist.y_train[:200])

    @pytest.mark.parametrize("images", [np.zeros((4, 28, 28)), np.zeros((4, 784), np.uint8)], ids=["floats", "rows"])
    def test_no_images(self, images: Array) -> None:
        with pytest.raises(ShapeError, match=r"uint8, \(N, 28, 28\); got (float64, \(4, 28, 28\)|uint8, \(4, 784\))"):
            DigitSource(images, np.arange(4))

    def test_labels_of_others(self, mnist: DataSet) -> None:
        with pytest.raises(ShapeError, match=r"one label for each image, \(200,\); got \(199,\)"):
            DigitSource(mnist.x_train[:200], mnist.y_train[:199])

    def test_a_missing_or_blank_digit(self, mnist: DataSet) -> None:
        images, labels = mnist.x_train[:200].copy(), mnist.y_train[:200]
        images[labels == 3] = 0
        keep = labels != 8
        with pytest.raises(DataError, match="each digit, 0 to 9; got none of 3, 8"):
            DigitSource(images[keep], labels[keep])

    def test_sevens_without_a_stem(self, mnist: DataSet) -> None:
        images, labels = mnist.x_train[:200].copy(), mnist.y_train[:200]
        images[labels == 7] = 255
        with pytest.raises(DataError, match="sevens whose stem can be found"):
            VARIANTS["7 barred"].draw(np.random.default_rng(0), DigitSource(images, labels))
