"""Checkpoints as a target: a run that is resumed must go on."""

import atexit
import itertools
import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from digitscope.jobs.train import CHECKPOINT, Job, Settings


@cache
def checkpoint_files() -> dict[str, bytes]:
    """Of small runs that together have momentum, an average, history and snapshots. Their data are there until the end
    of this process.
    """
    temporary = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, temporary)
    rng = np.random.default_rng(0)
    data = temporary / "data.npz"
    np.savez(data, x_train=rng.integers(0, 256, (60, 28, 28), dtype=np.uint8), y_train=np.arange(60) % 10)
    files = {}
    for recipe, results in (("seed", 0), ("mlp", 3), ("tiny", 5)):
        folder = temporary / recipe
        with Job.begin(Settings(recipe, str(data), epochs=4, batch_size=20), folder) as job:
            for _ in itertools.islice(job.work(threads=1, checkpoint_every=1e9), results):
                pass
            job.save()
        files[f"{recipe}.safetensors"] = (folder / CHECKPOINT).read_bytes()
    return files


def use_checkpoint(path: Path) -> None:
    """Resumes the run, trains on, and saves it again."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(path, Path(folder) / CHECKPOINT)
        with Job.resume(Path(folder)) as job:
            for _ in itertools.islice(job.work(threads=1, checkpoint_every=1e9), 4):
                pass
            job.save()
        with Job.resume(Path(folder)):
            pass
