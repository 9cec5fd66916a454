"""IDX, the file format of MNIST and its relatives.

    byte 0, 1   0 0
    byte 2      the type of the elements: 0x08 uint8, 0x09 int8, 0x0B int16, 0x0C int32, 0x0D float32, 0x0E float64
    byte 3      the rank r
    then        r sizes, big-endian uint32
    then        the elements, the last axis fastest

Source: http://yann.lecun.com/exdb/mnist/
"""

import gzip
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitscope.arrays import as_images
from digitscope.errors import DataError
from digitscope.files.opening import LIMIT, Stream, check_file, guess_file_type, open_plain_or_gzip, unpacked_limit

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CHUNK = 1 << 18  # bytes


def is_idx(magic: bytes) -> bool:
    """Whether a file with these first bytes is an IDX file."""
    return len(magic) > 2 and magic[:2] == b"\0\0" and magic[2] in _TYPES


def read_idx(path: Path) -> NDArray[Any]:
    """The array in an IDX file, raw or gzip, in the machine's byte order.

    Memory and work are bounded by the header, and the header by the size of the file: a gzip bomb is either
    refused before it is read or left after one byte too many.

    Shapes: the sizes in the header, rank 1 to 4.
    Raises: DataError where the file is missing, empty, damaged, too short, too long or something else.
    Source: http://yann.lecun.com/exdb/mnist/
    """
    size = check_file(path)
    with open_plain_or_gzip(path) as stream:
        dtype, shape = _read_header(path, stream)
        header = 4 + 4 * len(shape)
        announced = header + math.prod(shape) * dtype.itemsize
        # Zero times anything is zero, but NumPy cannot hold the other sizes either.
        if math.prod(max(n, 1) for n in shape) * dtype.itemsize > LIMIT:
            raise DataError(
                f"{path}: the header announces {shape}, more than the {LIMIT:,} bytes that are read at most. "
                f"The file is damaged or not meant for Digitscope."
            )
        zipped = isinstance(stream, gzip.GzipFile)
        if zipped and announced > unpacked_limit(size):
            raise DataError(
                f"{path}: the header announces {shape}, {announced:,} bytes with itself; {size:,} bytes of gzip "
                "cannot hold them. Download or copy it again."
            )
        if not zipped and announced > size:
            raise DataError(
                f"{path} is cut off: the header announces {shape}, {announced:,} bytes with itself; {size:,} came. "
                "Download or copy it again."
            )
        array = np.empty(announced - header, dtype=np.uint8)
        filled = _fill(array, stream)
        if filled < array.size:
            raise DataError(
                f"{path} is cut off: the header announces {shape}, {announced:,} bytes with itself; "
                f"{header + filled:,} came. Download or copy it again."
            )
        if stream.read(1):
            raise DataError(
                f"{path} is too long: the header announces {shape}, {announced:,} bytes with itself; more came. "
                f"Download or copy it again."
            )
    elements = array.view(dtype).reshape(shape)
    return elements.astype(dtype.newbyteorder("="), copy=False)


def read_images(path: Path) -> NDArray[np.uint8]:
    """The images in an IDX file: (N, H, W), 0 (paper) to 255 (ink), of numbers that `arrays.as_images` accepts.

    Raises: DataError as `read_idx`, and where the file holds labels, anything else of another rank, or other numbers.
    """
    array = read_idx(path)
    if array.ndim == 1:
        raise DataError(
            f"{path} holds labels, shape {array.shape}; images (N, H, W) are expected. "
            f"Were the files of images and labels swapped?"
        )
    if array.ndim != 3:
        raise DataError(f"{path} holds an array of shape {array.shape}; images (N, H, W) are expected.")
    try:
        return as_images(array)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def read_labels(path: Path) -> NDArray[Any]:
    """The labels in an IDX file of any type, (N,) or a column (N, 1) -> (N,).

    Raises: DataError as `read_idx`, and where the file holds images or anything else of another rank.
    """
    array = read_idx(path)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 3:
        raise DataError(
            f"{path} holds images, shape {array.shape}; labels (N,) are expected. "
            f"Were the files of images and labels swapped?"
        )
    if array.ndim != 1:
        raise DataError(f"{path} holds an array of shape {array.shape}; labels (N,) are expected.")
    return array


def _read_header(path: Path, stream: Stream) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """The type and the sizes in the header; the stream then stands at the first element."""
    magic = stream.read(4)
    if not b"\0\0".startswith(magic[:2]) or (len(magic) == 4 and magic[2] not in _TYPES):
        kind = guess_file_type(magic + stream.read(508))
        zipped = " inside gzip" if isinstance(stream, gzip.GzipFile) else ""
        raise DataError(f"{path} is not an IDX file, which starts with 00 00 08; this seems to be {kind}{zipped}.")
    if len(magic) < 4:
        raise DataError(f"{path} is cut off within its header. Download or copy it again.")
    code, rank = magic[2], magic[3]
    dtype = np.dtype(_TYPES[code])
    if not 1 <= rank <= 4:
        raise DataError(f"{path} announces {rank} dimensions; 1 to 4 are expected. The file is damaged.")
    sizes = stream.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise DataError(f"{path} is cut off within its header. Download or copy it again.")
    return dtype, struct.unpack(f">{rank}I", sizes)


def _fill(array: NDArray[np.uint8], stream: Stream) -> int:
    """Read elements until the array is full or the stream ends. The number of elements read.

    Pieces keep a second copy of a large file out of memory: gzip streams build one of whatever they are asked.
    """
    filled = 0
    while piece := stream.read(min(_CHUNK, array.size - filled)):
        array[filled : filled + len(piece)] = np.frombuffer(piece, dtype=np.uint8)
        filled += len(piece)
    return filled
