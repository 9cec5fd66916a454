"""Weights of PyTorch and Keras give the outputs that they give there; what does not fit is named."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from digitscope import Model, Network
from digitscope.errors import DataError, ModelError
from digitscope.interchange import import_weights
from digitscope.nn import (
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    DepthToSpace,
    Ensemble,
    Flatten,
    FoldHeight,
    Layer,
    ReLU,
    Reshape,
    SoftmaxCrossEntropy,
    SpaceToDepth,
    Tanh,
)
from digitscope.recipes import RECIPES
from tests.interchange.models import GOLDEN, convolutional, with_statistics

TOLERANCE = 1e-5


def model(*layers: Layer, shape: tuple[int, int] = (8, 8)) -> Model:
    return Model(Network(*layers), SoftmaxCrossEntropy(), shape)


@pytest.mark.parametrize("name", ["pytorch.safetensors", "keras.safetensors", "keras.npz"])
def test_outputs_are_those_of_the_program_that_wrote_the_file(name: str) -> None:
    program = name.partition(".")[0]
    golden = np.load(GOLDEN / "outputs.npz")
    imported = import_weights(GOLDEN / name, convolutional(normalized_rows=program == "keras"))
    assert imported.framework.lower() == program
    np.testing.assert_allclose(imported.model.logits(golden["images"]), golden[program], atol=TOLERANCE)
    assert imported.names.keys() == {*imported.model.network.params, *imported.model.network.statistics}


def test_the_model_is_saved_with_the_eps_of_its_program(tmp_path: Path) -> None:
    golden = np.load(GOLDEN / "outputs.npz")
    for eps in (None, 1e-3):
        imported = import_weights(GOLDEN / "keras.npz", convolutional(normalized_rows=True), eps=eps)
        imported.model.save(tmp_path / "x.safetensors")
        logits = Model.load(tmp_path / "x.safetensors").logits(golden["images"])
        np.testing.assert_allclose(logits, golden["keras"], atol=TOLERANCE)
    other = import_weights(GOLDEN / "keras.npz", convolutional(normalized_rows=True), eps=0.5)
    assert np.abs(other.model.logits(golden["images"]) - golden["keras"]).max() > 0.01


def test_the_model_it_is_like_stays_as_it_was() -> None:
    like = convolutional()
    before = {name: array.copy() for name, array in like.network.params.items()}
    import_weights(GOLDEN / "pytorch.safetensors", like, eps=0.5)
    for name, array in like.network.params.items():
        np.testing.assert_array_equal(array, before[name])
    assert "0.5" not in repr(like.network[2])


def state_dict(network: Network) -> dict[str, Any]:
    """The network's arrays, named and shaped as by PyTorch for an nn.Sequential."""
    tensors: dict[str, Any] = {}
    arrays: dict[str, Any]
    for name, layer in network.named_layers():
        if isinstance(layer, BatchNorm):
            theirs = {"scale": "weight", "shift": "bias", "mean": "running_mean", "variance": "running_var"}
            arrays = {**layer.params, **layer.statistics}
            tensors |= {f"{name}.{their}": arrays[own] for own, their in theirs.items()}
            tensors[f"{name}.num_batches_tracked"] = np.array(5)
        elif isinstance(layer, Dense | Conv1D | Conv2D):
            tensors |= {f"{name}.{role}": array.copy() for role, array in layer.params.items()}
            if "bias" in layer.params:
                tensors[f"{name}.bias"] = layer.params["bias"].reshape(-1)
    return {name: np.ascontiguousarray(array) for name, array in tensors.items()}


