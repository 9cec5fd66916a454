"""The numbers that a network computes for given images, and their explanation."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from inspect import isfunction

import numpy as np
import numpy.typing as npt

from digitscope.arguments import check_kind, check_truth, check_whole, check_wholes
from digitscope.arrays import Array, as_images, as_labels
from digitscope.errors import ShapeError
from digitscope.explain.definition import derivations, documented_definition, equation, formula, source
from digitscope.explain.layer_rules import chain_rule, layer_terms, part_terms
from digitscope.explain.loss_rules import LossCall, loss_terms
from digitscope.explain.term import Explanation, Factor, Index, Term, Terms
from digitscope.explain.trace import Call, Trace, network_input, rule_for
from digitscope.model import Model
from digitscope.nn import Layer, Loss, Params, SoftmaxCrossEntropy, to_batch

WIDTH = 1e-5
"""h of the central differences."""


@dataclass(frozen=True, eq=False)
class Gradients:
    """The derivatives of a loss."""

    loss: float
    """The mean over the images."""
    parameters: Params = field(repr=False)
    """The derivatives with respect to each parameter, by its name: "0.weight"."""
    activations: dict[str, Array] = field(repr=False)
    """The derivatives with respect to each array of `activations`, by the same name."""

    @property
    def input(self) -> Array:
        """The derivative with respect to the network's input, (H W, N)."""
        return self.activations["input"]

    @property
    def output(self) -> Array:
        """The derivative with respect to the network's outputs, the logits, (classes, N)."""
        return self.activations["output"]


@dataclass(frozen=True, eq=False)
class Quantity:
    """An array of numbers that can be explained."""

    array: Array
    definition: object
    """The class or function whose docstring has the formula."""
    code: object
    """The method or function that computed it."""
    explain: Callable[[Index], Explanation]

    def terms(self, of: str, index: Index) -> Terms:
        """The explanation of one of its numbers; `of` is its name."""
        explanation = self.explain(index)
        documented = documented_definition(explanation.definition or self.definition, explanation.symbol)
        return Terms(
            of=of,
            index=index,
            value=float(self.array[index]),
            terms=tuple(explanation.terms),
            combine=explanation.combine,
            scale=explanation.scale,
            chosen=explanation.chosen,
            formula=formula(documented, explanation.symbol),
            derivations=derivations(documented),
            equation=equation(documented, explanation.symbol),
            source=source(documented if isfunction(documented) else self.code),
        )


def activations(
    model: Model | Layer, images: npt.ArrayLike, *, training: bool = False, seed: int = 0
) -> dict[str, Array]:
    """Each layer's output, by name, in the order in which they are computed.

    The names are "input" for the network's input; "0", "1", ... for the layers' outputs, by the paths of
    `network.params` ("5.0" is the first layer inside layer 5); and "output" for the network's output. In addition,
    "5.branch" is the input of the layers inside a Residual or Skip, and "0.2.input" that of member 2 of an Ensemble.
    The layers of a ShiftAverage are used once for each shift: "0@2" is the output for its third shift, "0@2.5" that of
    layer 5.

    The batch is the last axis: dense layers have (features, N), convolutions (channels, height, width, N), and layers
    of sequences (channels, steps, N). So the feature map of channel c for image n is activations["3"][c, :, :, n].

    With `training` the network runs as in training, with the statistics of the batch, and dropout drawn with `seed`;
    otherwise in evaluation mode.

    Shapes: images (N, H, W) or rows (N, H W), whole numbers 0 to 255 or floats 0 to 1.
    Raises: ShapeError and DataError for images that do not fit.
    """
    network, _, pixels = _prepare(model, images, None, training, seed)
    return Trace(network, network_input(network, pixels), training=training, seed=seed).arrays


