"""One step of training: its routes."""

import base64
import re
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from digitscope import Model, explain
from digitscope.datasets import load_mnist
from digitscope.explain import DescentStep
from digitscope.lab.app import application
from digitscope.lab.state import Lab
from digitscope.nn import (
    AveragePool2D,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    DepthToSpace,
    Dropout,
    Flatten,
    FoldHeight,
    GradientDescent,
    Layer,
    LeakyReLU,
    MaxPool2D,
    MaxPoolHeight,
    Momentum,
    Network,
    Optimizer,
    Reshape,
    Residual,
    Sigmoid,
    Skip,
    SoftmaxCrossEntropy,
    SpaceToDepth,
    SplitSteps,
    Standardize,
    Tanh,
    Upsample2D,
)
from digitscope.recipes import RECIPES
from tests.lab.arrays import decoded

X, Y = load_mnist()[1]
ONE = {"images": [{"label": 7, "index": 0}]}


def post(client: TestClient, path: str, **body: object) -> Any:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(client: TestClient, path: str, **body: object) -> str:
    answer = client.post(path, json=body)
    assert answer.status_code in (400, 404), answer.text
    message: str = answer.json()["error"]
    assert "\n" not in message
    return message


def seed_step(seed: int = 0, rate: float = 0.1, optimizer: Optimizer | None = None, count: int = 1) -> DescentStep:
    recipe = RECIPES["seed"]
    network = recipe.build(np.random.default_rng(seed).spawn(4)[1], (28, 28), 10)
    return DescentStep(
        network,
        X[:count],
        Y[:count],
        loss=recipe.plan.loss,
        optimizer=optimizer or GradientDescent(),
        learning_rate=rate,
        seed=seed,
    )


def test_a_new_network_is_that_with_which_training_begins(client: TestClient, mnist: Any) -> None:
    begun = RECIPES["seed"].start(mnist, 3).run.network
    sent = post(client, "/api/step/arrays", step={**ONE, "seed": 3}, names=["0.weight", "2.bias"])["arrays"]
    np.testing.assert_array_equal(decoded(sent["0.weight"]), begun.params["0.weight"])
    np.testing.assert_array_equal(decoded(sent["2.bias"]), begun.params["2.bias"])


def test_the_outline_lists_every_array_with_its_shape(client: TestClient) -> None:
    state = {"images": [{"label": int(Y[i]), "index": i} for i in range(2)], "optimizer": "momentum"}
    found = post(client, "/api/step", step=state)
    step = seed_step(optimizer=Momentum(), count=2)
    assert [stage["key"] for stage in found["stages"]] == [stage.key for stage in explain.stages(step)]
    assert found["loss"] == step.loss
    assert found["loss_after"] == step.loss_after
    assert (found["labels"], found["classes"], found["parameters"], found["step"]) == ([7, 2], 10, 7960, 0)
    np.testing.assert_array_equal(decoded(found["images"]), X[:2])
    np.testing.assert_allclose(decoded(found["probabilities"]).sum(axis=1), 1)
    for stage in found["stages"]:
        for array in (*stage["outputs"], *stage["inputs"]):
            described = found["arrays"][array["name"]]
            values = step.array(array["name"])
            assert described["shape"] == list(values.shape)
            tiles, rows, columns = described["tiles"]
            images = 2 if described["batch"] else 1
            assert tiles * rows * columns >= values.size / images
            assert tiles * (rows - 1) * columns < values.size / images
        assert all("<math" in " ".join(array["formula"]) for array in stage["outputs"]), stage["key"]
    assert found["arrays"]["0.weight"]["tiles"] == [10, 28, 28]
    assert found["arrays"]["dinput"]["tiles"] == [1, 28, 28]
    assert found["arrays"]["2.weight"]["tiles"] == [1, 10, 10]


