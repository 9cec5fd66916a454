"""Numbers are read, with their boxes and probabilities."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from digitscope import reader
from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.errors import ModelError
from digitscope.model import Model
from digitscope.nn import Dense, Network
from digitscope.reader import (
    SIDES,
    WEIGHTS,
    Candidates,
    PictureReader,
    ReadDigit,
    Reading,
    ReadLine,
    Weights,
    read,
    read_ink,
)
from digitscope.vision import prepare
from digitscope.vision.layout import PageLayout, find_layout

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load()


@pytest.fixture
def number(mnist: DataSet) -> Callable[..., Picture]:
    """A line of MNIST's digits, black on white, each 60 pixels high, with a gap in pixels between them."""

    def draw(labels: str, gap: int = 20) -> Picture:
        digits = []
        for k, label in enumerate(labels):
            of = np.flatnonzero(mnist.y_train == int(label))[k]
            image = mnist.x_train[of]
            rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
            ink = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            size = (round(60 * ink.shape[1] / ink.shape[0]), 60)
            digits.append(np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BICUBIC)))
        width = sum(digit.shape[1] + gap for digit in digits)
        line = np.zeros((120, width + 60), np.uint8)
        x = 30
        for digit in digits:
            place = line[30:90, x : x + digit.shape[1]]
            np.maximum(place, digit, out=place)
            x += digit.shape[1] + gap
        return in_colour(255 - line)

    return draw


def in_colour(grey: Array) -> Picture:
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


def display(digits: list[str]) -> Picture:
    """Seven-segment digits, 160 pixels high, with gaps of 8 pixels between their segments."""
    rows = {"a": (0, 14), "fb": (22, 65), "g": (73, 87), "ec": (95, 138), "d": (146, 160)}
    columns = {"fe": (0, 14), "adg": (22, 58), "bc": (66, 80)}
    grey = np.full((280, 130 * len(digits) + 100), 200)
    for k, lit in enumerate(digits):
        for names, (top, bottom) in rows.items():
            for others, (left, right) in columns.items():
                if set(lit) & set(names) & set(others):
                    grey[60 + top : 60 + bottom, 130 * k + 60 + left : 130 * k + 60 + right] = 40
    return in_colour(grey)


def printed(text: str) -> Picture:
    page = Image.new("L", (400, 120), 255)
    ImageDraw.Draw(page).text((30, 20), text, fill=0, font=ImageFont.load_default(60))
    return in_colour(np.asarray(page))


def candidates_of(picture: Picture, model: Model) -> Candidates:
    """Of a picture of one line in one part."""
    ((part,),) = find_layout(picture).lines
    return PictureReader(model, 1).candidates(part)


def features_of(candidates: Candidates) -> dict[str, Array]:
    return dict(zip(Weights._fields, candidates.features.T, strict=False))


def below_each_other(*pictures: Picture) -> Picture:
    width = max(picture.shape[1] for picture in pictures)
    padded = [np.pad(p, ((0, 0), (0, width - p.shape[1]), (0, 0)), constant_values=255) for p in pictures]
    return np.concatenate(padded)


