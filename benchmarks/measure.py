"""Measures a rung of the ladder over several seeds, and writes records/<recipe>/record.json.

    uv run python -m benchmarks.measure --recipe mlp --seeds 1 2 3 4 5

Each seed is a separate `digitscope train --json`, timed from start to end. A long recipe is measured faster with
--threads 1 --at-once 2: the weights are the same bit for bit, but the seconds are those of one thread.

An ensemble of networks that were measured before, with --keep, need not be trained again:

    uv run python -m benchmarks.measure --recipe ensemble --members runs/deep-[1-5]/model.safetensors
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import commit, machine, versions
from digitscope.model import Model
from digitscope.recipes import RECIPES
from digitscope.recipes.records import read_record, records_folder
from digitscope.training import default_threads


def train(recipe: str, seed: int, threads: int, folder: Path) -> dict[str, Any]:
    """The figures of one run: the output of --json, the whole command's seconds, and its peak memory in MB."""
    command = [sys.executable, "-m", "digitscope", "train", "--recipe", recipe, "--seed", str(seed), "--json"]
    began = time.perf_counter()
    command += ["--threads", str(threads)]
    process = subprocess.Popen([*command, "--out", str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    figures: dict[str, Any] = json.loads(process.stdout.read())
    peak = None
    if hasattr(os, "wait4"):
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        peak = round(usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3))
    else:
        process.wait()
    wall = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with status {process.returncode}")
    for name in ("model", "report", "settings", "notices"):
        del figures[name]
    return {**figures, "wall_seconds": round(wall, 3), "peak_memory_mb": peak}


def combine(members: list[Path]) -> dict[str, Any]:
    """The figures of the ensemble of these models; its seconds are those in the members' record."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "ensemble.safetensors"
        Model.ensemble([Model.load(path) for path in members]).save(out)
        info = Model.load(out).info
        command = [sys.executable, "-m", "digitscope", "evaluate", str(out), "--json"]
        figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    seeds = [member.seed for member in info.members]
    trained = read_record(records_folder() / str(info.members[0].recipe) / "record.json")
    runs = [run for run in trained.runs if run["seed"] in seeds]
    return {
        "recipe": "ensemble",
        "seed": seeds[0],
        "seeds": seeds,
        "epochs": sum(run["epochs"] for run in runs),
        "parameters": sum(run["parameters"] for run in runs),
        "train_seconds": round(sum(run["train_seconds"] for run in runs), 3),
        "test_accuracy": figures["accuracy"],
        "test_interval": figures["interval"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", required=True, choices=RECIPES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[])
    parser.add_argument("--members", type=Path, nargs="+", default=[], help="models to make an ensemble of")
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--add", action="store_true", help="adds to the seeds that the record already has")
    parser.add_argument("--keep", type=Path, help="a folder for the trained models")
    options = parser.parse_args()
    path = records_folder() / options.recipe / "record.json"
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(options.at_once) as pool:
        folder = options.keep or Path(temporary)

        def run(seed: int) -> dict[str, Any]:
            figures = train(options.recipe, seed, options.threads, folder / f"{options.recipe}-{seed}")
            print(json.dumps(figures), flush=True)
            return figures

        runs = [combine(options.members)] if options.members else list(pool.map(run, options.seeds))
    if options.add:
        runs = sorted([*read_record(path).runs, *runs], key=lambda figures: figures["seed"])
    command = [f"--recipe {options.recipe}"]
    if options.members:
        command.append(f"--members runs/deep-{{{','.join(map(str, runs[0]['seeds']))}}}/model.safetensors")
    else:
        command.append(f"--seeds {' '.join(str(figures['seed']) for figures in runs)}")
    if (options.threads, options.at_once) != (default_threads(), 1):
        command.append(f"--threads {options.threads} --at-once {options.at_once}")
    recipe = RECIPES[options.recipe]
    content = {
        "recipe": recipe.name,
        "title": recipe.title,
        "published": recipe.published,
        "command": f"uv run python -m benchmarks.measure {' '.join(command)}",
        "threads": options.threads,
        "machine": machine(),
        "versions": versions("numpy", "digitscope"),
        "commit": commit(),
        "date": datetime.now(UTC).date().isoformat(),
        "runs": runs,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(read_record(path).claim)


if __name__ == "__main__":
    main()
