"""One step of training on a few images: the pass, the update, and the loss before and after it."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from digitscope.arrays import Array
from digitscope.errors import ShapeError
from digitscope.explain.term import Explanation, Index, Terms
from digitscope.explain.trace import network_input, rule_for
from digitscope.explain.update_rules import UPDATED, UpdateCall, update_terms
from digitscope.explain.why import Pass, Quantity, checked_index
from digitscope.nn import Layer, Loss, Optimizer, Params, clip_scale, gradient_norm
from digitscope.nn.optimizers import State
from digitscope.training.inference import quiet_overflow


class DescentStep:
    """One update of a network by the gradient of a few images, in float64; `terms` explains each number of it.

    L(w) = (1/N) sum_n loss(f(x_n; w), label_n)
    w <- w - learning_rate dL/dw                      or what the optimizer makes of dL/dw

    It is `training.loop.train_step`, recorded. `following` is the next step on the same images. The same arguments give
    the same bits, so any step can be computed again.

    Derivation: docs/notes/06-descent.md#straight-down-for-a-small-step
    """

    def __init__(
        self,
        network: Layer,
        images: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        loss: Loss,
        optimizer: Optimizer,
        learning_rate: float,
        training: bool = True,
        seed: int = 0,
        step: int = 0,
        state: State | None = None,
    ) -> None:
        """seed: of dropout; each step has masks of its own. step: the number of steps before this one.

        Raises: ShapeError and DataError for images and labels that do not fit.
        """
        self.network = network.astype(np.float64)
        self.recorded = Pass(self.network, images, labels, loss=loss, training=training, seed=seed + step)
        self.optimizer, self.learning_rate, self.step, self.seed = optimizer, learning_rate, step, seed
        self.state = state if state is not None else optimizer.start(self.network.params)

    @property
    def loss(self) -> float:
        """The loss before the update."""
        return self.recorded.backward[0]

    @cached_property
    def clip(self) -> float:
        """The factor that shortens the gradient to the optimizer's limit."""
        return clip_scale(gradient_norm(self.recorded.backward[1]), self.optimizer.clip_norm)

    def update(self, learning_rate: float) -> tuple[Layer, State]:
        """The network and the optimizer's state after an update with this learning rate."""
        network = self.network.astype(np.float64)
        state = {slot: {name: array.copy() for name, array in arrays.items()} for slot, arrays in self.state.items()}
        gradient = {name: self.clip * g for name, g in self.recorded.backward[1].items()}
        with quiet_overflow():
            self.optimizer.update(network.params, gradient, state, learning_rate, self.step)
        return network, state

    @cached_property
    def updated(self) -> tuple[Layer, State]:
        """The network and the optimizer's state after this step."""
        return self.update(self.learning_rate)

    def losses(self, learning_rates: Sequence[float]) -> list[float]:
        """The loss on the same images after an update with each of these rates, with the same dropout."""
        return [self._loss_of(self._outputs(self.update(rate)[0])) for rate in learning_rates]

    @cached_property
    def loss_after(self) -> float:
        """The loss after the update, on the same images and with the same dropout."""
        return self._loss_of(self.outputs_after)

    @cached_property
    def outputs_after(self) -> Array:
        """The network's outputs after the update."""
        return self._outputs(self.updated[0])

    def _outputs(self, network: Layer) -> Array:
        done = self.recorded
        x = network_input(network, done.images, np.float64)
        with quiet_overflow():
            return network.forward(x, training=done.training, rng=np.random.default_rng(done.seed))[0]

    def _loss_of(self, outputs: Array) -> float:
        with quiet_overflow():
            return float(self.recorded.loss.forward(outputs, self.recorded.labels)[0])

    def following(self, learning_rate: float) -> "DescentStep":
        """The next step, which begins where this one ends."""
        network, state = self.updated
        return DescentStep(
            network,
            self.recorded.images,
            self.recorded.labels,
            loss=self.recorded.loss,
            optimizer=self.optimizer,
            learning_rate=learning_rate,
            training=self.recorded.training,
            seed=self.seed,
            step=self.step + 1,
            state=state,
        )

    @cached_property
    def updates(self) -> dict[str, UpdateCall]:
        """The update of each parameter, by its name."""
        network, state = self.updated
        after = network.params
        found = {}
        for name, w in self.network.params.items():
            arrays: Params = {name: w, f"d{name}": self.recorded.backward[1][name], f"{UPDATED}{name}": after[name]}
            for slot in self.optimizer.slots:
                arrays[f"{slot}.{name}"] = self.state[slot][name]
                arrays[f"{UPDATED}{slot}.{name}"] = state[slot][name]
            found[name] = UpdateCall(name, arrays, self.learning_rate, self.clip, self.step)
        return found

    @property
    def given(self) -> dict[str, Array]:
        """The arrays that a step begins with and does not compute: images, parameters, slots, and the statistics, which
        in training are computed from the batch.
        """
        computed = self.recorded.forward_quantities
        statistics = {name: array for name, array in self.network.statistics.items() if name not in computed}
        slots = {f"{slot}.{name}": array for slot, kept in self.state.items() for name, array in kept.items()}
        return {"images": self.recorded.images, **self.network.params, **statistics, **slots}

    def array(self, name: str) -> Array:
        """An array by its name: those that `terms` explains, parameters, statistics, slots and "images".

        Raises: ShapeError if there is none of this name.
        """
        for arrays in (self.given, *(call.arrays for call in self.updates.values())):
            if name in arrays:
                return arrays[name]
        return self.recorded.quantity(name).array

    def terms(self, of: str, index: tuple[int, ...] = (), *, numeric: bool = False) -> Terms:
        """As `explain.terms`. In addition, "updated.0.weight" is a parameter after the update, and
        "updated.velocity.0.weight" an array that the optimizer keeps.

        Raises: as `explain.terms`.
        """
        for call in self.updates.values():
            if of.startswith(UPDATED) and of in call.arrays:
                if numeric:
                    raise ShapeError(f"Central differences are for derivatives, such as d{call.name}; got {of}.")
                return self._updated_quantity(call, of).terms(of, checked_index(of, index, call.arrays[of]))
        return self.recorded.terms(of, index, numeric=numeric)

    def _updated_quantity(self, call: UpdateCall, of: str) -> Quantity:
        slot = of.removeprefix(UPDATED).removesuffix(call.name).removesuffix(".")

        def explain(index: Index) -> Explanation:
            rule = rule_for(update_terms, self.optimizer)
            found: Explanation | None = rule(self.optimizer, call, slot or "w", index)
            return found or Explanation([], "w", combine="unknown")

        kind = type(self.optimizer)
        return Quantity(call.arrays[of], kind, kind.updated, explain)
