"""One step of training, number by number."""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np

from digitscope.arrays import Array
from digitscope.errors import DataError, ShapeError
from digitscope.explain import DescentStep, Stage, factor_arrays, has_batch, moving_weights, stages
from digitscope.explain.why import checked_index
from digitscope.lab.drawings import decoded_image
from digitscope.lab.encoding import encoded, finite
from digitscope.lab.explanations import MOST_TERMS, explained, given_number, notes_links
from digitscope.lab.requests import Bounds
from digitscope.lab.routes import Page, Route
from digitscope.lab.state import Lab
from digitscope.mathml import formula_html, formula_lines, left_side
from digitscope.nn import Layer, Loss
from digitscope.recipes import RECIPES
from digitscope.training.inference import quiet_overflow
from digitscope.training.settings import NAMED_OPTIMIZERS

PAGES = [Page("/step", "step")]

MOST_IMAGES = 16
MOST_STEPS = 400
MOST_NUMBERS = 3_000_000
"""The numbers of a forward pass; a step keeps about four times as many."""
MOST_WORK = 4e10
"""Floating-point operations of the steps that come before the one that is asked for."""
MOST_PLANS = 32
"""Lists of stages that stay in memory."""
MOST_SENT = 4_000_000
"""Numbers in one answer."""
MOST_CACHED = 6_000_000
"""The numbers of the forward passes of all steps that stay in memory. Without them each answer would be the same, but
later.
"""
SIDE = 28

OptimizerName = Literal["gradient-descent", "momentum", "nesterov", "adam", "adamw"]


@dataclass(frozen=True)
class StepImage:
    """An image of MNIST's test part, or pixels, and the label to learn."""

    label: Annotated[int, Bounds(0, 4_095)]
    index: Annotated[int, Bounds(0, 9_999)] | None = None
    """The number of the test image."""
    pixels: Annotated[str, Bounds(1, 20_000)] | None = None
    """Grey values row by row, one byte each, 0 paper to 255 ink, in base64."""


@dataclass(frozen=True)
class StepState:
    """All that a step depends on."""

    images: Annotated[tuple[StepImage, ...], Bounds(1, MOST_IMAGES)]
    network: Annotated[str, Bounds(1, 100)] = "seed"
    """A recipe if `start` is "new", else a model of the lab."""
    start: Literal["new", "trained"] = "new"
    seed: Annotated[int, Bounds(0, 2**31 - 1)] = 0
    """Of the weights of a new network, and of dropout."""
    optimizer: OptimizerName = "gradient-descent"
    rates: Annotated[tuple[Annotated[float, Bounds(0, 1e6)], ...], Bounds(0, MOST_STEPS)] = ()
    """The learning rates of the steps before this one."""
    rate: Annotated[float, Bounds(0, 1e6)] = 0.1
    """The learning rate of this step."""
    training: bool = True
    """Whether batch normalization and dropout work as in training."""


@dataclass(frozen=True)
class ArraysRequest:
    """Which arrays of a step."""

    step: StepState
    names: Annotated[tuple[Annotated[str, Bounds(1, 200)], ...], Bounds(1, 32)]
    image: Annotated[int, Bounds(0, MOST_IMAGES - 1)] = 0
    """For arrays with one entry for each image: which."""


@dataclass(frozen=True)
class CurveRequest:
    """Which learning rates to try."""

    step: StepState
    rates: Annotated[tuple[Annotated[float, Bounds(0, 1e6)], ...], Bounds(1, 64)]


@dataclass(frozen=True)
class StepRequest:
    """A step."""

    step: StepState


@dataclass(frozen=True)
class WhyRequest:
    """Which number of a step, and which of its terms, the largest first."""

    step: StepState
    of: Annotated[str, Bounds(1, 200)]
    index: Annotated[tuple[Annotated[int, Bounds(0, 2**31 - 1)], ...], Bounds(0, 6)] = ()
    numeric: bool = False
    """Whether to compare a derivative with the central difference of the loss."""
    first: Annotated[int, Bounds(0, 10_000_000)] = 0
    count: Annotated[int, Bounds(1, MOST_TERMS)] = 20


@dataclass(frozen=True)
class TestImagesRequest:
    """A part of MNIST's test images."""

    first: Annotated[int, Bounds(0, 9_999)] = 0
    count: Annotated[int, Bounds(1, 100)] = 24
    digit: Annotated[int, Bounds(0, 9)] | None = None
    """Only images of this digit."""


