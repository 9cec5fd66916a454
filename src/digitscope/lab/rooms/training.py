"""The room Train: what can be trained, and the training that is under way."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

from digitscope.errors import DataError
from digitscope.jobs.fit import PLAN
from digitscope.jobs.layer_list import SIZES, LayerChoice, plan_layers
from digitscope.jobs.symptoms import label_symptoms
from digitscope.jobs.timeline import BRANCH_SETTINGS, Experiment
from digitscope.lab import uploads
from digitscope.lab.encoding import encoded
from digitscope.lab.requests import Bounds
from digitscope.lab.routes import Download, NotFoundError, Page, Route, Upload
from digitscope.lab.state import Lab
from digitscope.lab.taught_digits import TAUGHT_DIGITS
from digitscope.lab.trainer import plan_settings
from digitscope.lab.training_host import host_of
from digitscope.model import Model
from digitscope.recipes import RECIPES
from digitscope.recipes.recipe import NETWORK
from digitscope.recipes.records import load_records
from digitscope.training.settings import (
    ACTIVATIONS,
    NAMED_AUGMENTATIONS,
    NAMED_LOSSES,
    NAMED_OPTIMIZERS,
    NAMED_SCHEDULES,
)

EXAMPLES = 20
"""Images of a data set that are shown."""
MAX_POINTS = 3000
"""Points of a curve that are sent at once."""

Name = Annotated[str, Bounds(1, 100)]
Whole = Annotated[int, Bounds(0, 4096)]
Rate = Annotated[float, Bounds(1e-12, 1e30)]
Fraction = Annotated[float, Bounds(0, 0.99)]
MapKind = Literal["convolution", "residual", "max-pool", "average-pool"]
Kind = Literal[MapKind, "dense", "batch-norm", "dropout", "relu", "leaky-relu", "sigmoid", "tanh"]
Optimizer = Literal["gradient-descent", "momentum", "nesterov", "adam", "adamw"]
Schedule = Literal["constant", "step", "cosine", "one-cycle"]


@dataclass(frozen=True)
class LayerRequest:
    """One layer of a network; see `digitscope.jobs.layer_list.LayerChoice`."""

    kind: Kind
    units: Whole | None = None
    kernel: Whole | None = None
    stride: Whole | None = None
    padding: Whole | None = None
    size: Whole | None = None
    rate: Fraction | None = None


Layers = Annotated[tuple[LayerRequest, ...], Bounds(0, 40)]
Parts = Annotated[tuple[Name, ...], Bounds(1, 2)]


@dataclass(frozen=True)
class NetworkRequest:
    """A list of layers, for images of this size."""

    layers: Layers
    height: Annotated[int, Bounds(1, 256)] = 28
    width: Annotated[int, Bounds(1, 256)] = 28
    classes: Annotated[int, Bounds(2, 4096)] = 10


@dataclass(frozen=True)
class DataRequest:
    """Uploaded files, and what they are called."""

    parts: Parts
    name: Name = "data"


@dataclass(frozen=True)
class BranchRequest:
    """Settings that a branch changes; null keeps them."""

    epochs: Annotated[int, Bounds(1, 500)] | None = None
    learning_rate: Rate | None = None
    label_smoothing: Fraction | None = None
    optimizer: Optimizer | None = None
    weight_decay: Annotated[float, Bounds(0, 1e6)] | None = None
    schedule: Schedule | None = None
    augment: Name | None = None


@dataclass(frozen=True)
class TrainingRequest(BranchRequest):
    """What is trained; null keeps the recipe's own value."""

    recipe: Name = "mlp"
    network: Layers = ()
    data: Parts = ("mnist",)
    images: Annotated[int, Bounds(20, 1_000_000)] | None = None
    seed: Annotated[int, Bounds(0, 2**53)] = 0
    batch_size: Annotated[int, Bounds(1, 4096)] | None = None
    layers: Annotated[tuple[Annotated[int, Bounds(1, 1000)], ...], Bounds(0, 6)] | None = None
    activation: Literal["relu", "leaky-relu", "sigmoid", "tanh"] | None = None
    dropout: Fraction | None = None
    loss: Literal["cross-entropy", "squared-error"] | None = None


@dataclass(frozen=True)
class PaceRequest:
    """Slow motion: seconds for each step; 0 for as fast as possible."""

    pace: Annotated[float, Bounds(0, 5)] = 0.0


@dataclass(frozen=True)
class PlaceRequest:
    """A step of a branch."""

    branch: Annotated[int, Bounds(0, 100)]
    step: Annotated[int, Bounds(0, 10**9)]