def test_the_stages_are_those_of_the_network_and_the_optimizer_that_are_asked_for(client: TestClient) -> None:
    def keys(**changes: object) -> list[str]:
        return [stage["key"] for stage in post(client, "/api/step", step={**ONE, **changes})["stages"]]

    plain = keys()
    assert keys(seed=3, rates=[0.1]) == plain
    assert "0.moments" in keys(optimizer="adam")
    assert "0.moments" not in plain
    assert "2.statistics" in keys(network="fast")
    assert "2.statistics" not in keys(network="fast", training=False)
    assert keys() == plain
    two = post(client, "/api/step", step={"images": ONE["images"] * 2})
    assert two["arrays"]["0"]["shape"] == [10, 2]


@pytest.mark.parametrize("optimizer", ["gradient-descent", "momentum", "nesterov", "adam", "adamw"])
def test_arrays_have_the_bits_of_a_step_in_python(client: TestClient, optimizer: str) -> None:
    from digitscope.training.settings import NAMED_OPTIMIZERS

    step = seed_step(optimizer=NAMED_OPTIMIZERS[optimizer]).following(0.01)
    state = {**ONE, "rates": [0.1], "rate": 0.01, "optimizer": optimizer}
    names = ["images", "input", "0", "d0.weight", "updated.2.weight", "loss", "dinput", "probability"]
    sent = post(client, "/api/step/arrays", step=state, names=names)["arrays"]
    for name in names:
        expected = step.array(name)
        values = expected[0] if name == "images" else expected[..., 0] if explain.has_batch(step, name) else expected
        assert decoded(sent[name]).tobytes() == np.asarray(values, np.float64).tobytes(), name


def test_arrays_of_the_second_image(client: TestClient) -> None:
    step = seed_step(count=2)
    state = {"images": [{"label": int(Y[i]), "index": i} for i in range(2)]}
    sent = post(client, "/api/step/arrays", step=state, names=["images", "0", "d0.weight", "maximum"], image=1)[
        "arrays"
    ]
    np.testing.assert_array_equal(decoded(sent["images"]), X[1])
    np.testing.assert_array_equal(decoded(sent["0"]), step.array("0")[:, 1])
    np.testing.assert_array_equal(decoded(sent["d0.weight"]), step.array("d0.weight"))
    assert decoded(sent["maximum"]) == step.array("maximum")[1]


def test_a_step_visited_again_has_the_same_bits_however_one_came_there(client: TestClient, lab: Lab) -> None:
    names = ["updated.0.weight", "d0.weight", "8"]
    state = {**ONE, "network": "mlp", "seed": 5}
    fresh = TestClient(application(Lab(lab.folder), ["testserver"]))

    def visit(*rates: float, by: TestClient = client) -> dict[str, Any]:
        request = {**state, "rates": list(rates[:-1]), "rate": rates[-1]}
        sent: dict[str, Any] = post(by, "/api/step/arrays", step=request, names=names[:2])["arrays"]
        return sent

    one_by_one = [visit(*rates) for rates in ((0.1,), (0.1, 0.05), (0.1, 0.05, 0.2))]
    other = post(client, "/api/step", step={**state, "seed": 6, "rates": [0.1] * 5})
    assert len(other["losses"]) == 6
    assert visit(0.1, 0.05, 0.2, by=fresh) == one_by_one[2]
    assert visit(0.1, by=fresh) == one_by_one[0]
    assert visit(0.1, 0.05, 0.3, by=fresh)["d0.weight"] == one_by_one[2]["d0.weight"]
    assert visit(0.1, 0.05, 0.3, by=fresh)["updated.0.weight"] != one_by_one[2]["updated.0.weight"]


def test_the_curve_is_the_loss_after_such_steps(client: TestClient) -> None:
    state = {**ONE, "rates": [0.05]}
    rates = [0.0, 0.01, 1.0]
    found = post(client, "/api/step/curve", step=state, rates=rates)
    assert found["losses"][0] == found["loss"]
    for rate, loss in zip(rates, found["losses"], strict=True):
        assert post(client, "/api/step", step={**state, "rate": rate})["loss_after"] == loss


