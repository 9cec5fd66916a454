"""Custom layers: defining, saving and loading them, and the errors for faulty ones."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.errors import LayerError, ModelError
from digitscope.model import Model
from digitscope.nn import Backward, Dense, Layer, Network, Params, ReLU, ShiftAverage, SoftmaxCrossEntropy
from digitscope.nn.layer import build, describe

DEFINITION = """
import numpy as np
from digitscope.nn import Layer

class Shrink(Layer):
    def __init__(self, features, power):
        super().__init__()
        self.features, self.power = features, power
        self.params = {"factor": np.ones((features, 1), np.float32)}

    def forward(self, x, *, training=False, rng=None, need_dx=True):
        factor = self.params["factor"] ** self.power
        return x * factor, lambda dy: (dy * factor, {"factor": (dy * x).sum(axis=1, keepdims=True)})

    def config(self):
        return {"features": self.features, "power": self.power}
"""
USE = """
import sys
import numpy as np
from digitscope import Model
images = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
print(Model.load(sys.argv[1]).predict_proba(images).tobytes().hex())
"""


def run(program: str, path: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("nested", [False, True])
def test_a_custom_layer_is_saved_and_loaded(tmp_path: Path, nested: bool) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(DEFINITION, names)
    inner = Network(names["Shrink"](9, power=2), Dense(9, 4))
    network = Network(ShiftAverage(Network(inner), 3, 3, [(0, 0), (1, 0)])) if nested else inner
    for p in network.params.values():
        p[...] = np.random.default_rng(0).normal(size=p.shape)
    model = Model(network, SoftmaxCrossEntropy(), (3, 3))
    path = tmp_path / "own.safetensors"
    model.save(path)
    images = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    expected = model.predict_proba(images)
    again = Model.load(path)
    assert again.network.config() == network.config()
    np.testing.assert_array_equal(again.predict_proba(images), expected)
    there = run(DEFINITION + USE, path)
    assert (there.stdout.strip(), there.stderr) == (expected.tobytes().hex(), "")
    assert run(USE, path).stderr.splitlines()[-1] == (
        f"digitscope.errors.ModelError: {path}: The layer 'Shrink' is not known. "
        "Define its class, or import it, before loading the model."
    )


def new_class(name: str, forward: Any, **attributes: Any) -> type[Layer]:
    return type(name, (Layer,), {"forward": forward, "__module__": "__main__", **attributes})


def doubled(
    self: Layer, x: Array, *, training: bool = False, rng: np.random.Generator | None = None, need_dx: bool = True
) -> tuple[Array, Backward]:
    def backward(dy: Array) -> tuple[Array, Params]:
        return 2 * dy, {}

    return 2 * x, backward


def test_a_class_that_is_defined_again_replaces_the_first() -> None:
    first, second = new_class("Doubled", doubled), new_class("Doubled", doubled)
    assert type(build(describe(first()))) is second


def test_the_name_of_a_built_in_layer_is_refused_and_keeps_its_class() -> None:
    with pytest.raises(
        LayerError, match=r"^ReLU is the name of a layer of Digitscope\. Give your class another name\.$"
    ):
        new_class("ReLU", doubled)
    assert type(build({"type": "ReLU"})) is ReLU


def test_a_forward_without_the_keywords_is_refused_where_it_is_defined() -> None:
    with pytest.raises(
        LayerError, match=r"^Short\.forward lacks training, need_dx\. Define it as forward\(self, x, \*"
    ):
        new_class("Short", lambda self, x, *, rng=None: (x, None))
    with pytest.raises(ModelError, match="'Short' is not known"):
        build({"type": "Short"})
    new_class("Any", lambda self, x, **options: (x, None))
    assert issubclass(LayerError, TypeError)


def test_a_configuration_that_does_not_fit_says_what_to_do() -> None:
    def start(self: Layer, size: int) -> None:
        Layer.__init__(self)

    forgetful: Any = new_class("Forgetful", doubled, __init__=start)
    with pytest.raises(ModelError, match=r"Forgetful cannot be created from {}: .*'size'.* config\(\) must return"):
        build(describe(forgetful(3)))
