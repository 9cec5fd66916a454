"""The line reader: probabilities against sums over all paths, boxes, and its file."""

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.errors import ModelError
from digitscope.nn import Conv2D, Network
from digitscope.nn.layer import Layer
from digitscope.nn.sequence import Conv1D, FoldHeight
from digitscope.vision.line_image import HEIGHT, MARGIN, line_image
from digitscope.vision.line_reader import ALPHABET, LineLogits, LineReader, as_written, to_labels, to_text

CLASSES = len(ALPHABET) + 1


def logits_of(path: str, sureness: float = 8.0) -> Array:
    """Logits that say this path, one character a place; _ is the blank."""
    logits = np.zeros((CLASSES, len(path)), np.float32)
    for t, character in enumerate(path):
        logits[0 if character == "_" else to_labels(character)[0], t] = sureness
    return logits


def line_logits(path: str, sureness: float = 8.0) -> LineLogits:
    """A line whose image has four columns for each place of the path; each character but a space is a bar."""
    image = np.zeros((HEIGHT, 4 * len(path)), np.float32)
    for t, character in enumerate(path):
        if character not in "_ ":
            image[8:24, 4 * t + 1 : 4 * t + 3] = 1
    ink = np.kron(image[:, MARGIN:], np.ones((2, 2), np.float32))
    return LineLogits(logits_of(path, sureness), image, scale=2.0, ink=ink, top=16, bottom=48)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("29 . 56", "29.56"),
        ("0. 69", "0.69"),
        ("12   407", "12 407"),
        ("5. ", "5."),
        ("1, 2", "1, 2"),
        ("?: 317", "317"),
        (": 317", "317"),
        (".5", ".5"),
        ("?.5 ?/?", "5"),
        ("-75 ?", "-75"),
    ],
)
def test_letters_are_left_out_and_points_have_no_blanks(text: str, written: str) -> None:
    assert as_written(text) == written


def test_text_confidence_and_boxes() -> None:
    reading = line_logits("__4__-_1_ _1_").read()
    assert reading.text == "4-1 1"
    assert reading.digits == "411"
    assert 0.8 < reading.confidence < 1
    assert reading.alternatives[0] == (reading.text, reading.confidence)
    assert all(character.confidence > 0.9 for character in reading.characters)
    left, top, right, bottom = reading.characters[0].box
    assert (left, right) == (2 * (9 - 8), 2 * (11 - 8))  # columns 9 and 10, after MARGIN, twice as large
    assert (top, bottom) == (2 * 8, 2 * 24)
    assert reading.characters[3].text == " "
    assert reading.characters[2].box[2] <= reading.characters[3].box[0] <= reading.characters[3].box[2]


def test_an_empty_line() -> None:
    reading = line_logits("_____").read()
    assert reading.text == ""
    assert reading.characters == ()
    assert reading.confidence > 0.9


def test_a_doubtful_character_has_less_confidence_than_the_others() -> None:
    line = line_logits("__4__7__1_")
    logits = line.logits.copy()
    logits[to_labels("1")[0], 5] = 7.5
    reading = replace(line, logits=logits).read()
    assert reading.text == "471"
    confidences = [character.confidence for character in reading.characters]
    assert confidences[1] < 0.8 < min(confidences[0], confidences[2])


@pytest.mark.parametrize("seed", range(3))
def test_the_probability_of_exactly_one_digit_is_the_sum_over_all_paths(seed: int) -> None:
    logits = np.full((CLASSES, 4), -40.0)
    few = [0, *to_labels("17-?")]
    logits[few] = 2 * np.random.default_rng(seed).normal(size=(len(few), 4))
    empty = np.zeros((HEIGHT, 16), np.float32)
    line = LineLogits(logits, empty, 1.0, empty, 5, 27)
    p = np.exp(line.log_p)
    wanted = np.zeros(10)
    for path in itertools.product(few, repeat=4):
        digits = [k - 1 for k, _ in itertools.groupby(path) if 1 <= k <= 10]
        if len(digits) == 1:
            wanted[digits[0]] += math.prod(p[k, t] for t, k in enumerate(path))
    np.testing.assert_allclose(line.digit(), wanted, atol=1e-12)


def test_signs_beside_a_digit_do_not_matter_if_there_is_one_digit() -> None:
    assert line_logits("_(__5_)_").digit()[5] > 0.9
    assert line_logits("__5__5__").digit().sum() < 0.1


def small_network() -> Layer:
    rng = np.random.default_rng(0)
    return Network(Conv2D(1, 2, 4, stride=4, rng=rng), FoldHeight(), Conv1D(2 * HEIGHT // 4, CLASSES, 1, rng=rng))


def test_a_reader_is_saved_and_loaded(tmp_path: Path) -> None:
    reader = LineReader(small_network())
    reader.save(tmp_path / "lines.safetensors")
    loaded = LineReader.load(tmp_path / "lines.safetensors")
    ink = np.random.default_rng(1).random((40, 90))
    np.testing.assert_allclose(loaded(ink).logits, reader(ink).logits, atol=0.02)
    assert set(loaded.read(ink).text) <= set(ALPHABET)
    image, _, _ = line_image(ink)
    assert loaded(ink).logits.shape == (CLASSES, -(-image.shape[1] // 4))


def test_another_file_is_refused(tmp_path: Path) -> None:
    from digitscope.files.tensors import write_tensors

    write_tensors(tmp_path / "other.safetensors", "model", {"a": np.zeros(1, np.float32)}, {"alphabet": "01"})
    with pytest.raises(ModelError, match="line reader"):
        LineReader.load(tmp_path / "other.safetensors")


def test_labels_and_text() -> None:
    assert to_labels("0 9") == [1, ALPHABET.index(" ") + 1, 10]
    assert to_text(to_labels("-3.14 ?")) == "-3.14 ?"
