"""A folder of pictures with one subfolder for each class.

digits/0/*.png ... digits/9/*.png                    training part only
digits/train/0/*.png ..., digits/test/0/*.png ...    also named training and testing
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digitscope.datasets.data_set import DataSet
from digitscope.errors import DataError, PictureError
from digitscope.files.opening import shown_path
from digitscope.vision.decode import to_picture
from digitscope.vision.normalize import SHAPE, Shape
from digitscope.vision.prepare import prepare_decoded

LARGEST_THUMBNAIL = 64
"""Pixels: grey pictures of one size up to this are images already, larger ones are photos, scans or drawings."""

_SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
_IGNORED_FOLDERS = {"__macosx", "__pycache__"}
_OTHER_FILES = re.compile(  # thumbs.db and desktop.ini among them
    r".*\.(txt|md|rst|pdf|docx?|csv|tsv|xlsx?|jsonl?|xml|html?|ya?ml|toml|ini|cfg|log|db|py|ipynb|sh|npy|npz|pkl|pt|h5|zip"
    r"|gz|tar|7z|rar|md5|sha256)",
    re.IGNORECASE,
)
"""Names of files that are obviously not pictures."""


@dataclass(frozen=True)
class _LabelledFile:
    path: Path
    label: int


def has_subfolders(folder: Path) -> bool:
    """Whether there are folders in it that may be classes of pictures."""
    return bool(_subfolders(folder))


def unwrapped(folder: Path) -> Path:
    """The folder of classes that is the only thing in the folder, as unpacked archives have it; else the folder."""
    inner = _entries(folder)
    if len(inner) != 1 or not inner[0].is_dir() or _is_label(inner[0].name) or not has_subfolders(inner[0]):
        return folder
    return folder if inner[0].name.lower() in _SPLITS else unwrapped(inner[0])


def load_picture_folder(folder: Path, shape: Shape | None = None) -> DataSet:
    """The pictures in a folder that has one subfolder for each class.

    If all subfolders are named by whole numbers, these are the labels; else the sorted names are numbered from 0 and
    kept as `class_names`. The subfolders may be split in train and test (training and testing). Names are the same in
    both parts.

    Grey pictures of SIDE x SIDE pixels, such as PNG exports of MNIST, are taken as they are; so are grey pictures of
    another size of at most LARGEST_THUMBNAIL pixels a side if all pictures have this size. Whether their ink is dark is
    decided once, for all of them: if the pixels along their borders are lighter than half on average, the paper is
    light and all are inverted. All other pictures are prepared: `vision.prepare` finds their digit and makes it an
    image of SIDE x SIDE. If `shape` is given, the size that a model reads, this is the one size for all of them.

    The order is the same everywhere: in a class by name, numbers in names by their value; and the classes are mixed
    evenly, so that the last images, on which a recipe validates, are of every class.

    Hidden files, and files whose names say that they are no pictures (.txt, .csv, .json, Thumbs.db ...), are left out.
    Raises: DataError if there are no pictures, if one cannot be used (naming the first, and how many there are), or if
        the subfolders are not classes.
    """
    splits, names, labels = _find_classes(folder)
    files = {part: _mixed([_pictures(path, labels) for path in _subfolders(split)]) for part, split in splits.items()}
    for part, found in files.items():
        if not found:
            raise DataError(f"{splits[part]} holds no pictures in its subfolders {', '.join(names[:12])}.")
    images = load_pictures([(file.path, shown_path(file.path)) for found in files.values() for file in found], shape)
    y_train, y_test = (np.array([file.label for file in files.get(part, ())]) for part in ("train", "test"))
    return DataSet(
        folder.resolve().name,
        images[: len(y_train)],
        y_train,
        images[len(y_train) :] if "test" in files else None,
        y_test if "test" in files else None,
        None if all(map(_is_label, names)) else tuple(names),
    )


def list_picture_folder(folder: Path) -> list[tuple[Path, int]]:
    """The files of the training part and their labels, in the order of `load_picture_folder`, not opened yet.

    Raises: DataError if there are none, or if the subfolders are not classes.
    """
    splits, _, labels = _find_classes(folder)
    files = _mixed([_pictures(path, labels) for path in _subfolders(splits["train"])])
    if not files:
        raise DataError(f"{folder} holds no pictures in subfolders, one for each class.")
    return [(file.path, file.label) for file in files]


def _find_classes(folder: Path) -> tuple[dict[str, Path], list[str], dict[str, int]]:
    """The folder of each part, the names of the classes, and the label of each name."""
    splits = _find_splits(folder)
    names = sorted({path.name for split in splits.values() for path in _subfolders(split)}, key=_natural)
    numbered = [_is_label(name) for name in names]
    if any(numbered) and not all(numbered):
        number, word = names[numbered.index(True)], names[numbered.index(False)]
        raise DataError(
            f"{folder} has the subfolders {number!r} and {word!r}; either labels (0, 1, ...) or names are expected. "
            "Rename them, or move folders that are not classes elsewhere."
        )
    labels = {name: int(name) if all(numbered) else place for place, name in enumerate(names)}
    return splits, names, labels


def _is_label(name: str) -> bool:
    return re.fullmatch(r"-?\d+", name, re.ASCII) is not None


def _find_splits(folder: Path) -> dict[str, Path]:
    """The folders of train and test; the folder itself is train if it is not split."""
    splits: dict[str, Path] = {}
    subfolders = _subfolders(folder)
    if not any(path.name.lower() in _SPLITS for path in subfolders):
        return {"train": folder}
    for path in subfolders:
        part = _SPLITS.get(path.name.lower())
        if part is None:
            raise DataError(
                f"{folder} is split, but {path.name} is neither train nor test. Move it away, or its pictures into one."
            )
        if part in splits:
            raise DataError(f"{folder} has two {part} parts, {splits[part].name} and {path.name}. Keep one.")
        splits[part] = path
    if "train" not in splits:
        raise DataError(f"{folder} has a test part but no training part, a subfolder train.")
    return dict(sorted(splits.items(), reverse=True))


def _subfolders(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if path.is_dir() and path.name.lower() not in _IGNORED_FOLDERS]


def _pictures(folder: Path, labels: dict[str, int]) -> list[_LabelledFile]:
    """The pictures of a class, sorted."""
    files = []
    for path in _entries(folder):
        if path.is_dir():
            raise DataError(f"{path} is a folder inside a class; only pictures are expected there. Move them up.")
        if not _OTHER_FILES.fullmatch(path.name):
            files.append(_LabelledFile(path, labels[folder.name]))
    return files


def _entries(folder: Path) -> list[Path]:
    """What is in the folder and not hidden, sorted."""
    try:
        return sorted(
            (path for path in folder.iterdir() if not path.name.startswith(".")), key=lambda p: _natural(p.name)
        )
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror or error}.") from error


def _natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """The key that sorts names with numbers by their value: 2.png before 10.png."""
    pieces = re.findall(r"\d+|\D+", name, re.ASCII)
    return [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in pieces], name


def _mixed(classes: Sequence[list[_LabelledFile]]) -> list[_LabelledFile]:
    """The files of all classes, each class spread evenly over the whole and in its order."""
    placed = [((k + 0.5) / len(files), files[k].label, file) for files in classes for k, file in enumerate(files)]
    return [file for _, _, file in sorted(placed, key=lambda triple: triple[:2])]


def load_pictures(
    sources: Iterable[tuple[Path | bytes, str]], shape: Shape | None, *, are_images: bool = False
) -> NDArray[np.uint8]:
    """Picture files, or their bytes, with their names in errors, as images of one size: see `load_picture_folder`.

    are_images: whether grey pictures are known to be images already, of any size and with ink that is light

    Shapes: (N, H, W)
    Raises: DataError for pictures that cannot be used.
    """
    thumbnails: dict[int, NDArray[np.uint8]] = {}
    prepared: dict[int, NDArray[np.uint8]] = {}
    names: list[str] = []
    errors: list[str] = []
    target = shape or SHAPE
    for k, (source, name) in enumerate(sources):
        names.append(name)
        with _collected(errors, name):
            picture = to_picture(source)
            if _is_grey(picture) and (are_images or max(picture.shape[:2]) <= LARGEST_THUMBNAIL):
                thumbnails[k] = picture[..., 0].copy()
            else:
                prepared[k] = prepare_decoded(picture, name, target).image
    if shape or prepared or len({image.shape for image in thumbnails.values()}) > 1:
        for k in [k for k, image in thumbnails.items() if image.shape != target]:
            with _collected(errors, names[k]):
                picture = to_picture(thumbnails.pop(k))
                prepared[k] = prepare_decoded(picture, names[k], target).image
    if errors:
        raise DataError(f"{errors[0]} {len(errors):,} of {len(names):,} pictures cannot be used; remove or mend them.")
    images = prepared | thumbnails
    result = np.stack([images[k] for k in range(len(names))])
    if thumbnails and not are_images:
        taken = sorted(thumbnails)
        if _has_light_paper(result[taken]):
            result[taken] = 255 - result[taken]
    return result


@contextmanager
def _collected(errors: list[str], name: str) -> Iterator[None]:
    try:
        yield
    except PictureError as error:
        errors.append(re.sub(r"^The picture\b", lambda _: name, str(error)))


def _is_grey(picture: NDArray[np.uint8]) -> bool:
    """Whether the three colours of each pixel (H, W, 3) are equal."""
    return bool((picture == picture[..., :1]).all())


def _has_light_paper(images: NDArray[np.uint8]) -> bool:
    """Whether the pixels along the borders of all images are lighter than half on average. (N, H, W)"""
    sides = (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1])
    return float(np.mean([side.mean() for side in sides])) > 127.5
