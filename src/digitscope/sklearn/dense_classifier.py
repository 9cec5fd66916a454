"""`DenseClassifier`: dense networks for tables of numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from digitscope.arguments import check_number, check_truth, check_whole, is_whole
from digitscope.arrays import Array
from digitscope.errors import ArgumentError
from digitscope.nn import (
    Adam,
    BatchNorm,
    Constant,
    Dense,
    Dropout,
    Initializer,
    Layer,
    LeakyReLU,
    Network,
    OneCycle,
    Optimizer,
    ReLU,
    Schedule,
    SoftmaxCrossEntropy,
    glorot,
    he,
)
from digitscope.sklearn.network_classifier import Beginning, NetworkClassifier, equal_batches
from digitscope.sklearn.preparation import RowPreparation, Standardization
from digitscope.training import Plan
from digitscope.training.settings import ACTIVATIONS, PlanSettings, by_name

BATCH_SIZE = 128
LEARNING_RATE = 0.01
"""The highest of the one-cycle schedule, for Adam."""
CONSTANT_RATE = 0.001
"""Of a constant schedule and of `partial_fit`, for Adam."""
STEPS = 1000
"""Steps of a training with the default number of epochs, which is at least and at most these:"""
LEAST_EPOCHS, MOST_EPOCHS = 10, 200


class DenseClassifier(NetworkClassifier):
    """A multilayer perceptron for tables of numbers, with dropout, leaky ReLU and batch normalization.

    Features may have any range: `fit` standardizes them to mean 0 and standard deviation 1. The network is trained in
    the type of X, float32 or float64, on the softmax cross-entropy. All randomness comes from `random_state`, and the
    result does not depend on the number of threads.

    Parameters
    ----------
    hidden: widths of the hidden layers; () for softmax regression.
    activation: "relu", "leaky-relu", "sigmoid" or "tanh".
    dropout: the fraction of each hidden layer's outputs that are set to zero in training.
    batch_norm: normalizes each hidden layer's inputs over the batch, before the activation function. Its statistics
        ignore sample weights; in `partial_fit` they are those of the last call.
    epochs: passes over the rows. None: as many as make 1,000 steps, at least 10 and at most 200.
    learning_rate: the highest of the schedule. None: one that suits the optimizer; for Adam 0.01, or 0.001 if it is
        constant.
    batch_size: rows per step. Batches are made equally large, so they may be smaller.
    optimizer: "adam", "adamw", "momentum", "nesterov" or "gradient-descent", or a `digitscope.nn.Optimizer`.
    schedule: "one-cycle", "constant", "cosine" or "step", or a `digitscope.nn.Schedule`. None: one-cycle; with
        early_stopping constant, because its end is not known.
    weight_decay: shrinks weights at each step by this times the learning rate. None: the optimizer's own.
    label_smoothing: the share of each target that is spread over all classes.
    standardize: False if the features are of similar size already.
    early_stopping: holds out a share of each class, stops when the accuracy on it has not risen by more than `tol` for
        `n_iter_no_change` epochs, and keeps the network of the best epoch.
    validation_fraction, n_iter_no_change, tol: see early_stopping.
    random_state: a number, a RandomState, or None for another result each time.
    n_threads: None: all processors for a fit that takes more than a second, one in a parallel job of joblib.
    verbose: 1 prints a line for each epoch.

    Attributes
    ----------
    classes_, n_features_in_, feature_names_in_ (if X has names), n_iter_ (epochs done), loss_curve_ (mean loss of each
    epoch), validation_scores_ (accuracies, with early_stopping), network_ (`digitscope.Network`).
    """

    def __init__(
        self,
        hidden: Sequence[int] | int = (100,),
        activation: str = "relu",
        dropout: float = 0.0,
        batch_norm: bool = False,
        *,
        epochs: int | None = None,
        learning_rate: float | None = None,
        batch_size: int = BATCH_SIZE,
        optimizer: Optimizer | str = "adam",
        schedule: Schedule | str | None = None,
        weight_decay: float | None = None,
        label_smoothing: float = 0.0,
        standardize: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        random_state: Any = None,
        n_threads: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.label_smoothing = label_smoothing
        self.standardize = standardize
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.random_state = random_state
        self.n_threads = n_threads
        self.verbose = verbose

    def _begin(self, rows: Array, labels: Array, weights: Array | None, seed: int) -> Beginning:
        check_truth("standardize", self.standardize)
        network_rng, run_rng = np.random.default_rng(seed).spawn(2)
        preparation = Standardization.fit(rows, weights, standardize=self.standardize)
        network = self._network_before_training(rows.shape[1], len(self.classes_), network_rng)
        return Beginning(
            network=network.astype(preparation.dtype),
            plan=self._plan_for(len(rows)),
            preparation=preparation,
            rng=run_rng,
            batch_size=self.batch_size,
        )

    def _network_before_training(self, features: int, classes: int, rng: np.random.Generator) -> Network:
        """[Dense, BatchNorm, activation, Dropout] for each hidden layer, and Dense.

        Raises: ValueError for parameters of another kind or range.
        """
        kind = by_name("activation", ACTIVATIONS, self.activation)
        widths: Any = [self.hidden] if is_whole(self.hidden) else self.hidden
        if not (isinstance(widths, list | tuple | np.ndarray) and all(is_whole(w) and w > 0 for w in widths)):
            raise ArgumentError(f"hidden is expected as whole numbers from 1, such as (100,); got {self.hidden!r}.")
        check_truth("batch_norm", self.batch_norm)
        check_number("dropout", self.dropout, least=0, below=1)
        weight: Initializer = he if kind in (ReLU, LeakyReLU) else glorot
        layers: list[Layer] = []
        for width in map(int, widths):
            layers += [Dense(features, width, rng=rng, weight=weight)]
            layers += [BatchNorm(width)] if self.batch_norm else []
            layers += [kind()]
            layers += [Dropout(self.dropout)] if self.dropout else []
            features = width
        return Network(*layers, Dense(features, classes, rng=rng, weight=glorot))

    def _settings(self, preparation: RowPreparation) -> tuple[Plan, int | None]:
        return self._plan_for(rows=1), self.batch_size

    def _plan_for(self, rows: int) -> Plan:
        check_whole("batch_size", self.batch_size, 1)
        batches = -(-rows // self.batch_size)
        epochs = min(max(-(-STEPS // batches), LEAST_EPOCHS), MOST_EPOCHS)
        schedule = self.schedule
        if schedule is None:
            schedule = "constant" if self.early_stopping else "one-cycle"
        constant = schedule == "constant" or isinstance(schedule, Constant)
        plan = Plan(
            loss=SoftmaxCrossEntropy(),
            optimizer=Adam(),
            schedule=OneCycle(CONSTANT_RATE if constant else LEARNING_RATE),
            epochs=epochs if self.epochs is None else self.epochs,
            batch_size=equal_batches(rows, self.batch_size),
        )
        settings: PlanSettings = {
            "learning_rate": self.learning_rate,
            "optimizer": self.optimizer,
            "schedule": schedule,
            "weight_decay": self.weight_decay,
            "label_smoothing": None if self.label_smoothing == 0 else self.label_smoothing,
        }
        return plan.with_settings(**settings)

    @property
    def _partial_rate(self) -> float:
        rate = self._plan.schedule.learning_rate
        return rate if self.learning_rate is not None else rate * CONSTANT_RATE / LEARNING_RATE
