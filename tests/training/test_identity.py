"""A plan's description: the same in every process, and different where plans differ."""

import json
import math
import operator
import re
import subprocess
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.augmentation.augment import Augment
from digitscope.errors import ModelError, TrainingError
from digitscope.nn import Adam, Constant, Dense, Momentum, Network, OneCycle, SoftmaxCrossEntropy, WarmUp, to_batch
from digitscope.recipes import RECIPES
from digitscope.training import ExponentialAverage, Plan, Run, TailAverage, load_checkpoint, save_checkpoint
from digitscope.training.identity import describe, difference

PLAN = Plan(
    loss=SoftmaxCrossEntropy(label_smoothing=0.1),
    optimizer=Momentum(nesterov=True),
    schedule=OneCycle(0.1),
    epochs=2,
    batch_size=100,
    shard_size=32,
    augment=Augment(rotation=10),
    averaging=TailAverage(0.5),
    shifts=((0, 0), (1, 0)),
)

SCRIPT = """
import sys
from functools import partial
from pathlib import Path

import numpy as np

from digitscope.nn import Dense, GradientDescent, Constant, Network, SoftmaxCrossEntropy, to_batch
from digitscope.training import Plan, Run, load_checkpoint, save_checkpoint, train


def darker(images, rng, factor=2):
    return to_batch(images // factor)


class Noise:
    def __init__(self, sizes):
        self.sizes = np.array(sizes)

    def __call__(self, images, rng):
        return to_batch(images)


def shift(by):
    return lambda images, rng: to_batch(images) + by


folder, what = Path(sys.argv[1]), sys.argv[2]
for number, augment in enumerate((darker, partial(darker, factor=3), Noise([1, 2]), shift(0.5))):
    network = Network(Dense(4, 2, rng=np.random.default_rng(0)))
    plan = Plan(SoftmaxCrossEntropy(), GradientDescent(), Constant(0.1), epochs=2, batch_size=2, augment=augment)
    run = Run.start(network, plan, 4, np.random.default_rng(1))
    if what == "resume":
        load_checkpoint(folder / f"{number}").restore(run)
    for _ in train(run, np.arange(4, 20, dtype=np.uint8).reshape(4, 2, 2), np.array([0, 1, 0, 1])):
        if what == "stop":
            save_checkpoint(folder / f"{number}", run, {})
            break
    print([p.tolist() for p in network.params.values()])
"""


