"""Named arrays and one JSON object in a safetensors file: models and checkpoints. Never pickle."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from digitscope.arrays import Array
from digitscope.errors import ModelError
from digitscope.files.atomic import write_atomic

_KEY = "digitscope"


def write_tensors(path: Path, kind: str, arrays: Mapping[str, Array], about: Mapping[str, Any]) -> None:
    """Writes the arrays and `about`, a JSON object, to a file of this kind. Equal contents give equal bytes."""
    # There is only one entry, because safetensors writes several entries in no fixed order.
    metadata = {_KEY: json.dumps({"kind": kind, **about})}
    write_atomic(path, save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, metadata))


def read_tensors(path: Path, kind: str) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and the JSON object of a file that `write_tensors` wrote.

    Raises: ModelError if the file is missing, damaged or of another kind.
    """
    expected = f"{path}: expected a Digitscope {kind} (.safetensors)"
    if not path.is_file():
        raise ModelError(f"{expected}; {'that is a folder' if path.is_dir() else 'there is no such file'}.")
    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {}).get(_KEY, "null"))
            if not isinstance(about, dict) or about.get("kind") != kind:
                found = about.get("kind") if isinstance(about, dict) else "safetensors file of another program"
                raise ModelError(f"{expected}; it is a {found}.")
            return {name: file.get_tensor(name) for name in list(file.keys())}, about
    except (SafetensorError, OSError, ValueError, UnicodeDecodeError) as error:
        raise ModelError(f"{expected}; it is damaged or something else ({error}).") from error
