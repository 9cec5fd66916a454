"""The facts about the test images agree with the images in the package."""

import numpy as np

from digitscope.datasets import DataSet
from digitscope.datasets.mnist_facts import DISPUTED, HALVES, is_mnist_test


def test_the_test_images_are_recognized_from_any_file(mnist: DataSet) -> None:
    _, images, labels = mnist.evaluation_split
    assert is_mnist_test(images, labels)
    assert is_mnist_test(images.copy(), labels.astype(np.uint8))
    assert not is_mnist_test(images[:-1], labels[:-1])
    assert not is_mnist_test(mnist.x_train, mnist.y_train)
    other = labels.copy()
    other[947] = 9
    assert not is_mnist_test(images, other)


def test_fifteen_labels_are_disputed(mnist: DataSet) -> None:
    assert mnist.y_test is not None
    assert len({dispute.index for dispute in DISPUTED}) == 15
    for dispute in DISPUTED:
        assert dispute.label == mnist.y_test[dispute.index]
        assert dispute.other != dispute.label
        assert sum(dispute.votes) == 5
        assert dispute.votes[0] < 3


def test_the_alternative_labels() -> None:
    raters = {dispute.index: dispute.raters for dispute in DISPUTED}
    assert (raters[947], raters[2462]) == (9, 0)  # all five; four of five
    assert [index for index, digit in raters.items() if digit is None] == [2130, 2654, 3520, 8527, 9679]


def test_the_halves_make_up_the_test_images() -> None:
    numbers = np.arange(10_000)
    np.testing.assert_array_equal(np.concatenate([numbers[part] for part in HALVES.values()]), numbers)
