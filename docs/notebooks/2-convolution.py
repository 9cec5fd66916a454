# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # What convolution sees
#
# A dense layer has a weight for each pixel of the whole image. If a digit moves by two pixels, all its weights are in
# the wrong places. A *convolution* has a few weights only, and moves them over the image. This notebook does it by
# hand, and then looks at what the convolutions of a trained network see. Chapter 8 of the notes has the derivation.

# %%
import os

import numpy as np

from digitscope import Model, explain, fit, load_mnist, report
from digitscope.nn import Conv2D, Dense, to_batch

# The tests set this variable: less data, the same steps.
QUICK = bool(os.environ.get("DIGITSCOPE_QUICK"))

(x, y), (x_test, y_test) = load_mnist()
seven = x_test[0] / 255  # 28 x 28, from 0 (paper) to 1 (ink)
y_test[0]

# %% [markdown]
# ## Nine weights
#
# This *kernel* has weights for 3 × 3 pixels. It is positive above and negative below, so it answers strongly where
# ink is above paper: at the lower edges of strokes. The sum is taken at each place of the image:
#
# $$y_{ij} = \sum_{u,v} W_{uv}\, x_{i+u,\,j+v} .$$

# %%
kernel = np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [-1.0, -1.0, -1.0]])


def convolve(image, kernel):
    height, width = (size - 2 for size in image.shape)
    result = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            result[i, j] = (kernel * image[i : i + 3, j : j + 3]).sum()
    return result


edges = convolve(seven, kernel)
edges.shape

# %% [markdown]
# Here are lower edges (positive, orange) and upper edges (negative, blue), and beside them the answers of the same
# kernel on its side, which sees the left and right edges of strokes.

# %%
report.first_layer_weights(np.stack([edges, convolve(seven, kernel.T)])[:, None])

# %% [markdown]
# `Conv2D` is the same sum, for many kernels and images at once. Feature maps and images come first, the batch last.

# %%
layer = Conv2D(1, 2, 3)
layer.params["weight"][:] = np.stack([kernel, kernel.T])[:, None]
layer.params["bias"][:] = 0
maps, _ = layer.forward(seven.reshape(1, 28, 28, 1))
print("feature maps:", maps.shape)
assert np.allclose(maps[0, :, :, 0], edges)

# %% [markdown]
# ## If the digit moves, the map moves
#
# This is called *equivariance*. The kernel has the same weights everywhere, so it finds the same edge wherever it is.
# A dense layer with the same number of outputs knows nothing about neighbours.

# %%
moved = np.roll(seven, 3, axis=1)
same = convolve(moved, kernel)[:, 3:] - edges[:, :-3]
dense = Dense(784, 26 * 26)
rows = to_batch(np.stack([seven, moved]))
before, after = dense.forward(rows)[0].T.reshape(2, 26, 26)
print("convolution: largest difference of the moved maps", np.abs(same).max())
print("dense layer: largest difference of the moved maps", np.abs(after[:, 3:] - before[:, :-3]).max().round(2))
assert np.abs(same).max() < 1e-12

# %% [markdown]
# ## Weights and work
#
# A kernel has few weights, and each of them is used at each place. So a convolution has far fewer weights than a
# dense layer with the same outputs, and more work for each weight.

# %%
for name, found in (("Conv2D(1, 20, 5)", Conv2D(1, 20, 5)), ("Dense of the same outputs", Dense(784, 20 * 24 * 24))):
    shape = (1, 28, 28) if "Conv" in name else (784,)
    weights = sum(array.size for array in found.params.values())
    print(f"{name:26} {weights:10,} weights, {found.flops(shape) / 1e6:6.2f} million operations")

# %% [markdown]
# ## What a trained network looks for
#
# Nobody chose the kernels of `convnet`. They came out of training, and still many of them are edges in some
# direction.

# %%
model = Model.load("convnet")
print(model.summary())
report.first_layer_weights(model.network.params["2.weight"])

# %% [markdown]
# The maps of the first convolution for our seven. Each shows where its kernel fits.

# %%
activations = explain.activations(model, x_test[:1])
report.first_layer_weights(activations["2"][:, None, :, :, 0])

# %% [markdown]
# After the last convolution the maps are smaller, and each number sees a larger part of the image, its *receptive
# field*. What the maps say is no longer a picture of the digit.

# %%
last = [name for name, array in activations.items() if array.ndim == 4][-1]
print("layer", last, activations[last].shape)
report.first_layer_weights(activations[last][:, None, :, :, 0])

# %% [markdown]
# ## Which pixels matter
#
# The derivative of the loss with respect to the pixels says where ink would help (blue: the loss falls) and where it
# would harm.

# %%
pixels = explain.gradients(model, x_test[:1], [7]).input
report.first_layer_weights(pixels.reshape(1, 784), (28, 28))

# %% [markdown]
# ## What a convolution takes for granted
#
# Shuffle the pixels of all images in the same way. Nothing is lost: each pixel still has its number, only in another
# place. A dense network does not notice, because it never knew which pixels are neighbours. A convolution looks for
# edges between neighbours, and now finds none. How much does each network lose?

# %%
shuffle = np.random.default_rng(0).permutation(784)
count, epochs = (600, 2) if QUICK else (10_000, 4)
if QUICK:
    x_test, y_test = x_test[:500], y_test[:500]


def shuffled(images):
    return images.reshape(-1, 784)[:, shuffle].reshape(-1, 28, 28)


results = {}
for recipe in ("mlp", "fast"):
    for name, change in (("as they are", lambda images: images), ("shuffled", shuffled)):
        trained = fit(recipe, change(x[:count]), y[:count], epochs=epochs, augment="none")
        results[recipe, name] = trained.evaluate(change(x_test), y_test).accuracy
        print(f"{recipe:5} {name:12} {100 * results[recipe, name]:5.1f} %")

# %% [markdown]
# The convolutional network loses more, and this is the price of its advantage: what it takes for granted about images
# saves it from learning it, and is wrong for anything else.
#
# ## Try it
#
# - Which kernel answers to the ends of strokes? Try it with `convolve`.
# - Shift all test images by three pixels with `np.roll`. How much does each of the two networks lose now?
# - `report.first_layer_weights(fit("mlp", x[:10_000], y[:10_000], epochs=4).network.params["0.weight"], (28, 28))`
#   shows what the dense network has learned. Do you see edges?
