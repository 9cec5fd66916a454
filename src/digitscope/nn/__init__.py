"""The network: layers, losses, optimizers and schedules, every derivative written out by hand in NumPy.

The batch is the last axis everywhere: Z = W A + b.
"""

from digitscope.nn.activations import LeakyReLU, ReLU, Sigmoid, Tanh
from digitscope.nn.batch import to_batch
from digitscope.nn.dense import Dense
from digitscope.nn.dropout import Dropout
from digitscope.nn.gradient_check import GradientCheck, check_gradients
from digitscope.nn.initializers import Initializer, glorot, he, lecun, normal, uniform, zeros
from digitscope.nn.layer import Backward, Layer, Params
from digitscope.nn.losses import LOSSES, Loss, MeanSquaredError, SoftmaxCrossEntropy, softmax
from digitscope.nn.network import LAYERS, Network
from digitscope.nn.optimizers import (
    Adam,
    AdamW,
    GradientDescent,
    Momentum,
    Optimizer,
    clip_scale,
    gradient_norm,
)
from digitscope.nn.reshape import Flatten, Reshape
from digitscope.nn.schedules import Constant, Cosine, OneCycle, Schedule, StepDecay, WarmUp

__all__ = [
    "LAYERS",
    "LOSSES",
    "Adam",
    "AdamW",
    "Backward",
    "Constant",
    "Cosine",
    "Dense",
    "Dropout",
    "Flatten",
    "GradientCheck",
    "GradientDescent",
    "Initializer",
    "Layer",
    "LeakyReLU",
    "Loss",
    "MeanSquaredError",
    "Momentum",
    "Network",
    "OneCycle",
    "Optimizer",
    "Params",
    "ReLU",
    "Reshape",
    "Schedule",
    "Sigmoid",
    "SoftmaxCrossEntropy",
    "StepDecay",
    "Tanh",
    "WarmUp",
    "check_gradients",
    "clip_scale",
    "glorot",
    "gradient_norm",
    "he",
    "lecun",
    "normal",
    "softmax",
    "to_batch",
    "uniform",
    "zeros",
]