def gradients(
    model: Model | Layer,
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    loss: Loss | None = None,
    training: bool = False,
    seed: int = 0,
) -> Gradients:
    """The derivatives of the mean loss with respect to every parameter, every activation and the input.

    By default `loss` is the model's own, or SoftmaxCrossEntropy for a network. `activations` describes the rest.

    Raises: ShapeError and DataError for images and labels that do not fit.
    Derivation: docs/notes/05-backpropagation.md#many-paths-contributions-add
    """
    network, loss, pixels = _prepare(model, images, loss, training, seed)
    trace = Trace(network, network_input(network, pixels), training=training, seed=seed)
    call = _loss_call(trace, loss, labels)
    value, parameters = _run_back(trace, call)
    return Gradients(value, parameters, {name: trace.derivatives[name] for name in trace.arrays})


def terms(
    model: Model | Layer,
    images: npt.ArrayLike,
    labels: npt.ArrayLike | None = None,
    *,
    of: str,
    index: tuple[int, ...] = (),
    loss: Loss | None = None,
    training: bool = False,
    seed: int = 0,
    numeric: bool = False,
) -> Terms:
    """Explains a number of a forward or backward pass by the products that sum to it.

    `of` is the name of an array, and `index` the number's index in it, with the image last:

        "3", "output", ...           an activation, by its name in `activations`
        "loss"                       the mean over the images; index ()
        "probability", "target"      p and q of the loss, (classes, N); before any calibration
        "maximum", "shifted", "exponential", "total"
                                     the steps in which a softmax computes p: m, u, e and t of `nn.softmax`
        "d0.weight", "d3", "dinput"  a derivative: d and the name of a parameter or an activation
        "2.mean", "2.variance", "2.normalized", "0.mean_probability", "0.1.evidence"
                                     intermediate results of BatchNorm, Standardize and Ensemble

    With `numeric` a derivative comes with the central difference of the loss, (L(w + h) - L(w - h)) / 2h, in float64
    with h = 1e-5. At a kink (of a ReLU, or of a maximum with a tie) there is no derivative, and the two differ; the
    flat paper of an image causes many ties.

    `activations` and `gradients` describe the rest. Labels are needed for the loss and all derivatives.

    Raises: ShapeError and DataError for images and labels that do not fit, and for an unknown `of` or `index`.
    """
    check_kind("of", of, 'the name of a number, such as "loss" or "d0.weight"', str)
    check_wholes("index", index)
    check_truth("numeric", numeric)
    return Pass(model, images, labels, loss=loss, training=training, seed=seed).terms(of, index, numeric=numeric)


