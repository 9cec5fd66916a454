"""What is known of MNIST's 10,000 test images beyond their labels: who wrote them, and which labels people dispute."""

import zlib
from dataclasses import dataclass

from digitscope.arrays import Array

MNIST_DIGEST = "60637407"
"""`DataSet.digest` of MNIST's training images and labels in their published order."""

_CRC = 0x190E897B
"""The CRC-32 of the test images and labels."""


def is_mnist_test(images: Array, labels: Array) -> bool:
    """Whether these are MNIST's test images and labels in their published order, from whatever file."""
    return zlib.crc32(labels.astype("uint8").tobytes(), zlib.crc32(images.tobytes())) == _CRC


HALVES = {"the first 5,000, students": slice(0, 5000), "the last 5,000, census": slice(5000, 10000)}
"""The two halves and their writers: high-school students (NIST Special Database 1), and employees of the Census Bureau
(Special Database 3), who write neater.

MNIST's authors state the reverse order on their page. But Yadav and Bottou traced each image to its source: 0 to 5000
come from Special Database 1, 5001 to 9999 are patterns 35,000 and following of Special Database 3, in their order. And
networks find the first half harder.
Source: Yadav & Bottou 2019, "Cold case: the lost MNIST digits"; github.com/facebookresearch/qmnist,
making_qmnist/hungarian_match_test.py
"""


@dataclass(frozen=True)
class Dispute:
    """A test image whose label fewer than three of five people confirmed."""

    index: int
    """Its place among the test images, from 0."""
    label: int
    other: int
    """What the people could choose in its place."""
    votes: tuple[int, int, int]
    """How many of the five saw the label, the other digit, neither."""

    @property
    def raters(self) -> int | None:
        """The digit that most of the five saw in place of the label; None where most saw neither, or they disagree."""
        return self.other if self.votes[1] >= 3 else None


DISPUTED = (
    Dispute(947, 8, 9, (0, 5, 0)),
    Dispute(1621, 0, 6, (2, 3, 0)),
    Dispute(1901, 9, 4, (2, 3, 0)),
    Dispute(2130, 4, 9, (2, 2, 1)),
    Dispute(2462, 2, 0, (0, 4, 1)),
    Dispute(2597, 5, 3, (0, 4, 1)),
    Dispute(2654, 6, 1, (0, 2, 3)),
    Dispute(3520, 6, 4, (2, 0, 3)),
    Dispute(3558, 5, 0, (1, 4, 0)),
    Dispute(5937, 5, 3, (1, 3, 1)),
    Dispute(6651, 0, 6, (0, 5, 0)),
    Dispute(6783, 1, 6, (2, 3, 0)),
    Dispute(8527, 4, 9, (2, 2, 1)),
    Dispute(9679, 6, 3, (2, 0, 3)),
    Dispute(9729, 5, 6, (2, 3, 0)),
)
"""The fifteen, out of a hundred that a network had doubted and people were asked about.

Source: Northcutt, Athalye & Mueller 2021, "Pervasive label errors in test sets destabilize machine learning
benchmarks"; github.com/cleanlab/label-errors, mturk/mnist_mturk.json
"""
