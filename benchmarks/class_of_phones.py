"""How long a class's phones wait for their answers while all of them draw.

    uv run python -m benchmarks.class_of_phones
    uv run python -m benchmarks.class_of_phones --phones 60 --drawings 10 --model reader

Starts `digitscope lab --host 0.0.0.0`, opens a class, and lets phones join over HTTP, each in a thread. Each sends a
digit of MNIST every two seconds, at a moment of its own. A wall asks for the news five times a second.
"""

import argparse
import http.client
import json
import random
import threading
import time
from typing import Any

import numpy as np

from benchmarks.drawing import summary
from benchmarks.lab_server import described, read_address, running_lab
from benchmarks.machine import machine
from digitscope.datasets import load_mnist
from tests.drawn import pen_strokes

PERIOD = 2.0
"""Seconds between two drawings of a phone."""


class Visitor:
    """A browser with a key."""

    def __init__(self, address: str, key: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=120)
        self._connection.request("GET", f"/?key={key}")
        reply = self._connection.getresponse()
        reply.read()
        self._cookie = (reply.getheader("set-cookie") or "").partition(";")[0]

    def ask(self, path: str, body: object = None) -> Any:
        headers = {"cookie": self._cookie, "content-type": "application/json"}
        content = None if body is None else json.dumps(body)
        self._connection.request("GET" if body is None else "POST", f"/api/class/{path}", content, headers)
        reply = self._connection.getresponse()
        answer = json.loads(reply.read())
        if reply.status != 200:
            raise RuntimeError(f"{path}: {answer}")
        return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phones", type=int, default=30)
    parser.add_argument("--drawings", type=int, default=10, help="of each phone")
    parser.add_argument("--model", default="convnet")
    options = parser.parse_args()
    with running_lab(options.model, "--host", "0.0.0.0") as output:
        address, _, teacher = read_address(output).partition("/?key=")
        output.readline()
        code = output.readline().split()[-1]
        times, walls = run_class(address, teacher, code, options.phones, options.drawings, options.model)
    print(machine())
    print(f"{options.phones} phones, a drawing every {PERIOD:g} s each, {options.model}")
    print("answer to a phone:", summary(times))
    print("news for the wall:", summary(walls))


def run_class(
    address: str, teacher: str, code: str, phones: int, drawings: int, model: str
) -> tuple[list[float], list[float]]:
    """Milliseconds from a phone's request to its answer, and from the wall's request to its news."""
    (_, _), (x_test, y_test) = load_mnist()
    strokes = [described(pen_strokes(x_test[np.flatnonzero(y_test == digit)[0]])) for digit in range(10)]
    wall = Visitor(address, teacher)
    wall.ask("start", {"model": model})
    times: list[float] = []
    walls: list[float] = []
    done = threading.Event()

    def pupil(seed: int) -> None:
        rng = random.Random(seed)
        visitor = Visitor(address, code)
        phone = visitor.ask("join", {})["phone"]
        for _ in range(drawings):
            time.sleep(PERIOD * rng.uniform(0.8, 1.2))
            digit = rng.randrange(10)
            drawing = {"phone": phone, "meant": digit, "strokes": strokes[digit]}
            begin = time.perf_counter()
            answer = visitor.ask("send", drawing)
            times.append(1000 * (time.perf_counter() - begin))
            if answer["refused"]:
                raise RuntimeError(answer["refused"])

    def watch() -> None:
        newest = 0
        while not done.wait(0.2):
            begin = time.perf_counter()
            shown = wall.ask(f"wall?after={newest}")["newest"]
            walls.append(1000 * (time.perf_counter() - begin))
            newest = max([newest, *(drawing["number"] for drawing in shown)])

    threads = [threading.Thread(target=pupil, args=(seed,)) for seed in range(phones)]
    watcher = threading.Thread(target=watch)
    for thread in [*threads, watcher]:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    watcher.join()
    if len(times) < phones * drawings:
        raise RuntimeError(f"{phones * drawings} answers were expected; {len(times)} came.")
    return times, walls


if __name__ == "__main__":
    main()
