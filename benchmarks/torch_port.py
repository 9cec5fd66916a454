"""Builds one of our networks in PyTorch: the same layers, weights, loss and optimizer, from PyTorch's own parts.

Batch normalization uses the mean and variance of a whole batch here; ours uses those of a shard.
"""

import itertools
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from copy import deepcopy
from io import BytesIO
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.networks import StandardizePixels
from digitscope.arrays import Array
from digitscope.blas_threads import blas_threads
from digitscope.nn import (
    Adam,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool2D,
    GradientDescent,
    Layer,
    LeakyReLU,
    Loss,
    MaxPool2D,
    MeanSquaredError,
    Momentum,
    Network,
    Optimizer,
    ReLU,
    Reshape,
    Residual,
    Sigmoid,
    SoftmaxCrossEntropy,
    Standardize,
    Tanh,
    to_batch,
)
from digitscope.nn.ensemble import shift_images
from digitscope.recipes import Training
from digitscope.training import Plan
from digitscope.training.parallel.threads import ThreadMap
from digitscope.training.run import STATISTICS_IMAGES

CHUNK = 1000
"""Number of images in one call of a module outside training."""


class Apply(nn.Module):  # type: ignore[misc]
    """y = f(x, *modules), as a module."""

    def __init__(self, f: Callable[..., Any], *modules: Any) -> None:
        super().__init__()
        self.f, self.inner = f, nn.ModuleList(modules)

    def forward(self, x: Any) -> Any:
        return self.f(x, *self.inner)


def build_module(network: Layer, *, channels_last: bool = False) -> Any:
    """A module that maps rows (N, D) to rows (N, classes), with copies of the network's parameters and statistics.

    Its parameters are in the order of the network's. Raises: TypeError for an unknown layer.
    """
    module = _module(network, channels_last, in_place=False)
    return module.to(memory_format=torch.channels_last) if channels_last else module


def _module(layer: Layer, channels_last: bool, *, in_place: bool) -> Any:
    match layer:
        case Residual():
            return Apply(lambda x, f: x + f(x), _sequential(layer, channels_last))
        case Network() if type(layer) is Network:
            return _sequential(layer, channels_last)
        case Dense():
            return _filled(nn.Linear(layer.in_features, layer.out_features), layer)
        case Conv2D():
            sizes = layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding
            return _filled(nn.Conv2d(*sizes, layer.dilation, bias="bias" in layer.params), layer)
        case BatchNorm():
            return _filled(nn.BatchNorm2d(layer.channels, layer.eps), layer)
        case Standardize():
            return Apply(lambda x: nn.functional.layer_norm(x, x.shape[1:], eps=layer.eps))
        case MaxPool2D():
            return nn.MaxPool2d(layer.size, layer.stride)
        case AveragePool2D():
            return nn.AvgPool2d(layer.size, layer.stride)
        case GlobalAveragePool2D():
            return Apply(lambda x: x.mean((2, 3)))
        case Dropout():
            return nn.Dropout(layer.rate)
        case Flatten():
            return nn.Flatten()
        case Reshape():
            return Apply(_reshape(layer.shape, channels_last))
        case StandardizePixels():
            return Apply(lambda x: (x - layer.mean) / layer.deviation)
        case ReLU():
            return nn.ReLU(inplace=in_place)
        case LeakyReLU():
            return nn.LeakyReLU(layer.slope)
        case Sigmoid():
            return nn.Sigmoid()
        case Tanh():
            return nn.Tanh()
    raise TypeError(f"torch_port.py has no equivalent of {type(layer).__name__}.")


def _sequential(network: Network, channels_last: bool) -> Any:
    """The layers one after the other. A ReLU works in place after the layers that do not need their output."""
    overwritable = (Dense, Conv2D, BatchNorm, MaxPool2D, AveragePool2D)
    pairs = itertools.pairwise((None, *network.layers))
    return nn.Sequential(
        *(_module(layer, channels_last, in_place=isinstance(before, overwritable)) for before, layer in pairs if layer)
    )


def _filled(module: Any, layer: Layer) -> Any:
    with torch.no_grad():
        for target, p in zip(module.parameters(), layer.params.values(), strict=True):
            target.copy_(torch.from_numpy(p.reshape(target.shape)))
        for target, p in zip((b for b in module.buffers() if b.ndim), layer.statistics.values(), strict=True):
            target.copy_(torch.from_numpy(p))
    return module