class TestRead:
    @pytest.mark.parametrize("labels", ["7", "2026", "0123456789"])
    @pytest.mark.parametrize("light", [False, True])
    def test_a_line(self, model: Model, number: Callable[..., Picture], labels: str, light: bool) -> None:
        picture = number(labels)
        reading = read(255 - picture if light else picture, model)
        assert reading.text == labels
        assert len(reading.lines) == 1

    def test_boxes_are_where_the_digits_are(self, model: Model, number: Callable[..., Picture]) -> None:
        picture = number("358", gap=40)
        dark = picture[..., 0] < 128
        (line,) = read(picture, model).lines
        for digit in line.digits:
            left, top, right, bottom = digit.box
            assert (top, bottom) == pytest.approx((30, 90), abs=3)
            columns = np.flatnonzero(dark[:, round(left) - 4 : round(right) + 4].any(axis=0)) + round(left) - 4
            assert (columns[0], columns[-1] + 1) == pytest.approx((left, right), abs=3)
            assert 0 < line.confidence <= digit.confidence + 1e-6 <= 1 + 1e-6

    def test_lines_from_top_to_bottom(self, model: Model, number: Callable[..., Picture]) -> None:
        assert read(below_each_other(number("4711"), number("035")), model).text == "4711\n035"

    def test_a_page_full_of_digits(self, model: Model, number: Callable[..., Picture]) -> None:
        lines = [f"{k:03}{997 - 9 * k}" for k in range(0, 72, 6)]
        text = read(below_each_other(*map(number, lines)), model).text
        assert sum(line == found for line, found in zip(lines, text.split("\n"), strict=True)) >= 11

    def test_digits_that_touch(self, model: Model, number: Callable[..., Picture]) -> None:
        picture = number("3562", gap=-4)
        inked = np.flatnonzero((picture[..., 0] < 128).any(axis=0))
        assert (np.diff(inked) == 1).all()  # no gap between them
        assert read(picture, model).text == "3562"

    def test_a_separate_stroke_belongs_to_its_digit(self, model: Model, number: Callable[..., Picture]) -> None:
        picture = number("853", gap=30)
        (line,) = read(picture, model).lines
        left, _, right, _ = (round(x) for x in line.digits[1].box)
        picture[43:47, left - 2 : right + 2] = 255  # the upper part of the 5 is cut off
        assert read(picture, model).text == "853"

    def test_dots_and_rules_are_left_out(self, model: Model, number: Callable[..., Picture]) -> None:
        picture = number("258", gap=40)
        picture[84:89, 70:75] = 0
        picture[105:107, 10:-10] = 0
        picture[50:53, 140:143] = 0
        assert read(picture, model).text == "258"

    def test_a_number_beside_letters_is_less_sure(self, model: Model) -> None:
        alone, beside = read(printed("4739"), model), read(printed("4739 km"), model)
        assert alone.text == beside.text == "4739"
        assert beside.lines[0].confidence <= WEIGHTS.beside_letters < alone.lines[0].confidence
        assert len(beside.left_out) == 1
        assert beside.lines[0].left_out == beside.left_out
        assert alone.lines[0].left_out == alone.left_out == ()

    def test_writing_of_which_nothing_is_said_is_left_out(self, model: Model) -> None:
        reading = read(printed("Total: 473"), model)
        assert reading.text == "473"  # the colon belongs to the word
        (line,) = reading.lines
        assert line.confidence <= WEIGHTS.beside_letters
        assert max(right for _, _, right, _ in line.left_out) < line.digits[0].box[0]

    @pytest.mark.parametrize("quarters", [1, 3])
    def test_two_digits_on_a_page_turned_by_a_quarter(
        self, model: Model, number: Callable[..., Picture], quarters: int
    ) -> None:
        reading = read(np.ascontiguousarray(np.rot90(number("35", gap=20), quarters)), model)
        assert reading.text == "35"
        (three, five) = reading.lines[0].digits
        assert (three.box[1] > five.box[3]) if quarters == 1 else (three.box[3] < five.box[1])

    @pytest.mark.parametrize(
        ("confidences", "left_out", "kept"),
        [((0.95, 0.95), 0, True), ((0.95, 0.85), 0, False), ((0.95,), 0, False), ((0.95, 0.95), 1, False)],
    )
    def test_a_page_is_turned_by_a_quarter_for_sure_digits_and_nothing_else(
        self,
        model: Model,
        monkeypatch: pytest.MonkeyPatch,
        confidences: tuple[float, ...],
        left_out: int,
        kept: bool,
    ) -> None:
        box = (0.0, 0.0, 1.0, 1.0)
        digits = tuple(ReadDigit(7, p, box, np.zeros((28, 28), np.uint8)) for p in confidences)
        other = Reading((ReadLine("7" * len(digits), digits, 0.9),), 0.9, left_out * (box,))
        nothing = (0.0, Reading((), 0.9))
        for place, turned_by in ((1, "a quarter"), (2, "three quarters"), (3, "a half")):
            found = [nothing] * 4
            found[place] = (sum(confidences) - 0.5 * len(digits), other)
            iterator = iter(found)
            monkeypatch.setattr(PictureReader, "_read_upright", lambda *_, of=iterator: next(of))
            ink = np.zeros((60, 60), np.float32)
            ink[10:50, 28:32] = 1
            assert (read_ink(ink, model) == other) == (kept and turned_by != "a half")

    @pytest.mark.parametrize("side", SIDES)
    def test_a_number_at_the_edge_may_be_cut(self, model: Model, number: Callable[..., Picture], side: str) -> None:
        picture = number("8358", gap=30)
        rows, columns = (np.flatnonzero((picture[..., 0] < 128).any(axis=axis)) for axis in (1, 0))
        cuts: dict[str, Picture] = {
            "left": picture[:, columns[0] + 20 :],
            "top": picture[rows[0] + 4 :],
            "right": picture[:, : columns[-1] - 20],
            "bottom": picture[: rows[-1] - 4],
        }
        (whole,) = read(picture, model).lines
        (cut,) = read(np.ascontiguousarray(cuts[side]), model).lines
        assert (whole.cut, cut.cut) == ((), (side,))
        assert "35" in cut.digits_alone

    def test_the_segments_of_a_display_are_one_line(self, model: Model) -> None:
        picture = display(["abcdefg", "afgedc", "abged", "afgcd"])
        assert len(find_layout(picture).lines) > 1  # the upper bars, the strokes below them, and so on
        assert read(picture, model).text == "8625"

    @pytest.mark.parametrize(("score", "kept"), [(1.3, False), (2.0, True)])
    def test_a_page_is_turned_for_many_sure_digits_only(
        self, model: Model, monkeypatch: pytest.MonkeyPatch, score: float, kept: bool
    ) -> None:
        """Words upside down may look like two or three digits."""
        digits = tuple(ReadDigit(7, 0.99, (0, 0, 1, 1), np.zeros((28, 28), np.uint8)) for _ in range(4))
        other = Reading((ReadLine("7777", digits, 0.9),), 0.9)
        nothing = (-0.5, Reading((), 0.9))
        found = iter([nothing, nothing, nothing, (score, other)])  # upright, by a quarter, by three, and by a half
        monkeypatch.setattr(PictureReader, "_read_upright", lambda *_: next(found))
        ink = np.zeros((60, 60), np.float32)
        ink[10:50, 28:32] = 1
        assert (read_ink(ink, model) == other) == kept

    @pytest.mark.parametrize(("score", "kept"), [(0.39, False), (0.41, True)])
    def test_two_lines_are_read_as_one_if_its_digits_are_surer(
        self, model: Model, monkeypatch: pytest.MonkeyPatch, score: float, kept: bool
    ) -> None:
        digit = ReadDigit(7, 0.7, (0, 0, 1, 1), np.zeros((28, 28), np.uint8))
        line = ReadLine("7", (digit,), 0.7)
        two, one = Reading((line, line), 0.5), Reading((line,), 0.7)
        nothing = (0.0, Reading((), 0.9))
        found = iter([(0.4, two), (score, one), nothing, nothing, nothing])
        monkeypatch.setattr(PictureReader, "_read_upright", lambda *_: next(found))
        ink = np.zeros((200, 60), np.float32)
        ink[10:50, 28:32] = ink[110:150, 28:32] = 1
        assert read_ink(ink, model) == (one if kept else two)

    def test_a_page_of_many_pieces_is_not_read_as_one_line(self, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
        tried: list[int] = []

        def as_one_line(layout: PageLayout) -> PageLayout:
            tried.append(len(layout.components))
            return layout

        monkeypatch.setattr(reader, "as_one_line", as_one_line)
        monkeypatch.setattr(PictureReader, "_read_upright", lambda *_: (-1.0, Reading((), 0.9)))
        for columns in (50, 51):
            ink = np.zeros((200, 20 * columns), np.float32)
            for left in range(5, 20 * columns, 20):
                ink[20:60, left : left + 4] = ink[120:160, left : left + 4] = 1
            read_ink(ink, model)
        assert tried == [100]

    def test_the_model_decides_where_the_line_reader_sees_no_digit(
        self, model: Model, number: Callable[..., Picture], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """So `read` and `predict` agree on pictures of one digit."""
        nothing = Reading((), 0.9, ((0.0, 0.0, 9.0, 9.0),))
        monkeypatch.setattr(PictureReader, "read", lambda *_: nothing)
        picture = number("5")
        image = prepare(picture, model.image_shape).image
        (answer,) = model.answers(image[None])
        reading = read(picture, model)
        assert (reading.text, reading.left_out) == ("5", ())
        (digit,) = reading.lines[0].digits
        assert reading.confidence == digit.confidence == pytest.approx(answer.probability / 2)
        np.testing.assert_array_equal(digit.image, image)
        inked = [np.flatnonzero((picture[..., 0] < 128).any(axis=axis)) for axis in (0, 1)]
        edges = [inked[0][0], inked[1][0], inked[0][-1] + 1, inked[1][-1] + 1]
        assert digit.box == pytest.approx(edges, abs=8)
        assert read(number("57", gap=40), model) == nothing  # two components
        assert read(printed("M"), model) == nothing  # the model sees none either
        assert read(picture, replace(model, calibration=None)) == nothing  # it cannot say that it sees none

    def test_nothing_written(self, model: Model) -> None:
        for grey in (0, 128, 255):
            for shape in ((1, 1), (8, 8), (300, 400)):
                reading = read(in_colour(np.full(shape, grey)), model)
                assert reading.lines == ()
                assert reading.text == ""
                assert reading.confidence > 0.8

    def test_a_small_picture(self, model: Model, mnist: DataSet) -> None:
        images = mnist.x_train[:12]
        labels = mnist.y_train[:12]
        texts = [read(in_colour(image), model).text for image in images]
        assert sum(text == str(label) for text, label in zip(texts, labels, strict=True)) >= 11

    def test_another_task(self, model: Model) -> None:
        info = replace(model.info, classes=26)
        letters = replace(model, network=Network(Dense(784, 26)), info=info)
        with pytest.raises(ModelError, match="a model of 10 digits; got 26 classes"):
            read(in_colour(np.zeros((9, 9))), letters)

    def test_without_a_model_the_default_one_reads(self, model: Model, number: Callable[..., Picture]) -> None:
        picture = number("42")
        assert read(picture) == read(picture, "reader") == read(picture, model)
        with pytest.raises(
            ModelError, match=r"nowhere\.safetensors: expected a Digitscope model .*; it does not exist"
        ):
            read(picture, "nowhere.safetensors")

    def test_each_digit_has_the_image_that_the_network_saw(self, model: Model, number: Callable[..., Picture]) -> None:
        (line,) = read(number("47"), model).lines
        images = np.array([digit.image for digit in line.digits])
        assert images.shape == (2, 28, 28)
        assert model.predict(images).tolist() == [4, 7]

    def test_a_reading_is_its_text(self, number: Callable[..., Picture]) -> None:
        reading = read(below_each_other(number("47"), number("5")))
        assert str(reading) == reading.text == "47\n5"
        assert repr(reading) == f"Reading('47\\n5', confidence={reading.confidence:.3f})"
        first, second = reading.lines
        assert (str(first), str(second.digits[0])) == ("47", "5")
        assert repr(first) == f"ReadLine('47', confidence={first.confidence:.3f})"
        box = ", ".join(f"{side:.0f}" for side in first.digits[0].box)
        assert repr(first.digits[0]) == f"ReadDigit(4, confidence={first.digits[0].confidence:.3f}, box=({box}))"


class TestCandidates:
    def test_each_feature_is_what_its_weight_says(self, model: Model) -> None:
        found = candidates_of(printed("5/6 km"), model)
        features = features_of(found)
        assert features["digits"].tolist() == [len(digits) for digits in found.digits]
        assert features["slashes"].tolist() == [text.count("/") for text in found.texts]
        assert features["others"].tolist() == [text.count("?") for text in found.texts]
        assert features["slashes"].any()
        assert features["others"].any()
        assert (features["least_digit"] <= 0).all()

    def test_digits_that_touch_are_cut_where_the_model_is_surest(
        self, model: Model, number: Callable[..., Picture], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        picture = number("2058", gap=-10)
        found = candidates_of(picture, model)
        right = found.digits.index("2058")
        sure = features_of(found)["log_class"][right]
        assert sure > -0.5
        for cut in (0, -1):
            monkeypatch.setattr(
                "digitscope.reader.best_cuts",
                lambda scores, cut=cut: [(cut % len(score), cut % score.shape[1]) for score in scores],
            )
            assert features_of(candidates_of(picture, model))["log_class"][right] < sure - 1
