import contextlib
import gzip
import os
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from digitscope.datasets.idx import read_idx, read_images, read_labels
from digitscope.errors import DataError

IdxBytes = Callable[[NDArray[np.uint8]], bytes]
ARRAYS = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=6))


def refusal(path: Path, content: bytes) -> str:
    """The one-line error of the reader for this content."""
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read_idx(path)
    message = str(error.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@settings(deadline=None)
@given(array=ARRAYS, zipped=st.booleans())
def test_reads_what_a_writer_wrote(array: NDArray[np.uint8], zipped: bool, idx_bytes: IdxBytes, scratch: Path) -> None:
    content = idx_bytes(array)
    path = scratch / "any-name"
    path.write_bytes(gzip.compress(content) if zipped else content)
    read = read_idx(path)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, array, strict=True)
    assert read.flags.writeable


@settings(deadline=None)
@given(array=ARRAYS, zipped=st.booleans(), data=st.data())
def test_any_truncation_is_an_error(
    array: NDArray[np.uint8], zipped: bool, data: st.DataObject, idx_bytes: IdxBytes, scratch: Path
) -> None:
    content = gzip.compress(idx_bytes(array)) if zipped else idx_bytes(array)
    cut = data.draw(st.integers(0, len(content) - 1))
    refusal(scratch / "cut", content[:cut])


@settings(deadline=None)
@given(
    start=st.sampled_from(
        [b"", b"\0\0\x08", b"\0\0\x08\x01\0\0\0", b"\0\0\x08\x02\0\0\0\x01\0\0\0", b"\x1f\x8b\x08\0"]
    ),
    rest=st.binary(max_size=40),
    zipped=st.booleans(),
)
def test_arbitrary_bytes_give_an_error_or_the_right_array(
    start: bytes, rest: bytes, zipped: bool, scratch: Path
) -> None:
    content = start + rest
    path = scratch / "arbitrary"
    path.write_bytes(gzip.compress(content) if zipped else content)
    try:
        array = read_idx(path)
    except DataError:
        return
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    rank = content[3]
    assert content[:4] == bytes([0, 0, 8, rank])
    assert array.shape == struct.unpack(f">{rank}I", content[4 : 4 + 4 * rank])
    assert array.tobytes() == content[4 + 4 * rank :]


@settings(deadline=None)
@given(array=ARRAYS, data=st.data())
def test_damaged_gzip_is_an_error_or_changes_nothing(
    array: NDArray[np.uint8], data: st.DataObject, idx_bytes: IdxBytes, scratch: Path
) -> None:
    content = bytearray(gzip.compress(idx_bytes(array)))
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path = scratch / "damaged.gz"
    path.write_bytes(content)
    with contextlib.suppress(DataError):  # its name or time may be what changed
        np.testing.assert_array_equal(read_idx(path), array, strict=True)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere does not exist\. Check the path\."):
        read_idx(tmp_path / "nowhere")


def test_folder_and_pipe(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder; a file is expected"):
        read_idx(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="is not a regular file"):
        read_idx(tmp_path / "pipe")


@pytest.mark.parametrize("name", ["x" * 5000, "zero\0byte"])
def test_impossible_names(name: str) -> None:
    with pytest.raises(DataError, match="cannot be opened"):
        read_idx(Path(name))


def test_a_file_that_stops_being_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "locked"
    path.write_bytes(b"\0\0\x08\1")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"locked cannot be read: Permission denied\."):
        read_idx(path)


def test_empty_file(tmp_path: Path) -> None:
    assert "is empty (0 bytes)" in refusal(tmp_path / "a", b"")
    assert "is cut off within its header" in refusal(tmp_path / "b", gzip.compress(b""))


@pytest.mark.parametrize("content", [b"\0\0", b"\0\0\x08", b"\0\0\x08\x03", b"\0\0\x08\x03\0\0\0\1\0\0\0\1\0\0\0"])
def test_header_cut_off(content: bytes, tmp_path: Path) -> None:
    assert "is cut off within its header" in refusal(tmp_path / "a", content)
    assert "is cut off within its header" in refusal(tmp_path / "a", gzip.compress(content))


def test_truncated_and_over_long(idx_bytes: IdxBytes, tmp_path: Path) -> None:
    content = idx_bytes(np.ones((2, 3, 4), dtype=np.uint8))
    expected = "the header announces (2, 3, 4), 40 bytes with itself; "
    assert "is cut off: " + expected + "39 came" in refusal(tmp_path / "a", content[:-1])
    assert "is cut off: " + expected + "39 came" in refusal(tmp_path / "a", gzip.compress(content[:-1]))
    assert "is too long: " + expected + "more came" in refusal(tmp_path / "a", content + b"\0")
    assert "is too long: " + expected + "more came" in refusal(tmp_path / "a", gzip.compress(content + b"\0"))


def test_a_wrong_magic_number_names_the_file_type(
    wrong_files: dict[str, bytes], wrong_texts: dict[str, bytes], tmp_path: Path
) -> None:
    for words, content in {**wrong_files, **wrong_texts}.items():
        message = refusal(tmp_path / "a", content)
        assert words in message
        assert "is not an IDX file, which starts with 00 00 08" in message
        assert words in refusal(tmp_path / "a", gzip.compress(content))
    assert "a gzip file inside gzip" in refusal(tmp_path / "a", gzip.compress(gzip.compress(b"\0\0\x08\1")))


