"""The network runs on any array that follows NumPy's protocols, and never copies it back to the host.

`Device` stands for an array on a GPU, such as CuPy's: only NumPy's functions and operators can access it, it is never
converted to a NumPy array implicitly, and it cannot be mixed with one.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib.mixins import NDArrayOperatorsMixin

from digitscope import datasets, model
from digitscope.arrays import Array
from digitscope.augmentation.augment import Augment
from digitscope.datasets import DataSet
from digitscope.errors import TrainingError
from digitscope.jobs import fit as fit_module
from digitscope.nn import (
    LOSSES,
    Adam,
    AdamW,
    AveragePool2D,
    BackgroundCrossEntropy,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    DepthToSpace,
    Dropout,
    Ensemble,
    Flatten,
    FoldHeight,
    Frozen,
    GlobalAveragePool2D,
    GradientDescent,
    Layer,
    LeakyReLU,
    Loss,
    MaxPool2D,
    MaxPoolHeight,
    MeanSquaredError,
    Momentum,
    Network,
    OneCycle,
    Optimizer,
    ReLU,
    Reshape,
    Residual,
    ShiftAverage,
    Sigmoid,
    Skip,
    SoftmaxCrossEntropy,
    SpaceToDepth,
    SplitSteps,
    Standardize,
    Tanh,
    Upsample2D,
    clip_scale,
    gradient_norm,
    softmax,
    to_batch,
)
from digitscope.nn import conv as conv_module
from digitscope.nn.kernels.window_convolution import convolve_windows
from digitscope.nn.layer import built_in_layers
from digitscope.training import (
    Epoch,
    Plan,
    Run,
    TailAverage,
    device_of,
    evaluate,
    inference,
    load_checkpoint,
    loop,
    measure_statistics,
    network_outputs,
    save_checkpoint,
    train,
)
from digitscope.training.parallel.device import to_cpu

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def one_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both convolve in the device's form and in equal chunks: else they would round differently."""
    monkeypatch.setattr(conv_module, "fast_convolve", convolve_windows)
    monkeypatch.setattr(conv_module, "WIDE", 1_000)
    monkeypatch.setattr(inference, "GPU_CHUNK", inference.CHUNK)


