"""A training on ranks compared with threads, and with the cost model of chapter 12 of the notes.

    uv run python -m benchmarks.ranks --record

One thread, two threads and two ranks of one thread each take the same steps, in alternating rounds. The model, equation
(12.26), gets the time of one thread, and latency and bytes a second between the ranks, which are measured first.
`--hosts A,B` puts the ranks on several machines that `mpiexec` reaches, with this checkout in the same place.
With --record the figures are written to records/ranks.json.
"""

import argparse
import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import commit, machine, versions
from benchmarks.networks import for_mnist
from digitscope import load_mnist
from digitscope.files.atomic import write_atomic
from digitscope.recipes import RECIPES
from digitscope.training import Run, Step, train
from digitscope.training.parallel.ranks import GradientExchange, Ranks, mpi_ranks
from digitscope.training.parallel.shards import Shard, ShardResult

RECORD = Path("records/ranks.json")
REST = 0.3
"""Seconds before each measurement, in which the processes of the previous one fall asleep."""
SECONDS = 2
"""Approximate time of one measurement."""
STEPS_A_RESULT = 4
TRIES = 200
ANY_SHARD = Shard(slice(0), 1.0, np.random.default_rng(0))


def measured_step(recipe_name: str, threads: int, ranks: Ranks | None) -> Callable[[int], float]:
    """A function that goes on to so many results of the training and returns the seconds of a step."""
    (x, y), _ = load_mnist()
    plan = replace(RECIPES[recipe_name].plan, epochs=10_000)
    run = Run.start(for_mnist(RECIPES[recipe_name]), plan, len(x), np.random.default_rng(0))
    results = (r for r in train(run, x, y, threads=threads, ranks=ranks) if isinstance(r, Step))

    def measure(count: int) -> float:
        first = next(results)  # By now all processes have woken up.
        began = time.perf_counter()
        *_, last = itertools.islice(results, count)
        return (time.perf_counter() - began) / (last.step - first.step)

    return measure


def measured_link(ranks: Ranks, size: int) -> tuple[float, float]:
    """Latency in seconds, and bytes a second of messages of this size, between the first two ranks."""

    def seconds(count: int) -> float:
        message = np.zeros(count, np.uint8)
        times = []
        for _ in range(TRIES):
            began = time.perf_counter()
            if ranks.rank == 0:
                ranks.communicator.Send(message, 1)
                ranks.communicator.Recv(message, 1)
            elif ranks.rank == 1:
                ranks.communicator.Recv(message, 0)
                ranks.communicator.Send(message, 0)
            times.append((time.perf_counter() - began) / 2)
        return statistics.median(times)

    latency = seconds(1)
    return latency, size / max(seconds(size) - latency, 1e-9)


def measured_exchange(ranks: Ranks, recipe_name: str) -> float:
    """Seconds in which the gradients of a batch are exchanged, without computing them."""
    params, plan = for_mnist(RECIPES[recipe_name]).params, RECIPES[recipe_name].plan
    shards = [ANY_SHARD] * plan.shards(60_000)
    exchange = GradientExchange(ranks, params, len(shards))
    times = []
    for _ in range(TRIES):
        began = time.perf_counter()
        exchange.gradients(shards, lambda own: [ShardResult(0.0, 0, params)] * len(own))
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def serve(recipe_name: str, threads: int) -> None:
    """Measures what the lines of standard input ask for; of ranks, rank 0 reads and answers."""
    ranks = mpi_ranks()
    size = 4 * sum(p.size for p in for_mnist(RECIPES[recipe_name]).params.values())
    step = measured_step(recipe_name, threads, ranks)
    while True:
        asked = sys.stdin.readline().strip() if ranks is None or ranks.rank == 0 else ""
        asked = asked if ranks is None else ranks.share(asked)
        if not asked:
            return
        answer: Any = None
        if asked.isdecimal():
            answer = step(int(asked))
        elif ranks is not None:
            answer = [*measured_link(ranks, size), measured_exchange(ranks, recipe_name)]
        if ranks is None or ranks.rank == 0:
            print(json.dumps(answer), flush=True)


