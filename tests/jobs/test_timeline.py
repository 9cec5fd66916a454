"""A training that goes back: any step of any branch is reached with the same bits."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitscope.arrays import Array
from digitscope.datasets import DataSet
from digitscope.errors import DigitscopeError, ModelError, TrainingError
from digitscope.jobs import timeline as timeline_module
from digitscope.jobs.layer_list import LayerChoice
from digitscope.jobs.timeline import Experiment, Timeline
from digitscope.jobs.train import Job, Settings
from digitscope.recipes import RECIPES
from digitscope.training import ExponentialAverage, SingleStep

TIMES = ("seconds", "examples_per_second")


@pytest.fixture
def experiment(few_file: Path) -> Experiment:
    return Experiment("mlp", data=str(few_file), seed=5, epochs=3, batch_size=50, augment="standard")


@pytest.fixture
def timeline(experiment: Experiment, tmp_path: Path) -> Iterator[Timeline]:
    started = Timeline.begin(tmp_path / "run", experiment)
    yield started
    started.close()


def finish(timeline: Timeline) -> None:
    for _ in timeline.results(threads=1):
        pass


def go(timeline: Timeline, branch: int, step: int) -> None:
    for _ in timeline.go(branch, step, threads=1):
        pass
    assert (timeline.branch, timeline.step) == (timeline.branch_at(branch, step), step)


def weights(timeline: Timeline) -> list[Array]:
    return [p.copy() for p in timeline.run.network.params.values()]


def figures(timeline: Timeline, branch: int = 0) -> dict[str, list[float | None]]:
    return {name: column for name, column in timeline.curves[branch].items() if name not in TIMES}


def assert_equal(one: list[Array], other: list[Array]) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def states(experiment: Experiment, folder: Path, steps: list[int]) -> dict[int, list[Array]]:
    """The weights after these steps of a training that was never stopped."""
    timeline = Timeline.begin(folder, experiment)
    found = {0: weights(timeline)}
    for _ in timeline.results(threads=1, is_wanted=lambda step: step in steps):
        found.setdefault(timeline.step, weights(timeline))
    timeline.close()
    return found


def test_the_model_is_that_of_the_command_line(timeline: Timeline, experiment: Experiment, tmp_path: Path) -> None:
    finish(timeline)
    timeline.model(threads=1).save(tmp_path / "own.safetensors")
    settings = Settings("mlp", str(experiment.data), epochs=3, batch_size=50, seed=5, augment="standard")
    with Job.begin(settings, tmp_path / "job") as job:
        for _ in job.work(threads=1, checkpoint_every=1e9):
            pass
        trained = job.training.run.network.params
        job.finish(threads=1)
    for name, expected in trained.items():
        np.testing.assert_array_equal(timeline.model(threads=1).network.params[name], expected)
    # The file differs in the test accuracy only, which the command line measures at the end.
    own, other = ((tmp_path / name).read_bytes() for name in ("own.safetensors", "job/model.safetensors"))
    assert b'\\"test_accuracy\\": null' in own
    assert len(own) <= len(other) <= len(own) + 64
    assert own[-100_000:] == other[-100_000:]


def test_every_step_is_reached_with_the_same_bits(
    timeline: Timeline, experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline_module, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(timeline_module, "SAVE_SHARE", 1e9)
    batches = timeline.batches
    asked = [0, 1, batches - 1, batches, batches + 1, 2 * batches + 3, 3 * batches]
    expected = states(experiment, tmp_path / "other", asked)
    finish(timeline)
    curve = figures(timeline)
    assert len(timeline.kept(0)) > 5
    for step in [3 * batches, 1, batches, 0, 2 * batches + 3, batches + 1, batches - 1]:
        go(timeline, 0, step)
        assert_equal(weights(timeline), expected[step])
    finish(timeline)
    assert_equal(weights(timeline), expected[3 * batches])
    assert figures(timeline) == curve


def test_a_branch_keeps_both_curves(timeline: Timeline) -> None:
    batches = timeline.batches
    finish(timeline)
    end, curve = weights(timeline), figures(timeline)
    go(timeline, 0, batches + 2)
    timeline.fork({"learning_rate": 0.01, "epochs": 4, "optimizer": "adam"})
    assert (timeline.branch, timeline.step, timeline.steps) == (1, batches + 2, 4 * batches)
    finish(timeline)
    other = weights(timeline)
    assert not np.array_equal(end[0], other[0])
    assert figures(timeline, 0) == curve
    common = sum(step is not None and step <= batches + 2 for step in curve["step"])
    assert figures(timeline, 1)["loss"][:common] == curve["loss"][:common]
    # The next loss is that before the first step with other settings.
    assert figures(timeline, 1)["loss"][common] == curve["loss"][common]
    assert figures(timeline, 1)["loss"][common + 1] != curve["loss"][common + 1]
    assert timeline.changes_of(1) == {
        **timeline.experiment.changes,
        "learning_rate": 0.01,
        "epochs": 4,
        "optimizer": "adam",
    }
    go(timeline, 1, 2)
    assert timeline.branch == 0  # the branches have these steps in common
    go(timeline, 0, 3 * batches)
    assert_equal(weights(timeline), end)
    go(timeline, 1, 4 * batches)
    assert_equal(weights(timeline), other)
    assert timeline.model(threads=1).info.epochs == 4


def test_a_training_is_found_again_in_its_folder(timeline: Timeline, tmp_path: Path) -> None:
    batches = timeline.batches
    go(timeline, 0, batches + 3)
    timeline.fork({"learning_rate": 0.05})
    go(timeline, 1, batches + 5)
    timeline.save()
    timeline.write_state({"state": "running"})
    there = weights(timeline)
    finish(timeline)
    end, curves = weights(timeline), [figures(timeline, branch) for branch in (0, 1)]
    with pytest.raises(TrainingError, match="in use by another training"):
        Timeline.open(tmp_path / "run")
    timeline.close()
    found, noted = Timeline.open(tmp_path / "run")
    assert noted == {"state": "running", "branch": 1, "step": batches + 5}
    go(found, noted["branch"], noted["step"])
    assert_equal(weights(found), there)
    finish(found)
    assert_equal(weights(found), end)
    assert figures(found, 1) == curves[1]
    found.close()


def test_checkpoints_are_few_and_spread(timeline: Timeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline_module, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(timeline_module, "SAVE_SHARE", 1e9)
    monkeypatch.setattr(timeline_module, "MAX_CHECKPOINTS", 6)
    finish(timeline)
    kept = timeline.kept(0)
    assert len(kept) == 6
    assert (kept[0], kept[-1]) == (0, 3 * timeline.batches)
    assert np.diff(kept).max() <= 3 * np.diff(kept).min() + 2
    monkeypatch.setattr(timeline_module, "MAX_BYTES", 0)
    go(timeline, 0, 30)
    timeline.save()
    assert timeline.kept(0) == [0, 3 * timeline.batches]
    assert len(list((timeline.folder / "branch-0").iterdir())) == 2


def test_a_single_step_is_one_step(timeline: Timeline) -> None:
    results = timeline.results(threads=1, is_wanted=lambda step: True)
    steps = [timeline.step for result in results if isinstance(result, SingleStep)]
    assert steps == list(range(1, 3 * timeline.batches + 1))


def test_a_network_of_layers_learns_like_a_rung(few_file: Path, tmp_path: Path) -> None:
    layers = (LayerChoice("dense", units=20), LayerChoice("relu"))
    experiment = Experiment("network", layers, str(few_file), images=600, seed=2, epochs=2)
    assert Experiment.from_json(json.loads(json.dumps(experiment.as_json()))) == experiment
    timeline = Timeline.begin(tmp_path / "run", experiment)
    assert len(timeline.data.y_train) == 600
    finish(timeline)
    model = timeline.model(threads=1)
    assert model.info.recipe == "network"
    assert (model.info.validation_accuracy or 0) > 0.5
    timeline.close()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"batch_size": 3}, "A branch can change epochs, learning_rate, .*; got batch_size"),
        ({"epochs": 1}, "epochs is expected to be at least 2; got 1"),
        ({"learning_rate": -1.0}, "learning rate is expected to be positive"),
        ({"optimizer": "best"}, "optimizer expects one of"),
    ],
)
def test_what_a_branch_cannot_change_is_one_error(
    timeline: Timeline, changes: dict[str, object], expected: str
) -> None:
    go(timeline, 0, timeline.batches + 1)
    with pytest.raises(TrainingError, match=expected):
        timeline.fork(changes)
    assert len(timeline.branches) == 1
    finish(timeline)


def test_steps_and_branches_that_are_not_there(timeline: Timeline) -> None:
    with pytest.raises(TrainingError, match="There are 1 branches, from 0; got 1"):
        timeline.branch_at(1, 0)
    with pytest.raises(TrainingError, match="steps 0 to 66; got 67"):
        timeline.branch_at(0, 67)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"recipe": "best"}, "recipe expects one of seed"),
        ({"recipe": "mlp", "network": (LayerChoice("relu"),)}, "A list of layers is expected with the recipe network"),
        ({"recipe": "network", "layers": (3,)}, "layers can be set for a recipe"),
        ({"recipe": "mlp", "images": 5}, "images is expected as a whole number from 20 on"),
        ({"recipe": "mlp", "seed": -1}, "seed is expected as a whole number from 0 on"),
    ],
)
def test_an_experiment_that_cannot_be(values: dict[str, Any], expected: str) -> None:
    with pytest.raises(DigitscopeError, match=expected):
        Experiment(**values)


def test_more_images_than_there_are(few_file: Path) -> None:
    with pytest.raises(DigitscopeError, match="has 1,200 training images; got 1,201"):
        Experiment("mlp", data=str(few_file), images=1201).load()


def test_the_end_of_a_training_with_averaged_weights_is_a_step_like_others(
    few_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its network is the average; its weights are still those of the last step, from which a branch can go on."""
    recipe = RECIPES["mlp"].with_settings(epochs=1, batch_size=20)
    recipe = replace(recipe, plan=replace(recipe.plan, averaging=ExponentialAverage(0.9)))
    monkeypatch.setattr(Experiment, "changed_recipe", lambda self: recipe)
    experiment = Experiment("mlp", data=str(few_file), images=200)
    timeline = Timeline.begin(tmp_path / "run", experiment)
    last = timeline.steps
    expected = states(experiment, tmp_path / "other", [last])[last]
    finish(timeline)
    assert_equal(weights(timeline), expected)
    average = timeline.run.outcome(timeline.training.images).params.values()
    assert not all(np.array_equal(a, b) for a, b in zip(average, expected, strict=True))
    timeline.fork({"epochs": 2})
    go(timeline, 1, last + 1)
    go(timeline, 0, last)
    assert_equal(weights(timeline), expected)
    timeline.close()


