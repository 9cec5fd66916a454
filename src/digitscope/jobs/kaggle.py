"""A submission for Kaggle's "Digit Recognizer" competition: cross-validation, training on all rows, the file."""

import io
import json
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from digitscope.arrays import Array
from digitscope.datasets import DataSet, Table, load_data, read_table
from digitscope.errors import DataError, DigitscopeError, TrainingError
from digitscope.files.atomic import check_new, remove_temporary, write_atomic
from digitscope.files.lock import lock_folder
from digitscope.files.opening import exists, shown_path, unreadable
from digitscope.jobs.cross_validation import CrossValidation, FoldTrainings, Progress, expected_interval
from digitscope.jobs.train import Settings
from digitscope.model import Answer
from digitscope.training.settings import setting_text

SETTINGS = "kaggle.json"
"""The file in the folder that says what its models were trained with."""
FINAL = "final.safetensors"
"""The model that made the submission."""
LEAST_SURE = "least-sure.png"
DRAWN = 64
"""The number of images that the picture of the least sure answers shows."""
LISTED = 10
"""The number of least sure answers that are listed."""


@dataclass(frozen=True)
class KaggleResult:
    """What came out: the expected score and the files."""

    validated: CrossValidation
    expected: tuple[float, float]
    """The 95 % interval of the score on as many new images as the test file has."""
    submission: Path
    rows: int
    model: Path
    picture: Path
    """The images with the least sure answers."""
    least_sure: list[tuple[int, Answer]]
    """ImageId and answer of the images with the lowest probability, the lowest first."""
    public_rows: int
    """The number of rows of the test file that are images of MNIST, whose labels are public."""
    repeated_rows: int
    """The number of rows of the test file whose image is also in the training file."""
    has_labels: bool
    """Whether the test file has labels, which were not used."""

    def as_json(self) -> dict[str, Any]:
        """What `digitscope kaggle --json` prints."""
        return {
            "submission": str(self.submission),
            "rows": self.rows,
            "expected_accuracy": self.validated.evaluation.accuracy,
            "expected_interval": list(self.expected),
            "fold_accuracies": list(self.validated.accuracies),
            "validation_images": self.validated.evaluation.images,
            "calibration_error": self.validated.evaluation.reliability.expected_calibration_error,
            "model": str(self.model),
            "picture": str(self.picture),
            "least_sure": [
                {"image_id": number, "digit": answer.digit, "probability": answer.probability}
                for number, answer in self.least_sure
            ],
            "public_rows": self.public_rows,
            "repeated_rows": self.repeated_rows,
        }


def check_submission_name(out: Path) -> None:
    """Raises: DigitscopeError unless the name ends as Kaggle expects it."""
    if out.suffix.lower() != ".csv":
        raise DigitscopeError(f"--out expects a name that ends with .csv, such as mine.csv; got {shown_path(out)}.")


def run_folder(out: Path) -> Path:
    """The folder beside the submission with the models, from which a stopped run continues."""
    return out.with_name(f"{out.stem}-run")


