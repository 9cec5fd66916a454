"""What a model's file says about its accuracy, with intervals."""

from dataclasses import dataclass

from digitscope.datasets.mnist_facts import MNIST_DIGEST
from digitscope.metrics import percentage, wilson_interval
from digitscope.training_info import TrainingInfo

_MNIST_TEST_IMAGES = 10_000


@dataclass(frozen=True)
class AccuracyFigure:
    """An accuracy that was measured once, and on what."""

    part: str
    """The images: "test", "validation", or "fine-tuning" for those on which `teach` measured what was forgotten."""
    accuracy: float
    images: int | None
    """The number of images; None if the model file does not say."""

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of Wilson; None if the number of images is not known."""
        return wilson_interval(self.accuracy, self.images) if self.images else None

    @property
    def text(self) -> str:
        """99.59 % of 10,000 test images (95 % interval 99.44 to 99.70 %)"""
        if not (self.images and self.interval):
            return f"{percentage(self.accuracy)} % of the {self.part} images"
        low, high = map(percentage, self.interval)
        return f"{percentage(self.accuracy)} % of {self.images:,} {self.part} images (95 % interval {low} to {high} %)"


def accuracy_figures(info: TrainingInfo) -> list[AccuracyFigure]:
    """The accuracies of the model's current weights, the most honest one first; empty if none is known."""
    is_mnist = info.data == "mnist" or info.data_digest == MNIST_DIGEST
    figures = [
        AccuracyFigure("test", info.test_accuracy, _MNIST_TEST_IMAGES if is_mnist else None)
        if info.test_accuracy is not None
        else None,
        AccuracyFigure("validation", info.validation_accuracy, info.validation_images)
        if info.validation_accuracy is not None
        else None,
        AccuracyFigure("fine-tuning", info.taught[-1].accuracy_after, info.taught[-1].evaluated_images)
        if info.taught
        else None,
    ]
    return [figure for figure in figures if figure is not None]
