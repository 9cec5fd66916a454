"""The compared programs, each a separate process that answers requests, one JSON line each, from benchmarks/rounds.py.

PyTorch's environment imports this module, too; it also has NumPy, threadpoolctl and safetensors.
"""

import argparse
import itertools
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import versions
from benchmarks.networks import CONVNETS, NETWORKS, SHARDS, for_mnist, plain
from digitscope.arrays import Array
from digitscope.datasets import DataSet, load_data
from digitscope.model import Model
from digitscope.nn import Conv2D, Dense, Momentum, Network
from digitscope.recipes import Recipe, Training
from digitscope.training import Epoch, Step, evaluate, train

SINGLE = 100
"""Number of images that are predicted one by one in one measurement."""
Run = Callable[[], int]
"""Does some work, and returns the number of images."""


def timed(run: Run) -> float:
    """Seconds per image."""
    began = time.perf_counter()
    images = run()
    return (time.perf_counter() - began) / images


class Worker:
    """A compared program. Each task is a method that returns a run for a setting; `settings` has the choices."""

    packages: tuple[str, ...] = ("numpy",)

    def __init__(self, network: str, threads: int, unit: int, images: int | None) -> None:
        """threads: maximum number; unit: approximate images per measurement; images: number to train on, None: all"""
        self.recipe, self.threads, self.unit = NETWORKS[network], threads, unit
        self.data: DataSet = load_data("mnist")
        if images is not None:
            self.data = replace(self.data, x_train=self.data.x_train[:images], y_train=self.data.y_train[:images])
        self.best: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, Run] = {}

    def settings(self, task: str) -> list[dict[str, Any]]:
        return [{}]

    def training(self, recipe: Recipe) -> Training:
        return recipe.start(self.data, 0)

    def network(self) -> Network:
        return for_mnist(self.recipe)

    def test_images(self) -> tuple[Array, Array]:
        assert self.data.x_test is not None
        assert self.data.y_test is not None
        return self.data.x_test, self.data.y_test

    # The methods that a request may name:

    def versions(self) -> dict[str, str]:
        return versions(*self.packages)

    def memory(self) -> int:
        """The process's peak memory so far, in MB; on Linux including the processes that it has started."""
        import resource  # not on Windows

        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
        started = " ".join(path.read_text() for path in Path("/proc/self/task").glob("*/children")).split()
        peaks = [re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text()) for pid in started]
        return round(own + sum(int(peak[1]) / 1e3 for peak in peaks if peak))

    def rate(self) -> float:
        """Floating-point operations per second of a large float32 product, with all threads."""
        from threadpoolctl import threadpool_limits

        a = np.ones((3072, 3072), dtype=np.float32)

        def product() -> int:
            a @ a
            return 1

        with threadpool_limits(self.threads):
            product()
            return 2 * 3072**3 / min(timed(product) for _ in range(3))

    def tune(self, task: str) -> dict[str, Any]:
        """Tries all settings in turn and keeps the fastest."""
        settings = self.settings(task)
        runs = [getattr(self, task)(setting) for setting in settings]
        if len(runs) > 1:
            rounds = [[timed(run) for run in runs] for _ in range(3)]
            fastest = [min(times) for times in zip(*rounds[1:], strict=True)]  # the first one warms up
            self.best[task] = settings[fastest.index(min(fastest))]
            while (
                runs
            ):  # in reverse order, because each of our trainings restores the number of BLAS threads that it found
                runs.pop()
            runs = [getattr(self, task)(self.best[task])]
        else:
            self.best[task] = settings[0]
        self.runs[task] = runs[0]
        runs[0]()
        return self.best[task]

    def time(self, task: str) -> float:
        return timed(self.runs[task])


