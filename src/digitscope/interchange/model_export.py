"""Writes a model as the files that other programs read."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from digitscope.arguments import check_kind
from digitscope.errors import DigitscopeError
from digitscope.files.atomic import check_new, write_atomic
from digitscope.files.opening import shown_path
from digitscope.interchange.model_card import CARD, CONFIG, WEIGHTS, model_card, model_config
from digitscope.interchange.numpy_script import numpy_script, weights_npz
from digitscope.interchange.onnx_graph import onnx_bytes
from digitscope.model import Model

Write = Callable[[Path], None]


def export_model(model: Model, path: str | Path, *, licence: str = "unknown") -> list[Path]:
    """Writes the model for another program, and returns the new files.

    path: its ending chooses the form. NAME.onnx is an ONNX graph; NAME.py is a page of plain NumPy, with NAME.npz
        beside it; any other NAME without an ending is a folder in Hugging Face's layout, with README.md, config.json
        and model.safetensors.
    licence: an identifier for the head of that README.md

    Raises: DigitscopeError for another ending, if a file exists already or cannot be written, and without the package
        onnx; ModelError for a layer of one's own. Nothing is written then.
    """
    check_kind("model", model, "a Model", Model)
    check_kind("path", path, "a file name", str, os.PathLike)
    check_kind("licence", licence, "text", str)
    path = Path(path)
    model = model.to("cpu")
    files = _files(model, path, licence)
    for file in files:
        check_new(file, "name")
    is_new_folder = not next(iter(files)).parent.exists()
    written: list[Path] = []
    try:
        for file, write in files.items():
            written.append(file)
            write(file)
    except BaseException:
        for file in written:
            file.unlink(missing_ok=True)
        if is_new_folder:
            with contextlib.suppress(OSError):
                written[0].parent.rmdir()
        raise
    return written


def _files(model: Model, path: Path, licence: str) -> dict[Path, Write]:
    """What writes each of the files. All that can be wrong with the model is noticed here."""
    ending = path.suffix.lower()
    if ending == ".onnx":
        return {path: _writer(onnx_bytes(model))}
    if ending == ".py":
        if set(path.stem) & set("\"'\\{}") or not path.stem.isprintable():
            raise DigitscopeError(f"{shown_path(path)}: a name without quotes, braces and backslashes is expected.")
        script = numpy_script(model, path.stem).encode()
        return {path: _writer(script), path.with_suffix(".npz"): _writer(weights_npz(model))}
    if path.is_dir() or (not ending and path.name):
        name = path.resolve().name
        return {
            path / WEIGHTS: model.save,
            path / CONFIG: _writer(model_config(model).encode()),
            path / CARD: _writer(model_card(model, name, licence).encode()),
        }
    raise DigitscopeError(
        f"{shown_path(path)}: a name that ends with .onnx or .py is expected, or one without an ending for a folder in "
        "Hugging Face's layout."
    )


def _writer(content: bytes) -> Write:
    return lambda path: write_atomic(path, content)