class Device(NDArrayOperatorsMixin):
    """An array on a device. Even a single number stays there until float() or int() converts it."""

    def __init__(self, held: Any) -> None:
        self.held: Array = np.asarray(held)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        raise TypeError("an array on the device must be brought to the host explicitly")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        assert all(isinstance(out, Device) for out in kwargs.get("out", ())), "written to the host"
        return to_device(getattr(ufunc, method)(*to_host(inputs), **to_host(kwargs)), kwargs.get("out"))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function in (np.asarray, np.array):  # with like=: the only way from the host to the device
            return Device(function(*args, **kwargs))
        return to_device(function(*to_host(args), **to_host(kwargs)))

    def __getitem__(self, key: Any) -> Any:
        return to_device(self.held[to_host(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        self.held[to_host(key)] = to_host(value)

    def __len__(self) -> int:
        return len(self.held)

    def __float__(self) -> float:
        return float(self.held)

    def __int__(self) -> int:
        return int(self.held)

    def __bool__(self) -> bool:
        return bool(self.held)

    def __getattr__(self, name: str) -> Any:
        if name in ("shape", "ndim", "dtype", "size", "strides", "itemsize", "nbytes"):
            return getattr(self.held, name)
        if name == "T":
            return Device(self.held.T)
        if name in ("reshape", "transpose", "sum", "mean", "max", "min", "argmax", "astype", "copy", "ravel"):
            method = getattr(self.held, name)
            return lambda *args, **kwargs: to_device(method(*to_host(args), **to_host(kwargs)))
        raise AttributeError(name)


def to_host(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        raise TypeError("an array on the host does not mix with arrays on the device")
    if isinstance(value, Device):
        return value.held
    if isinstance(value, (tuple, list)):
        return type(value)(to_host(v) for v in value)
    if isinstance(value, dict):
        return {key: to_host(v) for key, v in value.items()}
    return value


def to_device(value: Any, out: Any = None) -> Any:
    if out is not None:
        return out[0]
    if isinstance(value, (tuple, list)):
        return type(value)(to_device(v) for v in value)
    return Device(value) if isinstance(value, (np.ndarray, np.generic)) else value


def move(array: Array) -> Any:
    return Device(array.copy())


def same(actual: Any, expected: Array) -> None:
    """Asserts that an array is on the device and has the expected numbers and type."""
    assert type(actual) is Device
    np.testing.assert_array_equal(actual.held, expected, strict=True)


RNG = np.random.default_rng(0)


def conv(inputs: int, outputs: int, kernel: int, **options: Any) -> Conv2D:
    return Conv2D(inputs, outputs, kernel, rng=RNG, **options)


def small() -> Network:
    return Network(Reshape(1, 6, 6), conv(1, 2, 3), BatchNorm(2), ReLU(), Flatten(), Dense(32, 4, rng=RNG))


CASES: list[tuple[Layer, tuple[int, ...]]] = [
    (Dense(6, 5, rng=RNG), (6, 7)),
    (Dense(1000, 3, rng=RNG), (1000, 5)),  # long sums
    (Dense(784, 10, rng=RNG), (784, 150)),  # few rows
    (conv(2, 3, 3), (2, 6, 5, 4)),
    (conv(2, 3, 3, stride=2, padding=1, bias=False), (2, 6, 5, 4)),
    (conv(8, 16, 5), (8, 14, 14, 30)),  # more than one BLAS call computes
    (conv(2, 3, 1), (2, 6, 5, 4)),
    (conv(2, 3, 3, dilation=2, padding=1), (2, 6, 5, 4)),
    (conv(2, 3, 3), (2, 6, 50, 2)),
    (SpaceToDepth(2), (2, 6, 4, 4)),
    (DepthToSpace(2), (4, 6, 5, 4)),
    (Upsample2D(2), (2, 6, 5, 4)),
    (Skip(conv(2, 3, 3, padding=1), Tanh()), (2, 6, 5, 4)),
    (Conv1D(2, 3, 3, rng=RNG), (2, 6, 4)),
    (MaxPoolHeight(2), (2, 6, 5, 4)),
    (FoldHeight(), (2, 6, 5, 4)),
    (SplitSteps(2), (4, 6, 3)),
    (MaxPool2D(2), (2, 6, 5, 4)),
    (MaxPool2D(3, 2), (2, 6, 5, 4)),
    (AveragePool2D(2), (2, 6, 5, 4)),
    (AveragePool2D(3, 1), (2, 6, 5, 4)),
    (GlobalAveragePool2D(), (2, 6, 5, 4)),
    (BatchNorm(2), (2, 6, 5, 4)),
    (BatchNorm(6), (6, 9)),
    (Standardize(), (6, 9)),
    (Standardize(), (2, 6, 5, 4)),
    (Dropout(0.3), (6, 9)),
    (ReLU(), (6, 9)),
    (LeakyReLU(0.1), (6, 9)),
    (Sigmoid(), (6, 9)),
    (Tanh(), (6, 9)),
    (Reshape(2, 3), (6, 9)),
    (Flatten(), (2, 3, 4)),
    (Frozen(conv(2, 2, 3, padding=1), BatchNorm(2)), (2, 6, 5, 4)),
    (Network(Dense(6, 5, rng=RNG), Tanh(), Dense(5, 3, rng=RNG)), (6, 9)),
    (Residual(conv(2, 2, 3, padding=1), BatchNorm(2), ReLU()), (2, 6, 5, 4)),
    (Ensemble(small(), small()), (36, 5)),
    (ShiftAverage(small(), 6, 6, [(0, 0), (1, -2)]), (36, 5)),
]


def case_name(value: object) -> str:
    return type(value).__name__ if isinstance(value, Layer) else "x".join(map(str, value)) if value else ""  # type: ignore[call-overload]


def test_every_layer_and_every_loss_has_its_case() -> None:
    assert {type(layer) for layer, _ in CASES} == set(built_in_layers().values())
    assert {type(loss) for loss in LOSS_CASES} == set(LOSSES.values())


@pytest.mark.parametrize(("layer", "shape"), CASES, ids=case_name)
@pytest.mark.parametrize("training", [True, False], ids=["training", "use"])
def test_a_layer_stays_on_the_device(layer: Layer, shape: tuple[int, ...], training: bool) -> None:
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    moved = layer.map_arrays(move)
    for need_dx in (True, False):
        y, backward = layer.forward(x, training=training, rng=np.random.default_rng(2), need_dx=need_dx)
        there, backward_there = moved.forward(move(x), training=training, rng=np.random.default_rng(2), need_dx=need_dx)
        same(there, y)
        dy = np.random.default_rng(3).normal(size=y.shape).astype(np.float32)
        dx, grads = backward(dy)
        dx_there, grads_there = backward_there(move(dy))
        if dx is None:
            assert dx_there is None
        else:
            same(dx_there, dx)
        assert grads_there.keys() == grads.keys() == layer.params.keys()
        for name, g in grads.items():
            same(grads_there[name], g)


def test_statistics_are_measured_on_the_device() -> None:
    network = Network(Ensemble(small(), small()))
    batches = [np.random.default_rng(n).normal(size=(36, n)).astype(np.float32) for n in (5, 8)]
    outputs, measured = network.measure_statistics(batches)
    there, measured_there = network.map_arrays(move).measure_statistics([move(x) for x in batches])
    for one, other in zip(there, outputs, strict=True):
        same(one, other)
    for name, value in measured.statistics.items():
        same(measured_there.statistics[name], value)


def test_images_become_a_batch_on_the_device() -> None:
    images = np.random.default_rng(4).integers(0, 256, (5, 6, 7), dtype=np.uint8)
    same(to_batch(move(images)), to_batch(images))


LOSS_CASES: list[Loss] = [
    SoftmaxCrossEntropy(),
    SoftmaxCrossEntropy(label_smoothing=0.1),
    BackgroundCrossEntropy(label_smoothing=0.1),
    MeanSquaredError(),
]


@pytest.mark.parametrize("loss", LOSS_CASES, ids=repr)
def test_a_loss_stays_on_the_device_except_for_its_value(loss: Loss) -> None:
    outputs = np.random.default_rng(5).normal(size=(4, 6)).astype(np.float32)
    labels = np.array([0, 3, 1, 2, 3, 0])
    value, backward = loss.forward(outputs, labels)
    there, backward_there = loss.forward(move(outputs), move(labels))
    assert type(there) is float
    assert there == value
    same(backward_there(0.5), backward(0.5))
    same(loss.probabilities(move(outputs)), loss.probabilities(outputs))
    same(softmax(move(outputs)), softmax(outputs))


@pytest.mark.parametrize(
    "optimizer",
    [GradientDescent(weight_decay=0.1), Momentum(), Momentum(nesterov=True), Adam(), AdamW()],
    ids=repr,
)
def test_an_optimizer_stays_on_the_device(optimizer: Optimizer) -> None:
    rng = np.random.default_rng(6)
    params = {"0.weight": rng.normal(size=(4, 3)).astype(np.float32), "0.bias": rng.normal(size=3).astype(np.float32)}
    params_there = {name: move(p) for name, p in params.items()}
    state, state_there = optimizer.start(params), optimizer.start(params_there)
    for step in range(3):
        grads = {name: rng.normal(size=p.shape).astype(np.float32) for name, p in params.items()}
        grads_there = {name: move(g) for name, g in grads.items()}
        norm = gradient_norm(grads_there)
        assert norm == gradient_norm(grads)
        assert clip_scale(norm, 1.0) == clip_scale(gradient_norm(grads), 1.0)
        optimizer.update(params, grads, state, 0.1, step)
        optimizer.update(params_there, grads_there, state_there, 0.1, step)
    for name, p in params.items():
        same(params_there[name], p)
        for slot, arrays in state.items():
            same(state_there[slot][name], arrays[name])


def test_a_whole_network_learns_on_the_device() -> None:
    network = Network(*small().layers[:-1], Dropout(0.2), Dense(32, 4, rng=np.random.default_rng(7)))
    moved = network.map_arrays(move)
    images = np.random.default_rng(8).integers(0, 256, (12, 6, 6), dtype=np.uint8)
    labels = np.arange(12) % 4
    loss, optimizer = SoftmaxCrossEntropy(), Momentum()

    def learn(network: Network, images: Array, labels: Array) -> float:
        state = optimizer.start(network.params)
        for step in range(5):
            y, backward = network.forward(
                to_batch(images), training=True, rng=np.random.default_rng(step), need_dx=False
            )
            value, loss_backward = loss.forward(y, labels)
            optimizer.update(network.params, backward(loss_backward(1.0))[1], state, 0.1, step)
        return value

    assert learn(moved, move(images), move(labels)) == learn(network, images, labels)
    for name, p in network.params.items():
        same(moved.params[name], p)
    network.params = {name: np.zeros_like(p) for name, p in network.params.items()}
    moved.params = {name: np.zeros_like(p) for name, p in moved.params.items()}
    same(moved.params["1.weight"], network.params["1.weight"])


@pytest.mark.usefixtures("copying_to_host")
def test_a_whole_training_runs_on_the_device(few: DataSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    images, labels = few.x_train[:90], few.y_train[:90]
    plan = Plan(
        loss=SoftmaxCrossEntropy(label_smoothing=0.1),
        optimizer=Momentum(nesterov=True, clip_norm=1.0),
        schedule=OneCycle(0.1),
        epochs=2,
        batch_size=32,
        shard_size=16,
        augment=Augment(rotation=10, elastic=1),
        averaging=TailAverage(0.5),
    )

    def start() -> Run:
        rng = np.random.default_rng(9)
        members = [
            Network(
                *(Reshape(1, 28, 28), Conv2D(1, 2, 5, stride=3, rng=rng), BatchNorm(2), ReLU(), Flatten()),
                Dense(128, 10, rng=rng),
            )
            for _ in range(2)
        ]
        return Run.start(Network(Ensemble(*members)), plan, len(images), rng)

    monkeypatch.setattr(loop, "to_device", {"cpu": to_cpu, "cuda": move}.__getitem__)
    outcomes, validation = [], []
    for device in ("cpu", "cuda"):
        run = start()
        for result in train(run, images, labels, validation=(images[:20], labels[:20]), device=device):
            if device == "cuda":
                assert {type(p).__name__ for p in run.network.params.values()} == {"Device"}
                assert {type(p).__name__ for p in run.outcome(images).params.values()} == {"Device"}
                assert device_of(run.network) == "cuda"
                if isinstance(result, Epoch):
                    save_checkpoint(tmp_path / "c", run, {})
        assert device_of(run.network) == "cpu"
        outcomes.append(run.outcome(images))
        validation.append(run.history["validation_loss"])
    assert validation[0] == validation[1]
    for name, p in {**outcomes[0].params, **outcomes[0].statistics}.items():
        np.testing.assert_array_equal({**outcomes[1].params, **outcomes[1].statistics}[name], p)
    resumed = start()
    load_checkpoint(tmp_path / "c").restore(resumed)
    assert resumed.epoch == 4


@pytest.fixture
def copying_to_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """CuPy's method that copies an array from the device to the host."""
    monkeypatch.setattr(Device, "get", lambda self: self.held, raising=False)


@pytest.mark.usefixtures("copying_to_host")
def test_a_network_on_the_device_predicts_there(few: DataSet) -> None:
    network = Network(Reshape(1, 28, 28), conv(1, 2, 5, stride=3), BatchNorm(2), Flatten(), Dense(128, 10, rng=RNG))
    moved = network.map_arrays(move)
    assert (device_of(network), device_of(moved), device_of(Network(Flatten()))) == ("cpu", "cuda", "cpu")
    images, labels = few.x_train[:250], few.y_train[:250]
    np.testing.assert_array_equal(network_outputs(moved, images), network_outputs(network, images), strict=True)
    loss = SoftmaxCrossEntropy()
    for one in (network, moved):
        with pytest.raises(TrainingError, match="those of layer 2 still have their initial values"):
            evaluate(one, loss, images, labels)
    network, moved = measure_statistics(network, images), measure_statistics(moved, images)
    assert device_of(moved) == "cuda"
    same(moved.statistics["2.mean"], network.statistics["2.mean"])
    assert evaluate(moved, loss, images, labels) == evaluate(network, loss, images, labels)


@pytest.mark.usefixtures("copying_to_host")
def test_the_device_predicts_more_images_at_a_time(few: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "GPU_CHUNK", 180)
    network = Network(Dense(784, 10, rng=RNG))
    sizes: list[int] = []
    forward = Dense.forward

    def recording(self: Dense, x: Array, **options: Any) -> Any:
        sizes.append(x.shape[1])
        return forward(self, x, **options)

    monkeypatch.setattr(Dense, "forward", recording)
    for there in (network, network.map_arrays(move)):
        network_outputs(there, few.x_train[:250])
    assert sizes == [inference.CHUNK, inference.CHUNK, 250 - 2 * inference.CHUNK, 180, 70]


@pytest.mark.usefixtures("copying_to_host")
@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("end", ["last", "break", "error"])
def test_a_training_leaves_the_network_where_it_was(
    few: DataSet, monkeypatch: pytest.MonkeyPatch, device: str, end: str
) -> None:
    monkeypatch.setattr(loop, "to_device", {"cpu": to_cpu, "cuda": move}.__getitem__)
    images, labels = few.x_train[:90], few.y_train[:90]
    rng = np.random.default_rng(3)
    on_cpu = Network(Dense(784, 10, rng=rng), BatchNorm(10))
    network = on_cpu.map_arrays(move) if device == "cpu" else on_cpu
    started = [to_cpu(p).copy() for p in network.params.values()]
    plan = Plan(SoftmaxCrossEntropy(), Momentum(), OneCycle(0.1), epochs=2, batch_size=30)
    run = Run.start(network, plan, 90, np.random.default_rng(4))
    arrays = list(network.params.values())
    results = train(run, images, labels, device=device)
    next(results)
    assert device_of(run.network) == device
    if end == "last":
        list(results)
    elif end == "break":
        del results
    else:
        with pytest.raises(KeyboardInterrupt):
            results.throw(KeyboardInterrupt)  # type: ignore[attr-defined]
    assert run.network is network
    assert all(one is other for one, other in zip(network.params.values(), arrays, strict=True))
    assert device_of(network) != device
    assert not any(np.array_equal(to_cpu(p), before) for p, before in zip(arrays, started, strict=True))


@pytest.mark.parametrize(
    "leave",
    [
        np.asarray,
        lambda x: np.zeros(3) * x,
        lambda x: x + np.arange(3.0),
        lambda x: np.where(np.array([True, False, True]), x, x),
        lambda x: x[np.array([0, 1])],
        lambda x: np.add(x, x, out=np.zeros(3)),
    ],
)
def test_leaving_the_device_is_noticed(leave: Callable[[Any], object]) -> None:
    with pytest.raises((TypeError, AssertionError), match="host"):
        leave(Device(np.arange(3.0)))


def gpu_examples() -> list[str]:
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    return re.findall(r"^```python gpu\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.usefixtures("copying_to_host")
@pytest.mark.parametrize("code", gpu_examples(), ids=["python.md"])
def test_the_documents_example_runs_on_the_device(code: str, few: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (loop, model, fit_module):
        monkeypatch.setattr(module, "to_device", {"cpu": to_cpu, "cuda": move}.__getitem__)
    few_images = (few.x_train[:300], few.y_train[:300]), (few.x_train[300:400], few.y_train[300:400])
    monkeypatch.setattr(datasets, "load_mnist", lambda: few_images)
    names: dict[str, Any] = {}
    exec(code, names)
    assert device_of(names["model"].network) == "cuda"
    on_cpu = names["model"].to("cpu")
    assert device_of(on_cpu.network) == "cpu"
    np.testing.assert_array_equal(on_cpu.predict(few.x_train[:50]), names["model"].predict(few.x_train[:50]))
