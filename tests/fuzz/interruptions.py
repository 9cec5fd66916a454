"""python -m tests.fuzz.interruptions [--runs 50]: trainings that are interrupted at random moments and resumed.

Each run is stopped by SIGKILL, by Ctrl-C or by Ctrl-C pressed twice, again and again, until it ends. Its model must
have the bytes of a run that was never stopped, and nothing else may be left in its folder, or printed.
"""

import argparse
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import digitscope
from digitscope.datasets import load_mnist
from digitscope.jobs.train import newest_checkpoint

SETTINGS = ("--recipe", "mlp", "--epochs", "3", "--batch-size", "50", "--threads", "1", "--checkpoint-every", "0")
IMAGES = 600
KINDS = "kill", "Ctrl-C", "Ctrl-C twice"
STOPPED = "Stopped. ", "Stopped.\n", "Stopped and saved. "
OURS = str(Path(digitscope.__file__).parent)
"""The folder that is in each traceback of our code; only Python's own start may print one."""


@dataclass(frozen=True)
class Interruption:
    """How a process that was interrupted ended."""

    kind: str
    seconds: float
    status: int
    err: str

    @property
    def failure(self) -> str | None:
        """What is wrong with the end; None if nothing is."""
        stopped = {signal.SIGINT.value + 128, -signal.SIGINT, -signal.SIGKILL, 0}
        silent = self.err == "" or (self.err.startswith(STOPPED) and self.err.count("\n") == 1)
        no_checkpoint = self.status == 2 and "there is nothing to resume" in self.err
        early = "KeyboardInterrupt" in self.err and OURS not in self.err
        if (self.status in stopped and silent) or no_checkpoint or early:
            return None
        return f"{self.kind} after {self.seconds:.3f} s: status {self.status}, {self.err[-500:]!r}"


def write_data(path: Path) -> None:
    """Images for trainings of about a second."""
    (x, y), (x_test, y_test) = load_mnist()
    np.savez(path, x_train=x[:IMAGES], y_train=y[:IMAGES], x_test=x_test[:50], y_test=y_test[:50])


def train(data: Path, folder: Path) -> "subprocess.Popen[str]":
    """Begins the run, or goes on with it."""
    resume = ["--resume"] if newest_checkpoint(folder) else []
    options = [*SETTINGS, "--data", str(data), "--out", str(folder), *resume]
    command = [sys.executable, "-m", "digitscope", "train", *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def interrupt(process: "subprocess.Popen[str]", kind: str, rng: np.random.Generator, longest: float) -> Interruption:
    """Stops the process at a random moment."""
    seconds = float(rng.uniform(0, longest))
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL if kind == "kill" else signal.SIGINT)
    if kind == "Ctrl-C twice":
        time.sleep(float(rng.exponential(0.02)))
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    return Interruption(kind, seconds, process.returncode, err)


def interrupted_run(data: Path, folder: Path, rng: np.random.Generator, longest: float) -> list[Interruption]:
    """Trains with interruptions until the run has ended; they come later and later, so that it does end."""
    interruptions: list[Interruption] = []
    while not (folder / "model.safetensors").exists() or newest_checkpoint(folder):
        limit = longest * (1 + len(interruptions) / 5)
        interruptions.append(interrupt(train(data, folder), str(rng.choice(KINDS)), rng, limit))
    return interruptions


def faults(folder: Path, whole: Path, interruptions: list[Interruption]) -> list[str]:
    """What is wrong with a run that was interrupted, compared with the same run that was not."""
    found = [interruption.failure for interruption in interruptions if interruption.failure]
    if (folder / "model.safetensors").read_bytes() != (whole / "model.safetensors").read_bytes():
        found.append(f"{folder}: other bytes")
    left = sorted(path.name for path in folder.iterdir() if path.name != "in-use.lock")
    if left != ["history.csv", "model.safetensors", "report.html"]:
        found.append(f"{folder} holds {', '.join(left)}")
    return found


def main() -> int:
    """The exit status: 1 if something failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.interruptions", description=__doc__)
    parser.add_argument("--runs", type=int, default=50, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    count, failed = 0, 0
    with TemporaryDirectory() as root:
        data, whole = Path(root, "data.npz"), Path(root, "whole")
        write_data(data)
        began = time.monotonic()
        assert train(data, whole).wait() == 0
        longest = time.monotonic() - began
        for number in range(options.runs):
            folder = Path(root, str(number))
            interruptions = interrupted_run(data, folder, rng, longest)
            count += len(interruptions)
            for fault in faults(folder, whole, interruptions):
                failed += 1
                print(fault, flush=True)
    print(f"{options.runs} runs, {count} interruptions, {failed} faults; seed {options.seed}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
