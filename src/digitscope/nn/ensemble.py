"""Several opinions on one image: the mean of their probabilities."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn.layer import Backward, Layer, Params, build, describe
from digitscope.nn.losses import log_sum_exp, softmax
from digitscope.nn.network import Network


class Ensemble(Network):
    """Networks side by side. Each gives logits; the outcome has the mean of their probabilities and of their evidence.

    y[k,n] = log (1/M) sum_m p_m[k,n] + (1/M) sum_m e_m[n],  p_m = softmax(f_m(x)),  e_m = log sum_k exp f_m[k]
    df_m[k,n] = r_m[k,n] - p_m[k,n] sum_j r_m[j,n] + p_m[k,n] (1/M) sum_j dy[j,n],
    r_m[k,n] = dy[k,n] p_m[k,n] / sum_i p_i[k,n]
    dx = sum_m of f_m's own dx for df_m

    softmax(y) is the mean of the members' probabilities and log sum_k exp y[k] the mean of their evidence, so a
    ensemble is used as any network is. r_m is the share that member m has in the answer.

    Shapes: x what the members take -> y (classes, N)
    Raises: ShapeError for an ensemble of none, and where members differ in their classes.
    Source: Hansen and Salamon 1990. Derivation: docs/notes/10-regularization.md#asking-several
    """

    def __init__(self, *members: Layer) -> None:
        super().__init__(*members)
        if not members:
            raise ShapeError("Ensemble expects at least 1 member; got none.")

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        opinions = [member.forward(x, training=training, rng=rng, need_dx=need_dx) for member in self.layers]
        y, shares = mean_opinion([logits for logits, _ in opinions])

        def backward(dy: Array) -> tuple[Array | None, Params]:
            dx, grads = np.zeros_like(x) if need_dx else None, {}
            for i, ((_, member_backward), share) in enumerate(zip(opinions, shares, strict=True)):
                member_dx, own = member_backward(share(dy))
                if dx is not None:
                    dx += member_dx
                grads.update({f"{i}.{name}": value for name, value in own.items()})
            return dx, grads

        return y, backward

    def flops(self, shape: tuple[int, ...], *, training: bool = False, need_dx: bool = False) -> int:
        return sum(member.flops(shape, training=training, need_dx=need_dx) for member in self.layers)

    @property
    def members(self) -> tuple[Layer, ...]:
        return self.layers

    def measure_statistics(self, batches: Sequence[Array]) -> tuple[list[Array], Self]:
        twin = self._with_layers([member.measure_statistics(batches)[1] for member in self.layers])
        return [twin.forward(x)[0] for x in batches], twin


class ShiftAverage(Layer):
    """One network that looks at the image several times, each time moved a little; the outcome as in `Ensemble`.

    y as of S members f(x moved by s),  s the (rows, columns) in `shifts`, paper coming in
    dx = sum_s of f's dx, moved back; df as in Ensemble

    Only for use: while training it is f.

    Shapes: x (D, N), the columns being images of height x width -> y (classes, N)
    Raises: ShapeError where x has not height x width numbers, and for no shifts.
    Source: Krizhevsky, Sutskever and Hinton 2012, section 4.1.
    Derivation: docs/notes/10-regularization.md#asking-several
    """

    def __init__(self, network: Layer, height: int, width: int, shifts: Sequence[Sequence[int]]) -> None:
        super().__init__()
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
        if x.shape[0] != self.height * self.width:
            raise ShapeError(f"ShiftAverage expects ({self.height * self.width}, N); got {x.shape}.")
        images = x.reshape(self.height, self.width, -1)
        opinions = [
            self.network.forward(moved(images, *shift).reshape(x.shape), need_dx=need_dx) for shift in self.shifts
        ]
        y, shares = mean_opinion([logits for logits, _ in opinions])

        def backward(dy: Array) -> tuple[Array | None, Params]:
            dx = np.zeros_like(images) if need_dx else None
            grads = {name: np.zeros_like(p) for name, p in self.params.items()}
            for (down, right), (_, view_backward), share in zip(self.shifts, opinions, shares, strict=True):
                view_dx, own = view_backward(share(dy))
                if dx is not None:
                    dx += moved(view_dx.reshape(images.shape), -down, -right)
                for name, value in own.items():
                    grads[name] += value
            return dx.reshape(x.shape) if dx is not None else None, grads

        return y, backward

    def flops(self, shape: tuple[int, ...], *, training: bool = False, need_dx: bool = False) -> int:
        views = 1 if training else len(self.shifts)
        return views * self.network.flops(shape, training=training, need_dx=need_dx)

    def measure_statistics(self, batches: Sequence[Array]) -> tuple[list[Array], Self]:
        twin = type(self)(self.network.measure_statistics(batches)[1], self.height, self.width, self.shifts)
        return [twin.forward(x)[0] for x in batches], twin

    def map_arrays(self, function: Callable[[Array], Array]) -> Self:
        return type(self)(self.network.map_arrays(function), self.height, self.width, self.shifts)

    def config(self) -> dict[str, Any]:
        shifts = [list(shift) for shift in self.shifts]
        return {"network": describe(self.network), "height": self.height, "width": self.width, "shifts": shifts}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(**{**config, "network": build(config["network"])})


def mean_opinion(logits: Sequence[Array]) -> tuple[Array, list[Callable[[Array], Array]]]:
    """y = log of the mean of softmax(z_m) + mean evidence, and for each m the function dy -> dz_m; see `Ensemble`.

    Shapes: M arrays (classes, N) -> (classes, N)
    """
    if len({z.shape for z in logits}) > 1:
        raise ShapeError(f"A mean expects logits of one shape; got {', '.join(str(z.shape) for z in logits)}.")
    opinions = [softmax(z) for z in logits]
    # Far below the smallest probability that matters, and above what a logarithm cannot take.
    total = sum(opinions[1:], opinions[0]) + np.finfo(logits[0].dtype).tiny
    y: Array = np.log(total / len(logits)) + sum(log_sum_exp(z) for z in logits) / len(logits)

    def share(p: Array) -> Callable[[Array], Array]:
        def backward(dy: Array) -> Array:
            r = dy * p / total
            dz: Array = r - p * (r.sum(axis=0) - dy.sum(axis=0) / len(logits))
            return dz

        return backward

    return y, [share(p) for p in opinions]


def moved(images: Array, down: int, right: int) -> Array:
    """The images moved by so many pixels, zeros coming in. (H, W, N) -> (H, W, N)"""
    height, width, _ = images.shape
    # Further than out of the image is as far as out of it.
    down, right = max(-height, min(down, height)), max(-width, min(right, width))
    result: Array = np.zeros_like(images)
    result[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = images[
        max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)
    ]
    return result