class KaggleJob:
    """The whole way from train.csv to submission.csv. Everything is checked before the first training.

    The models are in `run_folder(out)`, which is locked until the context ends. A job that was stopped, however it
    ended, continues when it is begun again with the same arguments. `force` overwrites the submission, and the folder
    if its models were trained with other settings.

    Raises: DataError for the tables; TrainingError for the settings, or for a folder with other ones; DigitscopeError
        if something of the name exists, or cannot be written.
    """

    def __init__(
        self,
        train_csv: Path,
        test_csv: Path,
        out: Path,
        settings: Settings,
        *,
        folds: int,
        members: int = 1,
        force: bool = False,
        threads: int | None = None,
        checkpoint_every: float = 5.0,
    ) -> None:
        check_submission_name(out)
        if not (force and out.is_file()):
            check_new(out, "--out", otherwise="add --force")
        elif any(source.exists() and source.samefile(out) for source in (train_csv, test_csv)):
            raise DigitscopeError(f"--out is {shown_path(out)}, one of the tables that are read. Choose another name.")
        self.out, self.folder = out, run_folder(out)
        self.train, self.test = _load(train_csv, test_csv)
        self.trainings = FoldTrainings(
            self.folder,
            self.train,
            settings,
            folds=folds,
            members=members,
            threads=threads,
            checkpoint_every=checkpoint_every,
        )
        begun = {
            **{name: value for name, value in asdict(settings).items() if name != "data"},
            "folds": folds,
            "members": members,
            "digest": self.train.digest,
        }
        with ExitStack() as stack:
            self._open_folder(json.loads(json.dumps(begun)), force, stack)
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def work(self) -> Generator[Progress, None, KaggleResult]:
        """Trains what is not trained yet, writes the files and checks the submission.

        Raises: as `FoldTrainings.cross_validate`.
        """
        trainings, images = self.trainings, self.test.images
        validated = yield from trainings.cross_validate()
        model = yield from trainings.train_all(validated)
        model.save(self.folder / FINAL)
        logits = model.logits(images, threads=trainings.threads)
        labels = logits.argmax(axis=1)
        write_submission(self.out, labels, force=True)
        check_submission(self.out, labels)
        confidence = model.probabilities(logits).max(axis=1)
        order = np.argsort(confidence, kind="stable")
        self._draw(images[order[:DRAWN]], order, labels)
        listed = order[:LISTED]
        return KaggleResult(
            validated=validated,
            expected=expected_interval(validated.evaluation.accuracy, validated.evaluation.images, len(images)),
            submission=self.out,
            rows=len(images),
            model=self.folder / FINAL,
            picture=self.folder / LEAST_SURE,
            least_sure=list(zip((listed + 1).tolist(), model.answers_from_logits(logits[listed]), strict=True)),
            public_rows=_count_public(images),
            repeated_rows=_count_among(images, self.train.x_train),
            has_labels=self.test.labels is not None,
        )

    def _draw(self, images: Array, order: Array, labels: Array) -> None:
        """The images of the least sure answers, each above its ImageId and its answer."""
        from PIL import Image

        from digitscope.report.samples import captioned_sheet

        captions = [f"{number + 1}: {labels[number]}" for number in order[: len(images)]]
        content = io.BytesIO()
        Image.fromarray(captioned_sheet(images, captions)).save(content, format="png")
        write_atomic(self.folder / LEAST_SURE, content.getvalue())

    def _open_folder(self, begun: dict[str, Any], force: bool, stack: ExitStack) -> None:
        """Locks the folder, which is then one of a job with these settings."""
        path = self.folder / SETTINGS
        stack.enter_context(lock_folder(self.folder))
        remove_temporary(self.out)
        if not exists(path) and any(self.folder.glob("*.safetensors")):
            raise DigitscopeError(
                f"{shown_path(self.folder)} is where the models go, but it holds others. Choose another --out."
            )
        before = _read_settings(path)
        if before == begun:
            return
        if before is not None and not force:
            name = next(name for name in begun if begun[name] != before.get(name))
            if name == "digest":
                raise TrainingError(
                    f"{shown_path(self.folder)} was begun with another train.csv. Add --force to begin anew, or choose "
                    "another --out."
                )
            raise TrainingError(
                f"{shown_path(self.folder)} was begun with {name.replace('_', ' ')} {setting_text(before.get(name))}; "
                f"got {setting_text(begun[name])}. Continue it with the same settings, add --force to begin anew, or "
                "choose another --out."
            )
        for model in self.folder.glob("*.safetensors"):
            model.unlink()
        write_atomic(path, json.dumps(begun).encode())


def write_submission(path: Path, labels: Array, *, force: bool = False) -> int:
    """Writes ImageId,Label with ids from 1; returns how many. `force` overwrites a file that exists.

    Raises: DigitscopeError if the file exists or cannot be written; DataError if labels are not digits.
    """
    if not force:
        check_new(path, "--out")
    write_atomic(path, _submission(labels))
    return len(labels)


def check_submission(path: Path, labels: Array) -> None:
    """Reads the file again, as Kaggle does. Raises: DigitscopeError if it is not what was written."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
    if content != _submission(labels):
        raise DigitscopeError(f"{shown_path(path)} was changed while it was written. Repeat the command with --force.")


def _submission(labels: Array) -> bytes:
    if len(labels) == 0 or labels.min() < 0 or labels.max() > 9:
        raise DataError(f"A submission expects digits from 0 to 9; got {sorted({int(label) for label in labels})}.")
    lines = [f"{i},{label}" for i, label in enumerate(labels.tolist(), start=1)]
    return ("\n".join(["ImageId,Label", *lines]) + "\n").encode()


def _load(train_csv: Path, test_csv: Path) -> tuple[DataSet, Table]:
    """Both tables. Raises: DataError as `read_table`, and if they do not fit each other or the competition."""
    tables = {path: read_table(path) for path in (train_csv, test_csv)}
    train, test = tables[train_csv], tables[test_csv]
    if train.labels is None:
        swapped = " Are the two files swapped?" if test.labels is not None else ""
        raise DataError(f"{shown_path(train_csv)} has no labels, which training needs.{swapped}")
    if train.labels.max() > 9:
        raise DataError(
            f"{shown_path(train_csv)} has the label {train.labels.max()}; a submission has digits from 0 to 9. Use "
            "digitscope train for other data."
        )
    sizes = [f"{table.images.shape[1]}x{table.images.shape[2]}" for table in (train, test)]
    if sizes[0] != sizes[1]:
        raise DataError(
            f"{shown_path(train_csv)} has images of {sizes[0]} pixels, {shown_path(test_csv)} of {sizes[1]}; one size "
            "is expected. Give two files of the same competition."
        )
    return DataSet(train_csv.name, train.images, train.labels), test


def _read_settings(path: Path) -> dict[str, Any] | None:
    """The settings that the folder was begun with; None if it is new."""
    if not exists(path):
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = {}
    return found if isinstance(found, dict) else {}


def _count_public(images: Array) -> int:
    """The number of images that are among the 70,000 of MNIST."""
    if images.shape[1:] != (28, 28):
        return 0
    mnist = load_data("mnist")
    assert mnist.x_test is not None
    return _count_among(images, np.concatenate([mnist.x_train, mnist.x_test]))


def _count_among(images: Array, others: Array) -> int:
    contents = {image.tobytes() for image in others}
    return sum(image.tobytes() in contents for image in images)