class Digitscope(Worker):
    packages = ("numpy", "digitscope")
    results: Iterator[Step | Epoch]

    def settings(self, task: str) -> list[dict[str, Any]]:
        if task in ("predict", "predict_one"):
            return [{"threads": n} for n in range(1, self.threads + 1)]
        own = self.recipe.plan.shard_size
        return [{"shard_size": size} for size in (SHARDS if self.recipe in CONVNETS else (own,))]

    def learn(self, setting: dict[str, Any]) -> Run:
        """The network alone; see networks.plain."""
        return self._learn(plain(self.recipe), setting)

    def learn_all(self, setting: dict[str, Any]) -> Run:
        """With the recipe's augmentation and averaged weights."""
        return self._learn(self.recipe, setting)

    def _learn(self, recipe: Recipe, setting: dict[str, Any]) -> Run:
        plan = replace(recipe.plan, epochs=1_000_000, shard_size=setting["shard_size"])
        t = self.training(replace(recipe, plan=plan))
        count, batches, size = len(t.images), plan.batches(len(t.images)), plan.batch_size or len(t.images)
        results = train(t.run, t.images, t.labels, threads=self.threads)
        processed = 0

        def run() -> int:
            nonlocal processed
            before = processed
            while processed - before < self.unit:
                result = next(results)
                if isinstance(result, Step):
                    epochs, steps = divmod(result.step, batches)
                    processed = epochs * count + min(steps * size, count)
            return processed - before

        return run

    def predict(self, setting: dict[str, Any]) -> Run:
        model, (images, _) = Model(self.network(), self.recipe.plan.loss, (28, 28)), self.test_images()
        return lambda: len(model.predict_proba(images[: self.unit], **setting))

    def predict_one(self, setting: dict[str, Any]) -> Run:
        model, (images, _) = Model(self.network(), self.recipe.plan.loss, (28, 28)), self.test_images()
        return lambda: sum(len(model.predict_proba(images[i : i + 1], **setting)) for i in range(SINGLE))

    def begin(self, seed: int, epochs: int | None) -> int:
        """Starts the recipe's training; returns its number of epochs."""
        self.started = self.recipe.with_settings(epochs=epochs).start(self.data, seed)
        self.runs.clear()
        self.results = iter(())  # ends the previous training and its limit on BLAS threads
        t = self.started
        self.results = train(t.run, t.images, t.labels, threads=self.threads)
        return t.run.plan.epochs

    def epoch(self) -> dict[str, float]:
        """Trains for one epoch; returns the seconds of training so far, and the test accuracy, which is not timed."""
        next(result for result in self.results if isinstance(result, Epoch))
        run = self.started.run
        outcome = run.outcome(self.started.images)
        accuracy = evaluate(outcome, run.plan.loss, *self.test_images(), threads=self.threads)[1]
        return {"seconds": run.seconds, "accuracy": accuracy}


class ScikitLearn(Worker):
    """Momentum and one hidden layer only."""

    packages = ("numpy", "scikit-learn")

    def settings(self, task: str) -> list[dict[str, Any]]:
        threads = range(1, self.threads + 1)
        return [{"blas_threads": n, "dtype": dtype} for n in threads for dtype in ("float32", "float64")]

    def learn(self, setting: dict[str, Any]) -> Run:
        from sklearn.neural_network import MLPClassifier
        from threadpoolctl import threadpool_limits

        plan = plain(self.recipe).plan
        assert isinstance(plan.optimizer, Momentum)
        x, y = (self.data.x_train.reshape(-1, 784) / 255).astype(setting["dtype"]), self.data.y_train
        *hidden, _ = (layer.out_features for layer in self.network().layers if isinstance(layer, Dense))
        network = MLPClassifier(
            hidden,
            solver="sgd",
            batch_size=plan.batch_size,
            learning_rate_init=plan.schedule.learning_rate,
            momentum=plan.optimizer.momentum,
            nesterovs_momentum=plan.optimizer.nesterov,
            alpha=0.0,
        )
        starts = itertools.cycle(range(0, len(x) - self.unit + 1, self.unit))

        def run() -> int:
            rows = slice(start := next(starts), start + self.unit)
            with threadpool_limits(setting["blas_threads"]):
                network.partial_fit(x[rows], y[rows], classes=np.arange(10))
            return self.unit

        return run


