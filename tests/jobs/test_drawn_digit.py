"""What the bundled models read in drawings and pictures."""

import numpy as np
import pytest
from PIL import Image

from digitscope.datasets import DataSet
from digitscope.errors import NoInkError
from digitscope.jobs.drawn_digit import answer_drawing, answer_picture, stroke_effects
from digitscope.model import Model
from digitscope.vision.drawing import PenStroke, draw_strokes, prepare_drawing, shrink_only
from tests.drawn import pen_strokes


@pytest.fixture(scope="module")
def reader() -> Model:
    return Model.load("reader")


@pytest.mark.parametrize("size", [1.0, 0.4])
def test_drawn_mnist_digits_get_the_answers_that_they_should(mnist: DataSet, reader: Model, size: float) -> None:
    assert mnist.x_test is not None
    assert mnist.y_test is not None
    count, right, unprepared, digits, numbers = 60, 0, 0, 0, 0
    for image, label in zip(mnist.x_test[:count], mnist.y_test[:count], strict=True):
        strokes = pen_strokes(image, scale=size, left=0.02, top=0.03, width=0.07 * size)
        found = answer_drawing(draw_strokes(strokes), reader)
        right += found.answer.digit == label
        unprepared += found.unprepared_answer.digit == label
        digits += found.answer.is_digit
        numbers += found.number is not None
    assert right == count
    assert digits >= 0.95 * count
    assert numbers <= 1
    assert (unprepared > 0.9 * count) if size == 1 else (unprepared < 0.5 * count)


def test_digits_beside_each_other_are_read_as_a_number(mnist: DataSet, reader: Model) -> None:
    right = 0
    for start in range(0, 40, 2):
        images, labels = mnist.x_train[start : start + 2], mnist.y_train[start : start + 2]
        strokes: list[PenStroke] = []
        for place, image in enumerate(images):
            strokes += pen_strokes(image, scale=0.45, left=0.03 + 0.48 * place, top=0.3, width=0.035)
        found = answer_drawing(draw_strokes(strokes), reader)
        assert not found.answer.is_digit
        right += found.number is not None and found.number.text.replace(" ", "") == "".join(map(str, labels))
    assert right >= 18


def test_scribbles_are_not_a_digit(reader: Model) -> None:
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(0.1, 0.9, (40, 2)), np.full(40, 0.5)])
    assert not answer_drawing(draw_strokes([PenStroke(points, 0.05)]), reader).answer.is_digit


def test_the_answer_to_a_picture_is_that_of_the_photo_pipeline(mnist: DataSet, reader: Model) -> None:
    page = Image.new("L", (240, 320), 235)
    page.paste(Image.fromarray(235 - (0.8 * mnist.x_train[0]).astype(np.uint8)).resize((112, 112)), (20, 180))
    found = answer_picture(page, reader)
    assert found.answer.digit == mnist.y_train[0]
    assert found.answer.is_digit
    assert found.number is None
    assert found.preparation.steps[0].values == {"width": 240, "height": 320}
    row, column = np.unravel_index(found.unprepared.argmax(), (28, 28))
    assert row >= 14  # where it is in the picture: the unprepared image is only scaled
    assert column < 14
    assert np.median(found.unprepared) < 40  # its paper is dark, as MNIST's


def test_the_effect_of_a_stroke_is_what_the_model_computes_without_it(mnist: DataSet, reader: Model) -> None:
    strokes = next(s for s in map(pen_strokes, mnist.x_train) if len(s) >= 3)
    images = [prepare_drawing(draw_strokes(strokes)).image]
    images += [prepare_drawing(draw_strokes(strokes[:k] + strokes[k + 1 :])).image for k in range(len(strokes))]
    logits = reader.logits(np.stack(images))
    other, digit = logits[0].argsort()[-2:].tolist()
    effects = stroke_effects(strokes, reader, digit=digit, other=other)
    margins = logits[:, digit] - logits[:, other]
    assert effects.margin == pytest.approx(margins[0], rel=1e-5)
    found = [effect for effect in effects.strokes if effect is not None]
    np.testing.assert_allclose([effect.margin for effect in found], margins[1:], rtol=1e-5)
    assert [effect.digit for effect in found] == logits[1:].argmax(axis=1).tolist()
    assert [effect.is_digit for effect in found] == [a.is_digit for a in reader.answers(np.stack(images[1:]))]
    unprepared = reader.logits(shrink_only(draw_strokes(strokes))[None])[0]
    given = stroke_effects(strokes, reader, digit=3, other=5, prepared=False)
    assert given.margin == pytest.approx(unprepared[3] - unprepared[5], rel=1e-5)


def test_without_its_only_stroke_nothing_is_left(reader: Model) -> None:
    stroke = PenStroke(np.array([[0.5, 0.2, 0.5], [0.5, 0.8, 0.5]]), 0.08)
    assert stroke_effects([stroke], reader, digit=1, other=7).strokes == (None,)
    with pytest.raises(NoInkError, match="Nothing is drawn"):
        stroke_effects([], reader, digit=1, other=7)
