"""Runs the compared programs (peers) in turn. Each is a separate process that only works when asked, and a round asks
all of them, so that other load on the machine affects all equally. Medians over the rounds are compared.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.networks import NETWORKS, images_at_a_time

ROOT = Path(__file__).parents[1]
THREADS = 2
QUICK_IMAGES = 1280
REST = 0.3
"""Seconds before each measurement, in which the spinning threads of the previous peer fall asleep."""


class Peer:
    """A process that runs a worker of benchmarks/peers.py. Each request names one of the worker's methods."""

    def __init__(
        self,
        name: str,
        network: str,
        *,
        python: str = sys.executable,
        threads: int = THREADS,
        unit: int | None = None,
        quick: bool = False,
        root: Path = ROOT,
    ) -> None:
        """unit: images per measurement; quick: only two batches, of few images; root: the checkout whose code runs"""
        shown = name if root == ROOT else f"{name} of {root}"
        self.name = shown if threads == THREADS else f"{shown} ({threads} thread)"
        batch = NETWORKS[network].plan.batch_size
        if quick:
            unit = 2 * batch if batch else 1
        unit = unit or images_at_a_time(NETWORKS[network])
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "src")])}
        command = [python, "-m", "benchmarks.peers", name, network, "--threads", str(threads), "--unit", str(unit)]
        if quick:
            command += ["--images", str(QUICK_IMAGES)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root, env=environment
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()  # the worker ends when its input ends
        self.process.wait()

    def ask(self, method: str, **arguments: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps({"do": method, **arguments}), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.name} ended with status {self.process.wait()}")
        return json.loads(answer)


def start(stack: ExitStack, peers: Sequence[Peer]) -> None:
    """Keeps the peers open until the stack ends, and prints their versions."""
    for peer in peers:
        stack.enter_context(peer)
    for peer in peers:
        print(f"    {peer.name}: {peer.ask('versions')}", flush=True)


def alternate(peers: Sequence[Peer], rounds: int, task: str) -> dict[str, float]:
    """Tries the settings of each peer, then measures; returns each peer's median seconds per image."""
    for peer in peers:
        print(f"    {peer.name}: {peer.ask('tune', task=task)}", flush=True)
    seconds: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for _ in range(rounds):
        for peer in peers:
            time.sleep(REST)
            seconds[peer.name].append(peer.ask("time", task=task))
    return {name: statistics.median(values) for name, values in seconds.items()}


def show(medians: dict[str, float], images: int = 60_000) -> None:
    """Prints each peer's time for `images` images (milliseconds for a single one), and its ratio to ours."""
    width = max(map(len, medians)) + 2
    for name, seconds in medians.items():
        shown = f"{1000 * seconds:9.3f} ms" if images == 1 else f"{images * seconds:9.3f} s "
        print(f"  {name:<{width}}{shown}   {seconds / medians['digitscope']:.2f} times ours", flush=True)


def rate(peer: Peer) -> float:
    """The machine's floating-point operations per second in matrix products, with the peer's threads."""
    return statistics.median(float(peer.ask("rate")) for _ in range(3))


def arguments(doc: str | None, *, torch_required: bool = False, rounds: int | None = None) -> argparse.ArgumentParser:
    """The options that all benchmarks share."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--torch", metavar="PYTHON", required=torch_required, help="the interpreter of an environment with PyTorch"
    )
    parser.add_argument("--quick", action="store_true", help="a few steps of each, as a test that everything runs")
    if rounds is not None:
        parser.add_argument("--rounds", type=int, default=rounds)
    return parser
