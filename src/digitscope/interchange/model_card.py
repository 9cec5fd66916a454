"""A model in Hugging Face's layout: a card (README.md), config.json, and the model file beside them."""

import json
import math
from importlib.metadata import version

from digitscope.interchange.accuracy_figures import AccuracyFigure, accuracy_figures
from digitscope.interchange.onnx_graph import preprocessing
from digitscope.metrics import percentage
from digitscope.model import REFUSED_SHARE, Model
from digitscope.nn import BackgroundCrossEntropy
from digitscope.training.settings import setting_text
from digitscope.training_info import TrainingInfo

CARD, CONFIG, WEIGHTS = "README.md", "config.json", "model.safetensors"
_MNIST = "ylecun/mnist"
_OTHERS = ("taught", "members", "data_sample", "data", "data_digest", "validation_accuracy", "test_accuracy")
"""What the card's table of the training leaves out or shows elsewhere."""


def model_card(model: Model, name: str, licence: str) -> str:
    """README.md: the head in YAML that Hugging Face reads, and a page about the model.

    licence: an identifier of Hugging Face, such as mit, or unknown
    """
    height, width = model.image_shape
    return _PAGE.format(
        head=_head(model, name, licence),
        name=name,
        parameters=f"{model.parameters:,}",
        size=f"{height}x{width}",
        shape=f"(N, {height}, {width})",
        classes=model.classes,
        version=version("digitscope"),
        preprocessing=preprocessing(model.image_shape),
        figures=_figures(accuracy_figures(model.info)),
        confidence=_confidence(model),
        training=_training(model.info),
        data=_data(model.info),
        licence=_licence(licence),
    )


def model_config(model: Model) -> str:
    """config.json: the architecture and how to use it."""
    calibration = model.calibration
    labels = [str(k) for k in range(model.classes)]
    content = {
        "model_type": "digitscope",
        "digitscope_version": version("digitscope"),
        "image_size": list(model.image_shape),
        "num_channels": 1,
        "id2label": {label: label for label in labels},
        "label2id": {label: int(label) for label in labels},
        "preprocessing": preprocessing(model.image_shape),
        "loss": type(model.loss).__name__,
        "temperature": calibration.temperature if calibration else 1.0,
        "evidence_threshold": _threshold(model),
        "network": model.network.config(),
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


_PAGE = """\
---
{head}
---

# {name}

A neural network with {parameters} parameters that assigns grey images of {size} pixels to {classes} classes. Digitscope
{version} exported it, a program that is written from scratch in NumPy.

## Use

```python
from digitscope import Model

model = Model.load("model.safetensors")
print(model.predict(images), model.predict_proba(images))  # images: uint8 {shape}, 0 (paper) to 255 (ink)
```

Input of the network: {preprocessing} `digitscope.prepare("photo.jpg").image` brings a picture into this form.

## Accuracy

{figures}

## Confidence

{confidence}

## Training

{training}

## Data

{data}

## Licence

{licence}
"""


def _head(model: Model, name: str, licence: str) -> str:
    """The YAML. Texts are written as in JSON, which is YAML, too."""
    lines = [f"license: {json.dumps(licence)}", "library_name: digitscope", "pipeline_tag: image-classification"]
    lines += ["tags:", *(f"- {tag}" for tag in ("digitscope", "numpy", "handwritten-digits")), "metrics:", "- accuracy"]
    is_mnist = model.info.data == "mnist"
    if is_mnist:
        lines += ["datasets:", f"- {_MNIST}"]
    figures = accuracy_figures(model.info)
    if figures:
        data = json.dumps(model.info.data or "unknown")
        lines += ["model-index:", f"- name: {json.dumps(name)}", "  results:"]
    for figure in figures:
        interval = figure.interval and f", 95 % interval {figure.interval[0]:.4f} to {figure.interval[1]:.4f}"
        lines += [
            "  - task:",
            "      type: image-classification",
            "    dataset:",
            f"      type: {_MNIST if is_mnist else data}",
            f"      name: {'MNIST' if is_mnist else data}",
            f"      split: {figure.part}",
            "    metrics:",
            "    - type: accuracy",
            f"      value: {figure.accuracy!r}",
            f"      name: {json.dumps(f'Accuracy{interval or str()}')}",
        ]
    return "\n".join(lines)


def _figures(figures: list[AccuracyFigure]) -> str:
    if not figures:
        return "The model file has no accuracy: measure it with `digitscope evaluate model.safetensors`."
    rows = ["| images | n | accuracy | 95 % interval |", "|---|---|---|---|"]
    for figure in figures:
        count = f"{figure.images:,}" if figure.images else "not known"
        interval = " to ".join(map(percentage, figure.interval)) + " %" if figure.interval else "not known"
        rows.append(f"| {figure.part} | {count} | {percentage(figure.accuracy)} % | {interval} |")
    note = (
        "The interval (Wilson) is about the choice of images; another seed of the training gives another network. On "
        "photos and on other people's handwriting the accuracy is lower."
    )
    return "\n".join([*rows, "", note])


def _confidence(model: Model) -> str:
    if model.calibration is None:
        return "The probabilities are not calibrated, and the model has no threshold for what is not a digit."
    tempered = (
        f"Divide the logits by the temperature {model.calibration.temperature:.4g} before the softmax, as "
        "`predict_proba` does."
    )
    if (threshold := _threshold(model)) is None:
        return f"{tempered} The model has no threshold for what is not a digit."
    material = "also on drawings that are not digits" if _has_background(model) else "on digits only"
    return (
        f"{tempered} The evidence log sum e^logit of {1 - REFUSED_SHARE:.0%} of the validation images is "
        f"{threshold:.4g} or more; an image with less is not a digit. The network was trained {material}."
    )


def _threshold(model: Model) -> float | None:
    """The least evidence of a digit; None without calibration, or if it was fitted on fewer than 100 images."""
    threshold = model.calibration.evidence_threshold(REFUSED_SHARE) if model.calibration else -math.inf
    return threshold if math.isfinite(threshold) else None


def _has_background(model: Model) -> bool:
    return isinstance(model.loss, BackgroundCrossEntropy)


def _training(info: TrainingInfo) -> str:
    values = {name: value for name, value in info.as_json().items() if name not in _OTHERS and value is not None}
    lines = [f"- {name.replace('_', ' ')}: {setting_text(value)}" for name, value in values.items()]
    if info.members:
        lines.append(f"- members, trained separately: {len(info.members)}")
    lines += [f"- fine-tuned on {lesson.examples:,} examples" for lesson in info.taught]
    return "\n".join(lines) or "The model file does not say."


def _data(info: TrainingInfo) -> str:
    if info.data == "mnist":
        return (
            f"[MNIST](https://huggingface.co/datasets/{_MNIST}) by Yann LeCun, Corinna Cortes and Christopher J.C. "
            "Burges, under CC BY-SA 3.0."
        )
    return f"Trained on {info.data}. Add where these data come from, and their licence." if info.data else "Not known."


def _licence(licence: str) -> str:
    if licence == "unknown":
        return "Not chosen yet: it is for the model's author to choose, here and as `license` at the top of this file."
    return f"The model is under the licence {licence}."
