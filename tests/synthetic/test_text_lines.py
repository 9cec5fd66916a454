"""Generated lines of writing: equal for equal seeds, of every kind, and with the text that is written."""

import numpy as np
import pytest
from scipy.ndimage import find_objects, label

from digitscope.datasets import load_mnist
from digitscope.synthetic.text_lines import KINDS, OTHER, SIGNS, UNIT, LineWriter
from digitscope.vision.line_image import HEIGHT, MARGIN, ink_rows, line_image
from digitscope.vision.line_reader import ALPHABET, to_labels, to_text


@pytest.fixture(scope="module")
def writer() -> LineWriter:
    (images, labels), _ = load_mnist()
    return LineWriter(images[:500], labels[:500])


def test_equal_generators_write_equal_lines(writer: LineWriter) -> None:
    a, b = ([writer.write(rng) for _ in range(12)] for rng in (np.random.default_rng(3), np.random.default_rng(3)))
    for one, two in zip(a, b, strict=True):
        assert one.text == two.text
        np.testing.assert_array_equal(one.ink, two.ink)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_ink_and_a_text_that_can_be_read(writer: LineWriter, kind: str) -> None:
    rng = np.random.default_rng(list(KINDS).index(kind))
    for _ in range(8):
        line = writer.write(rng, kind)
        assert line.ink.dtype == np.uint8
        assert min(line.ink.shape) > 0
        assert to_text(to_labels(line.text)) == line.text
        assert 2 * OTHER not in line.text
        assert (line.text == "") == (kind == "nothing")
        if kind in ("digit", "number", "field"):
            assert line.text.isdigit()
        if line.text:
            assert line.ink.max() > 60


def test_some_points_are_raised_and_have_room(writer: LineWriter) -> None:
    """As in 29·56."""
    rng, raised, low = np.random.default_rng(8), 0, 0
    gaps: dict[bool, list[int]] = {True: [], False: []}
    for _ in range(300):
        words, style, ink = writer.compose(rng, "decimal")
        if style.font or style.segments or "." not in words or style.boxed:
            continue
        labels, _ = label(ink > 100, np.ones((3, 3)))
        inked = np.flatnonzero((ink > 100).any(axis=0))
        for rows, columns in find_objects(labels):
            if max(rows.stop - rows.start, columns.stop - columns.start) < 0.3 * UNIT:
                middle = (rows.start + rows.stop) / 2
                raised += middle < 1.75 * UNIT
                low += middle > 1.85 * UNIT
                before = inked[inked < columns.start]
                if len(before):
                    gaps[style.point_gap > 0.3].append(columns.start - before[-1])
    assert raised > 20
    assert low > 40
    assert np.mean(gaps[True]) > 1.4 * np.mean(gaps[False])


def test_the_alphabet_has_what_is_written() -> None:
    assert set(ALPHABET) == {*"0123456789 ", *SIGNS, OTHER}
    assert sum(kind.share for kind in KINDS.values()) == pytest.approx(1)


def test_a_line_image_has_its_digits_in_the_middle() -> None:
    ink = np.zeros((100, 300), np.float32)
    ink[30:70, 20:280:20] = 1  # strokes of 40 pixels
    top, bottom = ink_rows(ink)
    assert top == pytest.approx(30, abs=2)
    assert bottom == pytest.approx(70, abs=2)
    image, scale, middle = line_image(ink)
    assert image.shape[0] == HEIGHT
    assert middle == pytest.approx(50, abs=1)
    rows = np.flatnonzero(image.max(axis=1) > 0.3)
    assert abs((rows[0] + rows[-1] + 1) / 2 - HEIGHT / 2) <= 1
    columns = np.flatnonzero(image.max(axis=0) > 0.3)
    assert (columns[0] - MARGIN) * scale == pytest.approx(20, abs=2)
    known, _, _ = line_image(ink, 30, 70)
    assert known.shape[0] == HEIGHT


def test_a_line_image_of_nothing() -> None:
    image, _, _ = line_image(np.zeros((10, 20), np.float32))
    assert not image.any()
    assert line_image(np.ones((3, 9000), np.float32), 0, 3)[0].shape[1] <= 2048
