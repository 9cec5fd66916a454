"""The measured ladder: the records in records/, one folder for each recipe."""

import json
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digitscope.errors import DataError
from digitscope.metrics import percentage


@dataclass(frozen=True)
class Record:
    """The runs of one recipe over several seeds, as records/<recipe>/record.json keeps them."""

    recipe: str
    title: str
    published: str
    command: str
    machine: str
    versions: dict[str, str]
    commit: str
    date: str
    runs: tuple[dict[str, Any], ...]
    """The output of `digitscope train --json`, one for each run."""
    threads: int = 2

    @property
    def n(self) -> int:
        return len(self.runs)

    def mean(self, figure: str) -> float:
        return statistics.mean(float(run[figure]) for run in self.runs)

    def deviation(self, figure: str) -> float:
        """The standard deviation over the runs; 0 if there is only one."""
        return statistics.stdev(float(run[figure]) for run in self.runs) if self.n > 1 else 0.0

    @property
    def accuracy(self) -> str:
        """The mean test accuracy in per cent, with its standard deviation if there are several runs."""
        mean = f"{percentage(self.mean('test_accuracy'))} %"
        return f"{mean} ± {100 * self.deviation('test_accuracy'):.2f}" if self.n > 1 else mean

    @property
    def training(self) -> str:
        """The mean training time, in the largest unit of which there are at least two."""
        seconds = self.mean("train_seconds")
        unit, size = next((u for u in (("h", 3600), ("min", 60)) if seconds >= 2 * u[1]), ("s", 1))
        time = f"{seconds / size:.1f} {unit}"
        return time if self.threads == 2 else f"{time} ({self.threads} thread{'s' * (self.threads > 1)})"

    @property
    def claim(self) -> str:
        """The rung's figures in one sentence, as its recipe's docstring states them."""
        return (
            f"Test accuracy {self.accuracy} (n = {self.n}{' seeds' * (self.n > 1)}), {self.training} of training, "
            f"{self.runs[0]['parameters']:,} parameters; {self.machine}."
        )


def records_folder() -> Path:
    """records/ in an installed package, or at the root of the repository."""
    package = Path(__file__).parents[1]
    installed = package / "records"
    return installed if installed.is_dir() else package.parents[1] / "records"


def load_records(recipes: Iterable[str]) -> dict[str, Record]:
    """The records of these recipes, in this order. Recipes without a record are left out."""
    folder = records_folder()
    paths = {name: folder / name / "record.json" for name in recipes}
    return {name: read_record(path) for name, path in paths.items() if path.is_file()}


def load_rate_shares() -> dict[str, float]:
    """For each recipe, its training's operations per second as a fraction of the machine's rate in matrix products.

    The fractions were measured by benchmarks/rungs.py; without a measurement the result is empty.
    """
    path = records_folder() / "rungs.json"
    if not path.is_file():
        return {}
    rungs = json.loads(path.read_text(encoding="utf-8"))["rungs"]
    return {name: float(rung["share_of_matrix_rate"]) for name, rung in rungs.items()}


def read_record(path: Path) -> Record:
    """Raises: DataError if the file is not a record."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Record(**{**content, "runs": tuple(content["runs"])})
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path}: expected a record as benchmarks/measure.py writes it; {error}.") from error