def test_a_plan_of_the_callers_own_functions_is_resumed_in_another_process(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    def run(what: str) -> list[str]:
        command = [sys.executable, str(script), str(tmp_path), what]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    first, resumed, whole = run("stop"), run("resume"), run("all")
    assert resumed == whole
    assert len(whole) == 4
    assert not set(first) & set(whole)


def darker(images: Array, rng: np.random.Generator, factor: int = 2) -> Array:
    return to_batch(images // factor)


def brighter(images: Array, rng: np.random.Generator) -> Array:
    return to_batch(images)


def shift(by: float) -> Callable[[Array, np.random.Generator], Array]:
    return lambda images, rng: to_batch(images) + by


def with_defaults(by: float, times: int) -> Callable[..., Array]:
    def add(images: Array, by: float = by, *, times: int = times) -> Array:
        return images + by * times

    return add


class Table:
    def __init__(self, numbers: Any) -> None:
        self.numbers = numbers

    def __call__(self, images: Array, rng: np.random.Generator) -> Array:
        return to_batch(images)


class Slots:
    __slots__ = ("a", "b")

    def __init__(self, a: int, b: int) -> None:
        self.a, self.b = a, b


OBJECTS: list[object] = [
    *(
        None,
        True,
        2,
        2.5,
        1j,
        b"ab",
        b"cd",
        bytearray(b"ab"),
        math.inf,
        math.nan,
        "text",
        [1, 2],
        [2, 1],
        [[1], 2],
        {"a": 1},
        {"a": 2},
        {1: {2: 3}},
    ),
    *({1, 2}, frozenset({1, 2}), np.float32(0.1), np.arange(3), np.arange(3.0), np.arange(4), np.zeros((2, 2))),
    *(darker, brighter, shift(1), shift(2), partial(darker, factor=3), partial(darker, factor=4), Table(1).__call__),
    *(Table(1), Table(2), Table([1]), Table(np.arange(3)), Table(np.arange(3, 6)), Table, Slots, Slots(1, 2)),
    *(Slots(2, 1), len, np.sqrt, operator.add, re.compile("a"), re.compile("b"), Counter("aab"), Counter("abb")),
    *(deque([1, 2]), deque([1, 2], 5), np.random.default_rng(1), np.random.default_rng(2), Path("a"), PLAN),
]


def test_descriptions_differ_where_objects_do() -> None:
    described = [json.dumps(describe(value), sort_keys=True) for value in OBJECTS]
    assert len(set(described)) == len(described)


@pytest.mark.parametrize("value", OBJECTS, ids=range(len(OBJECTS)))
def test_a_description_is_json_and_always_the_same(value: object) -> None:
    description = describe(value)
    assert difference(json.loads(json.dumps(description, allow_nan=False)), describe(value)) is None
    assert "0x" not in json.dumps(description)  # an address


def test_an_object_that_contains_itself_is_described() -> None:
    knot: list[object] = [1]
    knot.append(Table(knot))
    assert describe(knot) == [1, {"class": "tests.training.test_identity.Table", "numbers": {"cycle": 2}}]


def test_an_object_without_a_state_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"can describe; got a _thread\.lock"):
        describe(replace(PLAN, augment=Table(threading.Lock())))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 3}, "plan.epochs: expected 3, got 2"),
        ({"batch_size": None}, "plan.batch_size: expected null, got 100"),
        ({"optimizer": Momentum()}, "plan.optimizer.nesterov: expected false, got true"),
        (
            {"optimizer": Adam()},
            "plan.optimizer: expected digitscope.nn.optimizers.Adam, got digitscope.nn.optimizers.Momentum",
        ),
        ({"schedule": Constant(0.1)}, "plan.schedule: expected digitscope.nn.schedules.Constant, got digitscope"),
        ({"loss": SoftmaxCrossEntropy()}, "plan.loss.label_smoothing: expected 0.0, got 0.1"),
        ({"augment": Augment(rotation=10, shear=0.1)}, "plan.augment.shear: expected 0.1, got 0.0"),
        ({"augment": darker}, "plan.augment: expected tests.training.test_identity.darker, got digitscope.aug"),
        ({"augment": None}, "plan.augment: expected null, got digitscope.augmentation.augment.Augment"),
        ({"averaging": ExponentialAverage(0.9)}, "plan.averaging: expected digitscope.training.averaging.Expon"),
        ({"shifts": ((0, 0), (1, 1))}, "plan.shifts[1][1]: expected 1, got 0"),
        ({"shifts": ()}, "plan.shifts: expected [], got [[0, 0], [1, 0]]"),
    ],
)
def test_a_checkpoint_of_another_plan_names_the_field_that_differs(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    def start(plan: Plan) -> Run:
        rng = np.random.default_rng(7)
        return Run.start(Network(Dense(784, 10, rng=rng)), plan, 300, rng)

    save_checkpoint(tmp_path / "c", start(PLAN), {})
    with pytest.raises(ModelError, match=f"c: the checkpoint is of another plan; {re.escape(message)}"):
        load_checkpoint(tmp_path / "c").restore(start(replace(PLAN, **change)))


def test_functions_differ_by_the_values_they_enclose_and_their_defaults_not_by_their_code() -> None:
    assert describe(shift(1)) == describe(shift(1)) != describe(shift(2))
    one, two = (lambda x: x + 1), (lambda x: x + 2)
    assert describe(one) == describe(two)
    assert describe(with_defaults(1, 1)) == describe(with_defaults(1, 1))
    assert difference(describe(with_defaults(1, 1)), describe(with_defaults(2, 1))) is not None
    assert difference(describe(with_defaults(1, 1)), describe(with_defaults(1, 2))) is not None


@pytest.mark.parametrize("name", RECIPES)
def test_the_ladders_plans_are_described_by_their_fields(name: str) -> None:
    plan = RECIPES[name].plan
    assert difference(describe(plan), describe(replace(plan, epochs=plan.epochs))) is None
    other = replace(plan, schedule=WarmUp(0.123, then=plan.schedule))
    assert difference(describe(plan), describe(other)) is not None
