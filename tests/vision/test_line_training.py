"""The commands that train the line reader and measure it: their parts, and a training of two steps."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import line_reading, train_line_reader
from benchmarks.line_reading import Answer, figures, only_digits
from benchmarks.train_line_reader import batches, begin_as, build, rate, train, training_example
from digitscope.datasets import load_mnist
from digitscope.nn import Network, ReLU, Residual
from digitscope.synthetic.text_lines import LineWriter, WrittenLine
from digitscope.vision.line_image import HEIGHT
from digitscope.vision.line_reader import LineReader


@pytest.fixture(scope="module")
def writer() -> LineWriter:
    (images, labels), _ = load_mnist()
    return LineWriter(images[:500], labels[:500])


def test_figures_of_answers() -> None:
    line = WrittenLine(np.zeros((4, 4), np.uint8), "-3.14", "decimal")
    answers = [Answer(line, "-3.14", 0.99, 0.1), Answer(line, "3.14", 0.5, 0.1), Answer(line, "-3.4", 0.95, 0.1)]
    found = figures(answers)
    assert only_digits(line.text) == "314"
    assert found["text"] == pytest.approx(1 / 3)
    assert found["digits"] == pytest.approx(2 / 3)
    assert found["errors"] == pytest.approx(1 / 9)
    assert found["sure"] == pytest.approx(2 / 3)
    assert found["sure and wrong"] == pytest.approx(1 / 2)


def test_batches_fit_the_network_and_the_labels(writer: LineWriter) -> None:
    network = build(np.random.default_rng(0))
    source = batches(writer, np.random.default_rng(1), 4)
    for _ in range(2):
        x, labels = next(source)
        assert x.shape[:2] == (1, HEIGHT)
        assert x.shape[3] == len(labels) == 4
        logits = network.forward(x)[0]
        assert logits.shape[1:] == (x.shape[2] // 2, 4)


def test_a_line_that_cannot_be_spelled_is_left_out() -> None:
    ink = np.full((40, 10), 255, np.uint8)
    assert training_example(WrittenLine(ink, "1" * 30, "number"), np.random.default_rng(0)) is None


def test_the_learning_rate_rises_and_falls() -> None:
    rates = [rate(step, 1000, 2e-3) for step in range(1000)]
    assert max(rates) == pytest.approx(2e-3, rel=0.01)
    assert rates[0] < 0.1 * max(rates)
    assert rates[-1] < 0.02 * max(rates)


def test_a_network_begins_with_the_weights_of_fewer_residual_blocks() -> None:
    x = np.random.default_rng(0).random((1, HEIGHT, 64, 3), np.float32)
    larger, other = build(np.random.default_rng(1)), build(np.random.default_rng(2))
    first = next(k for k, layer in enumerate(other.layers) if isinstance(layer, Residual))
    smaller = Network(*other.layers[:first], *other.layers[first + 2 :])  # without one of the blocks, and its ReLU
    assert not np.array_equal(larger.forward(x, training=True)[0], smaller.forward(x, training=True)[0])
    begin_as(larger, smaller)
    np.testing.assert_array_equal(larger.forward(x, training=True)[0], smaller.forward(x, training=True)[0])
    with pytest.raises(ValueError, match="this one has no ReLU where they have it"):
        begin_as(larger, Network(*other.layers, ReLU()))
    with pytest.raises(ValueError, match="they have no Conv2D where this one has it"):
        begin_as(larger, Network(*other.layers[3:]))


def test_equal_seeds_train_equal_networks(writer: LineWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_line_reader, "POOL", 1)
    for name in ("a", "b"):
        train(build(np.random.default_rng(0)), writer, 2, 7, tmp_path / f"{name}.safetensors", 2)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    lines = [writer.write(np.random.default_rng(k), "digit") for k in range(2)]
    answers, single = line_reading.by_line_reader(LineReader.load(tmp_path / "a.safetensors"), lines)
    assert len(answers) == len(single) == 2
    assert all(answer.text.isdigit() for answer in single)
