"""Where a model comes from: its training and its measured accuracy, as the model file keeps them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from digitscope.arguments import MAX_WHOLE, is_number, shown
from digitscope.errors import ModelError

CHANGES = (
    *("layers", "activation", "dropout", "loss", "label_smoothing"),
    *("optimizer", "weight_decay", "schedule", "augment"),
)
"""The fields for settings that replace the recipe's own; a model file has only those that do."""
_TEXTS = ("recipe", "data", "data_digest", "activation", "loss", "optimizer", "schedule", "augment")
_COUNTS = ("seed", "epochs", "batch_size", "classes", "train_images", "validation_images", "folds")
_NUMBERS = ("learning_rate", "dropout", "label_smoothing", "weight_decay")
_ACCURACIES = ("validation_accuracy", "test_accuracy")


@dataclass(frozen=True)
class FineTuning:
    """One fine-tuning of a model on examples, as `digitscope teach` does it."""

    examples: int
    labels: Mapping[str, int]
    """The number of examples of each class: {"7": 3}."""
    seed: int
    evaluated_images: int
    """Images on which the accuracy before and after was measured."""
    accuracy_before: float
    accuracy_after: float
    data_digest: str | None = None
    """The digest of the examples (`DataSet.digest`)."""

    def __post_init__(self) -> None:
        for name in ("examples", "seed", "evaluated_images"):
            _check_count(name, getattr(self, name))
        for name in ("accuracy_before", "accuracy_after"):
            _check_accuracy(name, getattr(self, name))
        if self.data_digest is not None:
            _check_text("data_digest", self.data_digest)
        if not isinstance(self.labels, Mapping):
            raise ModelError(f"Fine-tuning expects labels as counts by class; got {shown(self.labels)}.")
        for label, count in self.labels.items():
            _check_text("label", label)
            _check_count(f"count of the label {label}", count)

    def as_json(self) -> dict[str, Any]:
        """What the model file holds under "taught"."""
        return {
            "examples": self.examples,
            "labels": dict(self.labels),
            "seed": self.seed,
            "evaluated_images": self.evaluated_images,
            "accuracy_before": self.accuracy_before,
            "accuracy_after": self.accuracy_after,
            "data_digest": self.data_digest,
        }

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """What `as_json` gave.

        Raises: ModelError for anything else.
        """
        keys = "examples", "labels", "seed", "evaluated_images", "accuracy_before", "accuracy_after"
        values = _checked(content, (*keys, "data_digest"))
        if missing := [key for key in keys if key not in values]:
            raise ModelError(f"The record of a fine-tuning lacks {', '.join(missing)}.")
        return cls(**values)


@dataclass(frozen=True)
class TrainingInfo:
    """How a model was trained and how accurate it was; None is what is not known.

    Raises: ModelError for a value of another type or out of its range.
    """

    recipe: str | None = None
    """The recipe's name; "network" for a network that `fit` trained, "ensemble" for models that were combined after
    their training."""
    seed: int | None = None
    epochs: int | None = None
    """Complete passes over the training images; of each member, if the network is an ensemble."""
    learning_rate: float | None = None
    """The highest of the schedule."""
    batch_size: int | None = None
    """Images in a step; None for all of them."""
    data: str | None = None
    """The name of the data set."""
    data_digest: str | None = None
    """The digest of its training images and labels (`DataSet.digest`)."""
    classes: int | None = None
    train_images: int | None = None
    validation_images: int | None = None
    validation_accuracy: float | None = None
    """The accuracy on the validation images, or that of a cross-validation if there are folds."""
    test_accuracy: float | None = None
    layers: tuple[int, ...] | None = None
    """The widths of the hidden dense layers, if they are not the recipe's. The settings up to `augment` are of this
    kind, by the names of `training.settings`."""
    activation: str | None = None
    dropout: float | None = None
    loss: str | None = None
    label_smoothing: float | None = None
    optimizer: str | None = None
    weight_decay: float | None = None
    schedule: str | None = None
    augment: str | None = None
    data_sample: tuple[str, ...] = ()
    """Hashes of some images that it learned from, which recognize them in other files and orders
    (`recipes.held_out.sample_hashes`); none for MNIST."""
    folds: int | None = None
    """The number of folds, if it was cross-validated, or is one of the models that validated another. A model file has
    it only then."""
    members: tuple["TrainingInfo", ...] = ()
    """For an ensemble that was combined after the training: each member's info."""
    taught: tuple[FineTuning, ...] = ()
    """Each fine-tuning since then, the oldest first."""

    def __post_init__(self) -> None:
        checks = (
            (_TEXTS, _check_text),
            (_COUNTS, _check_count),
            (_NUMBERS, _check_number),
            (_ACCURACIES, _check_accuracy),
        )
        for names, check in checks:
            for name in names:
                if (value := getattr(self, name)) is not None:
                    check(name, value)
        for width in self.layers or ():
            _check_count("Each width of layers", width)
        for image_hash in self.data_sample:
            _check_text("Each hash of data_sample", image_hash)

    def without_accuracy(self) -> Self:
        """The same without validation and test accuracy, the members' included: of weights that have changed since."""
        members = tuple(member.without_accuracy() for member in self.members)
        return replace(self, validation_accuracy=None, test_accuracy=None, members=members)

    def as_json(self) -> dict[str, Any]:
        """What the model file holds: the known values in the order of the fields.

        A run of its own (neither an ensemble of models nor fine-tuned) has all values, null where there is none, except
        that a setting which is the recipe's own is left out.
        """
        is_run = self.epochs is not None and not (self.members or self.taught)
        content = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.layers is not None:
            content["layers"] = list(self.layers)
        lists = {name: [part.as_json() for part in content.pop(name)] for name in ("members", "taught")}
        lists["data_sample"] = list(content.pop("data_sample"))
        values = {
            name: value
            for name, value in content.items()
            if value is not None or (is_run and name not in (*CHANGES, "folds"))
        }
        return values | {name: parts for name, parts in lists.items() if parts}

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """What `as_json` gave.

        Raises: ModelError for anything else.
        """
        values = _checked(content, [field.name for field in fields(cls)])
        members = tuple(cls.from_json(member) for member in _list(values.pop("members", []), "members"))
        taught = tuple(FineTuning.from_json(part) for part in _list(values.pop("taught", []), "taught"))
        for name in ("layers", "data_sample"):
            if name in values:
                values[name] = tuple(_list(values[name], name))
        return cls(**values, members=members, taught=taught)


def _checked(content: Any, keys: Sequence[str]) -> dict[str, Any]:
    """A copy of the object, which has no other keys than these."""
    if not isinstance(content, dict):
        raise ModelError(f"The record of the training is expected as a JSON object; got {shown(content)}.")
    if unknown := [key for key in content if key not in keys]:
        raise ModelError(
            f"The record of the training has the unknown key {shown(unknown[0])}; known are {', '.join(keys)}."
        )
    return dict(content)


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise ModelError(f"{name} is expected as a list; got {shown(value)}.")
    return value


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise ModelError(f"{name} is expected as text; got {shown(value)}.")


def _check_count(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < MAX_WHOLE:
        raise ModelError(f"{name} is expected as a whole number from 0; got {shown(value)}.")


def _check_number(name: str, value: object) -> None:
    if not is_number(value):
        raise ModelError(f"{name} is expected as a number; got {shown(value)}.")


def _check_accuracy(name: str, value: object) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ModelError(f"{name} is expected as a number from 0 to 1; got {shown(value)}.")
