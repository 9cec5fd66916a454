"""Explore: how a model reads the test images, what its layers make of them, and two models compared."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

from digitscope.arrays import Array, image_grid
from digitscope.errors import DataError
from digitscope.jobs.exploration import (
    ComparedModels,
    Readings,
    centred_logits,
    evenly_spaced,
    layer_points,
    layer_shape,
    layer_shapes,
    read_test_images,
    same_neighbour_share,
)
from digitscope.jobs.robustness import measure_corruptions
from digitscope.jobs.training_moments import kept_moments, outputs_over_training
from digitscope.lab.background import Background, Progress, Report
from digitscope.lab.encoding import base64_text, encoded, finite, png
from digitscope.lab.requests import Bounds
from digitscope.lab.routes import Download, NotFoundError, Page, Route
from digitscope.lab.state import Lab
from digitscope.lab.training_host import training_folder
from digitscope.metrics import most_confused, wilson_interval
from digitscope.model import Model
from digitscope.projections import (
    circular_frame,
    dragged_frame,
    facing_frame,
    frames_between,
    principal_components,
    tour_frames,
)

PAGES = [Page("/explore", "explore")]

THREADS = max(1, (cpu_count() or 1) // 2)
"""Threads that read test images; the others answer drawings."""
COMPONENTS = 10
SHEET = 2_000
"""Maximum number of images on one sheet."""
ROBUSTNESS_SEED = 0
MOST_CLASSES = 100

Name = Annotated[str, Bounds(1, 100)]
Class = Annotated[int, Bounds(0, 4095)]
Count = Annotated[int, Bounds(1, 200)]
Offset = Annotated[int, Bounds(0, 1_000_000)]
Sample = Annotated[int, Bounds(100, 2_000)]
Frame = Annotated[list[list[float]], Bounds(3, 100)]


@dataclass(frozen=True)
class OfModel:
    model: Name


@dataclass(frozen=True)
class Chosen:
    """Images of the test set: those behind a cell, in a bin, or all mistakes."""

    model: Name
    kind: Literal["cell", "bin", "mistakes"]
    label: Class = 0
    answer: Class = 0
    bin: Class = 0
    offset: Offset = 0
    count: Count = 60


@dataclass(frozen=True)
class OneImage:
    model: Name
    index: Annotated[int, Bounds(0, 1_000_000)]


@dataclass(frozen=True)
class Sheet:
    """Either `images` or `sample`."""

    images: Annotated[str, Bounds(0, 12_000)] = ""
    """Indices of test images, separated by commas."""
    sample: Annotated[int, Bounds(0, SHEET)] = 0
    """The number of images that are spread evenly over the test set, as in components and tour."""
    columns: Annotated[int, Bounds(1, 100)] = 20


@dataclass(frozen=True)
class OfCorruptions:
    model: Name
    images: Sample = 500


@dataclass(frozen=True)
class OfLayer:
    model: Name
    layer: Annotated[str, Bounds(1, 200)] = "input"
    images: Sample = 1_000


@dataclass(frozen=True)
class OfTour:
    model: Name
    space: Literal["logits", "probabilities"] = "logits"
    images: Sample = 1_000


@dataclass(frozen=True)
class OfTraining:
    space: Literal["logits", "probabilities"] = "logits"
    images: Sample = 1_000


@dataclass(frozen=True)
class TourPart:
    frame: Frame
    start: Annotated[float, Bounds(0, 1e6)] = 0.0
    seconds: Annotated[float, Bounds(0, 60)] = 5.0
    frames: Annotated[int, Bounds(1, 1_200)] = 300


@dataclass(frozen=True)
class Drag:
    frame: Frame
    axis: Class
    x: Annotated[float, Bounds(-1e6, 1e6)]
    y: Annotated[float, Bounds(-1e6, 1e6)]
    centred: bool = False
    """Whether x and y are counted from the mean of all tips, as the page draws the axes of logits."""


@dataclass(frozen=True)
class Turn:
    """From a frame to the circle of all classes, or to two classes, one to the right and one up."""

    frame: Frame
    to: Literal["circle", "facing"]
    first: Class = 0
    second: Class = 1
    frames: Annotated[int, Bounds(1, 600)] = 60


@dataclass(frozen=True)
class Pair:
    first: Name
    second: Name


@dataclass(frozen=True)
class ComparedImages:
    first: Name
    second: Name
    part: Literal["both", "only_first", "only_second", "neither"]
    offset: Offset = 0
    count: Count = 60


class _Work:
    """What the room computes for a lab."""

    def __init__(self, lab: Lab) -> None:
        self.readings, self.layers = Background(16), Background(32)
        self.corruptions, self.trainings = Background(16), Background(2)
        for background in (self.readings, self.layers, self.corruptions, self.trainings):
            lab.at_close(background.close)


def _work(lab: Lab) -> _Work:
    return lab.shared(_Work)


def _readings(lab: Lab, name: str) -> Readings | Progress:
    model = _model(lab, name)
    found: Readings | Progress = _work(lab).readings.ask(
        name, lambda report: read_test_images(model, lab.mnist, threads=THREADS, report=report)
    )
    return found


def _model(lab: Lab, name: str) -> Model:
    model = lab.model(name)
    model.check_data(lab.mnist)
    if model.classes > MOST_CLASSES:
        raise DataError(f"The page shows at most {MOST_CLASSES} classes; {name} has {model.classes}.")
    return model


def _working(*found: object) -> dict[str, object]:
    done = [value.done if isinstance(value, Progress) else 1.0 for value in found]
    return {"state": "working", "done": sum(done) / len(done)}


def summary(lab: Lab, of: OfModel) -> dict[str, object]:
    readings = _readings(lab, of.model)
    if isinstance(readings, Progress):
        return _working(readings)
    found = readings.evaluation
    reliability = found.reliability
    return {
        "state": "ready",
        "model": of.model,
        "images": found.images,
        "accuracy": found.accuracy,
        "interval": list(found.interval),
        "mistakes": len(readings.mistakes),
        "negative_log_likelihood": found.negative_log_likelihood,
        "brier_score": found.brier_score,
        "confusion": found.confusion.tolist(),
        "precision": [finite(value) for value in found.precision],
        "recall": [finite(value) for value in found.recall],
        "most_confused": [list(mistake) for mistake in most_confused(found.confusion, 5)],
        "reliability": {
            "edges": reliability.edges.tolist(),
            "counts": reliability.counts.tolist(),
            "confidence": [finite(value) for value in reliability.confidence],
            "accuracy": [finite(value) for value in reliability.accuracy],
            "intervals": [
                list(wilson_interval(float(share), int(count))) if count else None
                for share, count in zip(reliability.accuracy, reliability.counts, strict=True)
            ],
            "error": reliability.expected_calibration_error,
        },
        "notice": readings.notice,
    }


def images(lab: Lab, chosen: Chosen) -> dict[str, object]:
    readings = _readings(lab, chosen.model)
    if isinstance(readings, Progress):
        return _working(readings)
    if chosen.kind == "cell":
        found = readings.cell(chosen.label, chosen.answer)
    else:
        found = readings.bin(chosen.bin) if chosen.kind == "bin" else readings.mistakes
    shown = found[chosen.offset : chosen.offset + chosen.count]
    return {"state": "ready", "total": len(found), "images": [_image(readings, int(i)) for i in shown]}


def _image(readings: Readings, i: int) -> dict[str, object]:
    label = int(readings.labels[i])
    return {
        "index": i,
        "label": label,
        "answer": int(readings.answers[i]),
        "confidence": float(readings.confidence[i]),
        "label_probability": float(readings.probabilities[i, label]),
    }


def image(lab: Lab, of: OneImage) -> dict[str, object]:
    readings = _readings(lab, of.model)
    if isinstance(readings, Progress):
        return _working(readings)
    if of.index >= len(readings.labels):
        raise DataError(f"index is expected from 0 to {len(readings.labels) - 1}; got {of.index}.")
    return {
        "state": "ready",
        **_image(readings, of.index),
        "probabilities": readings.probabilities[of.index].tolist(),
        "logits": readings.logits[of.index].tolist(),
        "pixels": base64_text(lab.mnist.evaluation_split[1][of.index].tobytes()),
    }


def sheet(lab: Lab, asked: Sheet) -> Download:
    """Images one beside the other: ink in black, as opaque as the ink is strong, so that paper of any colour shows."""
    _, test_images, _ = lab.mnist.evaluation_split
    sample = evenly_spaced(len(test_images), asked.sample)
    indices = sample if asked.sample else _indices(asked.images, len(test_images))
    return Download("digits.png", "image/png", png(_ink(image_grid(test_images[indices], asked.columns))))


def _indices(text: str, images: int) -> list[int]:
    try:
        indices = [int(part) for part in text.split(",")]
    except ValueError:
        raise DataError("images are expected as whole numbers with commas between them, such as 3,14,15.") from None
    if wrong := [i for i in indices if not 0 <= i < images]:
        raise DataError(f"images are expected from 0 to {images - 1}; got {wrong[0]}.")
    if len(indices) > SHEET:
        raise DataError(f"At most {SHEET:,} images are expected; got {len(indices):,}.")
    return indices


def _ink(grid: Array) -> Array:
    return np.stack([np.zeros_like(grid), grid], axis=2)


def mistakes_csv(lab: Lab, of: OfModel) -> object:
    readings = _readings(lab, of.model)
    if isinstance(readings, Progress):
        return _working(readings)
    return Download(f"mistakes-{of.model}.csv", "text/csv", readings.mistakes_csv())


def mistakes_png(lab: Lab, of: OfModel) -> object:
    readings = _readings(lab, of.model)
    if isinstance(readings, Progress):
        return _working(readings)
    from digitscope.report.samples import captioned_sheet  # matplotlib: only now

    shown = readings.mistakes[:SHEET]
    captions = [f"{readings.labels[i]} → {readings.answers[i]}" for i in shown]
    _, test_images, _ = lab.mnist.evaluation_split
    return Download(f"mistakes-{of.model}.png", "image/png", png(captioned_sheet(test_images[shown], captions)))


def start_corruptions(lab: Lab, of: OfCorruptions) -> dict[str, object]:
    model = _model(lab, of.model)
    found = _work(lab).corruptions.ask(of, lambda report: _corrupted(model, lab, of.images, report))
    return _working(found) if isinstance(found, Progress) else found


def corruptions(lab: Lab, of: OfCorruptions) -> dict[str, object]:
    found = _work(lab).corruptions.look(of)
    if found is None:
        return {"state": "absent"}
    return _working(found) if isinstance(found, Progress) else found


def _corrupted(model: Model, lab: Lab, count: int, report: Report) -> dict[str, object]:
    _, test_images, labels = lab.mnist.evaluation_split
    chosen = evenly_spaced(len(labels), count)

    def track(parts: Sequence[tuple[str, int]]) -> Iterable[tuple[str, int]]:
        for number, part in enumerate(parts):
            report(number / len(parts))
            yield part

    sample, true = test_images[chosen], labels[chosen]
    results, pictures = measure_corruptions(model, sample, true, THREADS, ROBUSTNESS_SEED, track)
    clean = float(np.mean(model.predict(sample, threads=THREADS) == true))
    return {
        "state": "ready",
        "images": len(chosen),
        "seed": ROBUSTNESS_SEED,
        "clean": {"accuracy": clean, "interval": list(wilson_interval(clean, len(chosen)))},
        "corruptions": {name: result.as_json() for name, result in results.items()},
        "samples": encoded(pictures),
    }


def layers(lab: Lab, of: OfModel) -> dict[str, object]:
    model = _model(lab, of.model)
    shapes = layer_shapes(model)
    return {"layers": [{"name": s.name, "text": s.text, "shape": list(s.shape), "most": s.most_images} for s in shapes]}


def components(lab: Lab, of: OfLayer) -> dict[str, object]:
    model = _model(lab, of.model)
    layer = layer_shape(model, of.layer)
    readings = _readings(lab, of.model)
    found = _work(lab).layers.ask(of, lambda report: _components(model, lab, of, report))
    if isinstance(readings, Progress) or isinstance(found, Progress):
        return _working(readings, found)
    return {"state": "ready", "layer": layer.name, "text": layer.text, **found, **_sample(readings, found["sample"])}


def _components(model: Model, lab: Lab, of: OfLayer, report: Report) -> dict[str, Any]:
    _, test_images, labels = lab.mnist.evaluation_split
    layer = layer_shape(model, of.layer)
    sample = evenly_spaced(len(labels), min(of.images, layer.most_images))
    points = layer_points(model, layer, test_images[sample], report=lambda done: report(0.9 * done))
    found = principal_components(points, COMPONENTS)
    return {
        "sample": sample,
        "dimensions": layer.size,
        "explained": found.explained.tolist(),
        "same_neighbour": same_neighbour_share(points, labels[sample]),
        "coordinates": encoded(found.coordinates.astype(np.float32)),
    }


def _sample(readings: Readings, sample: Array) -> dict[str, object]:
    return {
        "sample": encoded(sample),
        "labels": encoded(readings.labels[sample]),
        "answers": encoded(readings.answers[sample]),
        "confidence": encoded(readings.confidence[sample].astype(np.float32)),
    }


def tour(lab: Lab, of: OfTour) -> dict[str, object]:
    readings = _readings(lab, of.model)
    if isinstance(readings, Progress):
        return _working(readings)
    sample = evenly_spaced(len(readings.labels), of.images)
    points = readings.probabilities if of.space == "probabilities" else centred_logits(readings.logits)
    return {
        "state": "ready",
        "points": encoded(points[sample].astype(np.float32)),
        "frame": circular_frame(points.shape[1]).tolist(),
        **_sample(readings, sample),
    }


def moments(lab: Lab) -> dict[str, object]:
    folder = training_folder(lab)
    return {"moments": 0 if folder is None else len(kept_moments(folder))}


def training_tour(lab: Lab, of: OfTraining) -> dict[str, object]:
    folder = training_folder(lab)
    if folder is None:
        raise NotFoundError("The lab has no training. Start one in the room Train.")
    kept = kept_moments(folder)
    found = _work(lab).trainings.ask(
        (folder.name, tuple(kept), of), lambda report: _training_tour(lab, folder, kept, of, report)
    )
    return _working(found) if isinstance(found, Progress) else found


def _training_tour(
    lab: Lab, folder: Path, kept: list[tuple[int, int]], of: OfTraining, report: Report
) -> dict[str, object]:
    _, test_images, labels = lab.mnist.evaluation_split
    sample = evenly_spaced(len(labels), of.images)
    found = outputs_over_training(folder, kept, test_images[sample], threads=THREADS, report=report)
    probabilities, classes = found.probabilities, found.logits.shape[2]
    if classes > MOST_CLASSES or classes <= labels.max():
        raise DataError(f"The tour shows {labels.max() + 1} to {MOST_CLASSES} classes; the training has {classes}.")
    logits = centred_logits(found.logits.reshape(-1, classes)).reshape(found.logits.shape)
    answers = probabilities.argmax(axis=2)
    return {
        "state": "ready",
        "epochs": found.epochs,
        "accuracies": (answers == labels[sample]).mean(axis=1).tolist(),
        "points": encoded((probabilities if of.space == "probabilities" else logits).astype(np.float32)),
        "frame": circular_frame(classes).tolist(),
        "sample": encoded(sample),
        "labels": encoded(labels[sample]),
        "answers": encoded(answers.astype(np.uint8)),
        "confidence": encoded(probabilities.max(axis=2).astype(np.float32)),
    }


def tour_part(lab: Lab, part: TourPart) -> dict[str, object]:
    found = tour_frames(part.frame, start=part.start, seconds=part.seconds, frames=part.frames)
    return {"frames": encoded(found.astype(np.float32))}


def drag(lab: Lab, asked: Drag) -> dict[str, object]:
    return {"frame": dragged_frame(asked.frame, asked.axis, (asked.x, asked.y), centred=asked.centred).tolist()}


def turn(lab: Lab, asked: Turn) -> dict[str, object]:
    classes = len(asked.frame)
    end = circular_frame(classes) if asked.to == "circle" else facing_frame(classes, asked.first, asked.second)
    return {"frames": encoded(frames_between(asked.frame, end, asked.frames).astype(np.float32)), "frame": end.tolist()}


def compare(lab: Lab, pair: Pair) -> dict[str, object]:
    first, second = _readings(lab, pair.first), _readings(lab, pair.second)
    if isinstance(first, Progress) or isinstance(second, Progress):
        return _working(first, second)
    found = ComparedModels.of(first, second)
    return {
        "state": "ready",
        "images": len(first.labels),
        "accuracies": [first.evaluation.accuracy, second.evaluation.accuracy],
        "intervals": [list(first.evaluation.interval), list(second.evaluation.interval)],
        "parts": {part: len(getattr(found, part)) for part in ("both", "only_first", "only_second", "neither")},
        "p": found.p_value,
    }


def compared_images(lab: Lab, asked: ComparedImages) -> dict[str, object]:
    first, second = _readings(lab, asked.first), _readings(lab, asked.second)
    if isinstance(first, Progress) or isinstance(second, Progress):
        return _working(first, second)
    found = getattr(ComparedModels.of(first, second), asked.part)
    shown = found[asked.offset : asked.offset + asked.count]
    listed = [{**_image(first, int(i)), "other": _image(second, int(i))} for i in shown]
    return {"state": "ready", "total": len(found), "images": listed}


ROUTES = [
    Route(
        "GET", "/api/explore/summary", "A model's accuracy, confusion matrix and calibration on the test set.", summary
    ),
    Route(
        "GET", "/api/explore/images", "Test images behind a cell or a bin, or all mistakes, with their answers.", images
    ),
    Route("GET", "/api/explore/image", "A model's answer for one test image, with all probabilities.", image),
    Route("GET", "/api/explore/sheet", "Test images as one picture: black ink on transparent paper.", sheet),
    Route("GET", "/api/explore/mistakes.csv", "A model's mistakes as a table, with all probabilities.", mistakes_csv),
    Route("GET", "/api/explore/mistakes.png", "A model's mistakes as one picture.", mistakes_png),
    Route(
        "POST",
        "/api/explore/corruptions",
        "Starts the measurement of the accuracy on corrupted images.",
        start_corruptions,
    ),
    Route("GET", "/api/explore/corruptions", "The accuracy on corrupted images, if it was started.", corruptions),
    Route("GET", "/api/explore/layers", "The layers of a model whose outputs can be shown as points.", layers),
    Route(
        "GET", "/api/explore/components", "Test images in the principal components of a layer's outputs.", components
    ),
    Route("GET", "/api/explore/tour", "Test images as points with one coordinate for each class.", tour),
    Route("GET", "/api/explore/moments", "How many steps of the lab's training are kept.", moments),
    Route("GET", "/api/explore/training", "The tour's points at each kept step of the lab's training.", training_tour),
    Route("POST", "/api/explore/tour/frames", "Frames of a grand tour from a frame on.", tour_part),
    Route("POST", "/api/explore/tour/drag", "The nearest frame in which one axis is at a given place.", drag),
    Route("POST", "/api/explore/tour/turn", "Frames that lead to the circle of classes, or to two of them.", turn),
    Route(
        "GET", "/api/explore/compare", "How many test images both of two models read, one of them, or none.", compare
    ),
    Route("GET", "/api/explore/compared", "The test images behind a count of the comparison.", compared_images),
]
