"""Damaged drawings: in MNIST's format, each time different, and with most of their ink."""

import numpy as np
import pytest

from digitscope.datasets import DataSet
from digitscope.model import Model
from digitscope.synthetic import degradation as module
from digitscope.synthetic.degradation import (
    DIGIT_DAMAGE,
    LEAST_INK,
    OTHER_DAMAGE,
    SHEET,
    UNSEEN_DAMAGE,
    Damage,
    bilevel_scan,
    broken,
    clipped,
    damage,
    damage_once,
    enlarged,
    framed,
    grey_scan,
    prepared,
    repenned,
    ruled,
    square_scan,
)
from digitscope.vision.normalize import BOX, SIDE, stroke_width

KINDS = {**DIGIT_DAMAGE, **OTHER_DAMAGE, **UNSEEN_DAMAGE}


def test_shares_add_up_to_1() -> None:
    for kinds in (DIGIT_DAMAGE, OTHER_DAMAGE, UNSEEN_DAMAGE):
        assert sum(kind.share for kind in kinds.values()) == pytest.approx(1)
        assert all(kind.share > 0 for kind in kinds.values())


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_is_in_mnists_format_and_repeatable(name: str, mnist: DataSet) -> None:
    first, again, other = (
        np.stack([damage_once(image, rng, KINDS[name]) for image in mnist.x_train[:20]])
        for rng in map(np.random.default_rng, (1, 1, 2))
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any(axis=(1, 2)).mean() > 0.8
    for image in first:
        assert image.shape == (SIDE, SIDE)
        assert image.dtype == np.uint8
        assert image.max() > 100
        rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
        assert BOX / 2 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= BOX  # faint ink in the box may round to nothing


def test_kinds_come_in_their_shares(mnist: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "damage_once", lambda image, rng, kind: kind.apply(image, rng))

    def filling(value: int) -> Damage:
        return Damage(value / 100, lambda image, rng: np.full_like(image, value))

    grey = {str(value): filling(value) for value in (10, 30, 60)}
    images = damage(mnist.x_train[:3000], np.random.default_rng(0), grey)
    for value in (10, 30, 60):
        assert (images[:, 0, 0] == value).mean() == pytest.approx(value / 100, abs=0.03)
    assert damage(mnist.x_train[:0], np.random.default_rng(0), grey).shape == (0, SIDE, SIDE)


def test_undamaged_drawings_come_back_as_they_were(mnist: DataSet) -> None:
    """Enlarging and preparing an image of MNIST changes little, so the damage is what a network sees."""
    likeness = []
    for image in mnist.x_train[:50]:
        back = prepared(enlarged(image)).astype(float)
        shifted = [np.roll(back, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        likeness.append(max(np.corrcoef(image.ravel(), other.ravel())[0, 1] for other in shifted))
    assert np.median(likeness) > 0.93


def test_scans_have_few_pixels_and_a_bilevel_one_two_greys(mnist: DataSet) -> None:
    rng = np.random.default_rng(0)
    for image in mnist.x_train[:40]:
        bits = bilevel_scan(enlarged(image), rng)
        assert set(np.unique(bits)) <= {0, 1}
        assert 7 <= max(bits.shape) <= 32
        assert max(grey_scan(enlarged(image), rng).shape) <= 22
    (five,) = mnist.x_train[mnist.y_train == 5][:1]
    shapes = np.array([square_scan(enlarged(five), rng).shape for _ in range(20)])
    assert np.median(shapes[:, 1] / shapes[:, 0]) > 0.85


def test_a_gap_and_a_cut_leave_most_of_the_ink(mnist: DataSet) -> None:
    rng = np.random.default_rng(0)
    for image in mnist.x_train[:20]:
        sheet = enlarged(image)
        assert 0.5 * sheet.sum() < broken(sheet, rng).sum() < sheet.sum()
        cut = clipped(sheet, rng)
        assert min(np.array(cut.shape) / sheet.shape) > 0.88
        assert ruled(sheet, rng).sum() >= sheet.sum() - 1e-3


def test_the_rest_of_a_frame_is_beside_the_digit_and_below_a_narrow_one() -> None:
    wide = np.zeros((SHEET, 60), np.float32)
    wide[:, 25:35] = wide[:10] = 1
    sides, below = set(), 0
    for seed in range(60):
        found = framed(wide, np.random.default_rng(seed))
        margin = (len(found) - SHEET) // 2
        inside = found[margin : margin + SHEET, margin : margin + 60]
        assert (inside >= wide).all()
        around = found[:margin], found[margin + SHEET :], found[:, :margin], found[:, margin + 60 :]
        lines = [part.max(initial=0) > 0.4 for part in around]
        sides |= {k for k, line in enumerate(lines) if line}
        narrow = framed(wide[:, 25:35], np.random.default_rng(seed))
        margin = (len(narrow) - SHEET) // 2
        assert not narrow[: margin + SHEET - 20, :margin].any()
        assert not narrow[:margin].any()
        below += narrow[margin + SHEET - 20 :].sum() > 200
    assert below > 50
    assert sides == {0, 1, 2, 3}


def test_an_image_of_which_nothing_would_be_left_stays_as_it_is(mnist: DataSet) -> None:
    image = mnist.x_train[0]
    nothing = Damage(1, lambda sheet, rng: sheet * np.float32(0.5 * LEAST_INK))
    np.testing.assert_array_equal(damage_once(image, np.random.default_rng(0), nothing), image)


def test_pens_are_wider_and_thinner(mnist: DataSet) -> None:
    rng = np.random.default_rng(0)
    sheet = enlarged(mnist.x_train[0])
    widths = [stroke_width(repenned(sheet, rng), fine=SHEET / BOX) for _ in range(40)]
    own = stroke_width(sheet, fine=SHEET / BOX)
    assert min(widths) < own - 0.4 < own + 0.4 < max(widths)


def test_damaged_digits_can_still_be_read(mnist: DataSet) -> None:
    """The bundled `reader` of before, which was not trained on them, reads most."""
    model, rng = Model.load(), np.random.default_rng(3)
    images = damage(mnist.x_train[-300:], rng, DIGIT_DAMAGE)
    assert (model.predict(images) == mnist.y_train[-300:]).mean() > 0.75
