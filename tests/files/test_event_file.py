"""Event files: the encoding, against known values, and a reader of our own."""

import struct
from pathlib import Path

import pytest

from digitscope.errors import DigitscopeError
from digitscope.files.event_file import EVENTS, EventFile, crc32c, record


@pytest.mark.parametrize(
    ("content", "crc"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),  # the check value of CRC-32C/iSCSI
        (bytes(32), 0x8A9136AA),  # RFC 3720, section B.4
        (bytes([255] * 32), 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_the_checksum(content: bytes, crc: int) -> None:
    assert crc32c(content) == crc


def test_a_file_byte_for_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1.5)
    with EventFile(tmp_path / "new" / "events", first_step=300) as file:
        file.add(300, {"loss": 0.25, "x": float("inf")})
    (path,) = (tmp_path / "new" / "events").iterdir()
    assert path.name.startswith(EVENTS)
    wall_time = b"\x09" + struct.pack("<d", 1.5)
    version = wall_time + b"\x10\x00" + b"\x1a\x0dbrain.Event:2"
    start = wall_time + b"\x10\xac\x02" + b"\x3a\x02\x08\x01"
    loss = b"\x0a\x0b" + b"\x0a\x04loss" + b"\x15" + struct.pack("<f", 0.25)
    x = b"\x0a\x08" + b"\x0a\x01x" + b"\x15\xff\xff\x7f\x7f"  # the largest float32
    summary = wall_time + b"\x10\xac\x02" + b"\x2a\x17" + loss + x
    assert path.read_bytes() == record(version) + record(start) + record(summary)


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DigitscopeError, match="cannot be written: a part of its path is not a folder"):
        EventFile(tmp_path / "file", first_step=0)
    with EventFile(tmp_path, first_step=0) as file:
        file._file.close()

        class Full:
            def write(self, content: bytes) -> None:
                raise OSError(28, "No space left on device")

            def close(self) -> None:
                pass

        monkeypatch.setattr(file, "_file", Full())
        with pytest.raises(DigitscopeError, match="cannot be written: No space left on device"):
            file.add(1, {"loss": 1.0})
