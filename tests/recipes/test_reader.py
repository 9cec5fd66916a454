"""The recipe `reader`: what it learns in addition to MNIST, and what its refusal is calibrated on."""

from dataclasses import replace

import numpy as np
import pytest

from digitscope.datasets import DataSet
from digitscope.recipes import RECIPES
from digitscope.recipes import reader as module
from digitscope.recipes.reader import DAMAGED, DIGITS, NON_DIGITS, VARIANTS, drawings, unlike_training
from digitscope.synthetic.degradation import DIGIT_DAMAGE, OTHER_DAMAGE, UNSEEN_DAMAGE


def test_drawings_come_in_their_shares_and_equal_generators_give_equal_ones(mnist: DataSet) -> None:
    given = mnist.x_train[:400], mnist.y_train[:400]
    images, labels = drawings(*given, np.random.default_rng(1))
    again, _ = drawings(*given, np.random.default_rng(1))
    np.testing.assert_array_equal(images, again)
    assert images.shape == (len(labels), 28, 28)
    assert images.dtype == np.uint8
    assert (labels == DIGITS).sum() == round(400 * NON_DIGITS)
    assert (labels < DIGITS).sum() == round(400 * (VARIANTS + DAMAGED))
    assert set(labels) == set(range(DIGITS + 1))


def test_a_blank_image_is_not_damaged(mnist: DataSet) -> None:
    images = mnist.x_train[:400].copy()
    images[::2] = 0
    drawn, _ = drawings(images, mnist.y_train[:400], np.random.default_rng(1))
    assert drawn.any(axis=(1, 2)).all()


def test_the_refusal_is_calibrated_on_kinds_that_no_training_has(mnist: DataSet) -> None:
    assert not set(UNSEEN_DAMAGE) & (set(DIGIT_DAMAGE) | set(OTHER_DAMAGE))
    used = {kind.apply for kind in (*DIGIT_DAMAGE.values(), *OTHER_DAMAGE.values())}
    assert not used & {kind.apply for kind in UNSEEN_DAMAGE.values()}
    images, labels = mnist.x_train[:100], mnist.y_train[:100]
    chosen, chosen_labels = unlike_training(images, labels, np.random.default_rng(0))
    assert len(chosen) == len(chosen_labels) == 200
    assert {image.tobytes() for image in chosen[:100]} == {image.tobytes() for image in images}
    assert np.bincount(chosen_labels, minlength=10).tolist() == (2 * np.bincount(labels, minlength=10)).tolist()


def test_a_training_knows_its_calibration_images(mnist: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    few = DataSet("few", mnist.x_train[:600], mnist.y_train[:600])
    monkeypatch.setattr(module, "CALIBRATION", 40)
    training = RECIPES["reader"].start(few, 0)
    images, labels = training.calibration()
    assert len(images) == len(labels) == 40
    np.testing.assert_array_equal(images, training.calibration()[0])
    plain = replace(RECIPES["convnet"]).start(few, 0)
    assert plain.calibration() is plain.validation
