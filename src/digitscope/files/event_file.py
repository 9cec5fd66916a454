"""Event files as TensorBoard reads them, written without TensorFlow.

A file is a row of records: length (8 bytes), its checksum (4), content, its checksum (4), all little-endian. A content
is an Event in protobuf's encoding: fields, each with a key (8 field + type) before its value. Of these, only the ones
below are needed:

    Event      1 wall_time (double)  2 step (varint)  3 file_version (text)  5 summary  7 session_log
    Summary    1 value, repeated     Value  1 tag (text)  2 simple_value (float)
    SessionLog 1 status (varint; 1 for START)

Source: tensorflow/core/lib/io/record_writer.cc, tensorflow/core/util/event.proto and framework/summary.proto.
"""

import secrets
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from digitscope.files.atomic import unwritable

EVENTS = "events.out.tfevents."
"""How the name of each event file begins."""
_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5
_START = 1
_LARGEST = 3.4028234663852886e38
"""The largest float32, in place of larger numbers."""


class EventFile:
    """A new event file in a folder. Each event is on disk, for TensorBoard to read, when `add` returns.

    Raises: DigitscopeError whenever it cannot be written.
    """

    def __init__(self, folder: Path, *, first_step: int) -> None:
        """`first_step`: from there on TensorBoard forgets what older files in the folder say."""
        # TensorBoard reads the files of a folder in the order of their names.
        self._path = folder / f"{EVENTS}{time.time_ns():020d}.{secrets.token_hex(4)}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("xb", buffering=0)
        except OSError as error:
            raise unwritable(self._path, error) from error
        self._write(0, _field(3, _BYTES, b"brain.Event:2"))
        self._write(first_step, _field(7, _BYTES, _field(1, _VARINT, _START)))

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """Writes the values of a step by their tags, such as "loss/train"."""
        values = [_field(1, _BYTES, tag.encode()) + _field(2, _FLOAT, value) for tag, value in scalars.items()]
        self._write(step, _field(5, _BYTES, b"".join(_field(1, _BYTES, value) for value in values)))

    def _write(self, step: int, fields: bytes) -> None:
        event = _field(1, _DOUBLE, time.time()) + _field(2, _VARINT, step) + fields
        try:
            self._file.write(record(event))
        except OSError as error:
            raise unwritable(self._path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def record(content: bytes) -> bytes:
    """The content as a record of a file."""
    length = struct.pack("<Q", len(content))
    return length + struct.pack("<I", _masked_crc(length)) + content + struct.pack("<I", _masked_crc(content))


def crc32c(content: bytes) -> int:
    """The cyclic redundancy check of Castagnoli: the remainder of the content, as a polynomial over bits."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = _CRC_OF_BYTE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _crc_of_byte(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_CRC_OF_BYTE = [_crc_of_byte(byte) for byte in range(256)]


def _masked_crc(content: bytes) -> int:
    """The checksum, changed so that a checksum of data that contain checksums is as good as another."""
    crc = crc32c(content)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _field(number: int, kind: int, value: float | bytes) -> bytes:
    """A field in protobuf's encoding."""
    key = _varint(number << 3 | kind)
    if isinstance(value, bytes):
        return key + _varint(len(value)) + value
    if kind == _VARINT:
        return key + _varint(int(value))
    if kind == _DOUBLE:
        return key + struct.pack("<d", value)
    return key + struct.pack("<f", max(min(value, _LARGEST), -_LARGEST))  # NaN stays NaN


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the highest bit of a byte says that another follows."""
    low = bytearray()
    while value > 0x7F:
        low.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*low, value])
