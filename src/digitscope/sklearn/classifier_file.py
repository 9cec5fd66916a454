"""The file of a classifier: numbers as safetensors, everything else as JSON. Unlike a pickle it runs no code when it is
read, and later versions read it.
"""

import inspect
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from digitscope.arguments import is_number, is_whole, shown
from digitscope.arrays import MAX_CLASSES, Array
from digitscope.errors import ArgumentError, DigitscopeError, ModelError
from digitscope.files.opening import shown_path
from digitscope.files.tensors import TensorFile, open_tensors, write_tensors
from digitscope.model_file import build_network, check_finite, check_network, fill_network
from digitscope.sklearn.preparation import PixelScaling, RowPreparation, Standardization

if TYPE_CHECKING:
    from digitscope.sklearn.network_classifier import NetworkClassifier

FORMAT = 1
_MEAN, _DEVIATION = "preparation.mean", "preparation.deviation"
_ENTRIES = {
    *("kind", "format", "class", "parameters", "classes", "type_of_classes", "features", "names_of_features"),
    *("image_shape", "preparation", "network", "epochs", "loss_curve", "validation_scores"),
}
_TYPES = ("bool", "str", "object", *(f"{kind}int{bits}" for kind in ("", "u") for bits in (8, 16, 32, 64)))
_TYPES += ("float16", "float32", "float64")


def write_classifier(path: Path, classifier: "NetworkClassifier") -> None:
    """Writes a fitted classifier; equal classifiers give equal bytes.

    Raises: ArgumentError for parameters that are objects, and for classes that are neither numbers nor texts;
        ModelError for a network that is too large to be read again.
    """
    name = type(classifier).__name__
    for parameter, value in (parameters := classifier.get_params(deep=False)).items():
        if not _is_plain(value):
            raise ArgumentError(
                f"save expects parameters that are numbers, names or None; {parameter} is {shown(value)}. Set it by "
                "its name before fit, or use pickle."
            )
    classes, preparation, network = classifier.classes_, classifier._preparation, classifier._network
    kind = "str" if classes.dtype.kind == "U" else classes.dtype.name
    if kind not in _TYPES or (kind == "object" and not all(isinstance(label, str) for label in classes)):
        raise ArgumentError(f"save expects classes that are numbers or texts; {name} learned {shown(classes[0])}.")
    check_network(network, preparation.input_shape)
    arrays = {**network.params, **network.statistics}
    about: dict[str, Any] = {}
    if isinstance(preparation, Standardization):
        arrays |= {_MEAN: preparation.mean, _DEVIATION: preparation.deviation}
        about["preparation"] = {"dtype": preparation.dtype.name}
    else:
        assert isinstance(preparation, PixelScaling)
        about["preparation"] = asdict(preparation)
    check_finite(arrays)
    names = getattr(classifier, "feature_names_in_", None)
    image_shape = getattr(classifier, "_image_shape", None)
    about |= {
        "format": FORMAT,
        "class": name,
        "parameters": {parameter: _as_json(value) for parameter, value in parameters.items()},
        "classes": classes.tolist(),
        "type_of_classes": kind,
        "features": classifier.n_features_in_,
        "names_of_features": None if names is None else names.tolist(),
        "image_shape": None if image_shape is None else list(image_shape),
        "network": network.config(),
        "epochs": classifier.n_iter_,
        "loss_curve": list(classifier.loss_curve_),
        "validation_scores": getattr(classifier, "validation_scores_", None),
    }
    write_tensors(path, "classifier", arrays, about)


def read_classifier(path: Path, kind: "type[NetworkClassifier]") -> "NetworkClassifier":
    """What `write_classifier` wrote of a classifier of this class.

    Raises: ModelError if there is no such file, if it has another classifier, or if it is damaged.
    """
    with open_tensors(path, "classifier") as file:
        try:
            return _read(file, kind)
        except DigitscopeError as error:
            raise ModelError(f"{shown_path(path)}: {error}") from error