def test_the_losses_of_the_steps_before(client: TestClient) -> None:
    found = post(client, "/api/step", step={**ONE, "rates": [0.01, 0.02]})
    step = seed_step(rate=0.01)
    second = step.following(0.02)
    assert found["losses"] == [step.loss, second.loss, second.following(0.1).loss]
    assert found["losses"][0] > found["losses"][1] > found["losses"][2]


def test_a_loss_that_is_not_finite_is_null(client: TestClient, lab: Lab) -> None:
    network = Network(Dense(784, 10), *(Dense(10, 10) for _ in range(9)))
    for array in network.params.values():
        array[...] = 1e38
    name = lab.keep(Model(network, SoftmaxCrossEntropy(), image_shape=(28, 28)), "huge")
    state = {**ONE, "network": name, "start": "trained"}
    found = post(client, "/api/step", step=state)
    assert (found["loss"], found["loss_after"]) == (None, None)
    assert post(client, "/api/why", step=state, of="loss")["value"] is None
    assert post(client, "/api/why", step=state, of="9", index=[0, 0], first=1)["terms"][0]["product"] is None
    assert post(client, "/api/step/curve", step=state, rates=[1.0])["losses"] == [None]
    post(client, "/api/step/question", step=state)


def test_which_weight_moves_most(client: TestClient) -> None:
    found = post(client, "/api/step/question", step=ONE)
    step = seed_step()
    assert found["name"] == "0.weight"
    moves = (step.array("updated.0.weight") - step.array("0.weight")).reshape(-1)
    places = [i * 784 + j for i, j in found["candidates"]]
    assert found["moves"] == moves[places].tolist()
    assert abs(found["moves"][found["answers"][0]]) == np.abs(moves).max()


LAYERS: list[Layer] = [
    *(Standardize(), Reshape(1, 28, 28), Conv2D(1, 3, 5, stride=2), BatchNorm(3), MaxPool2D(2)),
    *(Residual(Conv2D(3, 3, 3, padding=1), Tanh()), Dropout(0.3), Flatten(), Dense(108, 10)),
]
SEQUENCE: list[Layer] = [
    *(Reshape(1, 28, 28), AveragePool2D(4), Conv2D(1, 2, 3, padding=1, dilation=2), Upsample2D(2)),
    *(Skip(SpaceToDepth(2), Sigmoid(), DepthToSpace(2)), MaxPoolHeight(5), FoldHeight(), Conv1D(8, 4, 3)),
    *(SplitSteps(2), LeakyReLU(), Flatten(), Dense(40, 10)),
]


@pytest.mark.parametrize(("layers", "count"), [(LAYERS, 10), (SEQUENCE, 1)], ids=["images", "sequence"])
def test_why_of_numbers_of_each_kind_of_layer(client: TestClient, lab: Lab, layers: list[Layer], count: int) -> None:
    """Forward and backward: the terms add up, and derivatives agree with changes of the loss."""
    network = Network(*layers)
    rng = np.random.default_rng(2)
    for array in network.params.values():
        array[...] = rng.normal(scale=0.3, size=array.shape)
    name = lab.keep(Model(network, SoftmaxCrossEntropy(label_smoothing=0.1), image_shape=(28, 28)), "kinds")
    noise = [base64.b64encode(rng.integers(0, 256, 784).astype(np.uint8).tobytes()).decode() for _ in range(2)]
    state = {
        "images": [{"label": 3, "pixels": noise[0]}, {"label": 8, "pixels": noise[1]}],
        "network": name,
        "start": "trained",
        "optimizer": "adamw",
        "rates": [0.01],
        "rate": 0.01,
    }
    outline = post(client, "/api/step", step=state)
    kinds = {stage["kind"] for stage in outline["stages"]}
    assert {type(layer).__name__ for layer in layers} <= kinds
    checked = 0
    for stage in outline["stages"]:
        for output in stage["outputs"]:
            shape = outline["arrays"][output["name"]]["shape"]
            for _ in range(count):
                index = [int(rng.integers(length)) for length in shape]
                numeric = output["name"].startswith("d") and checked % 5 == 0
                checked += 1
                found = post(client, "/api/why", step=state, of=output["name"], index=index, numeric=numeric)
                exact = 1e-7 if output["name"] == "input" else 1e-9
                assert found["total"] == pytest.approx(found["value"], rel=exact, abs=1e-12)
                if found["combine"] == "sum":
                    products = sum(term["product"] for term in found["terms"])
                    total = found["scale"] * (products + found["rest"])
                    assert total == pytest.approx(found["value"], rel=exact, abs=1e-12)
                if numeric and not found["numeric"]["kink"]:
                    assert found["numeric"]["value"] == pytest.approx(found["value"], rel=1e-4, abs=1e-8), found
    assert checked > 40 * count