class Pass:
    """A recorded pass of images through a network, forward and, with labels, backward; `terms` explains its numbers.

    `explain.terms` records a pass for one question; a Pass answers many. It must not outlive a change of the weights.
    """

    def __init__(
        self,
        model: Model | Layer,
        images: npt.ArrayLike,
        labels: npt.ArrayLike | None = None,
        *,
        loss: Loss | None = None,
        training: bool = False,
        seed: int = 0,
    ) -> None:
        """The arguments are those of `terms`."""
        self.network, self.loss, self.images = _prepare(model, images, loss, training, seed)
        self.training, self.seed = training, seed
        self.trace = Trace(self.network, network_input(self.network, self.images), training=training, seed=seed)
        self._given_labels = labels

    @cached_property
    def loss_call(self) -> LossCall:
        """The use of the loss. Raises: as `labels`."""
        if self._given_labels is None:
            raise ShapeError("The loss and all derivatives depend on the labels. Give one label for each image.")
        return _loss_call(self.trace, self.loss, self._given_labels)

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Raises: ShapeError if the pass has no labels; DataError and ShapeError if they do not fit."""
        labels = self.loss_call.labels
        assert labels is not None
        return labels

    @cached_property
    def backward(self) -> tuple[float, Params]:
        """The loss, and its derivatives with respect to the parameters."""
        return _run_back(self.trace, self.loss_call)

    @cached_property
    def forward_quantities(self) -> dict[str, Quantity]:
        """The numbers that need no labels, by name."""
        return _forward_quantities(self.trace, LossCall(self.loss, self.trace.output), self.images)

    @cached_property
    def backward_quantities(self) -> dict[str, Quantity]:
        """The loss, its targets and all derivatives, by name."""
        return _backward_quantities(self.trace, self.loss_call, *self.backward)

    def terms(self, of: str, index: tuple[int, ...] = (), *, numeric: bool = False) -> Terms:
        """As `explain.terms`."""
        quantity = self.quantity(of)
        place = checked_index(of, index, quantity.array)
        answer = quantity.terms(of, place)
        if not numeric:
            return answer
        if not of.startswith("d"):
            raise ShapeError(f"Central differences are for derivatives, such as d{of}; got {of}.")
        below, unchanged, above = (self._nudged_loss(of[1:], place, h) for h in (-WIDTH, 0, WIDTH))
        return replace(
            answer,
            numeric=(above - below) / (2 * WIDTH),
            numeric_sides=((unchanged - below) / WIDTH, (above - unchanged) / WIDTH),
        )

    def quantity(self, of: str) -> Quantity:
        """The array of this name. Raises: ShapeError if there is none, or if it needs labels that were not given."""
        if of in self.forward_quantities:
            return self.forward_quantities[of]
        network = self.network
        backward_names = ["loss", "target", *(f"d{name}" for name in (*network.params, *self.trace.arrays))]
        if of not in backward_names:
            _refuse(of, network, [*self.forward_quantities, *backward_names])
        if self._given_labels is None:
            raise ShapeError(f"{of} depends on the labels. Give one label for each image.")
        if of not in self.backward_quantities:
            _refuse(of, network, list(self.backward_quantities))
        return self.backward_quantities[of]

    def _nudged_loss(self, name: str, index: Index, h: float) -> float:
        """The loss in float64, with h added to one number of a parameter or an activation."""
        network = self.network.astype(np.float64)
        nudge = None
        if name in network.params:
            network.params[name][index] += h
        else:
            nudge = (name, index, h)
        x = network_input(network, self.images, np.float64)
        trace = Trace(network, x, training=self.training, seed=self.seed, nudge=nudge)
        return self.loss.forward(trace.output, np.asarray(self.labels, like=trace.output))[0]


def _prepare(
    model: Model | Layer, images: npt.ArrayLike, loss: Loss | None, training: bool, seed: int
) -> tuple[Layer, Loss, npt.NDArray[np.uint8]]:
    """The network, the loss and the images, after all arguments have been checked."""
    check_kind("model", model, "a Model or a network", Model, Layer)
    check_kind("loss", loss, "a Loss or None", Loss, type(None))
    check_truth("training", training)
    check_whole("seed", seed, 0)
    if isinstance(model, Model):
        return model.network, loss or model.loss, as_images(images, model.image_shape)
    return model, loss or SoftmaxCrossEntropy(), as_images(images)


def _loss_call(trace: Trace, loss: Loss, labels: npt.ArrayLike) -> LossCall:
    if trace.output.ndim != 2:
        raise ShapeError(f"A loss expects outputs (classes, N); the network's are {trace.output.shape}. Add layers.")
    classes, count = trace.output.shape
    return LossCall(loss, trace.output, as_labels(labels, count, loss.classes(classes)))


def _run_back(trace: Trace, call: LossCall) -> tuple[float, Params]:
    value, backward = call.loss.forward(call.outputs, np.asarray(call.labels, like=call.outputs))
    return value, trace.run_back(backward(1.0))


def _forward_quantities(trace: Trace, loss_call: LossCall, pixels: npt.NDArray[np.uint8]) -> dict[str, Quantity]:
    """The quantities that exist without labels."""

    def pixel(index: Index) -> Explanation:
        d, n = index
        place = (n, *divmod(d, pixels.shape[2]))
        number = Factor("images", float(pixels[place]), "images", place)
        return Explanation([Term((number,))], "x", scale=1 / 255)

    found = {"input": Quantity(trace.arrays["input"], to_batch, to_batch, pixel)}
    for call in trace.calls.values():
        if call.input not in found and call.parent is not None:
            found[call.input] = _of_part(call.parent, call, "x")
    for call in trace.calls.values():
        found[call.output] = _of_layer(call, "y", call.y)
        found.update({name: _of_layer(call, name, array) for name, array in call.inner.items()})
    found.update({name: _of_loss(loss_call, name, array) for name, array in loss_call.inner.items()})
    return found


def _backward_quantities(trace: Trace, loss_call: LossCall, value: float, parameters: Params) -> dict[str, Quantity]:
    """The quantities that need labels: the loss, its targets and all derivatives."""
    found = {"loss": _of_loss(loss_call, "loss", np.array(value))}
    if "target" in loss_call.inner:
        found["target"] = _of_loss(loss_call, "target", loss_call.inner["target"])
    for name, array in trace.derivatives.items():
        consumer, producer = trace.consumers.get(name), trace.calls.get(name)
        if consumer is not None:
            found[f"d{name}"] = _of_layer(consumer, "dx", array)
        elif producer is not None and producer.parent is not None:
            found[f"d{name}"] = _of_part(producer.parent, producer, "dy")
    found["doutput"] = _of_loss(loss_call, "doutput", trace.derivatives["output"])
    return {**found, **_of_parameters(trace, parameters)}


def _of_layer(call: Call, of: str, array: Array) -> Quantity:
    kind = type(call.layer)
    return Quantity(array, kind, kind.forward, lambda index: _by_layer(call, of, index))


def _by_layer(call: Call, of: str, index: Index) -> Explanation:
    """The explanation by the layer's rule. Without a rule, derivatives use the chain rule, and all else is unknown."""
    found: Explanation | None = rule_for(layer_terms, call.layer)(call.layer, call, of, index)
    if found is not None:
        return found
    derivative = of == "dx" or of[1:] in call.layer.params
    return chain_rule(call, of, index) if derivative else Explanation([], of, combine="unknown")


