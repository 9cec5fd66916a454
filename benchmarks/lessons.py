"""Measures lessons of `teach`: three examples that a model reads worst, and 200 others of their kind.

    uv run python -m benchmarks.lessons "convnet:1 upstroke" "reader:4 loop" --all-layers

--command also times `digitscope teach` with pictures of the three, from start to end.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from digitscope.arrays import Array
from digitscope.datasets import load_data
from digitscope.jobs.teach import TeachSettings, teach
from digitscope.model import Model
from digitscope.synthetic.non_digits import VARIANTS, DigitSource

OTHERS = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="+", metavar="MODEL:KIND")
    parser.add_argument("--all-layers", action="store_true", help="also lessons in which all layers learn")
    parser.add_argument("--command", action="store_true", help="also the command, with its start")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    data = load_data("mnist")
    digits = DigitSource(data.x_train[-5000:], data.y_train[-5000:])
    for lesson in options.lessons:
        name, _, kind = lesson.partition(":")
        model, label, rng = Model.load(name), int(kind[0]), np.random.default_rng(0)
        images = np.stack([VARIANTS[kind].draw(rng, digits) for _ in range(OTHERS + 3)])
        hardest = np.argsort(model.predict_proba(images, threads=1)[:, label], kind="stable")[:3]
        others = np.delete(images, hardest, axis=0)
        before = (model.predict(others, threads=1) == label).mean()
        for all_layers in (False, True) if options.all_layers else (False,):
            settings = TeachSettings(all_layers=all_layers)
            for seed in range(options.seeds):
                began, processor = time.perf_counter(), time.process_time()
                result = teach(
                    model, images[hardest], [label] * 3, data, settings=settings, seed=seed, threads=options.threads
                )
                seconds, processor = time.perf_counter() - began, time.process_time() - processor
                after = (result.model.predict(others, threads=1) == label).mean()
                print(
                    f"{lesson}, {'all' if all_layers else 'last'} layers, seed {seed}: others {100 * before:.1f} -> "
                    f"{100 * after:.1f} %, MNIST {100 * result.accuracy_before:.2f} -> "
                    f"{100 * result.accuracy_after:.2f} %, {seconds:.1f} s ({processor:.1f} s of the processor)"
                    f"{', rejected' if result.problem else ''}",
                    flush=True,
                )
        if options.command:
            for _ in range(options.seeds):
                seconds, processor = time_command(name, images[hardest], label, options.threads)
                print(f"{lesson}, the command: {seconds:.1f} s ({processor:.1f} s of the processor)", flush=True)


def time_command(model: str, images: Array, label: int, threads: int) -> tuple[float, float]:
    """The seconds of `digitscope teach` for pictures of these images, by the clock and of the processor."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "digitscope", "teach", model, "--threads", str(threads), "--json"]
        command += ["--out", f"{folder}/taught.safetensors"]
        for k, image in enumerate(images):
            path = Path(folder) / f"{k}.png"
            Image.fromarray(255 - image).resize((224, 224), Image.Resampling.BICUBIC).save(path)
            command.append(f"{path}={label}")
        began, times = time.perf_counter(), os.times()
        ended = subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if ended.returncode not in (0, 2):  # 2: the lesson was rejected, after the same work
            ended.check_returncode()
        seconds, after = time.perf_counter() - began, os.times()
    used = after.children_user + after.children_system - times.children_user - times.children_system
    return seconds, used


if __name__ == "__main__":
    main()