Visited = tuple[DescentStep, tuple[float, ...]]
"""A step, and the losses before it and before each earlier step, first to last."""


class Steps:
    """The steps of a lab that were visited last, by their states."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._known: OrderedDict[StepState, Visited] = OrderedDict()
        self._plans: OrderedDict[tuple[object, ...], dict[str, object]] = OrderedDict()
        self._lock = threading.Lock()

    def visit(self, state: StepState) -> Visited:
        """The step of this state: one that is known, or computed from the nearest one before it that is.

        Raises: DataError and ShapeError for images that do not fit the network, and for too much work.
        """
        rates = (*state.rates, state.rate)
        states = [replace(state, rates=rates[:k], rate=rates[k]) for k in range(len(rates))]
        with self._lock:
            known = next((k for k in reversed(range(len(states))) if states[k] in self._known), None)
            found = None if known is None else self._known[states[known]]
        if found is None or known is None:
            step = _first_step(self._lab, states[0], len(states))
            known, found = 0, (step, (step.loss,))
        for k in range(known + 1, len(states)):
            step = found[0].following(rates[k])
            found = step, (*found[1], step.loss)
        self._keep(state, found)
        return found

    def plan(self, state: StepState, make: Callable[[], dict[str, object]]) -> dict[str, object]:
        """The stages of a step, which do not depend on its numbers: made once for a network and an optimizer."""
        key = (state.start, state.network, state.optimizer, state.training, len(state.images))
        with self._lock:
            if key in self._plans:
                self._plans.move_to_end(key)
                return self._plans[key]
        plan = make()
        with self._lock:
            self._plans[key] = plan
            while len(self._plans) > MOST_PLANS:
                self._plans.popitem(last=False)
        return plan

    def _keep(self, state: StepState, found: Visited) -> None:
        with self._lock:
            self._known[state] = found
            self._known.move_to_end(state)
            while sum(_size(step) for step, _ in self._known.values()) > MOST_CACHED and len(self._known) > 1:
                self._known.popitem(last=False)


def _steps(lab: Lab) -> Steps:
    return lab.shared(Steps)


def _visit(lab: Lab, state: StepState) -> Visited:
    return _steps(lab).visit(state)


def _size(step: DescentStep) -> int:
    """The numbers of a step's forward pass and of its parameters."""
    arrays = (*step.recorded.trace.arrays.values(), *step.network.params.values())
    return sum(array.size for array in arrays)


def _first_step(lab: Lab, state: StepState, steps: int) -> DescentStep:
    network, loss, shape = _network(lab, state)
    count = len(state.images)
    numbers = network.memory((math.prod(shape),))
    if numbers * count > MOST_NUMBERS:
        raise DataError(
            f"This network computes about {numbers} numbers for an image, so at most {MOST_NUMBERS // numbers} images "
            f"fit into a step that keeps all of them; got {count}."
        )
    work = network.flops((math.prod(shape),), training=True, need_dx=True) * count * steps
    if work > MOST_WORK:
        raise DataError("So many steps of so large a network take too long here. Take fewer steps, or a smaller one.")
    images = np.stack([_pixels(lab, image, shape) for image in state.images])
    return DescentStep(
        network,
        images,
        [image.label for image in state.images],
        loss=loss,
        optimizer=NAMED_OPTIMIZERS[state.optimizer],
        learning_rate=state.rate,
        training=state.training,
        seed=state.seed,
    )


def _network(lab: Lab, state: StepState) -> tuple[Layer, Loss, tuple[int, int]]:
    """The network, its loss, and the height and width of its images. Of networks that are trained one after the other,
    such as an ensemble's, it is the first.

    A new network is that with which `digitscope train --recipe NETWORK --seed SEED` begins.
    """
    if state.start == "trained":
        model = lab.model(state.network)
        return _first_member(model.network), model.loss, model.image_shape
    recipe = RECIPES.get(state.network)
    if recipe is None:
        raise DataError(f"network expects one of {', '.join(RECIPES)}; got {state.network!r}.")
    rng = np.random.default_rng(state.seed).spawn(4)[1]
    return _first_member(recipe.build(rng, (SIDE, SIDE), 10)), recipe.plan.loss, (SIDE, SIDE)


