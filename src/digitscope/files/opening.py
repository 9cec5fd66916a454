"""Opens data files, and guesses from its content what an unexpected file is."""

import codecs
import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from digitscope.errors import DataError, DigitscopeError, printable

Stream = io.BufferedReader | gzip.GzipFile

LIMIT = 2 << 30  # bytes: the largest array that a file may declare
UNPACKED_RATIO = 100
"""How often its own size a compressed file may unfold to, beyond UNPACKED_FREE bytes. Images of digits reach 10."""
UNPACKED_FREE = 64 << 20
_DEFLATE_RATIO = 1032  # the most bytes that one byte of deflate can unfold to
GZIP_MAGIC = b"\x1f\x8b"
PARQUET_MAGIC = b"PAR1"

# First bytes of files that people pass by mistake. A longer signature comes before the shorter one that it starts with.
_SIGNATURES = {
    b"\x00\x00\x08\x01": "an IDX file of labels",
    b"\x00\x00\x08\x03": "an IDX file of images",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"PK\x03\x04": "a ZIP archive (.zip, .npz, .xlsx, .keras or PyTorch's .pt)",
    b"PK\x05\x06": "an empty ZIP archive",
    GZIP_MAGIC: "a gzip file",
    b"\x93NUMPY": 'a NumPy .npy file (put images and labels into one file: numpy.savez("data.npz", x=..., y=...))',
    b"\x89HDF": "an HDF5 file (save its arrays with numpy.savez)",
    b"%PDF": "a PDF document",
    b"BZh": "a bzip2 file (unpack it)",
    b"\xfd7zXZ": "an xz file (unpack it)",
    b"7z\xbc\xaf": "a 7-Zip archive (unpack it)",
    b"\x80": "a Python pickle (save its arrays with numpy.savez)",
    b"\xff\xfe": "UTF-16 text (save it as UTF-8)",
    b"\xfe\xff": "UTF-16 text (save it as UTF-8)",
    PARQUET_MAGIC: "a Parquet file",
    b"ARROW1": "an Arrow file (save it as Parquet)",
    b"SQLite format 3": "an SQLite database (save its table as CSV)",
    b"MATLAB 5.0": "a MATLAB file (save its arrays with numpy.savez)",
    b"Rar!": "a RAR archive (unpack it)",
    b"\x28\xb5\x2f\xfd": "a Zstandard file (unpack it)",
    b"II*\0": "a TIFF picture",
    b"MM\0*": "a TIFF picture",
    b"\x08\x08\x12": "an ONNX model",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself (fetch it: git lfs pull)",
}


def shown_path(path: str | os.PathLike[str]) -> str:
    """The path as it appears in a message, with line breaks and other unprintable characters escaped."""
    return printable(os.fsdecode(path))


def unreadable(path: str | os.PathLike[str], error: OSError) -> DataError:
    """The error for a file or folder that the operating system does not let us read."""
    return DataError(
        f"{shown_path(path)} cannot be read: {error.strerror or error}. Check the path and its permissions."
    )


def exists(path: Path) -> bool:
    """Whether there is such a file or folder. Raises: DataError if the operating system does not say."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise unreadable(path, error) from error
    return True


def check_file(path: Path, error: type[DigitscopeError] = DataError, *, subject: str | None = None) -> int:
    """The size of the file in bytes. `subject` is how messages begin, by default the path.

    Raises: `error` if the path is missing, a folder, not a regular file (a pipe would hang) or empty.
    """
    subject = subject or shown_path(path)
    try:
        status = path.stat()
    except FileNotFoundError:
        raise error(f"{subject} does not exist. Check the path.") from None
    except (OSError, ValueError) as reason:
        text = reason.strerror if isinstance(reason, OSError) else reason
        raise error(f"{subject} cannot be opened: {text}. Check the path.") from reason
    if stat.S_ISDIR(status.st_mode):
        raise error(f"{subject} is a folder; a file is expected.")
    if not stat.S_ISREG(status.st_mode):
        raise error(f"{subject} is not a regular file. Copy its content into one.")
    if status.st_size == 0:
        raise error(f"{subject} is empty (0 bytes). Download or copy it again.")
    return status.st_size


def unpacked_limit(size: int) -> int:
    """The most bytes that a file of this size, compressed or not, may hold. A bomb holds 1,000 times its size."""
    return min(LIMIT, _DEFLATE_RATIO * size, UNPACKED_FREE + UNPACKED_RATIO * size)


@contextmanager
def open_plain_or_gzip(path: Path) -> Iterator[Stream]:
    """The bytes of the file, decompressed if it starts with the gzip magic number, whatever its name.

    Raises: DataError if the file cannot be read or its gzip data are damaged, also while the caller reads.
    """
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == GZIP_MAGIC
            file.seek(0)
            with gzip.GzipFile(fileobj=file) if zipped else nullcontext(file) as stream:
                yield stream
    except EOFError as reason:
        raise DataError(f"{path}: the gzip data are cut off. Download or copy it again.") from reason
    except (gzip.BadGzipFile, zlib.error) as reason:
        raise DataError(f"{path}: the gzip data are damaged ({reason}). Download or copy it again.") from reason
    except OSError as reason:
        raise unreadable(path, reason) from reason


def is_text(head: bytes) -> bool:
    """Whether the first bytes of a file are UTF-8 text. They may end in the middle of a character."""
    try:
        return "\0" not in codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False


def guess_file_type(head: bytes) -> str:
    """The probable type of a file with these first bytes, in words that complete "this seems to be ..."."""
    for signature, kind in _SIGNATURES.items():
        if head.startswith(signature):
            return kind
    if not is_text(head):
        return f"binary data of an unknown kind (it starts with {head[:4].hex(' ')})"
    if head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "an HTML page (perhaps the error page of a failed download)"
    if head.lstrip().lower().startswith((b"@relation", b"% ")):
        return "an ARFF file of Weka or OpenML (save it as CSV)"
    if head.lstrip().startswith((b"{", b"[")):
        return "JSON text"
    if b"," in head:
        return "CSV text"
    return "text"
