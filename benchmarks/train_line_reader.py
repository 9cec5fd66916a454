"""Trains the network that reads lines, on generated lines, and measures it on other ones.

    uv run python -m benchmarks.train_line_reader OUT.safetensors --lines 600000 --seed 1

The lines are written with MNIST's training images without the last 5,000; the lines to measure on, with those. A part
of them is photographed, and its ink is what the ink network finds. One thread; equal arguments give equal weights. A
checkpoint is written every 500 steps: the network as it is.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.machine import machine, versions
from digitscope.arrays import Array
from digitscope.datasets import load_mnist
from digitscope.nn import Adam, BatchNorm, Conv2D, Layer, MaxPool2D, Network, ReLU, Residual, clip_scale, gradient_norm
from digitscope.nn.ctc import CTC
from digitscope.nn.layer import describe
from digitscope.nn.sequence import Conv1D, FoldHeight, MaxPoolHeight, SplitSteps
from digitscope.synthetic.line_pictures import photographed_line
from digitscope.synthetic.scenes import WritingSource
from digitscope.synthetic.text_lines import LineWriter, WrittenLine
from digitscope.vision.ink_map import INK_NETWORK, load_ink_network
from digitscope.vision.line_image import HEIGHT, ink_rows, line_image
from digitscope.vision.line_reader import ALPHABET, LineReader, to_labels

UNSEEN = 5000
"""Number of images at the end of MNIST's training part that are kept for measuring."""
BATCH = 16
POOL = 16
"""Number of batches whose lines are sorted by width before they are cut into batches."""
USES = 6
"""How often each line is used, each time in another size and position."""
KEPT = 24
"""Number of pools of lines from which those to be used again are drawn."""
MAX_PIXELS = 900
"""Maximum width of a training line's image; longer ones are left out."""
PEAK_RATE = 2e-3
PHOTOGRAPHED = 0.6
"""Share of the lines that are photographed."""
TRACED = 600
"""Number of images from which the scenes around photographed lines are written."""


