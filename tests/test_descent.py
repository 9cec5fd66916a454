"""A step of training, number by number: every stage, every optimizer, every term."""

from itertools import pairwise

import numpy as np
import pytest

from digitscope import explain
from digitscope.arrays import Array
from digitscope.datasets import load_mnist
from digitscope.errors import DigitscopeError
from digitscope.explain import DescentStep, Stage
from digitscope.nn import (
    Adam,
    AdamW,
    BackgroundCrossEntropy,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Ensemble,
    Flatten,
    Frozen,
    GradientDescent,
    Layer,
    LeakyReLU,
    Loss,
    MaxPool2D,
    MeanSquaredError,
    Momentum,
    Network,
    Optimizer,
    ReLU,
    Reshape,
    Residual,
    Sigmoid,
    SoftmaxCrossEntropy,
    Standardize,
    Tanh,
)
from digitscope.recipes import RECIPES
from digitscope.training.loop import train_step

RNG = np.random.default_rng(5)
IMAGES = RNG.integers(0, 256, (3, 6, 6)).astype(np.uint8)
LABELS = np.array([2, 0, 2])


def network() -> Network:
    return Network(
        *(
            Standardize(),
            Reshape(1, 6, 6),
            Conv2D(1, 2, 3, padding=1, bias=False, rng=RNG),
            BatchNorm(2),
            LeakyReLU(),
            MaxPool2D(2),
        ),
        *(Residual(Conv2D(2, 2, 3, padding=1, rng=RNG), Tanh()), Flatten(), Dropout(0.3), Dense(18, 3, rng=RNG)),
    )


OPTIMIZERS: dict[str, Optimizer] = {
    "descent": GradientDescent(),
    "descent, decay and clipping": GradientDescent(weight_decay=0.1, clip_norm=0.01),
    "momentum": Momentum(weight_decay=0.01),
    "nesterov": Momentum(nesterov=True),
    "adam": Adam(),
    "adamw": AdamW(clip_norm=0.5),
}
START = network().astype(np.float64)


