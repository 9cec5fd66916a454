"""Makes the weights and outputs beside this file, by PyTorch 2.13.0 and by Keras 3.15.1 with JAX 0.10.2:

KERAS_BACKEND=jax python tests/interchange/golden/make.py
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import safetensors.numpy
import safetensors.torch
import torch
from keras import layers
from torch import nn

FOLDER = Path(__file__).parent
RNG = np.random.default_rng(0)


class Net(nn.Module):  # type: ignore[misc]
    """As many users write it: attributes in the order of the layers, by kind and number."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.conv2, self.bn2 = nn.Conv2d(4, 6, 3, bias=False), nn.BatchNorm2d(6)
        self.fc1, self.fc2 = nn.Linear(24, 12), nn.Linear(12, 10)

    def forward(self, x: Any) -> Any:
        x = nn.functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 2)
        x = torch.relu(self.bn2(self.conv2(x)))
        return self.fc2(torch.tanh(self.fc1(x.flatten(1))))


def by_pytorch(images: Any) -> Any:
    torch.manual_seed(0)
    net = Net()
    with torch.no_grad():
        for name, buffer in net.named_buffers():
            if name.endswith("mean"):
                buffer.normal_(0, 0.3)
            elif name.endswith("var"):
                buffer.uniform_(0.3, 2)
        for norm in (net.bn1, net.bn2):
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.normal_(0, 0.3)
        logits = net.eval()(torch.from_numpy(images)[:, None]).numpy()
    safetensors.torch.save_file(net.state_dict(), FOLDER / "pytorch.safetensors")
    return logits


def by_keras(images: Any) -> Any:
    net = keras.Sequential(
        [
            *(keras.Input((8, 8, 1)), layers.Conv2D(4, 3, padding="same"), layers.BatchNormalization(), layers.ReLU()),
            *(layers.MaxPool2D(2), layers.Conv2D(6, 3, use_bias=False), layers.BatchNormalization(), layers.ReLU()),
            *(layers.Flatten(), layers.BatchNormalization(), layers.Dense(12, activation="tanh"), layers.Dropout(0.5)),
            layers.Dense(10),
        ]
    )
    positive = ("gamma", "moving_variance")
    net.set_weights(
        [
            (RNG.uniform(0.3, 2, w.shape) if w.path.endswith(positive) else RNG.normal(0, 0.3, w.shape)).astype("f4")
            for w in net.weights
        ]
    )
    np.savez(FOLDER / "keras.npz", *net.get_weights())
    variables = {variable.path: np.asarray(variable.numpy()) for variable in net.variables}
    safetensors.numpy.save_file(variables, FOLDER / "keras.safetensors")
    return np.asarray(net(images[..., None]))


if __name__ == "__main__":
    pixels = RNG.integers(0, 256, (3, 8, 8), dtype=np.uint8)
    scaled = pixels.astype(np.float32) / 255
    np.savez(FOLDER / "outputs.npz", images=pixels, pytorch=by_pytorch(scaled), keras=by_keras(scaled))
