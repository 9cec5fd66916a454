"""The cost of a training's process in the lab: its live values, checkpoints and news, beside `digitscope train`.

The processor time of a step is measured for both in turn, in one process and on one thread, so that other load on the
machine hardly matters. With --wall the two commands are timed as a user sees them, in steps per second with all
processors, while a page's event stream is open; and drawings are answered while the lab trains, and while it rests.

    uv run python -m benchmarks.lab_training
    uv run python -m benchmarks.lab_training --wall --recipes mlp convnet --rounds 5
"""

import argparse
import http.client
import json
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.lab_server import read_address, running_lab
from benchmarks.machine import machine
from digitscope.jobs.timeline import Experiment
from digitscope.lab.trainer import Trainer
from digitscope.training import train

EPOCHS = {"mlp": 8, "fast": 1, "convnet": 1, "3blue1brown": 2, "lenet": 1, "seed": 100}
IMAGES = {"convnet": 12_000, "lenet": 12_000}
"""Images for the comparison of processor time; all if none are named."""
JOB = """
import sys, time
from pathlib import Path
from digitscope.jobs.train import Job, Settings
from digitscope.training import Epoch, default_threads
with Job.begin(Settings(sys.argv[1], epochs=int(sys.argv[2])), Path(sys.argv[3])) as job:
    first = None
    for result in job.work(threads=default_threads(), checkpoint_every=30.0):
        if first is None:
            first = time.perf_counter(), result.step
    step = len(job.training.run.history["step"]) and job.training.run.history["step"][-1]
    print((step - first[1]) / (time.perf_counter() - first[0]))
"""
DRAWING = {"model": "convnet", "drawing": {"strokes": [{"points": [500, 150, 50, 480, 500, 50, 470, 850, 50]}]}}


def own_seconds(experiment: Experiment) -> float:
    """The processor time of a training as `digitscope train` does it, after its first result."""
    t = experiment.changed_recipe().start(experiment.load(), 0)
    results = train(t.run, t.images, t.labels, validation=t.validation, watch=range(10), threads=1)
    next(results)
    began = time.process_time()
    for _ in results:
        pass
    return time.process_time() - began


def lab_seconds(experiment: Experiment) -> float:
    """The same of the lab's trainer, with everything that it says and writes."""
    began: list[float] = []
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("wb") as nothing:

        def send(message: dict[str, Any]) -> None:
            nothing.write(json.dumps(message).encode())
            if message.get("event") == "position" and message["step"] and not began:
                began.append(time.process_time())

        trainer = Trainer(send, queue.Queue(), 1)
        trainer.begin(f"{folder}/run", experiment.as_json())
        assert trainer.timeline is not None
        while not trainer.timeline.is_finished:
            trainer.advance()
        seconds = time.process_time() - began[0]
        trainer.leave()
    return seconds


def command_line(recipe: str) -> float:
    """Steps per second of `digitscope train`."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = [recipe, str(EPOCHS[recipe]), f"{folder}/run"]
        done = subprocess.run([sys.executable, "-c", JOB, *arguments], capture_output=True, text=True, check=True)
    return float(done.stdout)


class Server:
    """The lab at an address."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.connection = http.client.HTTPConnection(address, timeout=600)

    def ask(self, path: str, body: Any = None) -> Any:
        method = "GET" if body is None else "POST"
        content = None if body is None else json.dumps(body)
        self.connection.request(method, path, content, {"content-type": "application/json"})
        answer = self.connection.getresponse()
        content = answer.read().decode()
        assert answer.status == 200, content
        return json.loads(content)


@contextmanager
def lab() -> Iterator[Server]:
    with running_lab("convnet") as output:
        yield Server(read_address(output))


def positions(server: Server) -> Iterator[tuple[float, Any]]:
    """The training's positions as a page hears of them, with the time."""
    stream = http.client.HTTPConnection(server.address, timeout=600)
    stream.request("GET", "/api/events")
    lines = stream.getresponse()
    event = ""
    while line := lines.readline().decode().strip("\n"):
        pass  # the first block says how often to try again
    while True:
        line = lines.readline().decode().strip("\n")
        if line.startswith("event: "):
            event = line.removeprefix("event: ")
        elif line.startswith("data: ") and event == "train.position":
            yield time.perf_counter(), json.loads(line.removeprefix("data: "))


def in_the_lab(recipe: str) -> float:
    """Steps per second of the lab's trainer."""
    with lab() as server:
        heard = positions(server)
        server.ask("/api/train/begin", {"recipe": recipe, "epochs": EPOCHS[recipe]})
        first: tuple[float, int] | None = None
        for moment, position in heard:
            if first is None and position["step"]:
                first = moment, position["step"]
            if position["state"] == "finished" and first is not None:
                return float((position["step"] - first[1]) / (moment - first[0]))
    raise AssertionError("the events have ended")


def drawing(server: Server, seconds: float) -> tuple[float, float]:
    """The median and the 95th percentile of the milliseconds from a drawing to its answer."""
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        server.ask("/api/draw/answer", DRAWING)
        times.append(1000 * (time.perf_counter() - began))
        time.sleep(0.03)
    return statistics.median(times), statistics.quantiles(times, n=20)[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=["mlp", "3blue1brown", "convnet"], choices=list(EPOCHS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--wall", action="store_true", help="time the commands as a user sees them")
    options = parser.parse_args()
    print(machine())
    for recipe in options.recipes:
        if options.wall:
            pairs = [(command_line(recipe), in_the_lab(recipe)) for _ in range(options.rounds)]
            ratios = [beside / alone for alone, beside in pairs]
        else:
            experiment = Experiment(recipe, epochs=max(1, EPOCHS[recipe] // 2), images=IMAGES.get(recipe))
            pairs = [(own_seconds(experiment), lab_seconds(experiment)) for _ in range(options.rounds)]
            ratios = [alone / beside for alone, beside in pairs]
        own, labs = (statistics.median(side) for side in zip(*pairs, strict=True))
        unit = "steps/s" if options.wall else "s of processor time"
        print(
            f"{recipe}: digitscope train {own:.4g} {unit}, the lab {labs:.4g}; speed of the lab as a share: median "
            f"{statistics.median(ratios):.3f}, of each round {', '.join(f'{ratio:.2f}' for ratio in ratios)}"
        )
    if not options.wall:
        return
    with lab() as server:
        server.ask("/api/draw/answer", DRAWING)
        rest = drawing(server, 5.0)
        server.ask("/api/train/begin", {"recipe": "convnet"})
        time.sleep(2)
        busy = drawing(server, 10.0)
    for name, (median, most) in (("at rest", rest), ("while it trains", busy)):
        print(f"a drawing's answer {name}: median {median:.1f} ms, 95 % within {most:.1f} ms")


if __name__ == "__main__":
    main()