TYPES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def typed(array: NDArray[Any], dtype: str) -> bytes:
    """An IDX file of these numbers, of that type."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, TYPES[dtype], array.ndim, *array.shape)
    return header + array.astype(f">{dtype}").tobytes()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("zipped", [False, True])
def test_elements_of_every_type(dtype: str, zipped: bool, tmp_path: Path) -> None:
    array = np.arange(24).reshape(2, 3, 4) * 5
    content = typed(array, dtype)
    (tmp_path / "a").write_bytes(gzip.compress(content) if zipped else content)
    np.testing.assert_array_equal(read_idx(tmp_path / "a"), array.astype(dtype), strict=True)
    np.testing.assert_array_equal(read_images(tmp_path / "a"), array.astype(np.uint8), strict=True)
    (tmp_path / "a").write_bytes(typed(array[0, :1].T, dtype))
    np.testing.assert_array_equal(read_labels(tmp_path / "a"), array[0, 0])
    assert "is cut off" in refusal(tmp_path / "a", content[:-1])


def test_images_of_floats(tmp_path: Path) -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    for dtype in ("f4", "f8"):
        (tmp_path / "a").write_bytes(typed(pixels / 255, dtype))
        np.testing.assert_array_equal(read_images(tmp_path / "a"), pixels, strict=True)
        (tmp_path / "a").write_bytes(typed(pixels / 2, dtype))
        with pytest.raises(DataError, match=r"/a: Images are expected .* got floats up to 127.5. Give images / 255."):
            read_images(tmp_path / "a")


@pytest.mark.parametrize("rank", [0, 5, 255])
def test_other_ranks(rank: int, tmp_path: Path) -> None:
    message = refusal(tmp_path / "a", bytes([0, 0, 8, rank]) + bytes(1100))
    assert f"announces {rank} dimensions; 1 to 4 are expected" in message


def test_corrupt_gzip(idx_bytes: IdxBytes, tmp_path: Path) -> None:
    good = gzip.compress(idx_bytes(np.arange(200, dtype=np.uint8)))
    assert "the gzip data are cut off" in refusal(tmp_path / "a", good[:-5])
    assert "the gzip data are damaged (CRC" in refusal(tmp_path / "a", good[:-8] + bytes(8))
    assert "the gzip data are damaged" in refusal(tmp_path / "a", good[:10] + b"\xff" * 20)
    assert "the gzip data are damaged (Not a gzipped" in refusal(tmp_path / "a", good + b"trailing")


def test_swapped_files(idx_bytes: IdxBytes, tmp_path: Path) -> None:
    images, labels, square = tmp_path / "images", tmp_path / "labels", tmp_path / "square"
    images.write_bytes(idx_bytes(np.zeros((2, 3, 4), dtype=np.uint8)))
    labels.write_bytes(idx_bytes(np.zeros(2, dtype=np.uint8)))
    square.write_bytes(idx_bytes(np.zeros((2, 3), dtype=np.uint8)))
    assert read_images(images).shape == (2, 3, 4)
    assert read_labels(labels).shape == (2,)
    with pytest.raises(DataError, match=r"holds labels, shape \(2,\); images \(N, H, W\) are expected\. .*swapped"):
        read_images(labels)
    with pytest.raises(DataError, match=r"holds images, shape \(2, 3, 4\); labels \(N,\) are expected\. .*swapped"):
        read_labels(images)
    with pytest.raises(DataError, match=r"shape \(2, 3\); images \(N, H, W\) are expected"):
        read_images(square)
    with pytest.raises(DataError, match=r"shape \(2, 3\); labels \(N,\) are expected"):
        read_labels(square)


def test_gzip_bombs_cost_no_memory(idx_bytes: IdxBytes, tmp_path: Path) -> None:
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    header = idx_bytes(np.zeros((1, 0, 28), dtype=np.uint8))
    bomb = deflate.compress(header) + b"".join(deflate.compress(bytes(1 << 20)) for _ in range(64)) + deflate.flush()
    small = gzip.compress(struct.pack(">BBBB3I", 0, 0, 8, 3, 60000, 28, 28))
    huge = struct.pack(">BBBB3I", 0, 0, 8, 3, 1 << 31, 28, 28)
    empty_but_huge = struct.pack(">BBBB3I", 0, 0, 8, 3, 0, 1 << 31, 1 << 31)
    tracemalloc.start()
    try:
        assert "is too long" in refusal(tmp_path / "bomb", bomb)
        assert "bytes of gzip cannot hold them" in refusal(tmp_path / "small", small)
        assert "more than the 2,147,483,648 bytes that are read at most" in refusal(tmp_path / "huge", huge)
        assert "read at most" in refusal(tmp_path / "empty", empty_but_huge)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 << 20


def test_a_large_file_is_in_memory_once(idx_bytes: IdxBytes, tmp_path: Path) -> None:
    path = tmp_path / "large.gz"
    path.write_bytes(gzip.compress(idx_bytes(np.zeros((1000, 100, 100), dtype=np.uint8)), 1))
    tracemalloc.start()
    try:
        assert read_idx(path).shape == (1000, 100, 100)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000 + (2 << 20)
