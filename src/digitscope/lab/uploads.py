"""Data sets that were uploaded: kept in the lab's folder under a name of their content, bounded in size and memory."""

import gzip
import hashlib
import io
import re
import shutil
import threading
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from digitscope.datasets import DataSet, load_data
from digitscope.errors import DataError, DigitscopeError
from digitscope.files.atomic import write_atomic
from digitscope.files.opening import GZIP_MAGIC
from digitscope.jobs.timeline import check_size

LARGEST = 128 << 20
"""Bytes of an uploaded file."""
UNPACKED = 256 << 20
"""Bytes that a compressed file may unfold to."""
KEPT = 12
"""Uploaded files that are kept; the oldest are deleted."""

_NAME = re.compile(r"[0-9a-f]{16}\.(csv|npz|images|labels)")
_LOADING = threading.Lock()


def store(folder: Path, content: bytes) -> str:
    """Keeps a file and returns its name, which is made of its content.

    Raises: DataError for an empty file, or one that unfolds to more than UNPACKED.
    """
    if not content:
        raise DataError("The file is empty (0 bytes). Choose another one.")
    kind = _kind(content)
    name = f"{hashlib.sha256(content).hexdigest()[:16]}.{kind}"
    path = folder / name
    if path.is_file():
        path.touch()
        return name
    write_atomic(path, content)
    files = sorted((p for p in folder.iterdir() if _NAME.fullmatch(p.name)), key=lambda p: p.stat().st_mtime)
    for old in files[:-KEPT]:
        old.unlink(missing_ok=True)
    return name


def _kind(content: bytes) -> str:
    """What the bytes are, by their first ones. Raises: DataError if they unfold to too much."""
    head = content[:4]
    if head[:2] == b"PK":
        _check_archive(content)
        return "npz"
    if head[:2] == GZIP_MAGIC:
        head = _check_gzip(content)
    if head[:3] == b"\0\0\x08":
        return "images" if head[3:] == b"\x03" else "labels"
    if head[:2] == b"\0\0":
        return "labels"
    return "csv"


def _check_archive(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError) as error:
        raise DataError(f"The archive is damaged ({error}). Copy it again.") from error
    if size > UNPACKED:
        raise _too_large(size)


def _check_gzip(content: bytes) -> bytes:
    """The first four bytes inside."""
    head, size = b"", 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            while part := stream.read(1 << 20):
                head, size = head or part[:4], size + len(part)
                if size > UNPACKED:
                    raise _too_large(size)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"The gzip data are damaged ({error}). Copy the file again.") from error
    return head


def _too_large(size: int) -> DataError:
    return DataError(f"The file unfolds to {size:,} bytes or more; {UNPACKED:,} are taken at most.")


def source(folder: Path, parts: Sequence[str]) -> str:
    """The path of an uploaded data set for `load_data`: of one file, or of IDX files of images and labels.

    Raises: DataError if the parts are not names that `store` gave, or do not belong together.
    """
    for name in parts:
        if _NAME.fullmatch(name) is None or not (folder / name).is_file():
            raise DataError(f"There is no uploaded file {name[:40]!r}. Upload it again.")
    kinds = {name.rpartition(".")[2]: name for name in parts}
    if kinds.keys() == {"images", "labels"}:
        pair = folder / f"{kinds['images'][:16]}-{kinds['labels'][:16]}"
        pair.mkdir(parents=True, exist_ok=True)
        for kind, stem in (("images", "train-images-idx3-ubyte"), ("labels", "train-labels-idx1-ubyte")):
            if not (pair / stem).is_file():
                shutil.copyfile(folder / kinds[kind], pair / stem)
        return str(pair)
    if len(parts) != 1 or kinds.keys() & {"images", "labels"}:
        raise DataError("One CSV or npz file is expected, or two IDX files, one of images and one of labels.")
    return str(folder / parts[0])


def load(folder: Path, parts: Sequence[str], name: str) -> DataSet:
    """The uploaded data set; one at a time is read. Errors and the data set have the name of the file, not its path.

    Raises: DataError as `source`, `load_data` and `check_size`.
    """
    path = source(folder, parts)
    with _LOADING:
        try:
            data = replace(load_data(path), name=name)
            check_size(data)
            return data
        except DigitscopeError as error:
            message = str(error)
            for part in (path, str(folder), Path(path).name):
                message = message.replace(part, name)
            raise DataError(message) from error