@dataclass(frozen=True)
class ModelRequest:
    """A model that the lab keeps."""

    name: Name


def choices(lab: Lab) -> dict[str, object]:
    """What can be trained, on what, and with which settings."""
    host_of(lab).warm_up()
    records = load_records(RECIPES)
    recipes = []
    for name, recipe in RECIPES.items():
        record = records.get(name)
        measured = None
        if record is not None:
            accuracy, seconds = record.mean("test_accuracy"), record.mean("train_seconds")
            parameters = int(record.runs[0]["parameters"])
            measured = {"accuracy": accuracy, "seconds": seconds, "parameters": parameters}
        recipes.append({"name": name, "title": recipe.title, "plan": plan_settings(recipe.plan), "measured": measured})
    return {
        "recipes": recipes,
        "network": {"name": NETWORK, "plan": plan_settings(PLAN)},
        "kinds": {kind: list(sizes) for kind, sizes in SIZES.items()},
        "optimizers": list(NAMED_OPTIMIZERS),
        "schedules": list(NAMED_SCHEDULES),
        "activations": list(ACTIVATIONS),
        "losses": list(NAMED_LOSSES),
        "augmentations": list(NAMED_AUGMENTATIONS),
        "branch": list(BRANCH_SETTINGS),
    }


def now(lab: Lab) -> dict[str, object]:
    """The training: what it is, where it stands, its branches and their curves."""
    view = host_of(lab).view()
    return {
        "about": view.about,
        "position": view.position,
        "branches": view.branches,
        "curves": [_thinned(curve) for curve in view.curves],
        "symptoms": view.symptoms,
    }


