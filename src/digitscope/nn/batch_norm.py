"""Batch normalization."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from digitscope.arguments import check_number, check_sizes
from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn.kernels.product import row_dot_products, row_sums
from digitscope.nn.layer import Backward, Layer, Params


class BatchNorm(Layer):
    """Gives each channel mean 0 and variance 1, then a learned standard deviation and mean.

    With the mean m[c] and variance v[c] of channel c, r[c] = 1 / sqrt(v[c] + eps), and M numbers in a channel:
    h = (x - m) r                                             y = scale h + shift
    dshift = sum dy, dscale = sum dy h, both over all axes but the channel's
    dx = scale r (dy - dshift / M - h dscale / M)             in training, where m and v depend on x
    dx = scale r dy                                           otherwise

    In training m and v are those of the current batch (of the shard, if a batch is cut into shards). Otherwise they are
    the population's, in `statistics`, measured by `measure_statistics` after training. There is no running average;
    before the measurement m = 0 and v = 1.

    Shapes: x (C, ..., N) -> y like x; scale, shift, m, v (C,). Raises: ShapeError if x does not have C channels.
    Source: Ioffe and Szegedy 2015; measured statistics ("precise"): Wu and Johnson 2021, section 3.
    Derivation: docs/notes/09-normalization.md
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        check_sizes("BatchNorm", channels=channels)
        check_number("BatchNorm's eps", eps)
        if channels < 1 or eps < 0:
            raise ShapeError(f"BatchNorm expects at least 1 channel and eps of at least 0; got {channels} and {eps}.")
        self.channels, self.eps = channels, eps
        self.params = {"scale": np.ones(channels, np.float32), "shift": np.zeros(channels, np.float32)}
        self.statistics = {"mean": np.zeros(channels, np.float32), "variance": np.ones(channels, np.float32)}

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        self._check(x.shape)
        rows = x.reshape(self.channels, -1)  # (C, M)
        scale, shift = self.params["scale"], self.params["shift"]
        mean = row_sums(rows) / rows.shape[1] if training else self.statistics["mean"]
        centred = rows - mean[:, None]
        variance = row_dot_products(centred, centred) / rows.shape[1] if training else self.statistics["variance"]
        r = 1 / np.sqrt(variance + self.eps)
        y = centred * (scale * r)[:, None]
        y += shift[:, None]

        def backward(dy: Array) -> tuple[Array | None, Params]:
            dY = dy.reshape(rows.shape)
            dshift = row_sums(dY)
            dscale = row_dot_products(dY, centred) * r
            grads = {"scale": dscale, "shift": dshift}
            if not need_dx:
                return None, grads
            dx = dY * (scale * r)[:, None]
            if training:
                # h dscale = (x - m) r dscale
                dx -= centred * (scale * r * r * dscale / rows.shape[1])[:, None]
                dx -= (scale * r * dshift / rows.shape[1])[:, None]
            return dx.reshape(x.shape), grads

        return y.reshape(x.shape), backward

    def _check(self, shape: tuple[int, ...]) -> None:
        if len(shape) < 2 or shape[0] != self.channels:
            raise ShapeError(f"BatchNorm expects ({self.channels}, ..., N); got {shape}.")

    def measure_statistics(self, batches: Sequence[Array]) -> tuple[list[Array], Self]:
        """Measures mean and variance over all batches together."""
        measured = self.map_arrays(np.copy)
        count = sum(x.size for x in batches) / self.channels
        mean, variance = np.zeros_like(self.params["shift"]), np.zeros_like(self.params["shift"])
        for x in batches:
            mean += row_sums(x.reshape(self.channels, -1)) / count
        for x in batches:
            centred = x.reshape(self.channels, -1) - mean[:, None]
            variance += row_dot_products(centred, centred) / count
        measured.statistics = {"mean": mean, "variance": variance}
        return [measured.forward(x)[0] for x in batches], measured

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        self._check((*shape, 1))
        return shape

    def config(self) -> dict[str, Any]:
        return {"channels": self.channels, "eps": self.eps}
