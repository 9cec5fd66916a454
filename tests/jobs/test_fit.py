"""`fit`, as called by a user who knows NumPy, scikit-learn or PyTorch."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitscope import DataSet, Model, Network, fit
from digitscope.augmentation.augment import Augment
from digitscope.errors import DataError, DigitscopeError, DigitscopeWarning, ShapeError, TrainingError
from digitscope.jobs.fit import PLAN
from digitscope.nn import Adam, BatchNorm, Dense, Dropout, MeanSquaredError, Momentum, OneCycle, ReLU, Sigmoid
from digitscope.recipes import RECIPES
from digitscope.recipes.recipe import hold_out_end
from digitscope.training import Epoch, Step, TailAverage, train
from digitscope.training_info import TrainingInfo


def network(seed: int = 0, inputs: int = 784, outputs: int = 10) -> Network:
    rng = np.random.default_rng(seed)
    return Network(Dense(inputs, 32, rng=rng), BatchNorm(32), ReLU(), Dropout(0.1), Dense(32, outputs, rng=rng))


def same(one: Model, other: Model) -> bool:
    a, b = ({**m.network.params, **m.network.statistics} for m in (one, other))
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.fixture
def pictures(few: DataSet, tmp_path: Path) -> Path:
    """A folder of twenty pictures with one subfolder for each class: two of each digit, dark on light."""
    from PIL import Image

    for digit in range(10):
        (tmp_path / str(digit)).mkdir()
        for i, image in enumerate(few.x_train[few.y_train == digit][:2]):
            large = Image.fromarray(255 - image).resize((140, 140))
            large.save(tmp_path / str(digit) / f"{i}.png")
    return tmp_path


@pytest.fixture(scope="module")
def fitted(few: DataSet) -> Model:
    return fit(network(), few.x_train, few.y_train)


def test_it_learns_validates_and_calibrates(few: DataSet, fitted: Model) -> None:
    assert few.x_test is not None
    assert few.y_test is not None
    evaluation = fitted.evaluate(few.x_test, few.y_test)
    assert evaluation.accuracy > 0.8
    assert fitted.calibration is not None
    _, chosen = hold_out_end(1 / 12)(few, np.random.default_rng(0))
    assert len(fitted.calibration.evidence) == len(chosen) == pytest.approx(100, abs=2)
    assert (fitted.info.train_images, fitted.info.validation_images) == (1200 - len(chosen), len(chosen))
    held_out = fitted.evaluate(few.x_train[chosen], few.y_train[chosen])
    assert fitted.info.validation_accuracy == pytest.approx(held_out.accuracy)
    assert (fitted.info.epochs, fitted.info.learning_rate, fitted.info.batch_size) == (5, 0.01, 128)


def test_arguments_are_not_changed(few: DataSet) -> None:
    start = network()
    before = {name: value.copy() for name, value in {**start.params, **start.statistics}.items()}
    model = fit(start, few.x_train, few.y_train, epochs=1)
    again = fit(model, few.x_train, few.y_train, epochs=1)
    for name, value in {**start.params, **start.statistics}.items():
        np.testing.assert_array_equal(value, before[name])
    assert not same(model, again)
    assert same(model, fit(network(), few.x_train, few.y_train, epochs=1))


def test_equal_arguments_give_equal_bits_on_any_number_of_threads(few: DataSet) -> None:
    models = [
        fit(network(), few.x_train, few.y_train, epochs=1, seed=seed, threads=threads)
        for seed, threads in ((3, 1), (3, 2), (4, 1))
    ]
    assert same(models[0], models[1])
    assert not same(models[0], models[2])


def test_a_recipe_by_name_gives_the_model_of_the_command(few: DataSet) -> None:
    model = fit("mlp", few, epochs=1, seed=2, threads=1)
    training = RECIPES["mlp"].with_settings(epochs=1).start(few, seed=2)
    for _ in train(training.run, training.images, training.labels):
        pass
    expected = training.run.outcome(training.images)
    for name, value in expected.params.items():
        np.testing.assert_array_equal(model.network.params[name], value)
    assert (model.info.recipe, model.info.seed, model.info.data) == ("mlp", 2, "few")
    assert same(model, fit("mlp", few.x_train, few.y_train, epochs=1, seed=2))


def test_settings_by_name_and_as_a_plan_are_the_same(few: DataSet) -> None:
    named = fit(network(), few.x_train, few.y_train, epochs=2, learning_rate=0.1, batch_size=64, optimizer=Momentum())
    plan = replace(PLAN, epochs=2, schedule=OneCycle(0.1), batch_size=64, optimizer=Momentum())
    assert same(named, fit(network(), few.x_train, few.y_train, plan=plan))


def test_a_recipes_settings_are_those_of_the_command(few: DataSet) -> None:
    model = fit("mlp", few, epochs=1, layers=[16, 16], activation="tanh", optimizer=Adam(), augment=Augment(shift=1))
    recipe = RECIPES["mlp"].with_settings(
        epochs=1, layers=(16, 16), activation="tanh", optimizer="adam", augment="shift=1"
    )
    training = recipe.start(few, seed=0)
    for _ in train(training.run, training.images, training.labels):
        pass
    for name, value in training.run.outcome(training.images).params.items():
        np.testing.assert_array_equal(model.network.params[name], value)
    info = model.info
    assert (info.layers, info.activation, info.optimizer, info.augment) == ((16, 16), "tanh", "adam", "shift=1")
    assert TrainingInfo.from_json(info.as_json()) == info


def test_another_loss_and_distorted_images(few: DataSet) -> None:
    rng = np.random.default_rng(0)
    seen: list[tuple[int, ...]] = []

    def flip(images: Any, rng: np.random.Generator) -> Any:
        seen.append(images.shape)
        return (images[:, :, ::-1].reshape(len(images), -1) / np.float32(255)).T

    start = Network(Dense(784, 10, rng=rng), Sigmoid())
    model = fit(start, few.x_train, few.y_train, loss=MeanSquaredError(), augment=flip, epochs=1, threads=1)
    assert isinstance(model.loss, MeanSquaredError)
    assert seen


class TestValidation:
    def test_own_images(self, few: DataSet) -> None:
        assert few.x_test is not None
        assert few.y_test is not None
        model = fit(network(), few.x_train, few.y_train, epochs=1, validation=(few.x_test / 255, few.y_test))
        assert (model.info.train_images, model.info.validation_images) == (1200, 300)
        assert model.info.validation_accuracy == pytest.approx(model.evaluate(few.x_test, few.y_test).accuracy)

    def test_a_share(self, few: DataSet) -> None:
        model = fit(network(), few.x_train, few.y_train, epochs=1, validation=0.25)
        assert model.info.validation_images == pytest.approx(300, abs=2)

    def test_none(self, few: DataSet) -> None:
        model = fit(network(), few.x_train, few.y_train, epochs=1, validation=0)
        assert (model.info.train_images, model.info.validation_images) == (1200, 0)
        assert (model.calibration, model.info.validation_accuracy) == (None, None)

    def test_images_sorted_by_class_are_held_out_of_each_class(self, few: DataSet) -> None:
        order = np.argsort(few.y_train, kind="stable")
        model = fit(network(), few.x_train[order], few.y_train[order], epochs=2)
        assert model.info.validation_accuracy is not None
        assert model.info.validation_accuracy > 0.5  # the last twelfth would be nines, of which none were seen
        assert set(model.predict(few.x_train[:50]).tolist()) == set(range(10))

    def test_a_class_that_is_not_learned_or_not_validated_is_a_warning(self, few: DataSet) -> None:
        keep = np.flatnonzero(few.y_train != 3)[:100]
        with pytest.warns(DigitscopeWarning, match="No training image is of class 3: the network has an output"):
            fit(network(), few.x_train[keep], few.y_train[keep], epochs=1)
        others = few.y_train != 5
        with pytest.warns(DigitscopeWarning, match="No validation image is of class 5"):
            fit(network(), few, epochs=1, validation=(few.x_train[others], few.y_train[others]))

    @pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
    def test_no_share(self, few: DataSet, share: float) -> None:
        with pytest.raises(TrainingError, match="share"):
            fit(network(), few.x_train, few.y_train, validation=share)


class TestFineTuning:
    def test_frozen_layers_stay_and_the_others_learn(self, few: DataSet, fitted: Model) -> None:
        model = fit(fitted, few.x_train, few.y_train, epochs=1, freeze=[0, 1])
        before, after = fitted.network, model.network
        assert [type(layer) for layer in after.layers] == [type(layer) for layer in before.layers]
        for name, value in {**after.params, **after.statistics}.items():
            same_bits = np.array_equal(value, {**before.params, **before.statistics}[name])
            assert same_bits == name.startswith(("0.", "1.")), name

    def test_with_averaged_weights_and_shifts(self, few: DataSet, fitted: Model) -> None:
        plan = replace(PLAN, epochs=1, averaging=TailAverage(0.5), shifts=((0, 0), (1, 0)))
        model = fit(fitted, few.x_train, few.y_train, plan=plan, freeze=[0])
        np.testing.assert_array_equal(model.network.params["0.0.weight"], fitted.network.params["0.weight"])
        assert model.network.params.keys() == {f"0.{name}" for name in fitted.network.params}

    def test_on_a_folder_of_pictures(self, pictures: Path, fitted: Model) -> None:
        model = fit(fitted, pictures, epochs=2, freeze=[0])
        assert model.info.classes == 10
        assert model.info.train_images == 10  # and the other picture of each digit validates

    def test_on_some_of_its_classes_and_validated_on_all(self, few: DataSet, fitted: Model) -> None:
        low = np.flatnonzero(few.y_train < 5)[:50]
        last = slice(-100, None)
        validation = few.x_train[last], few.y_train[last]
        model = fit(fitted, few.x_train[low], few.y_train[low], epochs=1, validation=validation)
        assert (model.info.validation_images, model.info.classes) == (100, 10)
        with pytest.raises(DataError, match="from 0 to 4; got 9"):  # a new network would not learn them
            fit(network(), few.x_train[low], few.y_train[low], epochs=1, validation=validation)

    def test_the_augmentation_is_that_of_the_recipe(self, few: DataSet) -> None:
        model = fit("convnet", few, epochs=1)
        images, labels = few.x_train[:200], few.y_train[:200]
        augment = RECIPES["convnet"].plan.augment
        distorted = fit(model, images, labels, epochs=1)
        assert same(distorted, fit(model, images, labels, epochs=1, augment=augment))
        assert not same(distorted, fit(replace(model, info=TrainingInfo()), images, labels, epochs=1))

    @pytest.mark.parametrize(
        ("freeze", "message"),
        [([5], "indices of 5 layers, 0 to 4; got 5"), ([0, 1, 4], "Nothing is left to learn")],
    )
    def test_layers_that_cannot_be_frozen(self, few: DataSet, fitted: Model, freeze: list[int], message: str) -> None:
        with pytest.raises(TrainingError, match=message):
            fit(fitted, few.x_train, few.y_train, freeze=freeze)


def test_a_callback_sees_each_result_and_may_stop(few: DataSet) -> None:
    results: list[Step | Epoch] = []
    fit(network(), few.x_train, few.y_train, epochs=2, callback=results.append)
    assert [r.epoch for r in results if isinstance(r, Epoch)] == [1, 2]
    assert sum(isinstance(r, Step) for r in results) == 2 * 9
    stopped: list[Epoch] = []

    def stop(result: Step | Epoch) -> bool:
        if isinstance(result, Epoch):
            stopped.append(result)
        return isinstance(result, Epoch)

    model = fit(network(), few.x_train, few.y_train, epochs=50, callback=stop)
    assert len(stopped) == 1
    assert (model.info.epochs, model.info.validation_accuracy) == (1, stopped[0].validation_accuracy)


def test_verbose_prints_a_line_for_each_epoch(few: DataSet, capsys: pytest.CaptureFixture[str]) -> None:
    fit(network(), few.x_train, few.y_train, epochs=2, verbose=1)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["1/2", "2/2"]
    assert all("validation loss" in line for line in lines)
    fit(network(), few.x_train, few.y_train, epochs=1)
    assert capsys.readouterr().out == ""


def test_images_of_another_size_and_other_classes(few: DataSet) -> None:
    small = few.x_train[:300, ::2, ::2]
    model = fit(network(inputs=196, outputs=12), small / 255.0, few.y_train[:300], epochs=1)
    assert model.image_shape == (14, 14)
    assert model.predict_proba(small[:3]).shape == (3, 12)
    rows = np.random.default_rng(0).integers(0, 256, (60, 10), dtype=np.uint8)
    assert fit(network(inputs=10, outputs=2), rows, np.arange(60) % 2, epochs=1).predict(rows).shape == (60,)


REFUSED: dict[str, tuple[Callable[[DataSet], Any], type[DigitscopeError], str]] = {
    "no labels": (lambda few: fit(network(), few.x_train), DataError, "got images alone"),
    "labels twice": (lambda few: fit(network(), few, few.y_train), DataError, "Leave them out"),
    "no recipe": (lambda few: fit("convent", few), TrainingError, "one of seed.*got 'convent'"),
    "no data": (lambda few: fit("mlp", "nowhere"), DataError, "'nowhere' is neither a known source"),
    "a frozen recipe": (lambda few: fit("mlp", few, freeze=[0]), TrainingError, "Leave it out"),
    "another size": (
        lambda few: fit(network(), few.x_train[:, 2:], few.y_train),
        ShapeError,
        r"The network does not fit images of 26x28 pixels\. Dense expects \(784, N\)",
    ),
    "a label among the columns": (
        lambda few: fit(network(), np.c_[few.y_train, few.x_train.reshape(len(few.y_train), -1)], few.y_train),
        ShapeError,
        r"images of 1x785 pixels\. Are there columns that are not pixels\?",
    ),
    "too many classes": (
        lambda few: fit(network(outputs=5), few.x_train, few.y_train),
        DataError,
        "from 0 to 4; got 9",
    ),
    "a plan and settings": (
        lambda few: fit(network(), few, plan=PLAN, epochs=3, learning_rate=1.0),
        TrainingError,
        "got epochs, learning_rate as well",
    ),
    "layers of a network": (
        lambda few: fit(network(), few, layers=(3,), dropout=0.1),
        TrainingError,
        "layers, dropout can be set for a recipe",
    ),
    "no optimizer": (lambda few: fit(network(), few, optimizer="sgd"), TrainingError, "optimizer expects one of"),
    "no epochs": (lambda few: fit(network(), few, epochs=0), TrainingError, "epochs"),
    "no batch": (lambda few: fit(network(), few, batch_size=0), TrainingError, "batch_size"),
    "no rate": (
        lambda few: fit(network(), few, learning_rate=-1.0),
        TrainingError,
        "learning rate is expected to be positive; got -1.0",
    ),
    "one image": (lambda few: fit(network(), few.x_train[:1], few.y_train[:1]), TrainingError, "at least 2 images"),
}


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_misuse_is_one_clear_error(
    few: DataSet, call: Callable[[DataSet], Any], error: type[DigitscopeError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        call(few)
    assert "\n" not in str(caught.value)
