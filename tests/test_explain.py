"""Every number of a pass against the terms that explain it, for every kind of layer and loss."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitscope import explain
from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.errors import DigitscopeError
from digitscope.explain import Call, Explanation, Factor, Index, Term, Terms
from digitscope.model import Model
from digitscope.nn import (
    LOSSES,
    AveragePool2D,
    BackgroundCrossEntropy,
    Backward,
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
    Layer,
    LeakyReLU,
    Loss,
    MaxPool2D,
    MaxPoolHeight,
    MeanSquaredError,
    Network,
    Params,
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
    softmax,
    to_batch,
)
from digitscope.nn.losses import LossBackward

SIDE, CLASSES, COUNT = 6, 3, 3
PIXELS = SIDE * SIDE
RNG = np.random.default_rng(5)
IMAGES = RNG.integers(0, 256, (COUNT, SIDE, SIDE), dtype=np.uint8)
LABELS = np.array([2, 0, 1])


def dense(inputs: int, outputs: int) -> Dense:
    layer = Dense(inputs, outputs, rng=RNG)
    layer.params["bias"][...] = RNG.normal(size=(outputs, 1))
    return layer


def batch_norm(channels: int) -> BatchNorm:
    layer = BatchNorm(channels)
    for array in (*layer.params.values(), *layer.statistics.values()):
        array[...] = RNG.uniform(0.5, 1.5, channels)
    return layer


class Gain(Layer):
    """A layer without a rule, in which examples depend on each other.

    y = gain x + mean of all x, squared
    """

    def __init__(self, units: int) -> None:
        super().__init__()
        self.params["gain"] = RNG.normal(size=(units, 1))

    def forward(self, x: Array, **_: Any) -> tuple[Array, Backward]:
        gain = self.params["gain"]

        def backward(dy: Array) -> tuple[Array, Params]:
            return gain * dy + 2 * x.mean() / x.size * dy.sum(), {"gain": (dy * x).sum(axis=1, keepdims=True)}

        return gain * x + x.mean() ** 2, backward


class Swish(Layer):
    """A layer with a rule for its output only."""

    def forward(self, x: Array, **_: Any) -> tuple[Array, Backward]:
        s = 1 / (1 + np.exp(-x))
        return x * s, lambda dy: (dy * (s + x * s * (1 - s)), {})


@explain.layer_terms.register
def _(layer: Swish, call: Call, of: str, index: Index) -> Explanation | None:
    if of != "y":
        return None
    x = call.entry("x", index)
    return Explanation([Term((x, Factor("σ(x)", 1 / (1 + np.exp(-x.value)))))], "y")


class Cube(ReLU):
    """A subclass with another forward, for which the base's rule would be wrong."""

    def forward(self, x: Array, **_: Any) -> tuple[Array, Backward]:
        return x**3, lambda dy: (3 * x * x * dy, {})


def double(x: Array) -> Array:
    """y[i,n] = 2 x[i,n]

    Derivation: docs/notes/02-neurons.md
    """
    return 2 * x


class Double(Layer):
    """Another docstring has the formula.

    y is that of `double`.
    """

    def forward(self, x: Array, **_: Any) -> tuple[Array, Backward]:
        return double(x), lambda dy: (2 * dy, {})


class Halved(Network):
    """A layer with inner layers that no rule knows."""

    def forward(self, x: Array, **options: Any) -> tuple[Array, Backward]:
        y, backward = super().forward(x, **options)
        return 0.5 * y, lambda dy: backward(0.5 * dy)


def member() -> Network:
    return Network(dense(PIXELS, 4), Tanh(), Residual(dense(4, 4), Sigmoid()), dense(4, CLASSES))


