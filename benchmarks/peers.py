"""The peers of benchmarks.speed, each in a process of its own: reads questions as JSON lines, answers in kind.

Imported by PyTorch's environment too, which has NumPy and not Digitscope's dependencies.
"""

import itertools
import json
import platform
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from digitscope.data import load_mnist

THREADS = 2
RATE, MOMENTUM = 0.05, 0.9
UNIT = 12_000
"""Images of one measurement: a fifth of an epoch, so that peers take turns faster than the machine's mood changes."""
STEPS = 5
"""Steps of one measurement of a full batch."""
Run = Callable[[], object]
"""Learns from some images, about UNIT of them, and returns how many; or does something else that is timed."""


def timed(run: Run) -> float:
    """Seconds; for as many images as an epoch has, if the run says how many it took."""
    began = time.perf_counter()
    images = run()
    seconds = time.perf_counter() - began
    return seconds * 60_000 / images if isinstance(images, int) else seconds


class Worker:
    """A peer: `settings` lists what it may be set to, `prepare` makes one run of a network with a setting."""

    packages: tuple[str, ...] = ("numpy",)

    def __init__(self) -> None:
        (self.x, y), _ = load_mnist()
        self.y = y.astype(np.int64)
        self.best: dict[str, Any] = {}
        self.runs: dict[str, Run] = {}

    def settings(self) -> list[dict[str, Any]]:
        return [{}]

    def prepare(self, hidden: int, batch: int | None, setting: dict[str, Any]) -> Run:
        raise TypeError(f"{type(self).__name__} must define prepare")

    def answer(self, question: dict[str, Any]) -> Any:
        do = question.pop("do")
        key = json.dumps(question)
        if do == "versions":
            from importlib.metadata import version

            return {"python": platform.python_version(), **{name: version(name) for name in self.packages}}
        if do == "memory":
            import resource

            return round(
                resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
            )
        if do == "rate":
            return matrix_product_rate()
        if do == "tune":
            tried = []
            for setting in self.settings():
                run = self.prepare(question["hidden"], question["batch"], setting)
                run()
                tried.append((min(timed(run) for _ in range(2)), setting))
            self.best[key] = min(tried, key=lambda pair: pair[0])[1]
            return self.best[key]
        if key not in self.runs:
            self.runs[key] = self.prepare(question["hidden"], question["batch"], self.best[key])
        return timed(self.runs[key])


def matrix_product_rate() -> float:
    """Floating-point operations a second of a large float32 product, with all threads."""
    from threadpoolctl import threadpool_limits

    a = np.ones((3072, 3072), dtype=np.float32)
    with threadpool_limits(THREADS):
        a @ a
        return 2 * 3072**3 / min(timed(lambda: a @ a) for _ in range(3))


class Ours(Worker):
    packages = ("numpy", "digitscope")

    def prepare(self, hidden: int, batch: int | None, setting: dict[str, Any]) -> Run:
        from digitscope.nn import Constant, Dense, GradientDescent, Momentum, Network, ReLU, SoftmaxCrossEntropy
        from digitscope.recipes.seed import RECIPE
        from digitscope.training import Plan, Run, Step, train

        images = self.x if batch else self.x[:41_000]
        labels = self.y[: len(images)]
        rng = np.random.default_rng(0)
        network = Network(Dense(784, hidden, rng=rng), ReLU(), Dense(hidden, 10, rng=rng))
        plan = Plan(
            loss=SoftmaxCrossEntropy(),
            optimizer=Momentum(momentum=MOMENTUM) if batch else GradientDescent(),
            schedule=Constant(RATE if batch else 0.1),
            epochs=1_000_000,
            batch_size=batch,
            shard_size=None if batch else RECIPE.plan.shard_size,
        )
        results = train(Run.start(network, plan, len(images), rng), images, labels, threads=THREADS)
        state = {"steps": 0}

        def run() -> int | None:
            if batch is None:
                for _ in range(2 * STEPS):  # a step and the end of its epoch
                    next(results)
                return None
            before = state["steps"]
            while (state["steps"] - before) * batch < UNIT:
                result = next(results)
                if isinstance(result, Step):
                    state["steps"] = result.step
            return (state["steps"] - before) * batch

        return run


