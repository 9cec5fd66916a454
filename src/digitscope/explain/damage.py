"""Damaged copies of a network, for seeing what its parts are good for: units that are off, and noise on its weights."""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.explain.trace import rule_for, watch_inside
from digitscope.nn import Backward, Layer, Network, Params


@dataclass(frozen=True)
class Silence:
    """Units whose output is 0: neurons of a dense layer, or channels of a feature map."""

    layer: str
    """The layer's path in the network, as in the names of its parameters: "5.0"."""
    units: tuple[int, ...] = ()
    """The indices of the units; empty for the whole layer."""


@dataclass(frozen=True)
class Noise:
    """Random numbers that are added to the weights of dense layers and convolutions, biases excepted."""

    sigma: float
    """The standard deviation of the noise, relative to that of the weights of the same layer."""
    seed: int = 0
    layer: str = ""
    """The layer's path; empty for all layers."""


Damage = tuple[Silence | Noise, ...]


def damaged(network: Network, damage: Damage) -> Network:
    """A copy of the network with this damage. Its layers have the same names; without noise, it shares the arrays.

    Raises: ShapeError for a layer or a unit that the network does not have, or a layer that consists of others.
    """
    layers = dict(network.named_layers())
    silent: dict[str, list[Silence]] = {}
    for part in damage:
        if part.layer not in layers and (part.layer or isinstance(part, Silence)):
            raise ShapeError(f"Damage expects one of the layers {', '.join(layers)}; got {part.layer!r}.")
        if isinstance(part, Silence):
            if layers[part.layer].parts:
                raise ShapeError(f"Layer {part.layer} consists of other layers. Switch those off instead.")
            silent.setdefault(part.layer, []).append(part)
    noisy = network.map_arrays(np.copy) if any(isinstance(part, Noise) for part in damage) else network
    for part in damage:
        if isinstance(part, Noise):
            _add_noise(noisy.params, part)
    changed = _with_silence(noisy, "", silent)
    assert isinstance(changed, Network)
    return changed


def _add_noise(params: Params, noise: Noise) -> None:
    for name, array in params.items():
        inside = not noise.layer or name.startswith(f"{noise.layer}.")
        if not inside or not name.endswith("weight") or array.ndim < 2:
            continue
        rng = np.random.default_rng([noise.seed, zlib.crc32(name.encode())])
        array += (noise.sigma * array.std() * rng.standard_normal(array.shape)).astype(array.dtype)


def _with_silence(layer: Layer, path: str, silent: Mapping[str, list[Silence]]) -> Layer:
    def visit(inner: Layer, suffix: str) -> Layer:
        inner_path = f"{path}{suffix}".removeprefix(".").removesuffix("@")
        return _with_silence(inner, inner_path, silent)

    changed: Layer = rule_for(watch_inside, layer)(layer, visit)  # a copy
    if path in silent:
        units = {unit for part in silent[path] for unit in part.units}
        everything = any(not part.units for part in silent[path])
        vars(changed)["forward"] = _silenced(changed.forward, path, None if everything else sorted(units))
    return changed


def _silenced(
    forward: Callable[..., tuple[Array, Backward]], path: str, units: list[int] | None
) -> Callable[..., tuple[Array, Backward]]:
    """y = m f(x) and dx = df for df = m dy, where m is 0 for the units that are off, and 1 for the others."""

    def masked(x: Array, **options: Any) -> tuple[Array, Backward]:
        y, backward = forward(x, **options)
        if units and not 0 <= units[0] <= units[-1] < len(y):
            raise ShapeError(f"Layer {path} has the units 0 to {len(y) - 1}; got {units}.")

        def off(array: Array) -> Array:
            array = array.copy()
            array[slice(None) if units is None else units] = 0
            return array

        return off(y), lambda dy: backward(off(dy))

    return masked