def test_terms_come_in_pages_the_largest_first(client: TestClient) -> None:
    def page(first: int, count: int) -> Any:
        return post(client, "/api/why", step=ONE, of="0", index=[3, 0], first=first, count=count)

    whole = [term for first in range(0, 785, 200) for term in page(first, 200)["terms"]]
    assert sorted(term["place"] for term in whole) == list(range(785))
    sizes = [abs(term["product"]) for term in whole]
    assert sizes == sorted(sizes, reverse=True)
    second = page(10, 10)
    assert [term["place"] for term in second["terms"]] == [term["place"] for term in whole[10:20]]
    assert second["rest"] + sum(term["product"] for term in second["terms"]) == pytest.approx(second["value"])
    assert page(5_000, 10)["terms"] == []


def test_the_terms_of_a_softmax_come_by_their_share(client: TestClient) -> None:
    found = post(client, "/api/why", step=ONE, of="probability", index=[7, 0])
    shares = [term["share"] for term in found["terms"]]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)
    (chosen,) = [term for term in found["terms"] if term["chosen"]]
    assert chosen["share"] == pytest.approx(found["value"])
    assert chosen["factors"][0]["index"] == [7, 0]


def test_why_has_the_formula_the_notes_and_the_code(client: TestClient) -> None:
    found = post(client, "/api/why", step=ONE, of="d0.weight", index=[3, 210], numeric=True)
    assert "<mn>3</mn><mo>,</mo><mn>210</mn>" in found["formula"][0]["with_index"]
    assert {"chapter": "05-backpropagation", "section": "the-four-equations-of-a-dense-layer"} in found["notes"]
    assert found["notes"][0] == {"chapter": "05-backpropagation", "section": "eq-5.4"}
    assert found["code"]["file"] == "digitscope/nn/dense.py"
    assert found["code"]["last"] - found["code"]["first"] + 1 == len(found["code"]["text"].splitlines())
    assert found["shape"] == [10, 784]
    (term,) = found["terms"]
    places = [(factor["name"], factor["index"], factor["asked"]) for factor in term["factors"]]
    assert places == [("d0", [3, 0], True), ("input", [210, 0], True)]
    asked = post(client, "/api/why", step=ONE, of="0", index=[3, 0])["terms"][0]["factors"]
    assert [(factor["name"], factor["asked"]) for factor in asked] == [("0.weight", False), ("input", True)]


def test_what_a_step_begins_with_has_no_terms(client: TestClient) -> None:
    found = post(client, "/api/why", step=ONE, of="0.weight", index=[3, 210])
    assert (found["combine"], found["terms"], found["count"]) == ("given", [], 0)
    assert found["value"] == seed_step().array("0.weight")[3, 210]
    assert post(client, "/api/why", step=ONE, of="images", index=[0, 12, 10])["value"] == X[0, 12, 10]


def test_own_drawings_and_models_of_the_lab(client: TestClient) -> None:
    pixels = base64.b64encode(X[5].tobytes()).decode()
    drawn = {"images": [{"label": 1, "pixels": pixels}], "network": "convnet", "start": "trained"}
    given = {**drawn, "images": [{"label": 1, "index": 5}]}
    assert post(client, "/api/step", step=drawn) == post(client, "/api/step", step=given)


def test_an_ensemble_is_shown_by_its_first_member(client: TestClient) -> None:
    members = RECIPES["ensemble"].build(np.random.default_rng(0).spawn(4)[1], (28, 28), 10).members
    assert len(members) > 1
    name = next(name for name in members[0].params if name.endswith("weight"))
    sent = post(client, "/api/step/arrays", step={**ONE, "network": "ensemble"}, names=[name])["arrays"][name]
    np.testing.assert_array_equal(decoded(sent), members[0].params[name])


