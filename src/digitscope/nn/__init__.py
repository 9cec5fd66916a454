"""The network: layers, losses, optimizers and schedules, every derivative written out by hand in NumPy.

The batch is the last axis everywhere: Z = W A + b.
"""

from digitscope.nn.activations import LeakyReLU, ReLU, Sigmoid, Tanh
from digitscope.nn.batch import to_batch
from digitscope.nn.batch_norm import BatchNorm
from digitscope.nn.conv import Conv2D
from digitscope.nn.dense import Dense
from digitscope.nn.dropout import Dropout
from digitscope.nn.ensemble import Ensemble, ShiftAverage
from digitscope.nn.frozen import Frozen
from digitscope.nn.gradient_check import GradientCheck, LayerCheck, check_gradients, check_layers
from digitscope.nn.initializers import Initializer, glorot, he, lecun, normal, uniform, zeros
from digitscope.nn.layer import Backward, Layer, Params
from digitscope.nn.losses import (
    LOSSES,
    BackgroundCrossEntropy,
    Loss,
    MeanSquaredError,
    SoftmaxCrossEntropy,
    binary_cross_entropy,
    log_sum_exp,
    softmax,
    weighted_loss,
)
from digitscope.nn.network import Network
from digitscope.nn.one_hot import one_hot
from digitscope.nn.optimizers import (
    Adam,
    AdamW,
    GradientDescent,
    Momentum,
    Optimizer,
    clip_scale,
    gradient_norm,
)
from digitscope.nn.pooling import AveragePool2D, GlobalAveragePool2D, MaxPool2D
from digitscope.nn.reshape import Flatten, Reshape
from digitscope.nn.residual import Residual
from digitscope.nn.resolution import DepthToSpace, Skip, SpaceToDepth, Upsample2D
from digitscope.nn.schedules import Constant, Cosine, OneCycle, Schedule, StepDecay, WarmUp
from digitscope.nn.sequence import Conv1D, FoldHeight, MaxPoolHeight, SplitSteps
from digitscope.nn.standardize import Standardize

__all__ = [
    "LOSSES",
    "Adam",
    "AdamW",
    "AveragePool2D",
    "BackgroundCrossEntropy",
    "Backward",
    "BatchNorm",
    "Constant",
    "Conv1D",
    "Conv2D",
    "Cosine",
    "Dense",
    "DepthToSpace",
    "Dropout",
    "Ensemble",
    "Flatten",
    "FoldHeight",
    "Frozen",
    "GlobalAveragePool2D",
    "GradientCheck",
    "GradientDescent",
    "Initializer",
    "Layer",
    "LayerCheck",
    "LeakyReLU",
    "Loss",
    "MaxPool2D",
    "MaxPoolHeight",
    "MeanSquaredError",
    "Momentum",
    "Network",
    "OneCycle",
    "Optimizer",
    "Params",
    "ReLU",
    "Reshape",
    "Residual",
    "Schedule",
    "ShiftAverage",
    "Sigmoid",
    "Skip",
    "SoftmaxCrossEntropy",
    "SpaceToDepth",
    "SplitSteps",
    "Standardize",
    "StepDecay",
    "Tanh",
    "Upsample2D",
    "WarmUp",
    "binary_cross_entropy",
    "check_gradients",
    "check_layers",
    "clip_scale",
    "glorot",
    "gradient_norm",
    "he",
    "lecun",
    "log_sum_exp",
    "normal",
    "one_hot",
    "softmax",
    "to_batch",
    "uniform",
    "weighted_loss",
    "zeros",
]