def _first_member(network: Layer) -> Layer:
    while network.members:
        network = network.members[0]
    return network


def _pixels(lab: Lab, image: StepImage, shape: tuple[int, int]) -> Array:
    if (image.index is None) == (image.pixels is None):
        raise DataError("An image expects either index or pixels.")
    if image.index is not None:
        if shape != (SIDE, SIDE):
            raise ShapeError(f"MNIST's images have 28x28 pixels; this network expects {shape[0]}x{shape[1]}.")
        pixels: Array = lab.mnist.evaluation_split[1][image.index]
        return pixels
    return decoded_image(image.pixels or "", shape)


@quiet_overflow()
def outline(lab: Lab, request: StepRequest) -> dict[str, object]:
    """The stages of the step, the arrays that take part in each, and the loss before and after it."""
    step, losses = _visit(lab, request.step)
    images = step.recorded.images
    outputs = step.recorded.trace.output
    return {
        **_steps(lab).plan(request.step, lambda: _plan(step)),
        "images": encoded(images),
        "labels": step.recorded.labels.tolist(),
        "probabilities": _probabilities(step, outputs),
        "probabilities_after": _probabilities(step, step.outputs_after),
        "loss": finite(step.loss),
        "loss_after": finite(step.loss_after),
        "losses": [finite(loss) for loss in losses],
        "step": step.step,
        "parameters": sum(array.size for array in step.network.params.values()),
        "classes": int(outputs.shape[0]),
    }


def _plan(step: DescentStep) -> dict[str, object]:
    """The stages, and the arrays that take part in them."""
    arrays: dict[str, object] = {"images": _described(step, "images")}
    listed = []
    for stage in stages(step):
        inputs: dict[str, str] = {}
        for name in stage.outputs:
            inputs |= factor_arrays(step, name)
        for name in (*stage.outputs, *inputs):
            arrays.setdefault(name, _described(step, name))
        listed.append(_listed(step, stage, inputs))
    return {"stages": listed, "arrays": arrays}


def _probabilities(step: DescentStep, outputs: Array) -> dict[str, object]:
    """The probability of each class for each image, (N, classes)."""
    return encoded(np.nan_to_num(np.asarray(step.recorded.loss.probabilities(outputs), np.float64)).T)


def _listed(step: DescentStep, stage: Stage, inputs: dict[str, str]) -> dict[str, object]:
    outputs: list[dict[str, object]] = []
    notes: list[dict[str, str]] = []
    layer = step.recorded.trace.calls.get(stage.layer) if stage.layer else None
    for name in stage.outputs:
        array = step.array(name)
        found = step.terms(name, (0,) * array.ndim)
        lines = formula_lines(found.formula)
        side = left_side(lines[0]) if lines else None
        symbol = side[0] if side else ""
        outputs.append({"name": name, "symbol": symbol, "formula": [formula_html(line) for line in lines]})
        notes += [link for link in notes_links(found) if link not in notes]
    return {
        "key": stage.key,
        "phase": stage.phase,
        "layer": stage.layer,
        "kind": stage.kind,
        "text": stage.kind if layer is None or layer.parts else repr(layer.layer),
        "outputs": outputs,
        "inputs": [{"name": name, "symbol": symbol} for name, symbol in inputs.items()],
        "notes": notes,
    }


def _described(step: DescentStep, name: str) -> dict[str, object]:
    """The shape of an array, and how to show it: as tiles of rows x columns, which follow each other in memory once an
    image is chosen. A layer's units that stand for pixels are shown as a picture.
    """
    array = step.array(name)
    batch = name == "images" or has_batch(step, name)
    shape = array.shape[1:] if name == "images" else array.shape[:-1] if batch else array.shape
    return {"shape": list(array.shape), "batch": batch, "tiles": _tiles(shape, step.recorded.images.shape[1:])}


