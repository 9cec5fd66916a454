"""What `digitscope kaggle` expects and what it scores, on files of exactly Kaggle's shapes.

    uv run python -m benchmarks.kaggle FOLDER                                   # writes train.csv, test.csv, labels.csv
    uv run python -m benchmarks.kaggle FOLDER --recipe mlp                      # and makes a submission and scores it
    uv run python -m benchmarks.kaggle FOLDER --recipe convnet --members 3 --folds 3 --threads 1
    uv run python -m benchmarks.kaggle FOLDER --table                           # writes all scores to docs/kaggle.md

Kaggle's 42,000 and 28,000 rows are the 70,000 images of MNIST in an order that it keeps to itself. Here the order is
drawn with seed 0. Each run adds a line to FOLDER/scores.jsonl: what was expected before the labels were looked at, the
score, and the processor time of all trainings. A run that was stopped continues.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from digitscope.datasets import load_data
from digitscope.jobs.cross_validation import FoldScore
from digitscope.jobs.kaggle import KaggleJob
from digitscope.jobs.train import Settings

PAGE = Path(__file__).parents[1] / "docs" / "kaggle.md"
BEGIN, END = "<!-- steps -->", "<!-- end of steps -->"
TRAIN_ROWS, TEST_ROWS = 42_000, 28_000


def write_files(folder: Path) -> None:
    """Writes MNIST's 70,000 images as train.csv and test.csv, and the labels of the second as labels.csv."""
    mnist = load_data("mnist")
    assert mnist.x_test is not None
    assert mnist.y_test is not None
    images = np.concatenate([mnist.x_train, mnist.x_test]).reshape(-1, 784)
    labels = np.concatenate([mnist.y_train, mnist.y_test])
    order = np.random.default_rng(0).permutation(len(images))
    train, test = order[:TRAIN_ROWS], order[TRAIN_ROWS:]
    assert len(test) == TEST_ROWS
    folder.mkdir(parents=True, exist_ok=True)
    names = ",".join(f"pixel{i}" for i in range(784))
    rows = np.column_stack([labels[train], images[train]])
    np.savetxt(folder / "train.csv", rows, "%d", ",", header=f"label,{names}", comments="")
    np.savetxt(folder / "test.csv", images[test], "%d", ",", header=names, comments="")
    np.savetxt(folder / "labels.csv", labels[test], "%d")


def write_steps(folder: Path) -> None:
    """Writes the table of docs/kaggle.md, the lowest score first."""
    lines = (folder / "scores.jsonl").read_text(encoding="utf-8").splitlines()
    runs = {run["run"]: run for run in map(json.loads, lines)}.values()
    rows = ["| options | expected score (95 % interval) | score | processor time |", "|---|---|---|---|"]
    for run in sorted(runs, key=lambda run: run["score"]):
        options = [f"--recipe {run['recipe']}"]
        options += [f"--augment {run['augment']}"] * (run["augment"] is not None)
        options += [f"--{name} {run[name]}" for name, usual in (("members", 1), ("folds", 5)) if run[name] != usual]
        expected, score = (f"{100 * run[name]:.2f} %" for name in ("expected", "score"))
        low, high = (f"{100 * end:.2f}" for end in run["interval"])
        minutes = f"{run['processor_seconds'] / 60:.1f} min"
        rows.append(f"| `{' '.join(options)}` | {expected} ({low} to {high}) | **{score}** | {minutes} |")
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{chr(10).join(rows)}\n{END}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recipe")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--members", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--augment")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    folder: Path = given.folder
    if not (folder / "labels.csv").exists():
        write_files(folder)
    if given.table:
        write_steps(folder)
    if given.recipe is None:
        return
    settings = Settings(given.recipe, "train.csv", seed=given.seed, augment=given.augment)
    name = f"{given.recipe}-{given.folds}-{given.members}-{given.seed}{'-' + given.augment if given.augment else ''}"
    out = folder / f"{name}.csv"
    began, processor = time.perf_counter(), time.process_time()
    with KaggleJob(
        *(folder / "train.csv", folder / "test.csv", out, settings),
        folds=given.folds,
        members=given.members,
        force=True,
        threads=given.threads,
    ) as job:
        work = job.work()
        while True:
            try:
                progress = next(work)
            except StopIteration as end:
                result = end.value
                break
            if isinstance(progress, FoldScore):
                print(f"fold {progress.fold + 1}: {progress.accuracy:.4%}", flush=True)
    answers = np.loadtxt(out, np.int64, delimiter=",", skiprows=1)[:, 1]
    score = float((answers == np.loadtxt(folder / "labels.csv", np.int64)).mean())
    line = json.dumps(
        {
            "run": name,
            "recipe": given.recipe,
            "augment": given.augment,
            "members": given.members,
            "folds": given.folds,
            "expected": result.validated.evaluation.accuracy,
            "interval": list(result.expected),
            "score": score,
            "calibration_error": result.validated.evaluation.reliability.expected_calibration_error,
            "seconds": round(time.perf_counter() - began, 1),
            "processor_seconds": round(time.process_time() - processor, 1),
        }
    )
    with (folder / "scores.jsonl").open("a", encoding="utf-8") as file:
        print(line, file=file)
    print(line)


if __name__ == "__main__":
    main()
