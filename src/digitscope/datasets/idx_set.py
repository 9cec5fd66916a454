"""The IDX files of a data set: four of them, or two without a test part, found by their names.

train-images-idx3-ubyte, train-labels-idx1-ubyte     as MNIST's authors name them, also with .gz
train-images.idx3-ubyte                              as Kaggle does, maybe inside a folder of the same name
emnist-letters-train-images-idx3-ubyte               as EMNIST does, several data sets in one folder
"""

import re
from pathlib import Path

from digitscope.datasets.data_set import DataSet
from digitscope.datasets.emnist import as_mnist
from digitscope.datasets.idx import read_images, read_labels
from digitscope.errors import DataError

EXPECTED_FILES = (
    "train-images-idx3-ubyte and train-labels-idx1-ubyte, and t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte "
    "for a test part, raw or .gz"
)
_NAME = re.compile(r"(?P<set>.*?)(?P<part>train|t10k|test)-(?P<what>images|labels)[-.]idx\d-[a-z0-9]+(?:\.gz)?")

IdxSet = dict[str, dict[str, Path]]
"""The parts (train, t10k or test) of a data set; of each the files of "images" and "labels" that there are."""


def find_idx_sets(folder: Path) -> dict[str, IdxSet]:
    """The data sets in the folder, by what their files' names begin with; "" for MNIST's names.

    Where a file is there raw and as .gz, the raw one counts.
    """
    found: dict[str, IdxSet] = {}
    for path in sorted(folder.iterdir(), key=lambda path: (path.suffix == ".gz", path.name)):
        if match := _NAME.fullmatch(path.name):
            file = path if path.is_file() else path / path.name
            if file.is_file():
                found.setdefault(match["set"], {}).setdefault(match["part"], {}).setdefault(match["what"], file)
    return found


def find_idx_folders(folder: Path) -> list[Path]:
    """The folders of IDX files inside the folder, as in torchvision's root/MNIST/raw, sorted."""
    return sorted({path.parent for depth in ("*", "*/*") for path in folder.glob(f"{depth}/*train-images[-.]idx3-*")})


def load_idx_set(folder: Path, prefix: str) -> DataSet:
    """The data set of a folder whose files' names begin with the prefix.

    Raises: DataError if there are no training files, if one of a pair is missing, or as `read_images`, `read_labels`.
    """
    parts = find_idx_sets(folder).get(prefix, {})
    for part, files in parts.items():
        for what, other, rank in (("images", "labels", 1), ("labels", "images", 3)):
            if other not in files:
                raise DataError(
                    f"{folder} holds {files[what].name} but no {prefix}{part}-{other}-idx{rank}-ubyte (raw or .gz). "
                    "Add it, or take both away."
                )
    if "train" not in parts:
        raise DataError(f"{folder} holds no training files of the usual names. Expected are {EXPECTED_FILES}.")
    arrays = {part: (read_images(files["images"]), read_labels(files["labels"])) for part, files in parts.items()}
    test = arrays.get("t10k", arrays.get("test", (None, None)))
    name = prefix.rstrip("-_.") or folder.resolve().name
    return as_mnist(prefix, DataSet(name, *arrays["train"], *test))


def load_idx_file(path: Path) -> DataSet:
    """The data set that one of its IDX files stands for.

    Raises: DataError if its name is not one of a data set's, or as `load_idx_set`.
    """
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise DataError(
            f"{path} is a single IDX file. Give the folder that holds it and its companion: {EXPECTED_FILES}."
        )
    return load_idx_set(path.parent, match["set"])


def load_only_idx_set(folder: Path, sets: dict[str, IdxSet]) -> DataSet:
    """The data set in the folder. Raises: DataError if there are several."""
    if len(sets) > 1:
        names = ", ".join(sorted(prefix.rstrip("-_.") or "mnist" for prefix in sets))
        files = next(iter(next(iter(sets.values())).values()))
        raise DataError(
            f"{folder} holds {len(sets)} data sets of IDX files: {names}. Give a file of one of them, such as "
            f"{next(iter(files.values()))}."
        )
    return load_idx_set(folder, next(iter(sets)))
