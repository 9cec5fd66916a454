"""The fully connected layer."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from digitscope.arguments import check_sizes
from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.nn.initializers import Initializer, check_initializers, he, zeros
from digitscope.nn.kernels.product import product
from digitscope.nn.layer import Backward, Layer, Params


class Dense(Layer):
    """The affine map: each output is a weighted sum of all inputs plus a bias.

    y[o,n] = b[o] + sum_i W[o,i] x[i,n]                        Y = W X + b
    dW[o,i] = sum_n dy[o,n] x[i,n]                            dW = dY X^T
    db[o] = sum_n dy[o,n]                                     db = dY 1
    dx[i,n] = sum_o W[o,i] dy[o,n]                            dX = W^T dY

    The bias gradient is summed over the batch only. Summed over the outputs as well, it would move all biases by the
    same number.

    Shapes: x (in_features, N) -> y (out_features, N); W (out_features, in_features), b (out_features, 1)
    Raises: ShapeError if x is not (in_features, N).
    Source: Rumelhart, Hinton and Williams 1986; in this notation Nielsen 2015, chapter 2, BP1 to BP4.
    Derivation: docs/notes/02-neurons.md#a-layer, docs/notes/05-backpropagation.md#the-four-equations-of-a-dense-layer
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        rng: np.random.Generator | None = None,
        weight: Initializer = he,
        bias: Initializer = zeros,
    ) -> None:
        """Draws the weights, then the biases, from `rng`; if it is None, from a generator with a random seed."""
        super().__init__()
        check_sizes("Dense", in_features=in_features, out_features=out_features)
        check_initializers("Dense", rng, weight=weight, bias=bias)
        if in_features < 1 or out_features < 1:
            raise ShapeError(f"Dense expects at least 1 feature in and out; got {in_features} and {out_features}.")
        rng = np.random.default_rng() if rng is None else rng
        self.in_features, self.out_features = in_features, out_features
        self.params["weight"] = weight(rng, (out_features, in_features), in_features, out_features)
        self.params["bias"] = bias(rng, (out_features, 1), in_features, out_features)

    def forward(
        self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
    ) -> tuple[Array, Backward]:
        self._check(x.shape)
        W = self.params["weight"]

        def backward(dy: Array) -> tuple[Array | None, Params]:
            dx = product(W.T, dy) if need_dx else None
            return dx, {"weight": product(dy, x.T), "bias": dy.sum(axis=1, keepdims=True)}

        y = product(W, x)
        y += self.params["bias"]
        return y, backward

    def _check(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 2 or shape[0] != self.in_features:
            hint = " Put Flatten() before it." if len(shape) > 2 else " The batch is the last axis: rows need .T."
            raise ShapeError(f"Dense expects ({self.in_features}, N); got {shape}.{hint}")

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        self._check((*shape, 1))
        return (self.out_features,)

    def flops(self, shape: tuple[int, ...], *, training: bool = False, need_dx: bool = False) -> int:
        return 2 * (1 + training * (1 + need_dx)) * self.params["weight"].size

    def config(self) -> dict[str, Any]:
        return {"in_features": self.in_features, "out_features": self.out_features}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(**config, weight=zeros)
