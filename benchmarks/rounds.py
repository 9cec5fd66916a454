"""Peers taking turns: every peer is a process of its own that works only when asked; a round asks all of them in turn,
so that whatever else the machine does falls on all alike. What is compared are medians over the rounds.
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
"""Seconds before each measurement: the threads of the peer before it spin while they wait, and now fall asleep."""


class Peer:
    """A process that answers each question, a line of JSON: a method of benchmarks/peers.py's worker of that name."""

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
        """unit: images of one measurement; quick: two batches of few images; root: the checkout whose code runs."""
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
        self.process.stdin.close()  # the worker's loop ends with its questions
        self.process.wait()

    def ask(self, do: str, **question: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps({"do": do, **question}), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.name} ended with status {self.process.wait()}")
        return json.loads(answer)


def start(stack: ExitStack, peers: Sequence[Peer]) -> None:
    """Keeps the peers until the stack ends, and says what they are."""
    for peer in peers:
        stack.enter_context(peer)
    for peer in peers:
        print(f"    {peer.name}: {peer.ask('versions')}", flush=True)


def alternate(peers: Sequence[Peer], rounds: int, task: str) -> dict[str, float]:
    """The median seconds an image of each peer, with its settings tried first."""
    for peer in peers:
        print(f"    {peer.name}: {peer.ask('tune', task=task)}", flush=True)
    seconds: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for _ in range(rounds):
        for peer in peers:
            time.sleep(REST)
            seconds[peer.name].append(peer.ask("time", task=task))
    return {name: statistics.median(values) for name, values in seconds.items()}


def show(medians: dict[str, float], images: int = 60_000) -> None:
    """Each peer's time for so many images, in milliseconds for a single one, and how often ours fits into it."""
    width = max(map(len, medians)) + 2
    for name, seconds in medians.items():
        shown = f"{1000 * seconds:9.3f} ms" if images == 1 else f"{images * seconds:9.3f} s "
        print(f"  {name:<{width}}{shown}   {seconds / medians['digitscope']:.2f} times ours", flush=True)


def rate(peer: Peer) -> float:
    """The machine's floating-point operations a second in matrix products, with the peer's threads."""
    return statistics.median(float(peer.ask("rate")) for _ in range(3))


def arguments(doc: str | None, *, torch_required: bool = False, rounds: int | None = None) -> argparse.ArgumentParser:
    """The options that all benchmarks share."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--torch", metavar="PYTHON", required=torch_required, help="the interpreter of an environment with PyTorch"
    )
    parser.add_argument("--quick", action="store_true", help="a few steps of each, to see that it runs")
    if rounds is not None:
        parser.add_argument("--rounds", type=int, default=rounds)
    return parser