def _reshape(shape: tuple[int, ...], channels_last: bool) -> Callable[[Any], Any]:
    if not channels_last or len(shape) != 3:
        return lambda x: x.reshape(-1, *shape)
    if shape[0] == 1:  # the numbers stay in the same order; only the strides change to channels last
        return lambda x: x.reshape(-1, *shape[1:], 1).permute(0, 3, 1, 2)
    return lambda x: x.reshape(-1, *shape).contiguous(memory_format=torch.channels_last)


def export_onnx(network: Layer) -> bytes:
    """PyTorch's export of the network, from `pixels` (N, D), 0 to 1, to probabilities (N, classes)."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # hides a notice that torchvision is missing
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PyTorch calls its own deprecated functions
        program = torch.onnx.export(
            nn.Sequential(build_module(network), nn.Softmax(1)).eval(),
            (torch.zeros(2, 784),),
            input_names=["pixels"],
            dynamic_shapes=({0: torch.export.Dim("images")},),
            dynamo=True,
            verbose=False,
        )
    file = BytesIO()
    program.save(file)
    return file.getvalue()


def rows(images: Array) -> Any:
    """The images as rows. Shapes: uint8 (N, H, W) -> a tensor of float32 (N, H W), 0 to 1"""
    return torch.from_numpy(np.ascontiguousarray(to_batch(images).T))


def _loss(loss: Loss) -> Callable[[Any, Any], Any]:
    match loss:
        case SoftmaxCrossEntropy():
            smoothing = loss.label_smoothing
            return lambda z, y: functional.cross_entropy(z, y, label_smoothing=smoothing)
        case MeanSquaredError():
            return lambda a, y: (a - functional.one_hot(y, a.shape[1])).square().sum() / (2 * len(a))
    raise TypeError(f"torch_port.py has no equivalent of {type(loss).__name__}.")


def _optimizer(optimizer: Optimizer, parameters: Iterator[Any], implementation: str) -> Any:
    flags = {"foreach": {"foreach": True}, "fused": {"fused": True}, "plain": {"foreach": False}}[implementation]
    match optimizer:
        case Momentum():
            return torch.optim.SGD(parameters, 1.0, optimizer.momentum, nesterov=optimizer.nesterov, **flags)
        case GradientDescent():
            return torch.optim.SGD(parameters, 1.0, **flags)
        case Adam():
            betas = optimizer.beta1, optimizer.beta2
            return torch.optim.Adam(parameters, 1.0, betas, optimizer.eps, **flags)
    raise TypeError(f"torch_port.py has no equivalent of {type(optimizer).__name__}.")


class TorchLearner:
    """A module that is trained by a plan. `setting` has channels_last, and the implementation of the optimizer."""

    def __init__(self, network: Network, plan: Plan, setting: dict[str, Any]) -> None:
        self.module = build_module(network, channels_last=setting["channels_last"])
        self.loss = _loss(plan.loss)
        self.optimizer = _optimizer(plan.optimizer, self.module.parameters(), setting["optimizer"])
        self.weights = [p for p in self.module.parameters() if p.ndim > 1]
        self.weight_decay, self.clip_norm = plan.optimizer.weight_decay, plan.optimizer.clip_norm

    def step(self, x: Any, y: Any, learning_rate: float) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        self.loss(self.module(x), y).backward()
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.module.parameters(), self.clip_norm)
        if self.weight_decay:
            with torch.no_grad():
                for weight in self.weights:
                    weight.mul_(1 - learning_rate * self.weight_decay)
        self.optimizer.param_groups[0]["lr"] = learning_rate
        self.optimizer.step()


class TorchTraining:
    """A recipe's whole training by PyTorch, epoch by epoch, with the same initial weights, images, order, augmentation,
    rates and averaged weights as ours.
    """

    def __init__(self, training: Training, setting: dict[str, Any], threads: int) -> None:
        self.training, self.run = training, training.run
        self.threads, self.setting = threads, setting
        self.learner = TorchLearner(self.run.network, self.run.plan, setting)
        self.average = [p.detach().clone() for p in self.learner.module.parameters()] if self.run.average else []
        self.x = rows(training.images) if self.run.plan.augment is None else None
        self.y = torch.from_numpy(training.labels.astype(np.int64))
        self.seconds, self.augment_seconds = 0.0, 0.0

    def epoch(self) -> None:
        """Trains for one epoch; `seconds` includes the same work as ours: the steps with their augmentation."""
        plan, images = self.run.plan, len(self.training.images)
        steps = plan.epochs * plan.batches(images)
        step = self.run.epoch * plan.batches(images)
        self.run.order, order = self.run.draw_order(images)
        torch.set_num_threads(self.setting["threads"])
        self.learner.module.train()
        with blas_threads(1), ThreadMap(self.threads) as threads:
            began = time.perf_counter()
            for start in range(0, images, plan.batch_size or images):
                chosen = order[start : start + (plan.batch_size or images)]
                indices = torch.from_numpy(chosen)
                x = self.x[indices] if self.x is not None else self._augmented(chosen, threads)
                self.learner.step(x, self.y[indices], plan.schedule(step, steps))
                if plan.averaging is not None:
                    rate = plan.averaging.rate(step, steps)
                    with torch.no_grad():
                        for mean, p in zip(self.average, self.learner.module.parameters(), strict=True):
                            mean.lerp_(p, rate)
                step += 1
            self.seconds += time.perf_counter() - began
        self.run.epoch += 1

    def _augmented(self, chosen: Array, threads: ThreadMap) -> Any:
        """These images with our augmentation, whose shards are spread over the threads as in our training."""
        began = time.perf_counter()
        plan = self.run.plan
        assert plan.augment is not None
        augment, size = plan.augment, plan.shard_size or len(chosen)

        def augmented(i: int) -> Array:
            images = self.training.images[chosen[i * size : (i + 1) * size]]
            return np.ascontiguousarray(augment(images, self.run.shard_rngs[i]).T)

        x = torch.from_numpy(np.concatenate(threads(augmented, range(-(-len(chosen) // size)))))
        self.augment_seconds += time.perf_counter() - began
        return x

    def accuracy(self, images: Array, labels: Array) -> float:
        """The accuracy of the trained network, as of our `Run.outcome`: with averaged weights, statistics measured on
        training images, and test-time augmentation.
        """
        module = deepcopy(self.learner.module).eval()
        with torch.no_grad():
            for p, mean in zip(module.parameters(), self.average or list(module.parameters()), strict=True):
                p.copy_(mean)
            norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
            for norm in norms:
                norm.train()
                norm.reset_running_stats()
                norm.momentum = None  # a plain mean over the batches
            if norms:
                chosen = self.training.images[:: -(-len(self.training.images) // STATISTICS_IMAGES)]
                for x in rows(chosen).split(CHUNK):
                    module(x)
            module.eval()
            total: Any = 0.0
            for shift in self.run.plan.shifts or ((0, 0),):
                shifted = shift_images(images.transpose(1, 2, 0), *shift).transpose(2, 0, 1)
                total += torch.cat([module(x).softmax(1) for x in rows(shifted).split(CHUNK)])
        return float((total.argmax(1).numpy() == labels).mean())


def check_port(network: Network, plan: Plan, images: Array, labels: Array) -> None:
    """Compares PyTorch's outputs, loss and derivatives with ours, in float64 and in both layouts.

    The networks run in training mode, or in evaluation mode if they have dropout, which would draw other numbers.
    Raises: AssertionError if they differ.
    """
    training = not any(isinstance(layer, Dropout) for _, layer in network.named_layers())
    ours = network.astype(np.float64)
    outputs, backward = ours.forward(to_batch(images).astype(np.float64), training=training)
    loss, loss_backward = plan.loss.forward(outputs, labels)
    grads = backward(loss_backward(1.0))[1]
    for channels_last in (False, True):
        module = build_module(network, channels_last=channels_last).double().train(training)
        z = module(rows(images).double())
        value = _loss(plan.loss)(z, torch.from_numpy(labels))
        value.backward()
        np.testing.assert_allclose(z.detach().numpy(), outputs.T, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(float(value.detach()), loss, rtol=1e-6)
        for (name, p), theirs in zip(ours.params.items(), module.parameters(), strict=True):
            np.testing.assert_allclose(
                theirs.grad.numpy().reshape(p.shape), grads[name], rtol=1e-5, atol=1e-8, err_msg=name
            )