def _of_part(parent: Call, part: Call, of: str) -> Quantity:
    def explain(index: Index) -> Explanation:
        found: Explanation = rule_for(part_terms, parent.layer)(parent.layer, parent, part, of, index)
        return found

    kind = type(parent.layer)
    return Quantity(part.x if of == "x" else part.dy, kind, kind.forward, explain)


def _of_loss(call: LossCall, of: str, array: Array) -> Quantity:
    def explain(index: Index) -> Explanation:
        found: Explanation | None = rule_for(loss_terms, call.loss)(call.loss, call, of, index)
        return found or Explanation([], of, combine="unknown")

    return Quantity(array, type(call.loss), type(call.loss).forward, explain)


def _of_parameters(trace: Trace, derivatives: Params) -> dict[str, Quantity]:
    """The parameters' derivatives. Each is the sum over all calls of the innermost layer that has the parameter."""
    owners: dict[str, list[tuple[Call, str]]] = {}
    for call in trace.calls.values():
        of_parts = {part.parameter(own) for part in call.parts for own in part.grads}
        for own in call.grads:
            if (name := call.parameter(own)) not in of_parts:
                owners.setdefault(name, []).append((call, f"d{own}"))
    return {f"d{name}": _of_uses(owners[name], array) for name, array in derivatives.items()}


def _of_uses(uses: list[tuple[Call, str]], array: Array) -> Quantity:
    def explain(index: Index) -> Explanation:
        found = [_by_layer(call, of, index) for call, of in uses]
        return replace(found[0], terms=[term for explanation in found for term in explanation.terms])

    kind = type(uses[0][0].layer)
    return Quantity(array, kind, kind.forward, explain)


def _refuse(of: str, network: Layer, known: list[str]) -> None:
    if of in network.params:
        raise ShapeError(f"{of} is a parameter: learned, not computed. Its derivative, d{of}, has terms.")
    if of in network.statistics:
        raise ShapeError(f"{of} was measured after training; with training=True it is computed from the batch.")
    raise ShapeError(f"terms expects of to be one of {', '.join(known)}; got {of!r}.")


def checked_index(of: str, index: tuple[int, ...], array: Array) -> Index:
    """Raises: ShapeError if the array has no such index."""
    place = tuple(int(i) for i in index)
    if len(place) != array.ndim or not all(0 <= i < length for i, length in zip(place, array.shape, strict=True)):
        raise ShapeError(f"{of} has the shape {array.shape}, the images last; got the index {tuple(index)}.")
    return place