@pytest.mark.parametrize("recipe", [name for name in RECIPES if name != "ensemble"])
def test_weights_of_every_recipe_come_back(recipe: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    network = with_statistics(RECIPES[recipe].build(rng, (28, 28), 10), rng)
    safetensors.numpy.save_file(state_dict(network), tmp_path / "weights.safetensors")
    imported = import_weights(tmp_path / "weights.safetensors", recipe)
    for name, array in {**network.params, **network.statistics}.items():
        np.testing.assert_array_equal(
            {**imported.model.network.params, **imported.model.network.statistics}[name], array
        )


def test_members_of_an_ensemble(tmp_path: Path) -> None:
    like = model(Ensemble(*(Network(Dense(64, 5), Tanh(), Dense(5, 3)) for _ in range(2))))
    np.savez(tmp_path / "w.npz", **state_dict(like.network))
    names = import_weights(tmp_path / "w.npz", like).names
    assert names["0.1.2.weight"] == "0.1.2.weight"


Change = Callable[[dict[str, Any]], None]


def replaced(name: str, array: Any) -> Change:
    return lambda tensors: tensors.update({name: np.asarray(array, np.float32)})


def removed(name: str) -> Change:
    return lambda tensors: tensors.pop(name)


MISTAKES: dict[str, tuple[Change, str]] = {
    "another width": (
        replaced("fc1.weight", np.zeros((12, 25))),
        r"fc1.weight \(12, 25\) does not fit the weight of layer 9, Dense\(24, 12\): \(12, 24\) is expected in "
        r"PyTorch's layout",
    ),
    "another kernel": (replaced("conv2.weight", np.zeros((6, 4, 5, 5))), r"conv2.weight .* \(6, 4, 3, 3\) is expected"),
    "a layer too many": (replaced("fc3.weight", np.zeros((12, 10))), r"fc3.weight .* the network has 2 Dense only"),
    "a layer too few": (removed("fc2.weight"), r"fc2.bias \(10,\) does not fit: of Digitscope's layers"),
    "no bias": (removed("fc2.bias"), r"the bias of layer 12, Dense\(12, 10\) is expected beside fc2.weight"),
    "no mean": (removed("bn2.running_mean"), r"the mean of layer 6, BatchNorm\(6\) is expected beside bn2"),
    "a bias too many": (
        replaced("conv2.bias", np.zeros(6)),
        r"conv2.bias \(6,\) does not fit layer 5, .* which has no bias. Subtract it from the mean",
    ),
    "an unknown role": (replaced("fc1.weight_g", np.zeros(12)), r"fc1.weight_g does not fit: PyTorch's tensors are"),
    "a layer of another kind": (
        replaced("rnn.weight", np.zeros((3, 3, 3))),
        r"rnn.weight \(3, 3, 3\) does not fit: the network has 0 Conv1D only",
    ),
    "five axes": (
        replaced("conv3.weight", np.zeros((1, 1, 3, 3, 3))),
        r"conv3.weight .* does not fit: of Digitscope's",
    ),
    "too large": (
        lambda tensors: tensors.update({"fc2.bias": np.full(10, 1e300)}),
        "fc2.bias is expected as finite",
    ),
    "not finite": (replaced("fc2.bias", np.full(10, np.nan)), "fc2.bias is expected as finite"),
    "a negative variance": (replaced("bn1.running_var", -np.ones(4)), "bn1.running_var is expected"),
    "nothing": (dict.clear, "the file has none"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_first_tensor_that_does_not_fit_is_named(mistake: str, tmp_path: Path) -> None:
    change, message = MISTAKES[mistake]
    tensors = safetensors.numpy.load_file(GOLDEN / "pytorch.safetensors")
    change(tensors)
    safetensors.numpy.save_file(tensors, tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match=message) as caught:
        import_weights(tmp_path / "w.safetensors", convolutional())
    assert str(caught.value).startswith(str(tmp_path / "w.safetensors"))


def test_names_that_do_not_tell_the_order_are_an_error(tmp_path: Path) -> None:
    square = np.eye(64, dtype=np.float32)
    like = model(Dense(64, 64), ReLU(), Dense(64, 64))
    long = 5000 * "1"  # more digits than Python converts to a number
    for first, second, clear in (
        *(("encoder", "decoder", False), ("layer9", "layer10", True), ("a.0", "a.3", True), ("7", long, True)),
    ):
        tensors: dict[str, Any] = {f"{second}.weight": 2 * square, f"{first}.weight": square}
        tensors |= {f"{name}.bias": np.zeros(64, np.float32) for name in (first, second)}
        safetensors.numpy.save_file(tensors, tmp_path / "w.safetensors")
        if clear:
            imported = import_weights(tmp_path / "w.safetensors", like)
            assert imported.names["2.weight"] == f"{second}.weight"
        else:
            with pytest.raises(ModelError, match=r"whether decoder or encoder comes first is not clear"):
                import_weights(tmp_path / "w.safetensors", like)


def test_keras_files_with_too_few_and_too_many_arrays(tmp_path: Path) -> None:
    arrays = [*np.load(GOLDEN / "keras.npz").values()]
    for count, message in ((18, "a tensor for the bias of layer 13"), (20, r"arr_19 \(10,\) does not fit")):
        np.savez(tmp_path / "w.npz", *(arrays * 2)[:18], *(arrays[-1:] * 2)[: count - 18])
        with pytest.raises(ModelError, match=message):
            import_weights(tmp_path / "w.npz", convolutional(normalized_rows=True))


def test_feature_maps_made_of_rows_are_in_another_order_in_keras() -> None:
    like = convolutional(normalized_rows=True)
    layers = [*like.network.layers]
    layers[9:9] = [Reshape(6, 2, 2), Flatten()]
    with pytest.raises(ModelError, match=r"layer 9, Reshape\(6, 2, 2\), has its channels in another order than in K"):
        import_weights(GOLDEN / "keras.npz", model(*layers))


@pytest.mark.parametrize("program", ["PyTorch", "Keras"])
def test_a_convolution_along_a_sequence(program: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    layers = Reshape(1, 8, 8), FoldHeight(), Conv1D(8, 3, 5, rng=rng), BatchNorm(3), ReLU(), Flatten()
    own = model(*layers, Dense(24, 4, rng=rng))
    own.network.params["2.bias"][...] = rng.normal(size=(3, 1, 1))
    tensors = state_dict(own.network)
    if program == "Keras":  # its steps are rows: it flattens (T, C)
        dense = tensors["6.weight"].reshape(4, 3, 8).transpose(2, 1, 0).reshape(24, 4)
        kernels = tensors["2.weight"].transpose(2, 1, 0), tensors["2.bias"], *(tensors[f"3.{n}"] for n in NORMALIZATION)
        np.savez(tmp_path / "w.npz", *kernels, dense, tensors["6.bias"])
    else:
        np.savez(tmp_path / "w.npz", **tensors)
    like = model(*layers[:2], Conv1D(8, 3, 5), BatchNorm(3), ReLU(), Flatten(), Dense(24, 4))
    imported = import_weights(tmp_path / "w.npz", like, eps=1e-5)
    assert imported.framework == program
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)
    np.testing.assert_allclose(imported.model.logits(images), own.logits(images), rtol=1e-6)


NORMALIZATION = "weight", "bias", "running_mean", "running_var"


@pytest.mark.parametrize(
    ("layers", "program", "layer"),
    [
        ([Reshape(1, 8, 8), Conv2D(1, 2, 1), FoldHeight(), Flatten(), Dense(128, 4)], "Keras", "2, FoldHeight()"),
        (
            [Reshape(1, 8, 8), Conv2D(1, 2, 1), SpaceToDepth(2), Flatten(), Dense(128, 4)],
            "PyTorch",
            "2, SpaceToDepth(2)",
        ),
        (
            [Reshape(1, 8, 8), Conv2D(1, 8, 1), DepthToSpace(2), Flatten(), Dense(512, 4)],
            "PyTorch",
            "2, DepthToSpace(2)",
        ),
    ],
)
def test_layers_whose_channels_have_another_order_elsewhere(
    layers: list[Layer], program: str, layer: str, tmp_path: Path
) -> None:
    like = model(*layers)
    arrays = state_dict(like.network)
    np.savez(tmp_path / "PyTorch.npz", **arrays)
    turned = [
        array.transpose(*((2, 3, 1, 0) if array.ndim == 4 else (1, 0))) if array.ndim > 1 else array
        for array in arrays.values()
    ]
    np.savez(tmp_path / "Keras.npz", *turned)
    with pytest.raises(
        ModelError, match=rf"layer {re.escape(layer)}, has its channels in another order than in {program}"
    ):
        import_weights(tmp_path / f"{program}.npz", like)
    other = "Keras" if program == "PyTorch" else "PyTorch"
    assert import_weights(tmp_path / f"{other}.npz", like).framework == other


class Scale(Layer):
    """y = s x"""

    def __init__(self) -> None:
        super().__init__()
        self.params["s"] = np.ones(1, np.float32)

    def forward(self, x: Any, **options: Any) -> Any:
        return self.params["s"] * x, lambda dy: (dy, {})


def test_files_and_layers_that_cannot_be_imported(tmp_path: Path) -> None:
    for name, hint in (("w.pt", "save_file"), ("w.h5", "get_weights"), ("w.bin", "Convert the file")):
        with pytest.raises(ModelError, match=f"expected as .safetensors or .npz. .*{hint}"):
            import_weights(tmp_path / name, "mlp")
    with pytest.raises(ModelError, match="does not exist"):
        import_weights(tmp_path / "w.safetensors", "mlp")
    with pytest.raises(DataError, match="does not exist"):
        import_weights(tmp_path / "w.npz", "mlp")
    convolutional().save(tmp_path / "own.safetensors")
    with pytest.raises(ModelError, match="it is one of Digitscope"):
        import_weights(tmp_path / "own.safetensors", "mlp")
    (tmp_path / "cut.safetensors").write_bytes((GOLDEN / "pytorch.safetensors").read_bytes()[:-9])
    with pytest.raises(ModelError, match="damaged"):
        import_weights(tmp_path / "cut.safetensors", "mlp")
    safetensors.numpy.save_file({"fc1.weight": np.zeros((3, 3), np.uint8)}, tmp_path / "bytes.safetensors")
    with pytest.raises(ModelError, match=r"fc1.weight expects one of .*; got U8. Convert it to float32."):
        import_weights(tmp_path / "bytes.safetensors", "mlp")
    with pytest.raises(ModelError, match=r"Dense, Conv1D, Conv2D and BatchNorm; layer 1 is Scale\(\)"):
        import_weights(GOLDEN / "keras.npz", model(Dense(64, 10), Scale()))