class ScikitLearn(Worker):
    packages = ("numpy", "scikit-learn")

    def settings(self) -> list[dict[str, Any]]:
        return [{"blas_threads": n, "dtype": dtype} for n in (1, THREADS) for dtype in ("float32", "float64")]

    def prepare(self, hidden: int, batch: int | None, setting: dict[str, Any]) -> Run:
        from sklearn.neural_network import MLPClassifier
        from threadpoolctl import threadpool_limits

        x = (self.x.reshape(-1, 784) / 255).astype(setting["dtype"])

        network = MLPClassifier(
            (hidden,),
            solver="sgd",
            batch_size=batch,
            learning_rate_init=RATE,
            momentum=MOMENTUM,
            nesterovs_momentum=False,
            alpha=0.0,
        )
        starts = itertools.cycle(range(0, len(x), UNIT))

        def run() -> int:
            rows = slice(start := next(starts), start + UNIT)
            with threadpool_limits(setting["blas_threads"]):
                network.partial_fit(x[rows], self.y[rows], classes=np.arange(10))
            return UNIT

        return run


class PyTorch(Worker):
    packages = ("numpy", "torch")

    def settings(self) -> list[dict[str, Any]]:
        return [{"threads": n, "optimizer": kind} for n in (1, THREADS) for kind in ("foreach", "fused", "plain")]

    def prepare(self, hidden: int, batch: int | None, setting: dict[str, Any]) -> Run:
        import torch
        from torch.nn import Linear, ReLU, Sequential
        from torch.nn.functional import cross_entropy

        x = torch.from_numpy(self.x.reshape(-1, 784).astype(np.float32) / 255)
        y = torch.from_numpy(self.y)
        network = Sequential(Linear(784, hidden), ReLU(), Linear(hidden, 10))
        kind = {"foreach": {"foreach": True}, "fused": {"fused": True}, "plain": {"foreach": False}}
        optimizer = torch.optim.SGD(network.parameters(), RATE, MOMENTUM, **kind[setting["optimizer"]])
        assert batch is not None

        def run() -> int:
            torch.set_num_threads(setting["threads"])
            order = torch.randperm(len(x))[: UNIT // batch * batch]
            for rows in order.split(batch):
                optimizer.zero_grad(set_to_none=True)
                cross_entropy(network(x[rows]), y[rows]).backward()
                optimizer.step()
            return len(order)

        return run


class Notebook(Worker):
    """The seed as its notebook had it: float64, one array of all images, a new array for every operation."""

    def prepare(self, hidden: int, batch: int | None, setting: dict[str, Any]) -> Run:
        X = self.x[:41_000].reshape(-1, 784).T / 255.0
        Y = self.y[:41_000]
        rng = np.random.default_rng(0)
        shapes = ((hidden, 784), (hidden, 1), (10, hidden), (10, 1))
        params = [rng.random(shape) - 0.5 for shape in shapes]

        def step() -> None:
            W1, b1, W2, b2 = params
            Z1 = W1.dot(X) + b1
            A1 = np.maximum(Z1, 0)
            Z2 = W2.dot(A1) + b2
            A2 = np.exp(Z2) / sum(np.exp(Z2))
            one_hot = np.zeros((Y.size, Y.max() + 1))
            one_hot[np.arange(Y.size), Y] = 1
            dZ2 = A2 - one_hot.T
            dW2 = dZ2.dot(A1.T) / Y.size
            db2 = np.sum(dZ2, axis=1, keepdims=True) / Y.size
            dZ1 = W2.T.dot(dZ2) * (Z1 > 0)
            dW1 = dZ1.dot(X.T) / Y.size
            db1 = np.sum(dZ1, axis=1, keepdims=True) / Y.size
            gradients = (dW1, db1, dW2, db2)
            params[:] = [p - 0.1 * g for p, g in zip(params, gradients, strict=True)]

        def run() -> None:
            for _ in range(STEPS):
                step()

        return run


WORKERS = {"digitscope": Ours, "scikit-learn": ScikitLearn, "PyTorch": PyTorch, "notebook": Notebook}

if __name__ == "__main__":
    worker = WORKERS[sys.argv[1]]()
    for line in sys.stdin:
        print(json.dumps(worker.answer(json.loads(line))), flush=True)