def _read(file: TensorFile, kind: "type[NetworkClassifier]") -> "NetworkClassifier":
    about, shapes = file.about, dict(file.shapes)
    if about.get("format") != FORMAT:
        raise ModelError(
            f"expected a classifier of format {FORMAT}; got {shown(about.get('format'))}. If a later version of "
            "Digitscope wrote it, install that version."
        )
    if differing := about.keys() ^ _ENTRIES:
        raise ModelError(f"missing or unknown: {', '.join(sorted(differing))}.")
    if about["class"] != kind.__name__:
        raise ModelError(f"expected a {kind.__name__}; got {shown(about['class'])}. Use its own load.")
    parameters = about["parameters"]
    known = inspect.signature(kind).parameters.keys()
    if not isinstance(parameters, dict) or parameters.keys() - known:
        raise ModelError(f"parameters are expected among {', '.join(known)}; got {shown(parameters)}.")
    classes, features = _classes(about), about["features"]
    if not is_whole(features) or features < 1:
        raise ModelError(f"features is expected as a whole number from 1 on; got {shown(features)}.")
    preparation_shapes = {name: shapes.pop(name) for name in (_MEAN, _DEVIATION) if name in shapes}
    prepared = _pixel_scaling(about["preparation"]) if not preparation_shapes else None
    input_shape = (features,) if prepared is None else prepared.input_shape
    enlargement = 1 if prepared is None else prepared.enlargement
    if int(np.prod(input_shape, dtype=object)) != features * enlargement**2:
        raise ModelError(f"{features} features are expected; the preparation gives {shown(input_shape)}.")
    if any(shape != (features,) for shape in preparation_shapes.values()):
        raise ModelError(f"{_MEAN} and {_DEVIATION} are expected of {features} features.")
    network = build_network(about["network"], shapes, input_shape)
    outputs = network.output_shape((int(np.prod(input_shape)),))
    if len(outputs) != 1 or outputs[0] < len(classes):
        raise ModelError(f"a network is expected with an output for each of {len(classes)} classes; it has {outputs}.")
    arrays = file.read()
    check_finite(arrays)
    preparation = _standardization(arrays, about["preparation"]) if prepared is None else prepared
    if (dtype := np.result_type(np.float32, *arrays.values())) not in (np.float32, np.float64):
        raise ModelError(f"the network's numbers are expected as float32 or float64; got {dtype}.")
    network = network.astype(dtype)
    fill_network(network, arrays)
    parameters = {name: tuple(value) if isinstance(value, list) else value for name, value in parameters.items()}
    classifier = kind(**parameters)
    classifier._check_training_parameters()
    seed = classifier.random_state
    if seed is not None and not (is_whole(seed) and 0 <= seed < 2**32):
        raise ModelError(
            f"random_state is expected as a whole number from 0 to below 2^32, or null; got {shown(seed)}."
        )
    classifier.classes_, classifier.n_features_in_ = classes, int(features)
    if (names := about["names_of_features"]) is not None:
        if not (_are_texts(names) and len(names) == len(set(names)) == features):
            raise ModelError(f"names_of_features are expected as {features} different texts.")
        classifier.feature_names_in_ = np.array(names, object)
    shape = about["image_shape"]
    if shape is not None and not (isinstance(shape, list) and len(shape) == 2 and all(map(is_whole, shape))):
        raise ModelError(f"image_shape is expected as [height, width]; got {shown(shape)}.")
    curve, scores = about["loss_curve"], about["validation_scores"]
    if not (_are_numbers(curve) and (scores is None or _are_numbers(scores)) and is_whole(about["epochs"])):
        raise ModelError("epochs, loss_curve and validation_scores are expected as numbers.")
    classifier._image_shape = None if shape is None else tuple(shape)
    if scores is not None:
        classifier.validation_scores_ = scores
    classifier._restore(network, preparation)
    classifier.n_iter_, classifier.loss_curve_ = about["epochs"], curve
    return classifier


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple | np.ndarray):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | bool | np.bool_) or is_number(value)


def _as_json(value: Any) -> Any:
    """A plain value without NumPy's types."""
    if isinstance(value, list | tuple | np.ndarray):
        return list(map(_as_json, value))
    return value.item() if isinstance(value, np.generic) else value


def _classes(about: Mapping[str, Any]) -> Array:
    """Raises: ModelError for other than some different numbers or texts."""
    labels, kind = about["classes"], about["type_of_classes"]
    if not isinstance(labels, list) or not 1 <= len(labels) <= MAX_CLASSES:
        raise ModelError(f"classes are expected as a list of 1 to {MAX_CLASSES:,} labels.")
    if kind not in _TYPES:
        raise ModelError(f"type_of_classes is expected as one of {', '.join(_TYPES)}; got {shown(kind)}.")
    right = {"str": _are_texts, "object": _are_texts, "bool": _are_truths}.get(kind, _are_numbers)
    try:
        if right(labels):
            found: Array = np.array(labels, kind)
            if found.tolist() == sorted(set(labels)):
                return found
    except (OverflowError, ValueError):
        pass
    raise ModelError(f"classes are expected as different values of the type {kind} in order; got {shown(labels)}.")


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _are_truths(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, bool) for value in values)


def _are_numbers(values: Any) -> bool:
    return isinstance(values, list) and all(map(is_number, values))


def _standardization(arrays: dict[str, Array], about: Any) -> RowPreparation:
    """Takes its arrays away. Raises: ModelError for a type or a deviation that cannot be used."""
    if not isinstance(about, dict) or about.get("dtype") not in ("float32", "float64") or len(about) != 1:
        raise ModelError(f"preparation is expected with a dtype, float32 or float64; got {shown(about)}.")
    if not {_MEAN, _DEVIATION} <= arrays.keys():
        raise ModelError(f"{_MEAN} and {_DEVIATION} are expected.")
    mean, deviation = (arrays.pop(name).astype(np.float64, copy=False) for name in (_MEAN, _DEVIATION))
    if (deviation <= 0).any():
        raise ModelError(f"{_DEVIATION} is expected as positive numbers; some are not.")
    return Standardization(mean, deviation, np.dtype(about["dtype"]))


def _pixel_scaling(about: Any) -> PixelScaling:
    """Raises: ModelError for other entries than those of a PixelScaling."""
    names = ("low", "high", "height", "width", "enlargement", "from_floats")
    if not isinstance(about, dict) or about.keys() != set(names):
        raise ModelError(f"preparation is expected with {', '.join(names)}; got {shown(about)}.")
    numbers = all(is_number(about[name]) for name in ("low", "high"))
    sizes = all(is_whole(about[name]) and 0 < about[name] < 2**31 for name in ("height", "width", "enlargement"))
    if not (numbers and sizes and isinstance(about["from_floats"], bool)):
        raise ModelError(f"preparation is expected as numbers, sizes and a truth value; got {shown(about)}.")
    return PixelScaling(**about)