class Contender:
    """A process, or ranks, that measure when they are asked."""

    def __init__(self, recipe_name: str, threads: int, start: Sequence[str] = ()) -> None:
        command = [*start, sys.executable, "-m", "benchmarks.ranks", "--serve", recipe_name, "--threads", str(threads)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, what: str) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(what, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"A measuring process ended with status {self.process.wait()}.")
        return json.loads(answer)

    def end(self) -> None:
        assert self.process.stdin is not None
        print(file=self.process.stdin, flush=True)
        self.process.wait()


def modelled_step(alone: float, ranks: int, size: float, latency: float, bandwidth: float) -> float:
    """Equation (12.26): the seconds of a step on ranks, from those of one."""
    return alone / ranks + 2 * math.log2(ranks) * (latency + size / bandwidth)


def compare(name: str, ranks: int, rounds: int, hosts: str | None) -> dict[str, Any]:
    mpiexec = [str(Path(sys.executable).with_name("mpiexec")), "-n", str(ranks)]
    if hosts:
        mpiexec += ["--host", hosts]
    elif ranks > (os.cpu_count() or 1):
        mpiexec.append("--oversubscribe")
    contenders = {
        "one thread": Contender(name, 1),
        f"{ranks} threads": Contender(name, ranks),
        f"{ranks} ranks": Contender(name, 1, mpiexec),
    }
    latency, bandwidth, exchange = contenders[f"{ranks} ranks"].ask("link")
    # The first measurement is not counted: in it worker processes join in.
    count = max(5, round(SECONDS / (STEPS_A_RESULT * max(contender.ask("20") for contender in contenders.values()))))
    times: dict[str, list[float]] = {title: [] for title in contenders}
    for _ in range(rounds):
        for title, contender in contenders.items():
            time.sleep(REST)
            times[title].append(contender.ask(str(count)))
    for contender in contenders.values():
        contender.end()
    alone, threads, on_ranks = (statistics.median(values) for values in times.values())
    parameters = sum(p.size for p in for_mnist(RECIPES[name]).params.values())
    model = modelled_step(alone, ranks, 4 * parameters, latency, bandwidth)
    shards = RECIPES[name].plan.shards(60_000)
    print(f"\n{name}: {parameters:,} parameters, {shards} shards a batch; milliseconds a step, median of {rounds}")
    for title, values in times.items():
        middle = statistics.median(values)
        spread = f"{1e3 * min(values):.2f} to {1e3 * max(values):.2f}"
        print(f"  {title:<11}{1e3 * middle:>8.2f}  ({spread})  {alone / middle:.2f} times as fast as one thread")
    print(f"  {'model':<11}{1e3 * model:>8.2f}  by (12.26); {alone / model:.2f} times as fast")
    print(
        f"  between ranks {1e6 * latency:.1f} µs and {bandwidth / 1e9:.1f} GB/s; all gradients are exchanged in "
        f"{1e3 * exchange:.2f} ms",
        flush=True,
    )
    return {
        "parameters": parameters,
        "shards": shards,
        "one_thread_seconds": alone,
        "threads_seconds": threads,
        "ranks_seconds": on_ranks,
        "latency_seconds": latency,
        "bytes_a_second": bandwidth,
        "exchange_seconds": exchange,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=RECIPES, default=["convnet", "lenet", "simard-mlp", "deep"])
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--hosts", help="machines for mpiexec --host, such as node1,node2")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--record", action="store_true", help=f"write {RECORD}")
    parser.add_argument("--serve", choices=RECIPES, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.threads)
        return
    print(machine())
    figures = {name: compare(name, options.ranks, options.rounds, options.hosts) for name in options.networks}
    if options.record:
        record = {
            "command": f"uv run python -m benchmarks.ranks {' '.join(sys.argv[1:])}",
            "machine": machine(),
            "versions": versions("numpy", "digitscope", "mpi4py"),
            "commit": commit(),
            "date": date.today().isoformat(),
            "load": os.getloadavg()[0],
            "rounds": options.rounds,
            "ranks": options.ranks,
            "networks": figures,
        }
        write_atomic(RECORD, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