def begin(optimizer: Optimizer | None = None, learning_rate: float = 0.05, start: Layer = START) -> DescentStep:
    return DescentStep(
        start,
        IMAGES,
        LABELS,
        loss=SoftmaxCrossEntropy(label_smoothing=0.1),
        optimizer=optimizer or GradientDescent(),
        learning_rate=learning_rate,
        seed=4,
    )


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_is_the_step_of_training(name: str) -> None:
    step = begin(OPTIMIZERS[name])
    trained, loss = START.astype(np.float64), SoftmaxCrossEntropy(label_smoothing=0.1)
    state = step.optimizer.start(trained.params)
    losses = []
    for k in range(3):
        rng = np.random.default_rng(4 + k)
        losses.append(
            train_step(trained, loss, step.optimizer, state, IMAGES, LABELS, learning_rate=0.05, step=k, rng=rng)
        )
    steps = [step, step.following(0.05), step.following(0.05).following(0.05)]
    assert [done.loss for done in steps] == pytest.approx(losses, rel=1e-6)
    for key, array in steps[-1].updated[0].params.items():
        np.testing.assert_allclose(array, trained.params[key], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_number_of_an_update_equals_its_terms(name: str) -> None:
    rng = np.random.default_rng(0)
    step = begin(OPTIMIZERS[name]).following(0.05)  # the second step, in which the slots are not zero
    for stage in explain.stages(step):
        if stage.phase != "update":
            continue
        for of in stage.outputs:
            array = step.array(of)
            for _ in range(10):
                index = tuple(int(rng.integers(length)) for length in array.shape)
                answer = step.terms(of, index)
                assert answer.value == array[index]
                assert answer.total == pytest.approx(answer.value, rel=1e-9, abs=1e-15), str(answer)
                assert answer.formula
                assert "<-" in answer.formula
                assert answer.source is not None
                for term in answer.terms:
                    for factor in term.factors:
                        if factor.name is not None and "sqrt" not in factor.symbol:
                            assert factor.value == step.array(factor.name)[factor.index]


def all_arrays(step: DescentStep) -> dict[str, Array]:
    return {name: step.array(name) for stage in explain.stages(step) for name in stage.outputs}


def test_a_step_visited_again_has_the_same_bits() -> None:
    def visited() -> dict[str, Array]:
        return all_arrays(begin(AdamW(), 0.01).following(0.02).following(0.005))

    first, second = visited(), visited()
    assert first.keys() == second.keys()
    for name, array in first.items():
        assert array.dtype == np.float64
        assert array.tobytes() == second[name].tobytes(), name


@pytest.mark.parametrize("training", [True, False])
def test_statistics_are_those_of_the_batch_in_training_only(training: bool) -> None:
    step = DescentStep(
        START, IMAGES, LABELS, loss=SoftmaxCrossEntropy(), optimizer=Adam(), learning_rate=0.1, training=training
    )
    name = next(name for name in START.statistics if name.endswith("mean"))
    layer = int(name.partition(".")[0])
    batch = step.array(str(layer - 1))
    mean = batch.mean(axis=tuple(range(1, batch.ndim)))
    np.testing.assert_allclose(step.array(name), mean if training else START.statistics[name], atol=1e-6)
    assert (name in step.given) != training


def test_each_step_drops_other_units() -> None:
    step = begin()
    dropped = [(done.array("8") == 0).tobytes() for done in (step, step.following(0.05))]
    assert dropped[0] != dropped[1]


def test_a_step_changes_neither_its_network_nor_its_state() -> None:
    step = begin(Adam())
    before = {name: array.copy() for name, array in START.params.items()}
    following = step.following(0.1)
    kept = {name: array.copy() for name, array in following.state["mean"].items()}
    _ = following.losses([0.1, 1.0]), following.loss_after, following.following(0.1).updated
    assert all((START.params[name] == array).all() for name, array in before.items())
    assert all((following.state["mean"][name] == array).all() for name, array in kept.items())


def test_the_losses_along_the_direction_are_those_of_steps() -> None:
    step = begin(Momentum()).following(0.05)
    rates = [0.0, 0.01, 0.05, 10.0]
    losses = step.losses(rates)
    assert losses[2] == step.loss_after
    assert losses[1] < losses[0] < losses[3]
    alone = begin(Momentum(), 0.01)
    assert alone.losses([0.0])[0] == alone.loss


@pytest.mark.parametrize(
    ("layers", "loss"),
    [
        ([Dense(36, 3, rng=RNG), Sigmoid()], MeanSquaredError()),
        ([Dense(36, 3, rng=RNG)], BackgroundCrossEntropy()),
        ([Ensemble(Network(Dense(36, 3, rng=RNG)), Dense(36, 3, rng=RNG))], SoftmaxCrossEntropy()),
        (
            [Dense(36, 4, rng=RNG), Frozen(BatchNorm(4), Dense(4, 4, rng=RNG)), ReLU(), Dense(4, 3)],
            SoftmaxCrossEntropy(),
        ),
        ([*START.layers], SoftmaxCrossEntropy()),
    ],
    ids=["squared error", "background", "ensemble", "frozen", "all kinds"],
)
def test_the_stages_compute_every_array_before_it_is_used(layers: list[Layer], loss: Loss) -> None:
    step = DescentStep(
        Network(*layers), IMAGES, LABELS, loss=loss, optimizer=Momentum(), learning_rate=0.1, training=len(layers) != 1
    )
    found = explain.stages(step)
    keys = [stage.key for stage in found]
    assert len(keys) == len(set(keys))
    phases = [stage.phase for stage in found]
    assert list(dict.fromkeys(phases)) == ["input", "forward", "loss", "backward", "update"]
    assert all(a in (b, phases[i]) or phases.index(b) > phases.index(a) for i, (a, b) in enumerate(pairwise(phases)))
    computed = {"images", *step.network.params, *step.network.statistics}
    computed |= {f"{slot}.{name}" for slot in step.optimizer.slots for name in step.network.params}
    # The same numbers under the names that the layers and the loss give them.
    aliases = {"output": str(len(layers) - 1), f"d{len(layers) - 1}": "doutput"}
    for stage in found:
        computed |= set(stage.outputs)
        for name in stage.outputs:
            for source in explain.factor_arrays(step, name):
                assert aliases.get(source, source) in computed, (stage.key, name, source)
    derived = {f"d{name}" for name in step.network.params} | {f"updated.{name}" for name in step.network.params}
    assert derived <= computed


def test_the_stages_of_the_first_network() -> None:
    step = seed_step()
    assert [stage.key for stage in explain.stages(step)] == [
        *("input", "0.forward", "1.forward", "2.forward"),
        *("loss.maximum", "loss.shifted", "loss.exponential", "loss.total", "loss.probability", "loss.target", "loss"),
        *("loss.backward", "2.backward.parameters", "2.backward.input", "1.backward.input"),
        *("0.backward.parameters", "0.backward.input", "0.update", "2.update"),
    ]
    assert explain.stages(step)[-1] == Stage(
        "2.update", "update", "2", "GradientDescent", ("updated.2.weight", "updated.2.bias")
    )
    assert explain.factor_arrays(step, "0") == {"0.bias": "b", "0.weight": "W", "input": "x"}


def seed_step(optimizer: Optimizer | None = None, rate: float = 0.1) -> DescentStep:
    x, y = load_mnist()[1]
    recipe = RECIPES["seed"]
    network = recipe.build(np.random.default_rng(0), (28, 28), 10)
    return DescentStep(
        network, x[:1], y[:1], loss=recipe.plan.loss, optimizer=optimizer or GradientDescent(), learning_rate=rate
    )


def test_arrays_with_one_entry_for_each_image() -> None:
    step = begin()
    for stage in explain.stages(step):
        for name in stage.outputs:
            array = step.array(name)
            expected = array.ndim > 0 and array.shape[-1] == 3 and name not in ("d9.weight", "updated.9.weight")
            if name.endswith((".weight", ".bias", ".scale", ".shift", "3.mean", "3.variance")):
                expected = False
            assert explain.has_batch(step, name) == expected, name


@pytest.mark.parametrize("seed", range(5))
def test_one_of_the_candidates_moves_most(seed: int) -> None:
    step = seed_step()
    asked = explain.moving_weights(step, seed)
    assert asked == explain.moving_weights(step, seed)
    assert asked.name == "0.weight"
    assert len(set(asked.candidates)) == 4
    moves = step.array("updated.0.weight") - step.array("0.weight")
    assert asked.moves == tuple(moves[place] for place in asked.candidates)
    (answer,) = asked.answers
    assert abs(asked.moves[answer]) == np.abs(moves).max()
    others = [abs(move) for i, move in enumerate(asked.moves) if i != answer]
    assert max(others) < 0.6 * abs(asked.moves[answer])
    assert min(others) == 0


def test_the_candidates_stand_in_another_order_for_another_seed() -> None:
    step = seed_step()
    assert len({explain.moving_weights(step, seed).answers for seed in range(8)}) > 1


def test_with_adam_several_move_equally_far_at_first() -> None:
    assert len(explain.moving_weights(seed_step(Adam(), 0.001), 0).answers) >= 1
    assert len(explain.moving_weights(seed_step(GradientDescent(), 0.0), 0).answers) == 4


def test_misuse_gives_one_clear_error() -> None:
    step = begin()
    with pytest.raises(DigitscopeError, match=r"differences are for derivatives, such as d2\.weight"):
        step.terms("updated.2.weight", (0, 0, 0, 0), numeric=True)
    with pytest.raises(DigitscopeError, match=r"updated\.2\.weight has the shape"):
        step.terms("updated.2.weight", (0,))
    with pytest.raises(DigitscopeError, match="expects of to be one of"):
        step.array("nothing")
    with pytest.raises(DigitscopeError, match="one integer for each of 3 images"):
        DescentStep(START, IMAGES, [1], loss=SoftmaxCrossEntropy(), optimizer=Adam(), learning_rate=1.0).terms("loss")


class Slow(GradientDescent):
    """w <- w - learning_rate g / 2"""

    def updated(self, w: Array, g: Array, slots: list[Array], learning_rate: float, step: int) -> tuple[Array, ...]:
        return (w - learning_rate * g / 2,)


def test_an_optimizer_without_a_rule_is_reported_as_unknown() -> None:
    answer = begin(Slow()).terms("updated.9.bias", (0, 0))
    assert (answer.combine, answer.terms, answer.formula) == ("unknown", (), "w <- w - learning_rate g / 2")