def test_networks_and_test_images(client: TestClient) -> None:
    found = client.get("/api/step/networks").json()
    assert found["new"][0] == {"name": "seed", "title": RECIPES["seed"].title, "parameters": 7960}
    sizes = [entry["parameters"] for entry in found["new"]]
    assert sizes == sorted(sizes)
    assert {entry["name"] for entry in found["new"]} == set(RECIPES)
    assert "convnet" in found["trained"]
    images = client.get("/api/test-images", params={"first": 10, "count": 5, "digit": 3}).json()
    assert images["labels"] == [3] * 5
    np.testing.assert_array_equal(decoded(images["images"]), X[images["indices"]])
    assert images["indices"] == np.flatnonzero(Y[10:] == 3)[:5].__add__(10).tolist()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": "nothing"}, "network expects one of seed, .*; got 'nothing'"),
        ({"network": "nothing", "start": "trained"}, "The lab has no model 'nothing'"),
        ({"network": "../convnet", "start": "trained"}, "The lab has no model"),
        ({"images": []}, "the number of items of step.images is expected from 1 to 16; got 0"),
        ({"images": [{"label": 7}]}, "either index or pixels"),
        ({"images": [{"label": 7, "index": 0, "pixels": "AAAA"}]}, "either index or pixels"),
        ({"images": [{"label": 7, "pixels": "AAAA"}]}, "28x28 pixels; got 3 pixels"),
        ({"images": [{"label": 7, "pixels": "no base64!"}]}, "base64"),
        ({"images": [{"label": 10, "index": 0}]}, "Labels are expected from 0 to 9; got 10"),
        ({"images": [{"label": 7, "index": 10_000}]}, r"step.images\[0\].index is expected from 0 to 9999"),
        ({"rate": -1}, "step.rate is expected from 0"),
        ({"rate": "fast"}, "step.rate is expected as a number"),
        ({"rates": [0.1] * 401}, "step.rates is expected from 0 to 400"),
        ({"optimizer": "best"}, "step.optimizer is expected as one of"),
        ({"seed": -1}, "step.seed"),
        ({"network": "deep", "rates": [0.1] * 400}, "So many steps of so large a network take too long"),
        ({"network": "deep", "images": [{"label": 7, "index": 0}] * 16}, "at most [0-9]+ images"),
        ({"depth": 3}, "unknown field depth"),
    ],
)
def test_what_is_wrong_is_named(client: TestClient, changes: dict[str, Any], message: str) -> None:
    assert re.search(message, refused(client, "/api/step", step={**ONE, **changes}))


def test_wrong_numbers_are_named(client: TestClient) -> None:
    def why(**body: object) -> str:
        return refused(client, "/api/why", step=ONE, **body)

    assert "expects of to be one of" in why(of="77")
    assert "has the shape" in why(of="0.weight", index=[0, 784])
    assert "has the shape" in why(of="0", index=[0])
    assert "has the shape" in why(of="0", index=[10, 0])
    assert "differences are for derivatives" in why(of="0", index=[0, 0], numeric=True)
    assert "differences are for derivatives" in why(of="updated.0.bias", index=[0, 0], numeric=True)
    assert "index" in why(of="0", index=[-1, 0])
    assert "image is expected below 1" in refused(client, "/api/step/arrays", step=ONE, names=["0"], image=1)
    assert "names" in refused(client, "/api/step/arrays", step=ONE, names=["0"] * 33)
    assert "expects of to be one of" in refused(client, "/api/step/arrays", step=ONE, names=["77"])


def test_only_so_many_numbers_are_sent_at_once(client: TestClient) -> None:
    state = {**ONE, "network": "deep"}
    message = refused(client, "/api/step/arrays", step=state, names=["13.weight"] * 8)
    assert "numbers are sent at once" in message or "expects of to be one of" in message