SHIFTS = [(0, 0), (1, -2), (-1, 0)]
SHARED = dense(4, 4)
NETWORKS: dict[str, Layer] = {
    "dense": Network(dense(PIXELS, 5), Sigmoid(), dense(5, 4), Tanh(), dense(4, CLASSES)),
    "one layer": dense(PIXELS, CLASSES),
    "twice the same": Network(dense(PIXELS, 4), SHARED, Tanh(), SHARED, dense(4, CLASSES)),
    "kinks": Network(Standardize(), dense(PIXELS, 9), LeakyReLU(0.2), Dropout(0.4), dense(9, 9), ReLU(), dense(9, 3)),
    "convolutions": Network(
        Reshape(1, SIDE, SIDE),
        Conv2D(1, 2, 3, padding=1, rng=RNG),
        batch_norm(2),
        Tanh(),
        MaxPool2D(2, 1),
        Conv2D(2, 3, 2, stride=2, padding=1, bias=False, rng=RNG),
        batch_norm(3),
        AveragePool2D(2, 1),
        Flatten(),
        dense(12, CLASSES),
    ),
    "large steps": Network(
        Reshape(1, SIDE, SIDE), Standardize(), MaxPool2D(2), AveragePool2D(1, 2), Conv2D(1, 3, 2), GlobalAveragePool2D()
    ),
    "a sequence": Network(
        Reshape(1, SIDE, SIDE),
        Conv2D(1, 2, 3, padding=1, rng=RNG),
        MaxPoolHeight(2),
        FoldHeight(),
        Conv1D(2 * (SIDE // 2), 4, 3, rng=RNG),
        SplitSteps(2),
        Conv1D(2, 2, 3, bias=False, rng=RNG),
        Flatten(),
        dense(4 * SIDE, CLASSES),
    ),
    "resolutions": Network(
        Reshape(1, SIDE, SIDE),
        Conv2D(1, 3, 3, padding=2, dilation=2, rng=RNG),
        Skip(
            SpaceToDepth(SIDE // 2),
            Conv2D(3 * (SIDE // 2) ** 2, 2 * (SIDE // 2) ** 2, 1, rng=RNG),
            Skip(Tanh()),
            DepthToSpace(SIDE // 2),
            AveragePool2D(SIDE // 2),
            Upsample2D(SIDE // 2),
        ),
        Flatten(),
        dense(7 * PIXELS, CLASSES),
    ),
    "inside each other": Network(
        dense(PIXELS, 4), Network(dense(4, 4), Residual(Network(dense(4, 4), Tanh()))), dense(4, CLASSES)
    ),
    "a residual alone": Residual(dense(PIXELS, 2), Tanh(), dense(2, PIXELS)),
    "ensemble": Network(dense(PIXELS, PIXELS), Ensemble(member(), dense(PIXELS, CLASSES), member())),
    "an ensemble alone": Ensemble(member(), dense(PIXELS, CLASSES)),
    "shifts": Network(Tanh(), ShiftAverage(member(), SIDE, SIDE, SHIFTS), dense(CLASSES, CLASSES)),
    "shifts alone": ShiftAverage(dense(PIXELS, CLASSES), SIDE, SIDE, SHIFTS),
    "shifted ensemble": ShiftAverage(Ensemble(member(), dense(PIXELS, CLASSES)), SIDE, SIDE, SHIFTS),
    "frozen layers": Network(dense(PIXELS, 4), Frozen(batch_norm(4), Dropout(0.5), dense(4, 5)), dense(5, CLASSES)),
    "own layers": Network(dense(PIXELS, 4), Gain(4), Cube(), Swish(), Double(), Halved(dense(4, CLASSES))),
    "nothing inside": Network(dense(PIXELS, CLASSES), Network(), Residual()),
}
NETWORKS = {name: network.astype(np.float64) for name, network in NETWORKS.items()}

# The functions that symbols of factors apply to the number in the array. Other factors are that number itself.
MADE: dict[str, Callable[[float], float]] = {
    "1 - y": lambda y: 1 - y,
    "1 - y²": lambda y: 1 - y * y,
    "[x > 0]": lambda x: float(x > 0),
    "1/√(v + eps)": lambda v: float(1 / np.sqrt(v + 1e-5)),
    "1/p": lambda p: 1 / p,
    "log p": lambda p: float(np.log(p)),
}
OF_TWO_NUMBERS = ("x - m", "a - [k = label n]")


def layers(layer: Layer) -> Iterator[Layer]:
    yield layer
    for inner in (*getattr(layer, "layers", ()), *([layer.network] if isinstance(layer, ShiftAverage) else ())):
        yield from layers(inner)


def kinds(base: type[Any]) -> set[type[Any]]:
    """The classes of digitscope.nn that derive from base."""
    found = {kind for kind in base.__subclasses__() if kind.__module__.startswith("digitscope.nn.")}
    return found.union(*(kinds(kind) for kind in base.__subclasses__()))


def test_each_layer_and_loss_of_digitscope_has_a_rule_and_is_among_the_networks_here() -> None:
    tried = {type(layer) for network in NETWORKS.values() for layer in layers(network)}
    for kind in kinds(Layer):
        assert kind in tried, kind
        assert kind in explain.layer_terms.registry, kind
    assert kinds(Loss) == set(LOSSES.values())
    for loss in kinds(Loss):
        assert loss in explain.loss_terms.registry, loss


@pytest.mark.parametrize("training", [False, True], ids=["in use", "in training"])
@pytest.mark.parametrize("name", NETWORKS)
def test_each_number_equals_its_terms_and_each_factor_is_at_its_index(name: str, training: bool) -> None:
    network = NETWORKS[name]
    check_all(network, SoftmaxCrossEntropy(label_smoothing=0.1), LABELS, training)


@pytest.mark.parametrize(
    ("loss", "labels"),
    [
        (SoftmaxCrossEntropy(), LABELS),
        (BackgroundCrossEntropy(), np.array([3, 0, 3])),
        (BackgroundCrossEntropy(label_smoothing=0.2), LABELS),
        (MeanSquaredError(), LABELS),
    ],
    ids=str,
)
def test_each_number_of_each_loss(loss: Loss, labels: Array) -> None:
    check_all(NETWORKS["dense"], loss, labels, training=False)


def check_all(network: Layer, loss: Loss, labels: Array, training: bool) -> None:
    """Asks for a random entry of each array, and for a factor of each answer again."""
    seed = 11

    def ask(of: str, index: Index, *, numeric: bool = False) -> Terms:
        return explain.terms(
            network, IMAGES, labels, of=of, index=index, loss=loss, training=training, seed=seed, numeric=numeric
        )

    activations = explain.activations(network, IMAGES, training=training, seed=seed)
    gradients = explain.gradients(network, IMAGES, labels, loss=loss, training=training, seed=seed)
    derivatives = {f"d{key}": array for key, array in {**gradients.activations, **gradients.parameters}.items()}
    known = {**activations, **derivatives, **network.params, "images": IMAGES}
    if not training:
        known |= network.statistics
    assert ask("loss", ()).value == gradients.loss
    assert activations.keys() == gradients.activations.keys()
    assert network.params.keys() == gradients.parameters.keys()

    rng = np.random.default_rng(0)
    waiting: list[tuple[str, Index]] = [("loss", ())]
    for key, array in (*activations.items(), *derivatives.items()):
        waiting += [(key, tuple(int(rng.integers(length)) for length in array.shape)) for _ in range(2)]
    if isinstance(loss, SoftmaxCrossEntropy | BackgroundCrossEntropy) and activations["output"].ndim == 2:
        waiting += [("maximum", (1,)), ("total", (1,)), ("shifted", (1, 1)), ("exponential", (1, 1))]
    followed: set[str] = set()
    while waiting:
        of, index = waiting.pop()
        answer = ask(of, index)
        exact = 1e-7 if of == "input" else 1e-9  # to_batch divides in float32
        assert answer.total == pytest.approx(answer.value, rel=exact, abs=1e-12), str(answer)
        if of in known:
            assert answer.value == known[of][index], str(answer)
        for term in answer.terms:
            for factor in term.factors:
                if factor.name is None or factor.symbol in OF_TWO_NUMBERS:
                    continue
                if factor.name in known:
                    number = float(known[factor.name][factor.index])
                elif factor.name in followed:
                    continue  # once is enough of what only terms knows
                else:
                    followed.add(factor.name)
                    number = ask(factor.name, factor.index).value
                    waiting.append((factor.name, factor.index))
                expected = MADE.get(factor.symbol, float)(number)
                assert factor.value == pytest.approx(expected, rel=1e-12, abs=1e-300), f"{factor}\n{answer}"


@pytest.mark.parametrize("training", [False, True], ids=["in use", "in training"])
@pytest.mark.parametrize("name", NETWORKS)
def test_derivatives_agree_with_changes_of_the_loss(name: str, training: bool) -> None:
    network = NETWORKS[name]
    gradients = explain.gradients(network, IMAGES, LABELS, training=training, seed=3)
    rng = np.random.default_rng(1)
    for key, array in {**gradients.activations, **gradients.parameters}.items():
        largest = np.unravel_index(np.abs(array).argmax(), array.shape)
        for index in (tuple(map(int, largest)), tuple(int(rng.integers(length)) for length in array.shape)):
            answer = explain.terms(
                network, IMAGES, LABELS, of=f"d{key}", index=index, training=training, seed=3, numeric=True
            )
            assert answer.numeric == pytest.approx(answer.value, rel=1e-5, abs=1e-9), str(answer)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in ("own layers", "nothing inside")])
def test_formula_link_and_code_are_those_of_the_source(name: str) -> None:
    network = NETWORKS[name]
    gradients = explain.gradients(network, IMAGES, LABELS, training=True)
    names = [*gradients.activations, *(f"d{key}" for key in {**gradients.activations, **gradients.parameters})]
    arrays = {**gradients.activations, **gradients.parameters}
    for of in names:
        array = arrays[of.removeprefix("d")]
        answer = explain.terms(network, IMAGES, LABELS, of=of, index=(0,) * array.ndim, training=True)
        assert answer.formula, of
        assert answer.derivations, of
        for link in answer.derivations:
            file, _, section = link.partition("#")
            text = (Path(__file__).parents[1] / file).read_text(encoding="utf-8")
            headings = [line.lstrip("# ").strip() for line in text.splitlines() if line.startswith("#")]
            anchors = ["".join(c for c in h.lower() if c.isalnum() or c in " -_").replace(" ", "-") for h in headings]
            assert not section or section in anchors, link
        assert answer.source is not None
        lines = Path(answer.source.file).read_text(encoding="utf-8").splitlines()
        assert "def " in answer.source.text
        assert lines[answer.source.first - 1].strip() == answer.source.text.splitlines()[0]
        assert lines[answer.source.last - 1].strip() == answer.source.text.splitlines()[-1].strip()


@pytest.mark.parametrize(
    ("network", "of", "index", "formula"),
    [
        ("dense", "0", (1, 0), "y[o,n] = b[o] + sum_i W[o,i] x[i,n]"),
        ("dense", "d0.weight", (1, 0), "dW[o,i] = sum_n dy[o,n] x[i,n]"),
        ("dense", "d2.bias", (1, 0), "db[o] = sum_n dy[o,n]"),
        ("dense", "d1", (1, 0), "dx[i,n] = sum_o W[o,i] dy[o,n]"),
        ("dense", "d0", (1, 0), "dx = dy y (1 - y)"),
        ("dense", "probability", (1, 0), "p[k,n] = e^z[k,n] / sum_j e^z[j,n]"),
        ("dense", "maximum", (1,), "m[n] = max_j z[j,n]"),
        ("dense", "shifted", (1, 0), "u[k,n] = z[k,n] - m[n]"),
        ("dense", "exponential", (1, 0), "e[k,n] = exp u[k,n]"),
        ("dense", "total", (1,), "t[n] = sum_j e[j,n]"),
        ("dense", "target", (1, 0), "q[k,n] = (1 - s) [k = label n] + s / classes"),
        ("dense", "loss", (), "loss = -(1/N) sum_{n,k} q[k,n] log p[k,n]"),
        ("dense", "doutput", (1, 0), "dz[k,n] = (p[k,n] - q[k,n]) / N"),
        ("dense", "input", (1, 0), "x[d,n] = images[n,d] / 255"),
        ("convolutions", "d1.weight", (1, 0, 0, 2), "dW[o,c,u,v] = sum_{i,j,n}"),
        ("convolutions", "d2.shift", (1,), "dshift = sum dy"),
        ("convolutions", "2.mean", (1,), "mean m[c]"),
        ("convolutions", "2.normalized", (1, 0, 0, 0), "h = (x - m) r"),
        ("ensemble", "d1.0", (1, 0), "df_m[k,n] = r_m[k,n]"),
        ("ensemble", "1.0.evidence", (1,), "e_m = log sum_k exp f_m[k]"),
    ],
)
def test_the_formula_is_the_one_of_that_number(network: str, of: str, index: Index, formula: str) -> None:
    answer = explain.terms(NETWORKS[network], IMAGES, LABELS, of=of, index=index, training=True)
    assert formula in answer.formula
    assert len(answer.formula.splitlines()) <= 2, answer.formula


def test_a_sum_by_hand() -> None:
    network = Network(Dense(4, 2))
    network.params["0.weight"][...] = [[1, 2, 3, 4], [0, -1, 0, 5]]
    network.params["0.bias"][...] = [[0.5], [-0.5]]
    image = np.array([[[0, 255], [0, 51]]], np.uint8)
    answer = explain.terms(network, image, of="0", index=(1, 0))
    assert [(factor.symbol, factor.name, factor.index) for term in answer.terms[1:3] for factor in term.factors] == [
        ("W", "0.weight", (1, 0)),
        ("x", "input", (0, 0)),
        ("W", "0.weight", (1, 1)),
        ("x", "input", (1, 0)),
    ]
    assert [round(term.product, 6) for term in answer.terms] == [-0.5, 0, -1, 0, 1]
    assert answer.value == pytest.approx(-0.5)


def test_the_largest_of_a_window_is_marked_and_gets_the_derivative() -> None:
    network = Network(Reshape(1, 2, 2), MaxPool2D(2), Flatten(), dense(1, 2)).astype(np.float64)
    image = np.array([[[9, 200], [200, 7]]], np.uint8)  # of equals the first, column by column
    answer = explain.terms(network, image, of="1", index=(0, 0, 0, 0))
    assert answer.chosen is not None
    assert answer.terms[answer.chosen].factors[0].index == (0, 1, 0, 0)
    marks = [
        explain.terms(network, image, [1], of="d0", index=(0, i, j, 0)).terms[0].factors[1].value
        for i in (0, 1)
        for j in (0, 1)
    ]
    assert marks == [0, 0, 1, 0]


def test_activations_agree_with_the_model(few: DataSet) -> None:
    model = Model.load("convnet")
    assert few.x_test is not None
    images = few.x_test[:3]
    logits = model.network.forward(to_batch(images))[0]
    found = explain.activations(model, images)
    assert list(found) == ["input", *map(str, range(len(model.network.layers))), "output"]
    np.testing.assert_array_equal(found["output"], logits)
    assert found["2"].shape == (16, 24, 24, 3)
    assert found["output"].dtype == np.float32
    answer = explain.terms(model, images, of="probability", index=(7, 2))
    assert answer.value == pytest.approx(softmax(logits)[7, 2], rel=1e-6)


def test_gradients_agree_with_the_network(few: DataSet) -> None:
    model = Model.load("convnet")
    images, labels = few.x_train[:2], few.y_train[:2]
    found = explain.gradients(model, images, labels)
    outputs, backward = model.network.forward(explain.activations(model, images)["input"])
    loss, dloss = model.loss.forward(outputs, labels)
    dx, grads = backward(dloss(1.0))
    assert found.loss == loss
    np.testing.assert_array_equal(found.input, dx)
    np.testing.assert_array_equal(found.output, dloss(1.0))
    assert found.parameters.keys() == grads.keys()
    for name, array in grads.items():
        np.testing.assert_array_equal(found.parameters[name], array)


def test_a_pass_does_not_change_the_network() -> None:
    network = NETWORKS["convolutions"]
    before = {name: array.copy() for name, array in {**network.params, **network.statistics}.items()}
    explain.terms(network, IMAGES, LABELS, of="d1.weight", index=(0, 0, 0, 0), training=True, numeric=True)
    assert "forward" not in vars(network)
    for name, array in {**network.params, **network.statistics}.items():
        np.testing.assert_array_equal(array, before[name])


def test_layers_without_a_classifier() -> None:
    network = Network(Reshape(1, SIDE, SIDE), Tanh())
    assert explain.activations(network, IMAGES)["1"].dtype == np.float32
    assert explain.terms(network, IMAGES, of="1", index=(0, 2, 3, 0)).combine == "tanh"
    with pytest.raises(DigitscopeError, match=r"outputs \(classes, N\); the network's are \(1, 6, 6, 3\)"):
        explain.gradients(network, IMAGES, LABELS)


def test_dropout_is_drawn_from_the_seed() -> None:
    one, other = (explain.activations(NETWORKS["kinks"], IMAGES, training=True, seed=seed)["3"] for seed in (0, 1))
    np.testing.assert_array_equal(one, explain.activations(NETWORKS["kinks"], IMAGES, training=True)["3"])
    assert (one != other).any()


def test_a_number_without_a_rule_is_reported_as_unknown() -> None:
    answer = explain.terms(NETWORKS["own layers"], IMAGES, of="1", index=(0, 0))
    assert (answer.terms, answer.combine, answer.total) == ((), "unknown", answer.value)
    assert answer.formula == "y = gain x + mean of all x, squared"
    assert answer.derivations == ()


def test_a_docstring_may_refer_to_the_definition() -> None:
    answer = explain.terms(NETWORKS["own layers"], IMAGES, of="4", index=(0, 0))
    assert answer.formula == "y[i,n] = 2 x[i,n]"
    assert answer.derivations == ("docs/notes/02-neurons.md",)
    assert answer.source is not None
    assert answer.source.text.startswith("def double(")


class Hinge(Loss):
    """A loss without a rule."""

    def forward(self, outputs: Array, labels: Array) -> tuple[float, LossBackward]:
        sign = np.where(np.arange(len(outputs))[:, None] == labels, -1.0, 1.0)
        margin = np.maximum(1 + sign * outputs, 0)
        return float(margin.mean()), lambda dloss=1.0: dloss * sign * (margin > 0) / margin.size

    def probabilities(self, outputs: Array) -> Array:
        return softmax(outputs)

    def evidence(self, outputs: Array) -> Array:
        largest: Array = outputs.max(axis=0)
        return largest


def test_a_loss_without_a_rule() -> None:
    network = NETWORKS["dense"]
    answer = explain.terms(network, IMAGES, LABELS, of="doutput", index=(0, 0), loss=Hinge(), numeric=True)
    assert (answer.combine, answer.terms) == ("unknown", ())
    assert answer.numeric == pytest.approx(answer.value, abs=1e-9)
    for of in ("probability", "target"):
        with pytest.raises(DigitscopeError, match=f"to be one of .*; got '{of}'"):
            explain.terms(network, IMAGES, LABELS, of=of, index=(0, 0), loss=Hinge())


def test_a_kink_has_two_slopes() -> None:
    network = Network(Reshape(1, 2, 1), MaxPool2D(1, 1), Flatten(), Dense(2, 2), ReLU()).astype(np.float64)
    network.params["3.weight"][...] = [[1, 0], [0, 1]]
    image = np.array([[[255], [0]]], np.uint8)
    answer = explain.terms(network, image, [1], of="d2", index=(1, 0), numeric=True)
    assert answer.value == 0  # at x = 0 a ReLU takes 0
    assert answer.numeric is not None
    assert answer.numeric_sides == pytest.approx((0, 2 * answer.numeric))
    assert "by central differences: a kink, 0 below and -0.7310" in str(answer)


def test_print_has_the_largest_terms_the_rest_and_the_difference() -> None:
    answer = explain.terms(NETWORKS["dense"], IMAGES, LABELS, of="0", index=(1, 0))
    text = str(answer)
    assert text.startswith(f"0[1,0] = {answer.value:.6g} = sum of 37 terms\n  y[o,n] = b[o] + sum_i W[o,i] x[i,n]")
    assert "= the sum of 29 more" in text
    assert "equation (5.3) of the notes\n  docs/notes/02-neurons.md#a-layer" in text
    assert "digitscope.nn.dense.Dense.forward, lines " in text
    shown = [abs(float(line.split()[0])) for line in text.splitlines() if "(x: input[" in line or "(b: 0.bias[" in line]
    assert shown == sorted(shown, reverse=True)
    assert len(shown) == 8
    text = str(explain.terms(NETWORKS["kinks"], IMAGES, LABELS, of="d0", index=(1, 0), numeric=True))
    assert " by central differences" in text
    text = str(explain.terms(NETWORKS["dense"], IMAGES, of="probability", index=(1, 0)))
    assert "(z: output[1,0])  <-" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"of": "77"}, "expects of to be one of input, .*; got '77'"),
        ({"of": "1.weight"}, "1.weight is a parameter: .* Its derivative, d1.weight, has terms"),
        ({"of": "2.mean"}, "2.mean was measured after training; with training=True"),
        ({"of": "0", "index": (1,)}, r"0 has the shape \(1, 6, 6, 3\).*; got the index \(1,\)"),
        ({"of": "0", "index": (0, 0, 6, 0)}, r"0 has the shape \(1, 6, 6, 3\)"),
        ({"of": "0", "index": (0, 0, -1, 0)}, r"0 has the shape \(1, 6, 6, 3\)"),
        ({"of": "d0", "index": (0, 0, 0, 0), "labels": None}, r"d0 depends on the labels\. Give one label"),
        ({"of": "loss", "labels": None}, r"loss depends on the labels\. Give one label"),
        ({"of": "0", "index": (0, 0, 0, 0), "numeric": True}, "differences are for derivatives, such as d0; got 0"),
        ({"of": "loss", "labels": [0, 1, 3]}, "Labels are expected from 0 to 2; got 3"),
        ({"of": "loss", "labels": [0, 1]}, "one integer for each of 3 images"),
        ({"of": "0", "images": IMAGES[:0]}, "at least 1 image; got none"),
        ({"of": "0", "images": IMAGES / 100}, "Images are expected"),
    ],
)
def test_misuse_gives_one_clear_error(arguments: dict[str, Any], message: str) -> None:
    given = {"images": IMAGES, "labels": LABELS, **arguments}
    with pytest.raises(DigitscopeError, match=message):
        explain.terms(NETWORKS["convolutions"], given.pop("images"), given.pop("labels"), **given)


def test_a_model_takes_images_of_its_size_only() -> None:
    with pytest.raises(DigitscopeError, match=r"expected as \(N, 28, 28\).*; got \(3, 6, 6\)"):
        explain.activations(Model.load("convnet"), IMAGES)
