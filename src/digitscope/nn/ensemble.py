"""Ensembles and test-time augmentation: the mean of several probabilities."""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, Self

import numpy as np

from digitscope.arguments import check_kind, check_pairs, check_whole
from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn.layer import CALL, Backward, Layer, Params, build, describe
from digitscope.nn.losses import log_sum_exp, softmax
from digitscope.nn.network import Network


class Ensemble(Network):
    """An ensemble: the mean of the members' probabilities, and of their evidence.

    Each member m has the logits f_m(x). With p_m = softmax(f_m) and the evidence e_m = log sum_k exp f_m[k]:
    y[k,n] = log (1/M) sum_m p_m[k,n] + (1/M) sum_m e_m[n]
    df_m[k,n] = r_m[k,n] - p_m[k,n] sum_j r_m[j,n] + p_m[k,n] (1/M) sum_j dy[j,n],
    r_m[k,n] = dy[k,n] p_m[k,n] / sum_i p_i[k,n]
    dx = the sum over m of f_m's own dx for df_m

    softmax(y) is the mean of the members' probabilities, and log sum_k exp y[k] the mean of their evidence. So an
    ensemble is used like any other network. r_m is dy times the fraction of the mean that member m contributes.

    Shapes: x as the members expect it -> y (classes, N)
    Raises: ShapeError for an ensemble without members, and if members differ in their number of classes.
    Source: Hansen and Salamon 1990. Derivation: docs/notes/10-regularization.md#asking-several
    """

    def __init__(self, *members: Layer) -> None:
        super().__init__(*members)
        if not members:
            raise ShapeError("Ensemble expects at least 1 member; got none.")

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        members = [member.forward(x, training=training, rng=rng, need_dx=need_dx) for member in self.layers]
        y, logits_backward = ensemble_logits([logits for logits, _ in members])

        def backward(dy: Array) -> tuple[Array | None, Params]:
            dx, grads = np.zeros_like(x) if need_dx else None, {}
            for i, ((_, member_backward), df) in enumerate(zip(members, logits_backward(dy), strict=True)):
                member_dx, own = member_backward(df)
                if dx is not None:
                    dx += member_dx
                grads.update({f"{i}.{name}": value for name, value in own.items()})
            return dx, grads

        return y, backward

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        first, *others = [member.output_shape(shape) for member in self.layers]
        _check_shapes([first, *others])
        return first

    def flops(self, shape: tuple[int, ...], *, training: bool = False, need_dx: bool = False) -> int:
        return sum(member.flops(shape, training=training, need_dx=need_dx) for member in self.layers)

    def input_shapes(self, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        return [shape] * len(self.layers)

    @property
    def members(self) -> tuple[Layer, ...]:
        return self.layers

    def measure_statistics(self, batches: Sequence[Array]) -> tuple[list[Array], Self]:
        measured = self._with_layers([member.measure_statistics(batches)[1] for member in self.layers])
        return [measured.forward(x)[0] for x in batches], measured


class ShiftAverage(Layer):
    """Test-time augmentation: averages a network's predictions over shifted copies of each image, as Ensemble does.

    y as for an Ensemble with the members f(x shifted by s), for the (rows, columns) s in `shifts`; zeros enter at the
    border
    dx = the sum over s of f's dx, shifted back; df as in Ensemble

    In training it is f itself.

    Shapes: x (D, N), images of height x width as columns -> y (classes, N)
    Raises: ShapeError if x does not have height x width numbers, or there are no shifts.
    Source: Krizhevsky, Sutskever and Hinton 2012, section 4.1.
    Derivation: docs/notes/10-regularization.md#asking-several
    """

    def __init__(self, network: Layer, height: int, width: int, shifts: Sequence[Sequence[int]]) -> None:
        super().__init__()
        check_kind("ShiftAverage's network", network, "a layer", Layer)
        check_whole("ShiftAverage's height", height, 1)
        check_whole("ShiftAverage's width", width, 1)
        check_pairs("ShiftAverage's shifts", shifts)
        self.network, self.height, self.width = network, height, width
        self.shifts = tuple((int(down), int(right)) for down, right in shifts)
        self.params, self.statistics = network.params, network.statistics
        if not self.shifts:
            raise ShapeError("ShiftAverage expects at least 1 shift; got none.")

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        if training:
            return self.network.forward(x, training=True, rng=rng, need_dx=need_dx)
        self._check(x.shape)
        images = x.reshape(self.height, self.width, -1)
        views = [shift_images(images, *shift).reshape(x.shape) for shift in self.shifts]
        members = [self.network.forward(view, need_dx=need_dx) for view in views]
        y, logits_backward = ensemble_logits([logits for logits, _ in members])

        def backward(dy: Array) -> tuple[Array | None, Params]:
            dx = np.zeros_like(images) if need_dx else None
            grads = {name: np.zeros_like(p) for name, p in self.params.items()}
            for (down, right), (_, view_backward), df in zip(self.shifts, members, logits_backward(dy), strict=True):
                view_dx, own = view_backward(df)
                if dx is not None:
                    dx += shift_images(view_dx.reshape(images.shape), -down, -right)
                for name, value in own.items():
                    grads[name] += value
            return dx.reshape(x.shape) if dx is not None else None, grads

        return y, backward

    def _check(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 2 or shape[0] != self.height * self.width:
            raise ShapeError(f"ShiftAverage expects ({self.height * self.width}, N); got {shape}.")

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        self._check((*shape, 1))
        return self.network.output_shape(shape)

    def memory(self, shape: tuple[int, ...]) -> int:
        return CALL + len(self.shifts) * (prod(shape) + self.network.memory(shape))

    def flops(self, shape: tuple[int, ...], *, training: bool = False, need_dx: bool = False) -> int:
        views = 1 if training else len(self.shifts)
        return views * self.network.flops(shape, training=training, need_dx=need_dx)

    @property
    def parts(self) -> dict[str, Layer]:
        return self.network.parts  # so that parameters have the same names as in the network

    def input_shapes(self, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        return self.network.input_shapes(shape)

    def __repr__(self) -> str:
        return f"ShiftAverage({self.network!r}, {self.height}, {self.width}, {list(self.shifts)})"

    def measure_statistics(self, batches: Sequence[Array]) -> tuple[list[Array], Self]:
        measured = type(self)(self.network.measure_statistics(batches)[1], self.height, self.width, self.shifts)
        return [measured.forward(x)[0] for x in batches], measured

    def thawed(self) -> "ShiftAverage":
        return type(self)(self.network.thawed(), self.height, self.width, self.shifts)

    def map_arrays(self, function: Callable[[Array], Array]) -> Self:
        return type(self)(self.network.map_arrays(function), self.height, self.width, self.shifts)

    def config(self) -> dict[str, Any]:
        shifts = [list(shift) for shift in self.shifts]
        return {"network": describe(self.network), "height": self.height, "width": self.width, "shifts": shifts}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(**{**config, "network": build(config["network"])})


def ensemble_logits(member_logits: Sequence[Array]) -> tuple[Array, Callable[[Array], list[Array]]]:
    """Returns y and backward, dy -> the list of df_m; the formulas are in `Ensemble`.

    Shapes: M arrays (classes, N) -> (classes, N)
    Raises: ShapeError if the arrays differ in shape.
    """
    members = len(member_logits)
    _check_shapes([f.shape for f in member_logits])
    probabilities = [softmax(f) for f in member_logits]
    # tiny keeps log finite; it is far below any probability that matters.
    total = sum(probabilities[1:], probabilities[0]) + np.finfo(member_logits[0].dtype).tiny
    y: Array = np.log(total / members) + sum(log_sum_exp(f) for f in member_logits) / members

    def backward(dy: Array) -> list[Array]:
        r = [dy * p / total for p in probabilities]
        return [r_m - p * (r_m.sum(axis=0) - dy.sum(axis=0) / members) for r_m, p in zip(r, probabilities, strict=True)]

    return y, backward


def _check_shapes(shapes: Sequence[tuple[int, ...]]) -> None:
    if len(set(shapes)) > 1:
        raise ShapeError(f"An ensemble expects members with logits of one shape; got {', '.join(map(str, shapes))}.")


def shift_images(images: Array, down: int, right: int) -> Array:
    """The images shifted down and right by whole pixels, with zeros at the border. (H, W, N) -> (H, W, N)"""
    height, width, _ = images.shape
    # A shift by the image's size leaves only zeros; for a longer one the slices below would be wrong.
    down, right = max(-height, min(down, height)), max(-width, min(right, width))
    result: Array = np.zeros_like(images)
    result[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = images[
        max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)
    ]
    return result