class PyTorch(Worker):
    packages: tuple[str, ...] = ("numpy", "torch")

    def __init__(self, network: str, threads: int, unit: int, images: int | None) -> None:
        super().__init__(network, threads, unit, images)
        from benchmarks.torch_port import check_port

        check_port(self.network(), self.recipe.plan, self.data.x_train[:20], self.data.y_train[:20])

    def settings(self, task: str) -> list[dict[str, Any]]:
        convolves = any(isinstance(layer, Conv2D) for _, layer in self.network().named_layers())
        layouts = (False, True) if convolves else (False,)
        choices: dict[str, tuple[Any, ...]] = {"threads": tuple(range(1, self.threads + 1)), "channels_last": layouts}
        if task == "learn":
            choices["optimizer"] = ("foreach", "fused", "plain")
        if task == "predict":
            choices["chunk"] = (100, 1000)
        return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]

    def learn(self, setting: dict[str, Any]) -> Run:
        import torch

        from benchmarks.torch_port import TorchLearner, rows

        recipe = plain(self.recipe)
        t = self.training(recipe)
        x, y = rows(t.images), torch.from_numpy(t.labels.astype(np.int64))
        size, rate = recipe.plan.batch_size or len(x), recipe.plan.schedule.learning_rate
        learner = TorchLearner(t.run.network, recipe.plan, setting)

        def run() -> int:
            torch.set_num_threads(setting["threads"])
            order = torch.randperm(len(x))[: self.unit]
            for batch in order.split(size):
                learner.step(x[batch], y[batch], rate)
            return len(order)

        return run

    def predict(self, setting: dict[str, Any]) -> Run:
        return self._predict(setting, min(self.unit, len(self.test_images()[0])), setting["chunk"])

    def predict_one(self, setting: dict[str, Any]) -> Run:
        return self._predict(setting, SINGLE, 1)

    def _predict(self, setting: dict[str, Any], count: int, chunk: int) -> Run:
        import torch

        from benchmarks.torch_port import build_module

        module = build_module(self.network(), channels_last=setting["channels_last"]).eval()
        images = self.test_images()[0].reshape(-1, 784)

        def run() -> int:
            torch.set_num_threads(setting["threads"])
            with torch.inference_mode():
                for start in range(0, count, chunk):
                    x = torch.from_numpy(images[start : start + chunk]).float().div_(255)
                    module(x).softmax(1).numpy()
            return count

        return run

    def begin(self, seed: int, epochs: int | None) -> int:
        """Starts the recipe's training with the fastest settings of `learn`; returns its number of epochs."""
        from benchmarks.torch_port import TorchTraining

        self.runs.clear()
        training = self.recipe.with_settings(epochs=epochs).start(self.data, seed)
        self.torch_training = TorchTraining(training, self.best["learn"], self.threads)
        return training.run.plan.epochs

    def epoch(self) -> dict[str, float]:
        """As for Digitscope, and in addition the seconds of the augmentation, which is Digitscope's."""
        training = self.torch_training
        training.epoch()
        accuracy = training.accuracy(*self.test_images())
        return {"seconds": training.seconds, "augment_seconds": training.augment_seconds, "accuracy": accuracy}


class OnnxRuntime(PyTorch):
    """Predicts with the network that PyTorch exports."""

    packages = ("numpy", "torch", "onnxruntime")

    @cached_property
    def exported(self) -> bytes:
        from benchmarks.torch_port import export_onnx

        return export_onnx(self.network())

    def settings(self, task: str) -> list[dict[str, Any]]:
        chunks = (100, 1000) if task == "predict" else (1,)
        return [{"threads": n, "chunk": chunk} for n in range(1, self.threads + 1) for chunk in chunks]

    def _predict(self, setting: dict[str, Any], count: int, chunk: int) -> Run:
        from onnxruntime import InferenceSession, SessionOptions

        options = SessionOptions()
        options.intra_op_num_threads = setting["threads"]
        session = InferenceSession(self.exported, options, providers=["CPUExecutionProvider"])
        images = self.test_images()[0]
        flat = images.reshape(-1, 784)

        def probabilities(start: int, stop: int) -> Array:
            x = flat[start:stop].astype(np.float32)
            x /= 255
            answer: Array = session.run(None, {"pixels": x})[0]
            return answer

        ours = Model(self.network(), self.recipe.plan.loss, (28, 28)).predict_proba(images[:20])
        np.testing.assert_allclose(probabilities(0, 20), ours, atol=1e-5)

        def run() -> int:
            for start in range(0, count, chunk):
                probabilities(start, start + chunk)
            return count

        return run


class Notebook(Worker):
    """The seed as in the project's first notebook: float64, one array of all images, new arrays for every operation."""

    def learn(self, setting: dict[str, Any]) -> Run:
        t = self.training(self.recipe)
        X = t.images.reshape(-1, 784).T / 255.0
        Y = t.labels
        params = [p.astype(np.float64) for p in t.run.network.params.values()]

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

        def run() -> int:
            steps = -(-self.unit // Y.size)
            for _ in range(steps):
                step()
            return steps * Y.size

        return run


WORKERS = {
    "digitscope": Digitscope,
    "scikit-learn": ScikitLearn,
    "PyTorch": PyTorch,
    "onnxruntime": OnnxRuntime,
    "notebook": Notebook,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=WORKERS)
    parser.add_argument("network", choices=NETWORKS)
    for number in ("threads", "unit"):
        parser.add_argument(f"--{number}", type=int, required=True)
    parser.add_argument("--images", type=int)
    options = vars(parser.parse_args())
    worker = WORKERS[options.pop("name")](**options)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(getattr(worker, request.pop("do"))(**request)), flush=True)


if __name__ == "__main__":
    main()
