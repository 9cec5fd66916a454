"""Named arrays and one JSON object in a safetensors file: models, checkpoints, classifiers. Never pickle."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from digitscope.arrays import Array
from digitscope.errors import ModelError
from digitscope.files.atomic import write_atomic
from digitscope.files.opening import check_file, guess_file_type, shown_path

KINDS = "model", "checkpoint", "classifier"
MAX_BYTES = 4 << 30
"""The largest file that is read."""
MAX_DEPTH = 100
"""How deeply the JSON object may be nested."""

_OTHER_ENDINGS = ".h5", ".joblib", ".keras", ".npz", ".onnx", ".pickle", ".pkl", ".pt", ".pth"
"""Of files that other programs read."""
_KEY = "digitscope"
_DTYPES = {"F16": "float16", "F32": "float32", "F64": "float64", "I64": "int64"}
"""The types of arrays that other programs write: safetensors' names and NumPy's."""
_OWN_DTYPES = {**_DTYPES, "I8": "int8"}


def write_tensors(
    path: Path, kind: str, arrays: Mapping[str, Array], about: Mapping[str, Any], *, previous: Path | None = None
) -> None:
    """Writes the arrays and `about`, a JSON object, to a file of this kind. Equal contents give equal bytes.

    `previous`: as `write_atomic`.

    Raises: ModelError for a name under which another program would take it for its own.
    """
    if path.suffix.lower() in _OTHER_ENDINGS:
        raise ModelError(
            f"{shown_path(path)}: a {kind} is saved as a safetensors file, which is not what {path.suffix} stands for. "
            "Give a name that ends with .safetensors."
        )
    # There is only one entry, because safetensors writes several entries in no fixed order.
    metadata = {_KEY: json.dumps({"kind": kind, **about})}
    content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, metadata)
    write_atomic(path, content, previous=previous)


@dataclass(frozen=True)
class TensorFile:
    """An open file that `write_tensors` wrote. Its arrays are not read yet."""

    about: dict[str, Any]
    """The JSON object, nested at most MAX_DEPTH deep."""
    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, str]
    """NumPy's names: "float32"."""
    read: Callable[[], dict[str, Array]]
    """Reads the arrays.

    Raises: ModelError if the file cannot be read.
    """


def read_foreign_tensors(path: Path, is_wanted: Callable[[str], bool]) -> dict[str, Array]:
    """The arrays of a safetensors file that another program wrote, of those whose names are wanted.

    Raises: ModelError if the file is missing, damaged, too large, one of Digitscope, or has arrays of other types.
    """
    shown = shown_path(path)
    expected = f"{shown}: expected weights of another program (.safetensors)"
    if (size := check_file(path, ModelError, subject=f"{expected}; it")) > MAX_BYTES:
        raise ModelError(f"{expected} of at most {MAX_BYTES:,} bytes; it has {size:,}.")
    _check_kind_of_file(path, expected)
    with _one_error(expected), safe_open(path, framework="numpy") as file:
        is_own = _KEY in (file.metadata() or {})
        names = list(filter(is_wanted, file.keys()))
        dtypes = {name: file.get_slice(name).get_dtype() for name in names}
        if not is_own and not set(dtypes.values()) - set(_DTYPES):
            return {name: file.get_tensor(name) for name in names}
    if is_own:
        raise ModelError(f"{expected}; it is one of Digitscope. Use it as it is.")
    name = next(name for name in dtypes if dtypes[name] not in _DTYPES)
    known = ", ".join(_DTYPES.values())
    raise ModelError(f"{shown}: {name} expects one of {known}; got {dtypes[name]}. Convert it to float32.")


@contextmanager
def open_tensors(path: Path, kind: str) -> Iterator[TensorFile]:
    """A file that `write_tensors` wrote.

    Raises: ModelError if the file is missing, damaged, of another kind or too large.
    """
    shown = shown_path(path)
    expected = f"{shown}: expected a Digitscope {kind} (.safetensors)"
    size = check_file(path, ModelError, subject=f"{expected}; it")
    if size > MAX_BYTES:
        raise ModelError(f"{expected} of at most {MAX_BYTES:,} bytes; it has {size:,}.")
    _check_kind_of_file(path, expected)
    with ExitStack() as stack:
        with _one_error(expected):
            file = stack.enter_context(safe_open(path, framework="numpy"))
            about = _parse((file.metadata() or {}).get(_KEY, "null"))
            names = file.keys()
            slices = {name: file.get_slice(name) for name in names}
        if not isinstance(about, dict) or about.get("kind") != kind:
            other = about.get("kind") if isinstance(about, dict) else None
            found = other if other in KINDS else "safetensors file of another program"
            raise ModelError(f"{expected}; it is a {found}.")
        for name, part in slices.items():
            if part.get_dtype() not in _OWN_DTYPES:
                known = ", ".join(_OWN_DTYPES.values())
                raise ModelError(f"{shown}: {name} expects one of {known}; got {part.get_dtype()}.")

        def read() -> dict[str, Array]:
            with _one_error(expected):
                return {name: file.get_tensor(name) for name in slices}

        shapes = {name: tuple(part.get_shape()) for name, part in slices.items()}
        yield TensorFile(about, shapes, {name: _OWN_DTYPES[part.get_dtype()] for name, part in slices.items()}, read)


def read_tensors(path: Path, kind: str) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and the JSON object of a file that `write_tensors` wrote.

    Raises: as `open_tensors`.
    """
    with open_tensors(path, kind) as file:
        return file.read(), file.about


def _check_kind_of_file(path: Path, expected: str) -> None:
    """Raises: ModelError for a file that begins as no safetensors file does: with a length, then a JSON object."""
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise ModelError(f"{expected}; it cannot be read: {error.strerror or error}.") from error
    if len(head) > 8 and head[8:9] != b"{":
        raise ModelError(f"{expected}; this seems to be {guess_file_type(head)}.")


@contextmanager
def _one_error(expected: str) -> Iterator[None]:
    try:
        yield
    except (SafetensorError, OSError, ValueError, MemoryError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise ModelError(f"{expected}; it is damaged or something else ({reason}).") from error


def _parse(text: str) -> Any:
    """Raises: ValueError or RecursionError for what is not JSON or nested too deeply."""
    value = json.loads(text)
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [part for outer in level for part in _parts(outer)]
        if not level:
            return value
    raise RecursionError


def _parts(value: Any) -> Iterable[Any]:
    """The values inside a JSON value."""
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
