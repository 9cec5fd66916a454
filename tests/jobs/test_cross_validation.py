"""Cross-validation: out-of-fold answers, committees, and what is left of it when it is stopped."""

import hashlib
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from digitscope.datasets import DataSet
from digitscope.errors import ModelError, TrainingError
from digitscope.jobs.cross_validation import (
    TRAINING,
    CrossValidation,
    FoldScore,
    FoldTrainings,
    Progress,
    expected_interval,
)
from digitscope.jobs.train import Settings
from digitscope.model import Model
from digitscope.nn import Ensemble
from digitscope.recipes.held_out import held_out
from digitscope.recipes.recipe import hold_out_fold

T = TypeVar("T")
SETTINGS = Settings("mlp", epochs=2, layers=(16,))


@pytest.fixture
def data(few: DataSet) -> DataSet:
    return DataSet("few", few.x_train[:200], few.y_train[:200])


def result_of(work: Generator[Progress, None, T]) -> T:
    while True:
        try:
            next(work)
        except StopIteration as end:
            value: T = end.value
            return value


def trained(folder: Path, data: DataSet, members: int = 1) -> tuple[CrossValidation, Model]:
    trainings = FoldTrainings(folder, data, SETTINGS, folds=2, members=members, threads=1, checkpoint_every=0)
    validated = result_of(trainings.cross_validate())
    return validated, result_of(trainings.train_all(validated))


def test_each_image_is_read_by_a_model_that_did_not_learn_from_it(data: DataSet, tmp_path: Path) -> None:
    validated, model = trained(tmp_path, data)
    right = 0
    for fold in range(2):
        part, held = hold_out_fold(fold, 2)(data, np.random.default_rng(0))
        own = Model.load(tmp_path / f"fold-{fold + 1}.safetensors")
        assert own.info.train_images == len(part)
        assert own.info.folds == 2
        answers = own.predict(data.x_train[held])
        assert validated.accuracies[fold] == (answers == data.y_train[held]).mean()
        right += int((answers == data.y_train[held]).sum())
    evaluation = validated.evaluation
    assert (evaluation.images, evaluation.accuracy) == (200, right / 200)
    info = model.info
    assert (info.train_images, info.validation_images, info.validation_accuracy) == (200, 200, right / 200)
    assert held_out(info, data) is None  # it learned from all images
    assert model.calibration is not None
    assert model.calibration.temperature == validated.calibration.temperature


def test_a_committee_is_validated_and_calibrated_as_a_whole(data: DataSet, tmp_path: Path) -> None:
    validated, model = trained(tmp_path, data, members=2)
    (ensemble,) = model.network.layers
    assert isinstance(ensemble, Ensemble)
    assert len(ensemble.layers) == 2
    assert [member.seed for member in model.info.members] == [0, 1]
    assert model.info.validation_accuracy == validated.evaluation.accuracy
    assert model.calibration is not None
    model.save(tmp_path / "both.safetensors")
    assert Model.load(tmp_path / "both.safetensors").info == model.info


@pytest.mark.parametrize("stop_after", [1, 3, 4])
def test_a_stopped_one_continues_to_the_same_bytes(data: DataSet, tmp_path: Path, stop_after: int) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    trained(first, data)
    work = FoldTrainings(second, data, SETTINGS, folds=2, threads=1, checkpoint_every=0).cross_validate()
    for _ in range(stop_after):  # within the first fold, at the beginning of the second, within it
        next(work)
    work.close()
    before = {path: path.stat().st_mtime_ns for path in second.glob("fold-*.safetensors")}
    trained(second, data)
    assert digests(second) == digests(first)
    assert {path: path.stat().st_mtime_ns for path in before} == before  # nothing was trained twice


def digests(folder: Path) -> dict[str, str]:
    models = sorted(folder.glob("*.safetensors"))
    assert len(models) == 3
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in models}


def test_a_damaged_checkpoint_says_what_to_do(data: DataSet, tmp_path: Path) -> None:
    (tmp_path / TRAINING).write_bytes(b"damaged")
    work = FoldTrainings(tmp_path, data, SETTINGS, folds=2, threads=1).cross_validate()
    with pytest.raises(ModelError, match=r"Delete .*training\.safetensors to begin this training again"):
        next(work)


def test_what_does_not_fit_is_an_error_before_anything_is_written(data: DataSet, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for folds, members, recipe, message in (
        (50, 1, "mlp", "50 folds expect a class"),
        (1, 1, "mlp", "folds is expected"),
        (2, 0, "mlp", "members is expected"),
        (2, 2, "sigmoid", "expects models trained on a cross-entropy"),
    ):
        with pytest.raises((TrainingError, ModelError), match=message):
            FoldTrainings(folder, data, Settings(recipe), folds=folds, members=members)
    assert not folder.exists()


def test_scores_are_reported_once_for_each_fold(data: DataSet, tmp_path: Path) -> None:
    work = FoldTrainings(tmp_path, data, SETTINGS, folds=3, threads=1).cross_validate()
    scores = [progress for progress in work if isinstance(progress, FoldScore)]
    assert [score.fold for score in scores] == [0, 1, 2]
    assert sum(score.images for score in scores) == 200


def test_the_interval_holds_the_score_on_new_images_19_times_in_20() -> None:
    rng = np.random.default_rng(0)
    n, m, p = 4200, 2800, 0.99
    covered = 0
    for _ in range(2000):
        low, high = expected_interval(float(rng.binomial(n, p)) / n, n, m)
        covered += low <= rng.binomial(m, p) / m <= high
    assert 0.93 < covered / 2000 < 0.975
