"""The layers by name."""

from digitscope.nn.activations import LeakyReLU, ReLU, Sigmoid, Tanh
from digitscope.nn.batch_norm import BatchNorm
from digitscope.nn.conv import Conv2D
from digitscope.nn.dense import Dense
from digitscope.nn.dropout import Dropout
from digitscope.nn.ensemble import Ensemble, ShiftAverage
from digitscope.nn.layer import Layer
from digitscope.nn.network import Network
from digitscope.nn.pooling import AveragePool2D, GlobalAveragePool2D, MaxPool2D
from digitscope.nn.reshape import Flatten, Reshape
from digitscope.nn.residual import Residual
from digitscope.nn.standardize import Standardize

LAYERS: dict[str, type[Layer]] = {
    layer.__name__: layer
    for layer in (
        *(Dense, Conv2D, MaxPool2D, AveragePool2D, GlobalAveragePool2D, BatchNorm, Standardize, Dropout),
        *(ReLU, LeakyReLU, Sigmoid, Tanh, Reshape, Flatten),
        *(Network, Residual, Ensemble, ShiftAverage),
    )
}
"""The layers that a model file may name."""
