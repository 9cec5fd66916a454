"""What the classifiers for scikit-learn have in common: `fit`, `partial_fit` and predictions."""

import math
import os
import sys
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from joblib.parallel import get_active_backend
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_array, check_consistent_length, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from digitscope.arguments import check_kind, check_number, check_truth, check_whole, is_number, shown
from digitscope.arrays import Array
from digitscope.errors import ArgumentError
from digitscope.metrics import percentage
from digitscope.nn import Constant, Network, ShiftAverage
from digitscope.nn.optimizers import State
from digitscope.sklearn.callbacks import CallbackSupport, with_callbacks
from digitscope.sklearn.classifier_file import read_classifier, write_classifier
from digitscope.sklearn.preparation import RowPreparation
from digitscope.training import Epoch, Plan, Run, Step, thread_count, train
from digitscope.training.inference import outputs_in_chunks

FLOPS_FOR_THREADS = 3e10
"""Minimum floating-point operations of a fit (about a second) for more than one thread."""


@dataclass(frozen=True, eq=False)
class Beginning:
    """What `fit` and the first `partial_fit` start from."""

    network: Network
    plan: Plan
    preparation: RowPreparation
    rng: np.random.Generator
    """Random generator of the run."""
    batch_size: int | None
    """The largest batch of `partial_fit`; None for all rows."""
    extra_images: Array | None = None
    extra_labels: Array | None = None
    """Examples that a recipe adds to those that are given."""