def _thinned(curve: dict[str, list[Any]]) -> dict[str, Any]:
    """The curve with at most MAX_POINTS points, those of the ends of epochs among them, and how many it has."""
    count = len(curve["step"])
    stride = -(-count // MAX_POINTS)
    validated = curve["validation_accuracy"]
    rows = [i for i in range(count) if i % stride == 0 or i == count - 1 or validated[i] is not None]
    if len(rows) > 2 * MAX_POINTS:
        rows = rows[:: -(-len(rows) // MAX_POINTS)]
    return {"count": count, "points": {name: [values[i] for i in rows] for name, values in curve.items()}}


def inspection(lab: Lab) -> dict[str, object]:
    """The layers at some recent step: gradients, dead units, the first layer's weights; and what goes wrong."""
    view = host_of(lab).view()
    return {"inspection": view.inspection, "symptoms": view.symptoms}


def validation(lab: Lab) -> dict[str, object]:
    """The confusion matrix and the mistakes of the last validation."""
    return {"validation": host_of(lab).view().validation}


def network(lab: Lab, request: NetworkRequest) -> dict[str, object]:
    """The shapes and parameters of a list of layers, or which layer does not fit."""
    planned = plan_layers(_layers(request.layers), (request.height, request.width), request.classes)
    return {
        "layers": [
            {"input": list(layer.input), "output": list(layer.output), "parameters": layer.parameters}
            for layer in planned
        ],
        "parameters": sum(layer.parameters for layer in planned),
    }


def _layers(layers: tuple[LayerRequest, ...]) -> tuple[LayerChoice, ...]:
    return tuple(LayerChoice(**asdict(layer)) for layer in layers)


def upload(lab: Lab, file: Upload) -> dict[str, object]:
    """Keeps a file with training data; its name is made of its content."""
    return {"part": uploads.store(_data_folder(lab), file.content)}


def taught(lab: Lab) -> dict[str, object]:
    """Keeps the digits that the lab has been taught so far as training data, as if they were uploaded."""
    try:
        content = (lab.folder / TAUGHT_DIGITS).read_bytes()
    except FileNotFoundError:
        raise NotFoundError("The lab has not been taught any digit yet. Teach it one in Draw.") from None
    return {"part": uploads.store(_data_folder(lab), content)}


def data(lab: Lab, request: DataRequest) -> dict[str, object]:
    """What uploaded files hold, and whether their labels seem to belong to their images."""
    found = uploads.load(_data_folder(lab), request.parts, request.name)
    chosen = np.linspace(0, len(found.y_train) - 1, min(EXAMPLES, len(found.y_train))).astype(int)
    height, width = found.x_train.shape[1:]
    return {
        "images": len(found.y_train),
        "height": height,
        "width": width,
        "classes": found.classes,
        "counts": np.bincount(found.y_train, minlength=found.classes)[:100].tolist(),
        "examples": encoded(found.x_train[chosen]) if height * width <= 10_000 else None,
        "labels": found.y_train[chosen].tolist(),
        "symptoms": [{"key": symptom.key, "values": dict(symptom.values)} for symptom in label_symptoms(found)],
    }


def _data_folder(lab: Lab) -> Path:
    return lab.folder / "data"


def begin(lab: Lab, request: TrainingRequest) -> dict[str, object]:
    """Starts a training."""
    names = [entry.name for entry in fields(Experiment) if entry.name not in ("network", "data")]
    values = {name: getattr(request, name) for name in names}
    source = "mnist" if request.data == ("mnist",) else uploads.source(_data_folder(lab), request.data)
    host_of(lab).begin(Experiment(network=_layers(request.network), data=source, **values))
    return _position(lab)


def run(lab: Lab, request: PaceRequest) -> dict[str, object]:
    """Goes on from the current step."""
    return _done(lab, "run", pace=request.pace)


def pause(lab: Lab) -> dict[str, object]:
    """Rests at the current step."""
    return _done(lab, "pause")


def step(lab: Lab) -> dict[str, object]:
    """Learns from one batch, and rests."""
    return _done(lab, "step")


def go(lab: Lab, request: PlaceRequest) -> dict[str, object]:
    """Goes to any step of any branch, and rests there; it has the same bits as it had."""
    return _done(lab, "go", branch=request.branch, step=request.step)


def fork(lab: Lab, request: BranchRequest) -> dict[str, object]:
    """Goes on from the current step with other settings, as a branch of its own."""
    changes = {name: value for name, value in asdict(request).items() if value is not None}
    if not changes:
        raise DataError("A branch is expected to change at least one setting; got none.")
    return _done(lab, "fork", changes=changes)


def stop(lab: Lab) -> dict[str, object]:
    """Ends the training where it stands, and keeps the network that it has learned."""
    _done(lab, "stop")
    return {**_position(lab), **keep(lab)}


def keep(lab: Lab) -> dict[str, object]:
    """Keeps the network of the current step as a model of the lab."""
    path = lab.folder / "training" / "kept.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    found = host_of(lab).ask("model", path=str(path))
    try:
        name = lab.keep(Model.load(path), "trained")
    finally:
        path.unlink(missing_ok=True)
    return {"name": name, **found}


def model(lab: Lab, request: ModelRequest) -> Download:
    """A model that the lab keeps, as a file for `digitscope evaluate`."""
    path = lab.folder / "models" / f"{request.name}.safetensors"
    if request.name not in lab.model_names() or not path.is_file():
        raise NotFoundError(f"The lab has kept no model {request.name!r}.")
    return Download(f"{request.name}.safetensors", "application/octet-stream", path.read_bytes())


def _done(lab: Lab, action: str, **values: Any) -> dict[str, object]:
    host = host_of(lab)
    host.view()  # opens the training of a former server
    host.ask(action, **values)
    return _position(lab)


def _position(lab: Lab) -> dict[str, object]:
    return {"position": host_of(lab).view().position}


PAGES = [Page("/train", "train")]
ROUTES = [
    Route("GET", "/api/train/choices", "What can be trained, and with which settings.", choices),
    Route("GET", "/api/train/now", "The training, its branches and curves.", now),
    Route("GET", "/api/train/inspection", "The layers at a recent step, and what goes wrong.", inspection),
    Route("GET", "/api/train/validation", "The confusion matrix and mistakes of the last validation.", validation),
    Route("POST", "/api/train/network", "The shapes of a list of layers.", network),
    Route("POST", "/api/train/upload", "Keeps a file of training data.", upload, largest=uploads.LARGEST),
    Route("POST", "/api/train/taught", "Keeps the digits taught so far as training data.", taught),
    Route("POST", "/api/train/data", "What uploaded files hold.", data),
    Route("POST", "/api/train/begin", "Starts a training.", begin),
    Route("POST", "/api/train/run", "Goes on with the training.", run),
    Route("POST", "/api/train/pause", "Pauses the training.", pause),
    Route("POST", "/api/train/step", "Learns from one batch.", step),
    Route("POST", "/api/train/go", "Goes to any step.", go),
    Route("POST", "/api/train/fork", "Goes on with other settings.", fork),
    Route("POST", "/api/train/stop", "Ends the training and keeps its network.", stop),
    Route("POST", "/api/train/keep", "Keeps the network of the current step.", keep),
    Route("GET", "/api/train/model", "Downloads a model that the lab keeps.", model),
]