def _tiles(shape: tuple[int, ...], image: tuple[int, ...]) -> list[int]:
    """The number of tiles, and the rows and columns of each; the last row of a tile may be shorter."""
    size = math.prod(shape)
    while len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) >= 1 and shape[-1] == math.prod(image) and image[0] > 1:
        return [size // math.prod(image), image[0], image[1]]
    if len(shape) >= 3:
        return [size // (shape[-2] * shape[-1]), shape[-2], shape[-1]]
    if len(shape) == 2:
        return [1, shape[0], shape[1]]
    if size <= WIDEST:
        return [1, 1, size]
    columns = max(range(8, WIDEST + 1), key=lambda c: (size % c == 0, -abs(c - WIDEST // 2)))
    return [1, math.ceil(size / columns), columns]


WIDEST = 16
"""Numbers beside each other if a list of numbers is shown in several rows."""


@quiet_overflow()
def arrays(lab: Lab, request: ArraysRequest) -> dict[str, object]:
    """Arrays of the step, of one image, in float64."""
    step, _ = _visit(lab, request.step)
    if request.image >= len(request.step.images):
        raise DataError(f"image is expected below {len(request.step.images)}, the number of images.")
    found: dict[str, object] = {}
    sent = 0
    for name in request.names:
        array = step.array(name)
        if name == "images":
            array = array[request.image]
        elif has_batch(step, name):
            array = array[..., request.image]
        sent += array.size
        if sent > MOST_SENT:
            raise DataError(f"At most {MOST_SENT} numbers are sent at once. Ask for fewer arrays.")
        found[name] = encoded(np.asarray(array, np.float64))
    return {"arrays": found}


@quiet_overflow()
def curve(lab: Lab, request: CurveRequest) -> dict[str, object]:
    """The loss after this step for each of several learning rates, along the same direction."""
    step, _ = _visit(lab, request.step)
    losses = [finite(loss) for loss in step.losses(request.rates)]
    return {"rates": list(request.rates), "losses": losses, "loss": finite(step.loss)}


@quiet_overflow()
def asked(lab: Lab, request: StepRequest) -> dict[str, object]:
    """Weights of which one moves most in the step, and how far each of them moves."""
    step, _ = _visit(lab, request.step)
    found = moving_weights(step, request.step.seed)
    return {
        "name": found.name,
        "candidates": [list(place) for place in found.candidates],
        "values": [finite(step.array(found.name)[place]) for place in found.candidates],
        "moves": [finite(move) for move in found.moves],
        "answers": list(found.answers),
    }


@quiet_overflow()
def why(lab: Lab, request: WhyRequest) -> dict[str, object]:
    """Why a number of the step has its value: the terms that sum to it, its formula, its code, its numeric check.

    A parameter and other numbers that a step begins with have no terms.
    """
    step, _ = _visit(lab, request.step)
    if request.of in step.given:
        array = step.given[request.of]
        place = checked_index(request.of, request.index, array)
        return given_number(request.of, place, float(array[place]), array.shape)
    found = step.terms(request.of, request.index, numeric=request.numeric)
    shape = step.array(request.of).shape
    return explained(found, first=request.first, count=request.count, shape=shape, given=step.given)


def networks(lab: Lab) -> dict[str, object]:
    """The networks that a step can be shown of: new ones, smallest first, and trained models."""
    new = []
    for name, recipe in RECIPES.items():
        network = _first_member(recipe.build(np.random.default_rng(0), (SIDE, SIDE), 10))
        new.append((sum(array.size for array in network.params.values()), name, recipe.title))
    listed = [
        {"name": name, "title": title, "parameters": size}
        for size, name, title in sorted(new, key=lambda entry: entry[0])
    ]
    return {"new": listed, "trained": lab.model_names()}


def test_images(lab: Lab, request: TestImagesRequest) -> dict[str, object]:
    """Images of MNIST's test part with their labels, from one index on."""
    _, images, labels = lab.mnist.evaluation_split
    chosen = np.arange(len(labels)) if request.digit is None else np.flatnonzero(labels == request.digit)
    chosen = chosen[chosen >= request.first][: request.count]
    return {"indices": chosen.tolist(), "labels": labels[chosen].tolist(), "images": encoded(images[chosen])}


ROUTES = [
    Route("POST", "/api/why", "Why a number of a step of training has its value.", why),
    Route("POST", "/api/step", "The stages of a step of training, and the loss before and after it.", outline),
    Route("POST", "/api/step/arrays", "Arrays of a step of training.", arrays),
    Route("POST", "/api/step/curve", "The loss after a step for several learning rates.", curve),
    Route("POST", "/api/step/question", "Weights of which one moves most in a step.", asked),
    Route("GET", "/api/step/networks", "The networks that a step can be shown of.", networks),
    Route("GET", "/api/test-images", "Images of MNIST's test part.", test_images),
]