class NetworkClassifier(ClassifierMixin, CallbackSupport, BaseEstimator):  # type: ignore[misc]
    """A network as a classifier of scikit-learn. A derived class says which network, by `_begin`."""

    epochs: int | None
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    tol: float
    random_state: Any
    n_threads: int | None
    verbose: int
    classes_: Array
    n_iter_: int
    loss_curve_: list[float]
    validation_scores_: list[float]
    _network: Network
    _plan: Plan
    """The plan of `fit`, without test-time shifts."""
    _shifts: tuple[tuple[int, int], ...]
    _preparation: RowPreparation
    _batch_size: int | None
    _rng: np.random.Generator
    """Random generator of further trainings by `partial_fit`."""
    _optimizer_state: State | None
    _steps: int
    """Steps that the optimizer's state comes from."""

    @abstractmethod
    def _begin(self, rows: Array, labels: Array, weights: Array | None, seed: int) -> Beginning:
        """Checks the parameters, draws the network and finds out how rows are prepared.

        Shapes: rows (N, D); labels integers (N,), indices of `classes_`; weights (N,)
        """

    @abstractmethod
    def _settings(self, preparation: RowPreparation) -> tuple[Plan, int | None]:
        """The plan of `fit`, but for what depends on the number of rows, and the largest batch of `partial_fit`."""

    @property
    @abstractmethod
    def _partial_rate(self) -> float:
        """The learning rate of `partial_fit`."""

    def _rows(self, X: Any, y: Any = "no_validation", *, reset: bool) -> Any:
        """X as a table of finite numbers, with y if it is given."""
        return validate_data(self, X, y, reset=reset, dtype=[np.float64, np.float32])

    @with_callbacks
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Trains a new network.

        X: one row for each example. y: their classes, of any type.
        sample_weight: how much each example counts. The loss is the weighted mean; a weight of 0 leaves an example out.

        Raises: ValueError for arrays and parameters that cannot be used; DivergenceError if the learning rate is too
            high.
        """
        rows, y = self._rows(X, y, reset=True)
        check_classification_targets(y)
        self.__dict__.pop("_network", None)  # An estimator whose fit fails is not fitted.
        self.classes_, labels = np.unique(y, return_inverse=True)
        examples = _weighted_rows(rows, labels, sample_weight)
        self._check_training_parameters()
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        validation = None
        if self.early_stopping:
            held_out = _held_out(examples.labels, self.validation_fraction, np.random.default_rng(seed))
            examples, validation = examples.chosen(~held_out), examples.chosen(held_out)
        start = self._begin(*examples, seed)
        self._take(start)
        # Hooks get what the user gave: `fitted_estimator` must be able to predict it, names of columns included.
        given = {"X": X, "y": y, "metadata": {} if sample_weight is None else {"sample_weight": sample_weight}}
        self._learn(start, examples, validation, given)
        return self

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Takes one pass over these examples, at a constant learning rate, with the network as it is.

        classes: all classes that there are; required for the first call, unless `fit` came before.

        How rows are scaled is decided in the first call: give it rows that are typical.
        """
        first = not hasattr(self, "_network")
        if first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        rows, y = self._rows(X, y, reset=first)
        check_classification_targets(y)
        if classes is not None:
            given = np.unique(np.asarray(classes))
            if not first and not np.array_equal(given, self.classes_):
                raise ValueError(f"classes is expected as in the first call, {self.classes_}; got {given}.")
        known = given if first else self.classes_
        if len(unknown := np.setdiff1d(y, known)):
            raise ValueError(f"y is expected to have the classes {known}; got {unknown[0]} as well.")
        rows, labels, weights = _weighted_rows(rows, np.searchsorted(known, y), sample_weight)
        self._check_training_parameters()
        if first:
            self.classes_ = known
            seed = int(check_random_state(self.random_state).randint(2**31 - 1))
            start = self._begin(rows, labels, weights, seed)
            self._take(start)
            self._network = start.network
        plan = replace(
            self._plan,
            epochs=1,
            batch_size=equal_batches(len(labels), self._batch_size),
            schedule=Constant(self._partial_rate),
            averaging=None,
        )
        examples = self._preparation.examples(rows)
        run = Run.start(self._network.map_arrays(np.copy), plan, len(labels), self._rng.spawn(1)[0])
        one_learner = len(run.learners) == 1  # The members of an ensemble start anew.
        if one_learner and self._optimizer_state is not None:
            run.optimizer_state, run.steps_before = self._optimizer_state, self._steps
        losses = _EpochLosses(run)
        for result in train(run, examples, labels, weights=weights, threads=self._threads(run)):
            losses.add(result)
        self._network = run.network
        self._optimizer_state = run.optimizer_state if one_learner else None
        self._steps += plan.batches(len(labels))
        self.n_iter_ += run.epochs
        self.loss_curve_.extend(losses.means)
        return self

    def predict_proba(self, X: ArrayLike) -> Array:
        """The probability of each class of `classes_` for each row, (N, classes); rows add up to 1.

        Computed in float64, in chunks of one size: a row alone gets what it gets among others.
        """
        check_is_fitted(self)
        features = self._preparation.features(self._rows(X, reset=False))
        network = self._predicting_network().astype(np.float64)
        outputs = outputs_in_chunks(network, features, threads=self._available_threads(), padded=True)
        outputs = outputs[: len(self.classes_)]
        # NumPy adds up a single column in another order than one of several.
        several = np.concatenate([outputs, outputs], axis=1)
        probabilities: Array = self._plan.loss.probabilities(several)[:, : len(features)].T
        return probabilities

    def predict(self, X: ArrayLike) -> Array:
        """The most probable class of each row, (N,)."""
        chosen = self.predict_proba(X).argmax(axis=1)
        labels: Array = self.classes_[chosen]
        return labels

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the fitted classifier with its parameters, classes and names of features to a safetensors file.

        Raises: NotFittedError before `fit`; ArgumentError for parameters that are objects; DigitscopeError if the file
            cannot be written.
        """
        check_is_fitted(self)
        check_kind("path", path, "a file name", str, os.PathLike)
        write_classifier(Path(path), self)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Reads what `save` wrote. No code in the file is run.

        It predicts the same to the bit. `partial_fit` goes on from the weights, with a new state of the optimizer.
        Raises: ModelError if there is no such file, or it is not a whole classifier of this class.
        """
        check_kind("path", path, "a file name", str, os.PathLike)
        found: Self = read_classifier(Path(path), cls)
        return found

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_network")

    @property
    def network_(self) -> Network:
        """The trained network."""
        check_is_fitted(self)
        return self._network

    def _predicting_network(self) -> Network:
        """The trained network, with the test-time shifts of its plan."""
        if not self._shifts:
            return self._network
        height, width = self._preparation.input_shape
        return Network(ShiftAverage(self._network, height, width, self._shifts))

    def _take(self, start: Beginning) -> None:
        self._set_plan(start.plan, start.preparation, start.batch_size)
        self._rng = start.rng

    def _restore(self, network: Network, preparation: RowPreparation) -> None:
        """Makes this the classifier that was trained with its parameters to this network."""
        plan, batch_size = self._settings(preparation)
        self._set_plan(plan, preparation, batch_size)
        self._rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        self._network = network

    def _set_plan(self, plan: Plan, preparation: RowPreparation, batch_size: int | None) -> None:
        self._shifts, self._plan = plan.shifts, replace(plan, shifts=())
        self._preparation, self._batch_size = preparation, batch_size
        self._optimizer_state, self._steps = None, 0
        self.n_iter_, self.loss_curve_ = 0, []

    def _check_training_parameters(self) -> None:
        check_whole("epochs", self.epochs, 1, optional=True)
        check_truth("early_stopping", self.early_stopping)
        if not (is_number(self.validation_fraction) and 0 < self.validation_fraction < 1):
            raise ArgumentError(
                f"validation_fraction is expected between 0 and 1; got {shown(self.validation_fraction)}."
            )
        check_whole("n_iter_no_change", self.n_iter_no_change, 1)
        check_number("tol", self.tol, least=0)
        check_whole("verbose", int(self.verbose) if isinstance(self.verbose, bool) else self.verbose, 0)
        thread_count(self.n_threads, "n_threads")

    def _available_threads(self) -> int:
        """n_threads; if it is None, all processors, but one in a parallel job, because there are others beside it."""
        if self.n_threads is None and _is_parallel_job():
            return 1
        return thread_count(self.n_threads)

    def _threads(self, run: Run) -> int:
        """The number of threads to train with; no bit of the result depends on it."""
        flops = run.learner.flops((math.prod(self._preparation.input_shape),), training=True)
        return self._available_threads() if flops * run.images * run.epochs >= FLOPS_FOR_THREADS else 1

    def _learn(
        self,
        start: Beginning,
        learned: "_Examples",
        validation: "_Examples | None",
        given: Mapping[str, Any],
    ) -> None:
        """Trains start.network."""
        preparation = start.preparation
        examples, targets, weights = preparation.examples(learned.rows), learned.labels, learned.weights
        if start.extra_images is not None and start.extra_labels is not None:
            if weights is not None:
                weights = np.concatenate([weights, np.full(len(start.extra_labels), weights.mean())])
            examples = np.concatenate([examples, start.extra_images])
            targets = np.concatenate([targets, start.extra_labels])
        held_out = None
        if validation is not None:
            held_out = preparation.examples(validation.rows), validation.labels
            self.validation_scores_ = []
        run = Run.start(start.network, self._plan, len(targets), start.rng)
        context = self._init_callback_context(max_subtasks=run.epochs)
        context.call_on_fit_task_begin(estimator=self, **given)
        best: tuple[float, Network] | None = None
        patience = self.n_iter_no_change
        losses = _EpochLosses(run)
        task = context.subcontext(task_name="epoch 1")
        task.call_on_fit_task_begin(estimator=self, **given)
        for result in train(run, examples, targets, weights=weights, validation=held_out, threads=self._threads(run)):
            losses.add(result)
            if not isinstance(result, Epoch):
                continue
            self.n_iter_, self.loss_curve_ = result.epoch, list(losses.means)
            if validation is not None and result.outputs is not None:
                right = result.outputs.argmax(axis=0) == validation.labels
                score = float(np.average(right, weights=validation.weights))
                self.validation_scores_.append(score)
                patience -= 1
                if best is None or score > best[0]:
                    if best is None or score > best[0] + self.tol:
                        patience = self.n_iter_no_change
                    best = score, run.outcome(examples).map_arrays(np.copy)
            if self.verbose:
                print(self._line(run.epochs), flush=True)
            stop = task.call_on_fit_task_end(
                estimator=self,
                reconstruction_attributes=lambda: {"_network": run.outcome(examples).map_arrays(np.copy)},
                **given,
            )
            if stop or patience <= 0:
                break
            if result.epoch < run.epochs:
                task = context.subcontext(task_name=f"epoch {result.epoch + 1}")
                task.call_on_fit_task_begin(estimator=self, **given)
        self._network = run.outcome(examples) if best is None else best[1]
        context.call_on_fit_task_end(estimator=self, reconstruction_attributes=dict, **given)

    def _line(self, epochs: int) -> str:
        line = f"epoch {self.n_iter_:>{len(str(epochs))}}/{epochs}  loss {self.loss_curve_[-1]:.4f}"
        if not self.early_stopping:
            return line
        return f"{line}  validation accuracy {percentage(self.validation_scores_[-1])} %"


