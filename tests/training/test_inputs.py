"""The inputs of a training: images and labels of every usual kind give the same result, others one clear error."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.errors import ArgumentError, DataError, DigitscopeError, ShapeError, TrainingError
from digitscope.nn import (
    BackgroundCrossEntropy,
    BatchNorm,
    Constant,
    Dense,
    Flatten,
    Loss,
    Momentum,
    Network,
    OneCycle,
    ReLU,
    Reshape,
    SoftmaxCrossEntropy,
)
from digitscope.training import (
    Plan,
    Run,
    evaluate,
    measure_statistics,
    network_outputs,
    train,
)

PLAN = Plan(SoftmaxCrossEntropy(), Momentum(), OneCycle(0.1), epochs=1, batch_size=50, shard_size=20)
COUNT = 120


def build(pixels: int = 784) -> Network:
    rng = np.random.default_rng(5)
    return Network(Dense(pixels, 12, rng=rng), BatchNorm(12), ReLU(), Dense(12, 10, rng=rng))


def trained(images: Any, labels: Any, *, plan: Plan = PLAN, pixels: int = 784, **options: Any) -> dict[str, bytes]:
    network = build(pixels)
    for _ in train(Run.start(network, plan, COUNT, np.random.default_rng(6)), images, labels, **options):
        pass
    return {name: array.tobytes() for name, array in {**network.params, **network.statistics}.items()}


def measured(few: DataSet) -> Network:
    return measure_statistics(build(), few.x_train[:COUNT])


IMAGES: dict[str, Callable[[Array], Any]] = {
    "uint8": lambda x: x,
    "floats": lambda x: x / 255,
    "float32": lambda x: x.astype(np.float32) / np.float32(255),
    "int64": lambda x: x.astype(np.int64),
    "big-endian": lambda x: x.astype(">i2"),
    "rows": lambda x: x.reshape(len(x), -1),
    "channel": lambda x: x[..., None],
    "strided": lambda x: np.repeat(x, 2, axis=0)[::2],
    "transposed": lambda x: np.asfortranarray(x),
    "list": lambda x: x.tolist(),
    "frame": lambda x: pd.DataFrame(x.reshape(len(x), -1)),
}
LABELS: dict[str, Callable[[Array], Any]] = {
    "uint8": lambda y: y.astype(np.uint8),
    "int64": lambda y: y,
    "floats": lambda y: y.astype(float),
    "list": lambda y: y.tolist(),
    "series": lambda y: pd.Series(y, index=range(7, 7 + len(y))),
    "column": lambda y: y[:, None],
}


@pytest.mark.parametrize("kind", IMAGES)
def test_every_usual_kind_of_images_gives_the_same(few: DataSet, kind: str) -> None:
    x, y = few.x_train[:COUNT], few.y_train[:COUNT]
    network, images = measured(few), IMAGES[kind](x)
    np.testing.assert_array_equal(network_outputs(network, images), network_outputs(network, x))
    assert evaluate(network, PLAN.loss, images, y) == evaluate(network, PLAN.loss, x, y)
    statistics = measure_statistics(build(), images, count=50).statistics
    for name, value in measure_statistics(build(), x, count=50).statistics.items():
        np.testing.assert_array_equal(statistics[name], value)
    assert trained(images, y, validation=(images, y)) == trained(x, y)
    run = Run.start(build(), replace(PLAN, shifts=((0, 0), (1, 0))), COUNT, np.random.default_rng(6))
    outcome = run.outcome(images)
    np.testing.assert_array_equal(network_outputs(outcome, images), network_outputs(run.outcome(x), x))


@pytest.mark.parametrize("kind", LABELS)
def test_every_usual_kind_of_labels_gives_the_same(few: DataSet, kind: str) -> None:
    x, y = few.x_train[:COUNT], few.y_train[:COUNT]
    labels = LABELS[kind](y)
    assert evaluate(measured(few), PLAN.loss, x, labels) == evaluate(measured(few), PLAN.loss, x, y)
    assert trained(x, labels, validation=(x, labels)) == trained(x, y)


def test_images_of_bytes_are_not_copied(few: DataSet) -> None:
    seen: list[Array] = []

    def augment(images: Array, rng: np.random.Generator) -> Array:
        seen.append(images)
        return images.reshape(len(images), -1).T.astype(np.float32)

    x, y = few.x_train[:COUNT], few.y_train[:COUNT]
    run = Run.start(build(), replace(PLAN, batch_size=None, augment=augment), COUNT, np.random.default_rng(6))
    next(train(run, x, y))
    assert all(np.shares_memory(images, x) for images in seen)


@pytest.mark.parametrize("pixels", [1, 7, 16, 30])
def test_rows_of_any_length_train_a_dense_network(pixels: int) -> None:
    rng = np.random.default_rng(0)
    rows, labels = rng.integers(0, 256, (COUNT, pixels), np.uint8), np.arange(COUNT) % 10
    network = build(pixels)
    run = Run.start(network, PLAN, COUNT, rng)
    list(train(run, rows, labels, validation=(rows, labels)))
    assert evaluate(network, PLAN.loss, rows, labels) == evaluate(run.outcome(rows), PLAN.loss, rows, labels)


def wrong_images(x: Array) -> dict[str, tuple[Any, type[DigitscopeError]]]:
    nan = x / 255
    nan[3, 4, 5] = np.nan
    return {
        "of another size": (x[:, 8:20, 8:20], ShapeError),
        "rows of another size": (x.reshape(len(x), -1)[:, :700], ShapeError),
        "a single image": (x[0], ShapeError),
        "colours": (np.repeat(x[..., None], 3, axis=3), ShapeError),
        "a number": (5, ShapeError),
        "standardized": ((x - 33.0) / 78, DataError),
        "0 to 16": (x.astype(int) // 16, DataError),
        "a mask": (x > 127, DataError),
        "NaN": (nan, DataError),
        "strings": (x.astype(str), DataError),
    }


@pytest.mark.parametrize("kind", wrong_images(np.ones((4, 28, 28), np.uint8)))
def test_other_images_are_refused_before_the_first_step(few: DataSet, kind: str) -> None:
    x, y = few.x_train[:COUNT], few.y_train[:COUNT]
    images, error = wrong_images(x)[kind]
    network = build()
    before = {name: p.tobytes() for name, p in network.params.items()}
    for use in (
        lambda: train(Run.start(network, PLAN, COUNT, np.random.default_rng(6)), images, y),
        lambda: train(Run.start(network, PLAN, COUNT, np.random.default_rng(6)), x, y, validation=(images, y)),
        lambda: evaluate(measured(few), PLAN.loss, images, y),
        lambda: network_outputs(network, images),
    ):
        with pytest.raises(error) as raised:
            use()
        assert "\n" not in str(raised.value)
        assert {name: p.tobytes() for name, p in network.params.items()} == before


def wrong_labels(y: Array) -> dict[str, tuple[Any, str]]:
    return {
        "one too few": (y[1:], f"one integer for each of {COUNT} images; got ({COUNT - 1},)"),
        "negative": (np.where(np.arange(len(y)) == 7, -1, y), "from 0 to 9; got -1"),
        "too high": (np.where(np.arange(len(y)) == 7, 10, y), "from 0 to 9; got 10"),
        "stray": (np.where(np.arange(len(y)) == 7, 60_000, y), "from 0 to 9; got 60000"),
        "fractions": (y + 0.5, "whole numbers from 0"),
        "strings": (y.astype(str), "Labels are expected as numbers"),
        "one-hot": (np.eye(10)[y], "Give labels.argmax(axis=1)"),
        "none": (None, "Labels are expected"),
    }


@pytest.mark.parametrize("kind", wrong_labels(np.arange(COUNT) % 10))
def test_other_labels_are_refused_before_the_first_step(few: DataSet, kind: str) -> None:
    x, y = few.x_train[:COUNT], few.y_train[:COUNT]
    labels, message = wrong_labels(y)[kind]
    for use in (
        lambda: train(Run.start(build(), PLAN, COUNT, np.random.default_rng(6)), x, labels),
        lambda: train(Run.start(build(), PLAN, COUNT, np.random.default_rng(6)), x, y, validation=(x, labels)),
        lambda: evaluate(measured(few), PLAN.loss, x, labels),
    ):
        with pytest.raises((ShapeError, DataError), match=re.escape(message)):
            use()


@pytest.mark.parametrize(("loss", "allowed"), [(SoftmaxCrossEntropy(), 9), (BackgroundCrossEntropy(), 10)], ids=repr)
def test_the_background_is_a_label_if_the_loss_has_one(few: DataSet, loss: Loss, allowed: int) -> None:
    x, y = few.x_train[:COUNT], few.y_train[:COUNT].copy()
    y[3] = allowed
    plan = replace(PLAN, loss=loss)
    trained(x, y, plan=plan, validation=(x, y))
    evaluate(measured(few), loss, x, y)
    y[3] = allowed + 1
    with pytest.raises(DataError, match=f"from 0 to {allowed}; got {allowed + 1}"):
        trained(x, y, plan=plan)


def test_no_images_are_refused(few: DataSet) -> None:
    x, y = few.x_train[:COUNT], few.y_train[:COUNT]
    run = Run.start(build(), PLAN, COUNT, np.random.default_rng(6))
    for use in (
        lambda: train(run, x[:0], y[:0]),
        lambda: train(run, x, y, validation=(x[:0], y[:0])),
        lambda: evaluate(measured(few), PLAN.loss, x[:0], y[:0]),
        lambda: measure_statistics(build(), x[:0]),
        lambda: run.outcome(x[:0]),
    ):
        with pytest.raises(TrainingError, match=r"At least one image is expected.*; got none"):
            use()
    assert network_outputs(measured(few), x[:0]).shape == (10, 0)


def test_a_network_that_does_not_end_in_classes_is_refused(few: DataSet) -> None:
    network = Network(Reshape(1, 28, 28))
    with pytest.raises(ShapeError, match=r"give \(classes, N\); it gives \(1, 28, 28, 1\) for 1 image. End it with"):
        evaluate(network, PLAN.loss, few.x_train[:5], few.y_train[:5])
    with pytest.raises(DataError, match="from 0 to 783; got 784"):
        evaluate(Network(*network.layers, Flatten()), PLAN.loss, few.x_train[:2], [0, 784])


def test_a_run_expects_the_number_of_images_that_it_was_started_for(few: DataSet) -> None:
    run = Run.start(build(), PLAN, COUNT - 1, np.random.default_rng(6))  # of as many batches and shards
    with pytest.raises(TrainingError, match=r"for 119 images; got 120\. Give Run\.start the number of images"):
        train(run, few.x_train[:COUNT], few.y_train[:COUNT])


@pytest.mark.parametrize("threads", [0, -1])
def test_at_least_one_thread_is_expected(few: DataSet, threads: int) -> None:
    run = Run.start(build(), PLAN, COUNT, np.random.default_rng(6))
    with pytest.raises(ArgumentError, match=f"threads is expected as a whole number from 1 on or None; got {threads}"):
        train(run, few.x_train[:COUNT], few.y_train[:COUNT], threads=threads)


def test_another_device_is_refused(few: DataSet) -> None:
    run = Run.start(build(), PLAN, COUNT, np.random.default_rng(6))
    with pytest.raises(TrainingError, match="The device is expected as cpu or cuda; got 'tpu'"):
        train(run, few.x_train[:COUNT], few.y_train[:COUNT], device="tpu")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"network": Dense(4, 2)}, "Run.start's network is expected as a Network; got Dense(4, 2)"),
        ({"plan": "mlp"}, "Run.start's plan is expected as a Plan; got 'mlp'"),
        ({"rng": 0}, "Run.start's rng is expected as a numpy.random.Generator; got 0"),
        (
            {"images": np.zeros((3, 28, 28))},
            "number of images, len(images), is expected as a whole number from 1 on; got an array of shape (3, 28, 28)",
        ),
        ({"images": 0}, "whole number from 1 on; got 0"),
        ({"images": 2.0}, "whole number from 1 on; got 2.0"),
        ({"images": True}, "whole number from 1 on; got True"),
    ],
)
def test_the_arguments_of_a_run_are_checked(arguments: dict[str, Any], message: str) -> None:
    given = {"network": build(), "plan": PLAN, "images": 10, "rng": np.random.default_rng(0)}
    with pytest.raises(TrainingError, match=re.escape(message)):
        Run.start(**{**given, **arguments})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *(
            ({"epochs": n}, f"Plan's epochs is expected as a whole number from 1 on; got {n!r}")
            for n in (0, -1, 1.5, True, None, "3")
        ),
        *(
            ({"batch_size": n}, f"Plan's batch_size is expected as a whole number from 1 on or None; got {n!r}")
            for n in (0, 64.0)
        ),
        *(
            ({"shard_size": n}, f"Plan's shard_size is expected as a whole number from 1 on or None; got {n!r}")
            for n in (0, -32)
        ),
        *(
            ({"schedule": Constant(r)}, f"The schedule's learning rate is expected to be positive; got {r}")
            for r in (0.0, -0.1)
        ),
        ({"schedule": 0.1}, "Plan's schedule is expected as a digitscope.nn.Schedule; got 0.1"),
        ({"loss": "cross-entropy"}, "Plan's loss is expected as a digitscope.nn.Loss; got 'cross-entropy'"),
        (
            {"loss": SoftmaxCrossEntropy},
            "Plan's loss is expected as a digitscope.nn.Loss; got the class SoftmaxCrossEntropy",
        ),
        ({"optimizer": Momentum}, "Plan's optimizer is expected as a digitscope.nn.Optimizer; got the class Momentum"),
        ({"averaging": 0.9}, "Plan's averaging is expected as an Averaging or None; got 0.9"),
        ({"augment": True}, "Plan's augment is expected as a function (images, rng) or None; got True"),
        ({"shifts": (1, 0)}, "Plan's shifts is expected as pairs of whole numbers; got (1, 0)"),
        ({"shifts": ((1, 0.5),)}, "Plan's shifts is expected as pairs of whole numbers; got ((1, 0.5),)"),
        ({"shifts": 5}, "Plan's shifts is expected as pairs of whole numbers; got 5"),
    ],
    ids=str,
)
def test_a_plan_names_the_field_that_is_wrong(change: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=re.escape(message)) as raised:
        replace(PLAN, **change)
    assert "\n" not in str(raised.value)


def test_numbers_of_numpy_are_numbers() -> None:
    numbers: dict[str, Any] = {"epochs": np.int64(2), "batch_size": np.int32(5)}
    plan = replace(PLAN, **numbers, schedule=Constant(float(np.float32(0.1))))
    assert plan.batches(11) == 3