def build(rng: np.random.Generator) -> Network:
    """The network: (1, HEIGHT, W, N) -> (classes, W / 2, N)."""

    def block(i: int, o: int) -> list[Layer]:
        return [Conv2D(i, o, 3, padding=1, bias=False, rng=rng), BatchNorm(o)]

    def sequence(i: int, o: int, size: int = 3) -> list[Layer]:
        return [Conv1D(i, o, size, bias=False, rng=rng), BatchNorm(o), ReLU()]

    def context(channels: int, inner: int) -> list[Layer]:
        """Looks 16 pixels of the line farther to both sides."""
        inside = [*sequence(channels, inner, 1), *sequence(inner, inner, 9)]
        return [Residual(*inside, Conv1D(inner, channels, 1, bias=False, rng=rng), BatchNorm(channels)), ReLU()]

    return Network(
        *(Conv2D(1, 20, 5, stride=2, padding=2, bias=False, rng=rng), BatchNorm(20), ReLU()),
        *(*block(20, 32), MaxPool2D(2), ReLU()),
        *(*block(32, 64), MaxPoolHeight(2), ReLU()),
        *(*block(64, 64), ReLU(), FoldHeight()),
        *sequence(64 * HEIGHT // 8, 128),
        *sequence(128, 128),
        *context(128, 36),
        *context(128, 36),
        Conv1D(128, 2 * (len(ALPHABET) + 1), 1, rng=rng),
        SplitSteps(2),
    )


def begin_as(network: Network, smaller: Network) -> None:
    """Gives the network the weights of a smaller one, whose outputs it then has.

    The residual blocks that the smaller one lacks keep their random weights but for the scale of their last
    normalization, which is zero, so that they change nothing.

    Raises: ValueError if the networks differ in more than residual blocks.
    """
    given = list(smaller.layers)
    missing = "The weights to begin with are of a network that differs in more than residual blocks"
    for layer in network.layers:
        if given and describe(layer) == describe(given[0]):
            layer.params = given.pop(0).params
        elif isinstance(layer, Residual):
            name = [name for name in layer.params if name.endswith("scale")][-1]
            layer.params = {**layer.params, name: np.zeros_like(layer.params[name])}
        elif not isinstance(layer, ReLU):
            raise ValueError(f"{missing}: they have no {type(layer).__name__} where this one has it.")
    if given:
        raise ValueError(f"{missing}: this one has no {type(given[0]).__name__} where they have it.")


@dataclass(frozen=True, eq=False)
class Example:
    image: Array
    labels: list[int]


def training_example(line: WrittenLine, rng: np.random.Generator) -> Example | None:
    """The line's image, its digits a little larger or smaller, higher or lower than `ink_rows` would have them."""
    ink = line.ink.astype(np.float32) / 255
    top, bottom = ink_rows(ink)
    height = bottom - top
    factor = np.exp(rng.normal(0, 0.1))
    middle = (top + bottom) / 2 + rng.normal(0, 0.05) * height
    image, _, _ = line_image(ink, middle - factor * height / 2, middle + factor * height / 2)
    image = image[:, int(rng.integers(0, 8)) :]
    labels = to_labels(line.text)
    needed = len(labels) + sum(a == b for a, b in pairwise(labels))
    if image.shape[1] > MAX_PIXELS or needed > image.shape[1] // 4:
        return None
    return Example(image, labels)


class LineSource:
    """Draws lines, some of them photographed and found by the ink network."""

    def __init__(self, images: Array, labels: Array, ink: Network) -> None:
        self.writer, self.scenes, self.ink = LineWriter(images, labels), WritingSource(images[:TRACED]), ink

    def write(self, rng: np.random.Generator) -> WrittenLine:
        if rng.random() < PHOTOGRAPHED:
            return photographed_line(self.writer, self.scenes, self.ink, rng)
        return self.writer.write(rng)


def batches(
    source: LineSource | LineWriter, rng: np.random.Generator, size: int
) -> Iterator[tuple[Array, list[list[int]]]]:
    """Batches without end: (1, HEIGHT, W, size) and the labels; W is a multiple of 8."""
    kept: list[WrittenLine] = []
    while True:
        examples: list[Example] = []
        while len(examples) < POOL * size:
            again = len(kept) > POOL * size and rng.random() > 1 / USES
            line = kept[rng.integers(len(kept))] if again else source.write(rng)
            example = training_example(line, rng)
            if example is not None:
                examples.append(example)
                if not again:
                    kept.append(line)
        kept = kept[-KEPT * POOL * size :]
        examples.sort(key=lambda example: example.image.shape[1])
        for start in rng.permutation(POOL) * size:
            yield stack(examples[start : start + size])


def stack(examples: Sequence[Example]) -> tuple[Array, list[list[int]]]:
    width = -(-max(example.image.shape[1] for example in examples) // 8) * 8
    x = np.zeros((1, HEIGHT, width, len(examples)), np.float32)
    for n, example in enumerate(examples):
        x[0, :, : example.image.shape[1], n] = example.image
    return x, [example.labels for example in examples]


def rate(step: int, steps: int, peak: float) -> float:
    """Rises over the first 3 % and then falls along a cosine to 1 %."""
    progress = step / steps
    if progress < 0.03:
        return peak * (0.05 + 0.95 * progress / 0.03)
    return peak * (0.01 + 0.99 * (1 + float(np.cos(np.pi * (progress - 0.03) / 0.97))) / 2)


def train(
    network: Network,
    lines: LineSource | LineWriter,
    steps: int,
    seed: int,
    out: Path,
    size: int = BATCH,
    peak: float = PEAK_RATE,
) -> None:
    rng = np.random.default_rng([seed, 1])
    source = batches(lines, rng, size)
    optimizer, loss = Adam(weight_decay=1e-2, clip_norm=5.0), CTC()
    params = network.params
    state = optimizer.start(params)
    recent: list[Array] = []
    smooth, begin = 0.0, time.perf_counter()
    for step in range(steps):
        x, labels = next(source)
        logits, backward = network.forward(x, training=True, need_dx=False)
        value, loss_backward = loss.forward(logits, labels)
        _, grads = backward(loss_backward(1.0).astype(np.float32))
        scale = clip_scale(gradient_norm(grads), optimizer.clip_norm)
        if scale < 1:
            grads = {name: g * np.float32(scale) for name, g in grads.items()}
        optimizer.update(params, grads, state, rate(step, steps, peak), step)
        smooth += (value - smooth) * max(0.02, 1 / (step + 1))
        recent = [*recent[-(2 * POOL - 1) :], x]
        if (step + 1) % 50 == 0:
            print(f"{step + 1} of {steps}: loss {smooth:.4f}, {time.perf_counter() - begin:.0f} s", flush=True)
        if (step + 1) % 500 == 0 or step + 1 == steps:
            _, measured = network.measure_statistics(recent)
            LineReader(measured).save(out)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--lines", type=int, default=600_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ink", type=Path, default=INK_NETWORK, help="weights of the ink network")
    parser.add_argument("--start", type=Path, help="weights to begin with, perhaps of fewer residual blocks")
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--rate", type=float, default=PEAK_RATE, help="the highest learning rate")
    options = parser.parse_args(arguments)
    (images, labels), _ = load_mnist()
    network = build(np.random.default_rng([options.seed, 0]))
    if options.start:
        smaller = LineReader.load(options.start).network
        assert isinstance(smaller, Network)
        begin_as(network, smaller)
    print(network.summary((1, HEIGHT, 128)))
    begin = time.process_time()
    source = LineSource(images[:-UNSEEN], labels[:-UNSEEN], load_ink_network(options.ink))
    train(network, source, options.lines // options.batch, options.seed, options.out, options.batch, options.rate)
    record = {
        "command": f"uv run python -m benchmarks.train_line_reader {options.out.name} "
        f"--lines {options.lines} --seed {options.seed} --batch {options.batch} --rate {options.rate}"
        + (f" --start {options.start.name}" if options.start else ""),
        "processor_seconds": round(time.process_time() - begin),
        "machine": machine(),
        "versions": versions("numpy", "scipy", "pillow", "digitscope"),
    }
    options.out.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
