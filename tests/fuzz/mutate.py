"""Damages files: their bytes, JSON values, and the headers, metadata and numbers of safetensors files."""

import json
import struct
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np

Rng = np.random.Generator

_NUMBERS = (0, 1, -1, 2, 3, 7, 255, 65536, 10**9, 2**31, 2**63, 10**30, 0.5, -0.5, 1e-300, 1e300)
_VALUES = (*_NUMBERS, float("nan"), float("inf"), float("-inf"), None, True, False, "", "x", "\x1b[31m\n", "é" * 200)


def choose(rng: Rng, choices: Any) -> Any:
    """One of a sequence."""
    return choices[int(rng.integers(len(choices)))]


def mutate_bytes(content: bytes, rng: Rng) -> bytes:
    """One to three changes at random places: flipped bits, other bytes, pieces cut out, repeated, inserted or lost."""
    for _ in range(int(rng.integers(1, 4))):
        content = choose(rng, _BYTE_CHANGES)(content, rng)
    return content


def _place(content: bytes, rng: Rng) -> int:
    """A random place; every second time among the first 4,096 bytes, where headers are."""
    end = len(content) if rng.random() < 0.5 else min(len(content), 4096)
    return int(rng.integers(end + 1))


def _flip(content: bytes, rng: Rng) -> bytes:
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 9)) if content else 0):
        changed[min(_place(content, rng), len(content) - 1)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _overwrite(content: bytes, rng: Rng) -> bytes:
    start, piece = _place(content, rng), _piece(rng)
    return content[:start] + piece + content[start + len(piece) :]


def _insert(content: bytes, rng: Rng) -> bytes:
    start = _place(content, rng)
    return content[:start] + _piece(rng) + content[start:]


def _cut_out(content: bytes, rng: Rng) -> bytes:
    start, length = _place(content, rng), int(rng.integers(1, 65))
    return content[:start] + content[start + length :]


def _repeat(content: bytes, rng: Rng) -> bytes:
    start, length = _place(content, rng), int(rng.integers(1, 1025))
    return content[: start + length] + content[start:]


def _truncate(content: bytes, rng: Rng) -> bytes:
    return content[: _place(content, rng)]


def _piece(rng: Rng) -> bytes:
    length = int(rng.integers(1, 17))
    kind = rng.integers(3)
    return rng.bytes(length) if kind == 0 else (b"\0" if kind == 1 else b"\xff") * length


_BYTE_CHANGES: tuple[Callable[[bytes, Rng], bytes], ...] = (_flip, _overwrite, _insert, _cut_out, _repeat, _truncate)


def mutate_json(text: str, rng: Rng) -> str:
    """JSON with one or two values replaced, left out, repeated, renamed, exchanged or nested deeply."""
    changed = [json.loads(text)]
    deep: list[Any] = []
    for _ in range(int(rng.integers(1, 3))):
        places = _places(changed)
        container, key = choose(rng, places)
        if rng.random() < 0.05:
            deep.append(container[key])
            container[key] = _DEEP
        else:
            _change(container, key, choose(rng, places), rng)
    result = json.dumps(changed[0])
    for value in deep:
        before, after = choose(rng, (("[", "]"), ('{"layers": [', "]}"), ('{"network": ', "}")))
        depth = choose(rng, (10, 100, 900, 100_000))
        result = result.replace(json.dumps(_DEEP), before * depth + json.dumps(value) + after * depth, 1)
    return result


_DEEP = "nested deeply"
"""Stands for a value that is nested more deeply than `json.dumps` can write."""


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every place inside the value, as its container and key."""
    found: list[tuple[Any, Any]] = []
    containers = [value]
    while containers:
        container = containers.pop()
        keys = list(container) if isinstance(container, dict) else range(len(container))
        found += [(container, key) for key in keys]
        containers += [container[key] for key in keys if isinstance(container[key], dict | list)]
    return found


def _change(container: Any, key: Any, other: tuple[Any, Any], rng: Rng) -> None:
    old, other_value = container[key], deepcopy(other[0][other[1]])
    kind = int(rng.integers(9))
    if kind <= 3:
        container[key] = _similar(old, rng)
    elif kind == 4:
        container[key] = choose(rng, _VALUES)
    elif kind == 5:
        container[key] = other_value
    elif kind == 6:
        container[key] = choose(rng, ([old], {"x": old}, [old] * 50, [], {}, {"type": "Network", "layers": [old]}))
    elif isinstance(container, dict) and kind == 7:
        container[f"{key}x"] = container.pop(key)
    elif isinstance(container, list) and kind == 7:
        container.extend([old] * int(choose(rng, (1, 2, 1000))))
    elif len(container) > 1:
        del container[key]


def _similar(old: Any, rng: Rng) -> Any:
    """A value of the same type."""
    if isinstance(old, bool):
        return not old
    if isinstance(old, int | float):
        return choose(rng, (old + 1, old - 1, -old, old * 100, old * 10**6, float(old), str(old), *_NUMBERS))
    if isinstance(old, str):
        return choose(rng, (old[1:], old + old, old.upper(), "", "Dense", "Network", "ReLU"))
    if isinstance(old, list):
        return choose(rng, (old[::-1], old + old, old[1:], old[:-1]))
    return choose(rng, _VALUES)


def mutate_tensors(content: bytes, rng: Rng) -> bytes:
    """A safetensors file damaged at random: its bytes, its header, the JSON in its metadata, or its numbers.

    `content` is a whole file.
    """
    kind = int(rng.integers(8))
    if kind == 0:
        return mutate_bytes(content, rng)
    header, body = split_tensors(content)
    if kind == 1:
        return join_tensors(mutate_json(json.dumps(header), rng), body)
    if kind == 2:
        _mutate_entry(header, rng)
    elif kind == 3:
        body = _mutate_numbers(header, body, rng)
    else:
        metadata = header["__metadata__"]
        key = choose(rng, list(metadata))
        metadata[key] = mutate_json(metadata[key], rng)
    return join_tensors(json.dumps(header), body)


def split_tensors(content: bytes) -> tuple[dict[str, Any], bytes]:
    """The header of a safetensors file and the bytes after it."""
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def join_tensors(header: str, body: bytes) -> bytes:
    """A safetensors file with this header, JSON."""
    text = header.encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


def _mutate_entry(header: dict[str, Any], rng: Rng) -> None:
    """Gives the header another type, shape or place of a tensor, or a tensor more or less."""
    name = choose(rng, [name for name in header if name != "__metadata__"])
    entry = header[name]
    kind = int(rng.integers(5))
    if kind == 0:
        entry["dtype"] = choose(rng, ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "I32", "U8", "BOOL", "C64"))
    elif kind == 1:
        entry["shape"] = choose(
            rng, (entry["shape"][::-1], [*entry["shape"], 1], [1, *entry["shape"]], [int(np.prod(entry["shape"]))], [])
        )
    elif kind == 2:
        entry["data_offsets"] = [int(offset) + int(choose(rng, (-4, 4, 10**9))) for offset in entry["data_offsets"]]
    elif kind == 3:
        del header[name]
    else:
        header[f"{name}x"] = header.pop(name)


def _mutate_numbers(header: dict[str, Any], body: bytes, rng: Rng) -> bytes:
    """The body with a number of one tensor that is not finite, very large, or negative."""
    entry = header[choose(rng, [name for name in header if name != "__metadata__"])]
    dtype = {"F16": np.float16, "F64": np.float64, "I8": np.int8}.get(entry["dtype"], np.float32)
    start, end = entry["data_offsets"]
    numbers = np.frombuffer(body[start:end], dtype).copy()
    values = (-128, 127, 0) if dtype is np.int8 else (np.nan, np.inf, -np.inf, 3e38, 6e4, -1.0, 0.0)
    if numbers.size:
        with np.errstate(over="ignore"):
            numbers[int(rng.integers(numbers.size))] = choose(rng, values)
    return body[:start] + numbers.tobytes() + body[end:]