def equal_batches(rows: int, batch_size: int | None) -> int | None:
    """The size of the fewest batches of at most `batch_size` rows, which are made equally large: a last batch of a few
    rows would move the network as far as the others. None for one batch, which needs no shuffling and so does not
    depend on the order of rows.
    """
    batches = 1 if batch_size is None else -(-rows // batch_size)
    return None if batches == 1 else -(-rows // batches)


class _Examples(NamedTuple):
    """Rows with their labels and weights."""

    rows: Array
    labels: Array
    weights: Array | None

    def chosen(self, are_chosen: Array) -> "_Examples":
        """Those for which this is true, (N,)."""
        weights = None if self.weights is None else self.weights[are_chosen]
        return _Examples(self.rows[are_chosen], self.labels[are_chosen], weights)


class _EpochLosses:
    """The mean loss of each epoch, from the results of `train`."""

    def __init__(self, run: Run) -> None:
        self.run, self.means = run, list[float]()
        self.total, self.seen = 0.0, 0

    def add(self, result: Step | Epoch) -> None:
        if isinstance(result, Epoch):
            self.means.append(self.total / self.seen)
            self.total, self.seen = 0.0, 0
            return
        batches = self.run.plan.batches(self.run.images)
        size = self.run.plan.batch_size or self.run.images
        done = (result.step - 1) % batches + 1
        images = min(done * size, self.run.images) - self.seen
        self.total, self.seen = self.total + result.loss * images, self.seen + images


def _is_parallel_job() -> bool:
    """Whether this is a job of joblib, in another thread or process, or a task of Dask."""
    if get_active_backend()[0].nesting_level not in (0, None):
        return True
    dask = sys.modules.get("distributed")
    if dask is None:
        return False
    try:
        dask.get_worker()
    except ValueError:  # not within a task
        return False
    return True


def _weighted_rows(rows: Array, labels: Array, sample_weight: ArrayLike | None) -> _Examples:
    """The rows that count, with their labels and weights.

    Raises: ValueError for weights of another number or range, and if none is positive.
    """
    if sample_weight is None:
        return _Examples(rows, labels, None)
    weights = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if weights.ndim != 1:
        raise ValueError(f"sample_weight is expected as one number for each row; got {weights.shape}.")
    check_consistent_length(rows, weights)
    if (weights < 0).any():
        raise ValueError("sample_weight is expected as numbers from 0 on; got negative weights.")
    counts = weights > 0
    if not counts.any():
        raise ValueError("sample_weight is expected to have a positive number; all weights are zero.")
    return _Examples(rows, labels, weights).chosen(counts)


def _held_out(labels: Array, fraction: float, rng: np.random.Generator) -> Array:
    """Which rows validate: this fraction of each class at random, at least one row in all, and none of a class of one.

    Raises: ValueError if no class has two rows.
    """
    chosen = np.zeros(len(labels), bool)
    order = rng.permutation(len(labels))
    for k in np.unique(labels):
        members = order[labels[order] == k]
        chosen[members[: min(math.floor(fraction * len(members) + rng.random()), len(members) - 1)]] = True
    if not chosen.any():
        counts = np.bincount(labels)
        several = order[counts[labels[order]] > 1]
        if not len(several):
            raise ValueError("early_stopping expects a class of at least 2 rows, one of them to validate on; got none.")
        chosen[several[0]] = True
    return chosen
