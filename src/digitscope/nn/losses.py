"""Losses: how wrong the outputs of a batch are, as one number that training minimizes, and its derivative."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from digitscope.arguments import check_number
from digitscope.arrays import Array
from digitscope.errors import DataError, ShapeError, TrainingError
from digitscope.nn.kernels.product import sum_of_squares
from digitscope.nn.one_hot import one_hot

LossBackward = Callable[[float], Array]


class Loss(ABC):
    """A function of a batch's outputs, (classes, N), and its labels, integers (N,); a mean over N.

    In the formulas [k = label n] is `one_hot(labels, classes)[k,n]`: 1 for the true class, else 0.
    """

    @abstractmethod
    def forward(self, outputs: Array, labels: Array) -> tuple[float, LossBackward]:
        """Returns the loss, a mean over N, and backward, where backward(dloss) -> the derivative with respect to the
        outputs, times dloss. dloss is 1 for this batch alone, and n/N for a shard of n of a batch of N.

        Raises: ShapeError for other shapes and for N = 0; DataError for labels that are not integers of the classes.
        """

    @abstractmethod
    def probabilities(self, outputs: Array) -> Array:
        """The probability of each class, (classes, N); columns add up to 1."""

    @abstractmethod
    def evidence(self, outputs: Array) -> Array:
        """The evidence that an image belongs to any of the classes, (N,): the greater, the more likely it does."""

    def example_losses(self, outputs: Array, labels: Array) -> Array:
        """The loss of each example, (N,), whose mean is the loss. A loss of your own may have a faster form of it."""
        columns = range(outputs.shape[1])
        losses = [self.forward(outputs[:, n : n + 1], labels[n : n + 1])[0] for n in columns]
        return np.asarray(losses, outputs.dtype, like=outputs)

    def classes(self, outputs: int) -> int:
        """The number of different labels that a network of so many outputs can learn."""
        return outputs

    def minimum(self, outputs: int) -> float:
        """The smallest possible loss of a network of so many outputs."""
        return 0.0

    def count_right(self, outputs: Array, labels: Array) -> int:
        """The number of examples whose largest output is that of their label."""
        return int(np.count_nonzero(outputs.argmax(axis=0) == labels))


@dataclass(frozen=True)
class SoftmaxCrossEntropy(Loss):
    """Softmax and cross-entropy as one function, whose derivative is simply p - q; the mean over N.

    p[k,n] = e^z[k,n] / sum_j e^z[j,n]
    q[k,n] = (1 - s) [k = label n] + s / classes               s: label_smoothing
    loss = -(1/N) sum_{n,k} q[k,n] log p[k,n]
    dz[k,n] = (p[k,n] - q[k,n]) / N

    Computed as log p = z - max z - log sum e^(z - max z), in which nothing overflows and no logarithm of zero is taken,
    however large the logits are.

    Shapes: logits z (classes, N), labels (N,) -> a number, in nats. Raises: TrainingError for s outside 0 to 1.
    Source: Bridle 1990; label smoothing: Szegedy et al. 2016, section 7.
    Derivation: docs/notes/04-softmax.md#the-two-together
    """

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        _check_smoothing(self.label_smoothing)

    def forward(self, outputs: Array, labels: Array) -> tuple[float, LossBackward]:
        labels = _check(outputs, labels, len(outputs))
        classes, n = outputs.shape
        columns = np.arange(n, like=outputs)
        log_p = outputs - outputs.max(axis=0)
        e = np.exp(log_p)
        total = e.sum(axis=0)
        log_p -= np.log(total)
        smooth = self.label_smoothing
        loss = -float(log_p[labels, columns].mean())
        if smooth:
            loss = (1 - smooth) * loss - smooth * float(log_p.mean())

        def backward(dloss: float = 1.0) -> Array:
            dz: Array = e / total
            dz[labels, columns] -= 1 - smooth
            if smooth:
                dz -= smooth / classes
            dz *= dloss / n
            return dz

        return loss, backward

    def example_losses(self, outputs: Array, labels: Array) -> Array:
        labels = _check(outputs, labels, len(outputs))
        log_p = outputs - log_sum_exp(outputs)
        losses: Array = -log_p[labels, np.arange(len(labels), like=outputs)]
        smooth = self.label_smoothing
        return (1 - smooth) * losses - smooth * log_p.mean(axis=0) if smooth else losses

    def probabilities(self, outputs: Array) -> Array:
        return softmax(outputs)

    def evidence(self, outputs: Array) -> Array:
        """log sum e^z: minus the free energy of Liu et al. 2020, in nats."""
        return log_sum_exp(outputs)

    def minimum(self, outputs: int) -> float:
        """The loss at p = q, the entropy of the smoothed labels: -sum_k q[k] log q[k], in nats."""
        q = np.full(outputs, self.label_smoothing / outputs)
        q[0] += 1 - self.label_smoothing
        q = q[q > 0]
        return abs(float((q * np.log(q)).sum()))


@dataclass(frozen=True)
class BackgroundCrossEntropy(Loss):
    """Softmax and cross-entropy with one more class, the background, for images of no other class; the mean over N.

    The background's logit is 0, so the network has no output for it: z[K,n] = 0 for K classes 0 .. K-1.
    p[k,n] = e^z[k,n] / (1 + sum_j e^z[j,n])
    q[k,n] = (1 - s) [k = label n] + s / (K + 1)               s: label_smoothing; label K: the background
    loss = -(1/N) sum_{n,k} q[k,n] log p[k,n]
    dz[k,n] = (p[k,n] - q[k,n]) / N

    The probability that an image belongs to any class is 1 - p[K] = sigmoid(log sum_j e^z[j]), so the
    `evidence` log sum_j e^z[j] is its log odds.

    Shapes: logits z (K, N), labels (N,), 0 to K -> a number, in nats. Raises: TrainingError for s outside 0 to 1.
    Source: a background class as in Dhamija, Günther and Boult 2018, here with its logit fixed at 0.
    Derivation: docs/notes/11-uncertainty.md#no-digit-at-all
    """

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        _check_smoothing(self.label_smoothing)

    def forward(self, outputs: Array, labels: Array) -> tuple[float, LossBackward]:
        classes = len(outputs)
        labels = _check(outputs, labels, classes + 1)
        logits = np.concatenate([outputs, np.zeros_like(outputs[:1])])
        loss, backward = SoftmaxCrossEntropy(self.label_smoothing).forward(logits, labels)
        return loss, lambda dloss=1.0: backward(dloss)[:classes]

    def example_losses(self, outputs: Array, labels: Array) -> Array:
        logits = np.concatenate([outputs, np.zeros_like(outputs[:1])])
        return SoftmaxCrossEntropy(self.label_smoothing).example_losses(logits, labels)

    def probabilities(self, outputs: Array) -> Array:
        """The probability of each class, given that the image is of one of them."""
        return softmax(outputs)

    def evidence(self, outputs: Array) -> Array:
        """log sum e^z: the log odds that the image is of a class and not background, in nats."""
        return log_sum_exp(outputs)

    def classes(self, outputs: int) -> int:
        """One more than there are outputs: the background is label K."""
        return outputs + 1

    def minimum(self, outputs: int) -> float:
        """That of SoftmaxCrossEntropy with the background as one more class."""
        return SoftmaxCrossEntropy(self.label_smoothing).minimum(outputs + 1)

    def count_right(self, outputs: Array, labels: Array) -> int:
        """Counts the background, too, whose logit is 0."""
        return super().count_right(np.concatenate([outputs, np.zeros_like(outputs[:1])]), labels)


@dataclass(frozen=True)
class MeanSquaredError(Loss):
    """Half the squared distance between the outputs and the one-hot labels, Nielsen's quadratic cost; the mean over N.

    loss = (1/2N) sum_{n,k} (a[k,n] - [k = label n])²
    da[k,n] = (a[k,n] - [k = label n]) / N

    Shapes: activations a (classes, N), labels (N,) -> a number.
    Source: Nielsen 2015, chapter 1, equation 6. Derivation: docs/notes/04-softmax.md#why-not-the-squared-error
    """

    def forward(self, outputs: Array, labels: Array) -> tuple[float, LossBackward]:
        labels = _check(outputs, labels, len(outputs))
        n = len(labels)
        difference = outputs.copy()
        difference[labels, np.arange(n, like=outputs)] -= 1
        loss = sum_of_squares(difference) / (2 * n)
        return loss, lambda dloss=1.0: difference * (dloss / n)

    def example_losses(self, outputs: Array, labels: Array) -> Array:
        labels = _check(outputs, labels, len(outputs))
        difference = outputs - one_hot(labels, len(outputs), outputs.dtype)
        halves: Array = (difference * difference).sum(axis=0) / 2
        return halves

    def probabilities(self, outputs: Array) -> Array:
        """The outputs, clipped to 0..1 and divided by their sum: the squared error is smallest if each output is the
        probability of its class.
        """
        clipped: Array = np.clip(outputs, np.finfo(outputs.dtype).tiny, 1)
        clipped /= clipped.sum(axis=0)
        return clipped

    def evidence(self, outputs: Array) -> Array:
        """The largest output."""
        largest: Array = outputs.max(axis=0)
        return largest


def weighted_loss(loss: Loss, outputs: Array, labels: Array, weights: Array) -> tuple[float, LossBackward]:
    """A loss in which example n counts w[n] times as much: the mean over N of w[n] times the loss of example n.

    L = (1/N) sum_n w[n] l[n]                    l[n]: loss of example n
    dz[k,n] = (w[n] / N) dl[n]/dz[k,n]           column n of the loss's own derivative, times w[n]

    If the weights of all examples that are learned from have the mean 1, the loss of a full batch is their weighted
    mean, sum_n w[n] l[n] / sum_n w[n]. The gradient of a random batch then has the same expected value, which it would
    not have if each batch were divided by the sum of its own weights.

    Shapes: outputs z (classes, N), labels (N,), weights w (N,) -> a number, and backward as of `Loss.forward`.
    Raises: as `Loss.forward`; ShapeError for weights of another shape.
    Derivation: docs/notes/04-softmax.md#examples-that-count-more
    """
    if weights.shape != outputs.shape[1:]:
        raise ShapeError(f"Weights are expected as {outputs.shape[1:]}, one for each example; got {weights.shape}.")
    backward = loss.forward(outputs, labels)[1]
    value = float((weights * loss.example_losses(outputs, labels)).mean())
    return value, lambda dloss=1.0: backward(dloss) * weights


def binary_cross_entropy(logits: Array, targets: Array, weights: Array | None = None) -> tuple[float, LossBackward]:
    """Sigmoid and cross-entropy as one function, for numbers that are each a question of yes or no; the weighted mean.

    p = 1 / (1 + e^-z)
    L = sum w (-t log p - (1 - t) log(1 - p)) / W,   W the number of numbers
      = sum w (max(z, 0) - t z + log(1 + e^-|z|)) / W, in which nothing overflows
    dz = w (p - t) / W

    The target of a pixel may be a fraction, the share of it that is ink. Weights are 1 unless given; a pixel of weight
    0 may be either.

    Shapes: logits z, targets t and weights w all alike, t from 0 to 1 -> a number, in nats, and backward as of
    `Loss.forward`. Raises: ShapeError if their shapes differ.
    Source: Cox 1958, for labels; here for each pixel of an image.
    Derivation: docs/notes/08-convolution.md#an-answer-for-every-pixel
    """
    w = np.ones_like(logits) if weights is None else weights
    if targets.shape != logits.shape or w.shape != logits.shape:
        raise ShapeError(
            f"Targets and weights are expected in the logits' shape {logits.shape}; got {targets.shape}, {w.shape}."
        )
    e = np.exp(-np.abs(logits))
    value = float((w * (np.maximum(logits, 0) - targets * logits + np.log1p(e))).mean())
    p = np.where(logits >= 0, 1, e) / (1 + e)
    return value, lambda dloss=1.0: w * (p - targets) * logits.dtype.type(dloss / logits.size)


def softmax(logits: Array) -> Array:
    """p[k,n] = e^z[k,n] / sum_j e^z[j,n], stable for logits of any size.

    Computed as p[k,n] = e[k,n] / t[n] with the largest logit subtracted, which the fraction cancels:
    m[n] = max_j z[j,n]
    u[k,n] = z[k,n] - m[n]
    e[k,n] = exp u[k,n]
    t[n] = sum_j e[j,n]

    dz[k,n] = p[k,n] (dp[k,n] - sum_j p[j,n] dp[j,n])

    Shapes: z (classes, ...) -> p, like z, adding up to 1 along the first axis.
    Derivation: docs/notes/04-softmax.md#every-score-moves-every-share
    """
    e: Array = np.exp(logits - logits.max(axis=0))
    e /= e.sum(axis=0)
    return e


def log_sum_exp(logits: Array) -> Array:
    """log sum_k e^z[k,n], stable for logits of any size.

    dz[k,n] = p[k,n] d[n], with p = softmax(z)

    Shapes: z (classes, N) -> (N,)
    Derivation: docs/notes/11-uncertainty.md#no-digit-at-all
    """
    highest = logits.max(axis=0)
    total: Array = highest + np.log(np.exp(logits - highest).sum(axis=0))
    return total


LOSSES: dict[str, type[Loss]] = {
    loss.__name__: loss for loss in (SoftmaxCrossEntropy, BackgroundCrossEntropy, MeanSquaredError)
}
"""The losses that a model file may name."""


def _check(outputs: Array, labels: Array, classes: int) -> Array:
    """The labels as an array, after a check that each column of outputs has one, from 0 to classes - 1."""
    labels = labels if hasattr(labels, "dtype") else np.asarray(labels, like=outputs)
    if outputs.ndim != 2 or labels.shape != outputs.shape[1:] or not labels.size:
        hint = " Convert one-hot labels to integers with labels.argmax(axis=0)." if labels.ndim == 2 else ""
        raise ShapeError(
            f"A loss expects outputs (classes, N) and labels (N,), N at least 1; "
            f"got {outputs.shape} and {labels.shape}.{hint}"
        )
    if labels.dtype.kind not in "iu":
        raise DataError(f"A loss expects integer labels; got {labels.dtype}. Convert them with labels.astype(int).")
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0 or highest >= classes:
        wrong = lowest if lowest < 0 else highest
        raise DataError(
            f"A loss for {len(outputs)} outputs expects labels from 0 to {classes - 1}; got {wrong}. "
            "Correct the label, or give the network more outputs."
        )
    return labels


def _check_smoothing(label_smoothing: float) -> None:
    check_number("label_smoothing", label_smoothing, error=TrainingError)
    if not 0 <= label_smoothing <= 1:
        raise TrainingError(f"label_smoothing is expected from 0 to 1; got {label_smoothing}.")