def test_a_training_is_opened_as_its_last_process_left_it(
    timeline: Timeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that ends, because its server was killed, saves the training last of all, while the next one waits."""
    timeline.write_state({"state": "running"})

    def save_and_end(seconds: float) -> None:
        if timeline.step == 0:
            go(timeline, 0, 7)
            timeline.save()
            timeline.write_state({"state": "running"})
            timeline.close()

    monkeypatch.setattr(time, "sleep", save_and_end)
    found, noted = Timeline.open(tmp_path / "run", patience=60)
    found.close()
    assert noted["step"] == 7


def test_data_that_have_changed_are_one_error(few: DataSet, tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    np.savez(path, x_train=few.x_train[:100], y_train=few.y_train[:100])
    timeline = Timeline.begin(tmp_path / "run", Experiment("mlp", data=str(path)))
    timeline.write_state({})
    timeline.close()
    np.savez(path, x_train=few.x_train[1:101], y_train=few.y_train[1:101])
    with pytest.raises(TrainingError, match="has changed since the training began"):
        Timeline.open(tmp_path / "run")


def test_images_that_are_too_large(tmp_path: Path) -> None:
    np.savez(tmp_path / "large.npz", x_train=np.zeros((20, 129, 128), np.uint8), y_train=np.arange(20) % 2)
    with pytest.raises(DigitscopeError, match="129x128 pixels in 2 classes; up to 16,384 pixels and 100 classes"):
        Experiment("mlp", data=str(tmp_path / "large.npz")).load()


def test_a_damaged_folder_is_one_error(timeline: Timeline, tmp_path: Path) -> None:
    timeline.write_state({})
    timeline.close()
    for path in (timeline.folder / "branch-0").iterdir():
        path.unlink()
    with pytest.raises(ModelError, match="checkpoints of branch 0 are missing"):
        Timeline.open(timeline.folder)
    (timeline.folder / timeline_module.STATE).write_text('{"experiment": {"recipe": "mlp", "speed": 3}}')
    with pytest.raises(DigitscopeError, match="no setting 'speed'"):
        Timeline.open(timeline.folder)
    (timeline.folder / timeline_module.STATE).write_text("[]")
    with pytest.raises(ModelError, match="missing or damaged"):
        Timeline.open(timeline.folder)
