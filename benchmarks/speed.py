"""Training speed beside peers: the same networks on the same images, one after the other, round after round.

    uv run --group bench python -m benchmarks.speed --torch PYTHON

PYTHON is the interpreter of an environment that has PyTorch; benchmarks/README.md makes one. Each peer is a process
of its own that keeps its data in memory and works only when asked; a round asks all of them in turn, so that whatever
else the machine does falls on all alike. Ratios are of medians.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.machine import machine

ROOT = Path(__file__).parents[1]
# (name, hidden units, batch; None: full batch), and what one measurement is.
NETWORKS = (("784-128-10", 128, 64), ("784-800-10", 800, 64), ("784-800-10", 800, 256))


class Peer:
    """A process that answers each question, a line of JSON, with its best setting's seconds."""

    def __init__(self, name: str, python: str, *arguments: str) -> None:
        self.name = name
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
        command = [python, "-m", "benchmarks.peers", name, *arguments]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
        )

    def ask(self, **question: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(question), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.name} ended with status {self.process.wait()}")
        return json.loads(answer)


def alternate(peers: list[Peer], rounds: int, **question: Any) -> dict[str, float]:
    """The median seconds of each peer, with its settings tried first."""
    for peer in peers:
        settings = peer.ask(do="tune", **question)
        print(f"    {peer.name}: {settings}", flush=True)
    seconds: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for _ in range(rounds):
        for peer in peers:
            seconds[peer.name].append(peer.ask(do="run", **question))
    return {name: statistics.median(values) for name, values in seconds.items()}


def show(medians: dict[str, float]) -> None:
    for name, seconds in medians.items():
        print(f"  {name:<13}{seconds:7.3f} s   {seconds / medians['digitscope']:.2f} times ours")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch", metavar="PYTHON", help="an interpreter that has PyTorch")
    parser.add_argument("--rounds", type=int, default=25)
    options = parser.parse_args()
    ours = Peer("digitscope", sys.executable)
    sklearn = Peer("scikit-learn", sys.executable)
    notebook = Peer("notebook", sys.executable)
    torch = [Peer("PyTorch", options.torch)] if options.torch else []
    peers = [ours, *torch, sklearn]
    print(machine())
    for peer in [*peers, notebook]:
        print(f"{peer.name}: {peer.ask(do='versions')}")

    for name, hidden, batch in NETWORKS:
        print(f"\n{name}, batch {batch}, momentum, one epoch of 60,000", flush=True)
        medians = alternate(peers, options.rounds, hidden=hidden, batch=batch)
        rate = statistics.median(ours.ask(do="rate") for _ in range(5))
        show(medians)
        operations = 60_000 * (4 * 784 * hidden + 6 * hidden * 10)
        reached = operations / medians["digitscope"]
        print(
            f"  {reached / 1e9:.0f} GFLOP/s of the machine's {rate / 1e9:.0f} in matrix products: {reached / rate:.0%}"
        )

    print("\nseed: 784-10-10, full batch of 41,000, 5 steps", flush=True)
    medians = alternate([ours, notebook], options.rounds, hidden=10, batch=None)
    show(medians)

    print("\npeak memory: " + ", ".join(f"{peer.name} {peer.ask(do='memory')} MB" for peer in [*peers, notebook]))


if __name__ == "__main__":
    main()
