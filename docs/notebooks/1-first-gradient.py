# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # From the first gradient to a trained network
#
# A network reads a digit by multiplying and adding, and it learns by asking one question over and over: if I change
# this weight a little, does the loss rise or fall? This notebook asks the question once, by hand. Then it asks it
# 7,850 times at once, and at last again and again, until the network reads digits.
#
# You need school calculus. The notes derive everything in more detail; chapter 5 is the one behind this notebook.

# %%
import os

import numpy as np

from digitscope import check_gradients, explain, fit, load_mnist, report
from digitscope.nn import Dense, Network, ReLU, SoftmaxCrossEntropy, to_batch
from digitscope.notebook import OneStep

# The tests set this variable: less data, the same steps.
QUICK = bool(os.environ.get("DIGITSCOPE_QUICK"))

(x, y), (x_test, y_test) = load_mnist()
if QUICK:
    x, y, x_test, y_test = x[:3000], y[:3000], x_test[:500], y_test[:500]
x.shape, x.dtype, y[:8]

# %% [markdown]
# ## One image, ten sums
#
# An image has 28 × 28 = 784 pixels. We divide them by 255, so that 0 is paper and 1 is ink, and write them as a
# column. Each of the ten digits gets a score: a weighted sum of the pixels, plus a bias,
#
# $$z_k = b_k + \sum_i W_{ki}\, x_i .$$
#
# The *softmax* turns the ten scores into probabilities,
#
# $$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}} .$$
#
# All weights are zero at first, so all scores are equal: the network does not know anything, and says so.

# %%
W = np.zeros((10, 784))
b = np.zeros(10)
image, label = x[0].ravel() / 255, int(y[0])


def probabilities(W, b, image):
    z = W @ image + b
    e = np.exp(z - z.max())  # the largest exponent is 0, so that nothing overflows
    return e / e.sum()


p = probabilities(W, b, image)
label, p

# %% [markdown]
# ## The loss
#
# How wrong is that? The *cross-entropy* looks at the probability of the right digit only: $L = -\log
# p_{\text{label}}$. It is 0 if the network is certain and right, and grows without bound as it becomes certain and
# wrong. A tenth for each digit gives $\log 10$.


# %%
def loss(W, b, image, label):
    return -np.log(probabilities(W, b, image)[label])


print(f"loss {loss(W, b, image, label):.4f}, log 10 = {np.log(10):.4f}")

# %% [markdown]
# ## The first derivative, by trying
#
# Take one weight: the one from the pixel with the most ink to the right digit. Make it a little larger and a little
# smaller, and look at the loss. The difference, divided by the change, is the *derivative*: the slope of the loss.

# %%
pixel = int(image.argmax())
change = 1e-5
more, less = W.copy(), W.copy()
more[label, pixel] += change
less[label, pixel] -= change
by_trying = (loss(more, b, image, label) - loss(less, b, image, label)) / (2 * change)
print(f"{by_trying:.6f}")

# %% [markdown]
# It is negative: a larger weight makes the loss smaller. That is no surprise, since this pixel has ink and the digit
# is right.
#
# ## The same derivative, by a formula
#
# Trying costs two passes for each weight, 15,700 for all of them. Calculus gives all at once. The derivative with
# respect to a score is the probability minus what it should be,
#
# $$\frac{\partial L}{\partial z_k} = p_k - q_k, \qquad q_k = 1 \text{ for the right digit, else } 0,$$
#
# and a weight only matters through its score, in proportion to its pixel: $\partial L / \partial W_{ki} = (p_k -
# q_k)\, x_i$. **A weight is to blame where its input was large and its output went wrong.**

# %%
q = np.eye(10)[label]
dz = p - q
dW, db = np.outer(dz, image), dz
by_formula = dW[label, pixel]
print(f"by trying {by_trying:.10f}, by the formula {by_formula:.10f}")
assert abs(by_trying - by_formula) < 1e-8

# %% [markdown]
# Each row of the gradient is the image itself, times a number. The row of the right digit is blue, which means
# negative: a larger weight makes the loss smaller. The rows of the nine others are positive, and so pale that they can
# hardly be seen, since each of them is to blame for a ninth as much.

# %%
report.first_layer_weights(dW, (28, 28))

# %% [markdown]
# ## One step
#
# *Gradient descent* moves each weight a little against its derivative. The loss of this image falls.

# %%
learning_rate = 0.1
before = loss(W, b, image, label)
after = loss(W - learning_rate * dW, b - learning_rate * db, image, label)
print(f"{before:.3f} before, {after:.3f} after")
assert after < before

# %% [markdown]
# ## Many steps
#
# One image teaches one image. *Stochastic gradient descent* takes a few images at a time, a *mini-batch*, and
# averages their gradients. The batch is the last axis: $X$ has a column for each image, and the formulas stay the
# same.

# %%
X, X_test = x.reshape(-1, 784).T / 255, x_test.reshape(-1, 784).T / 255
rng = np.random.default_rng(0)
W, b = np.zeros((10, 784)), np.zeros((10, 1))
for epoch in range(1, 4):
    order = rng.permutation(X.shape[1])
    for start in range(0, len(order), 100):
        batch = order[start : start + 100]
        Z = W @ X[:, batch] + b
        E = np.exp(Z - Z.max(axis=0))
        dZ = (E / E.sum(axis=0) - np.eye(10)[:, y[batch]]) / len(batch)
        W -= learning_rate * dZ @ X[:, batch].T
        b -= learning_rate * dZ.sum(axis=1, keepdims=True)
    accuracy = float(np.mean((W @ X_test + b).argmax(axis=0) == y_test))
    print(f"epoch {epoch}: {100 * accuracy:.1f} % of the test images are read correctly")

# %% [markdown]
# Ten lines of code read most digits. The weights have become stencils: orange where ink speaks for a digit, blue
# where it speaks against it.

# %%
report.first_layer_weights(W, (28, 28))

# %% [markdown]
# ## A hidden layer
#
# One stencil for each digit cannot know that a 7 with a bar is a 7 as well. A *hidden layer* has stencils for parts,
# and a second layer combines them. Now the derivatives pass through two layers, and this is *backpropagation*: the
# same two rules, once for each layer, from the loss back to the first weights. `digitscope` has the layers and their
# derivatives.

# %%
network = Network(Dense(784, 64), ReLU(), Dense(64, 10))
gradients = explain.gradients(network, x[:1], y[:1])
print(f"loss {gradients.loss:.3f}")
{name: array.shape for name, array in gradients.parameters.items()}

# %% [markdown]
# Never trust a derivative that has not been checked. `check_gradients` does what we did above, in the whole network.

# %%
print(check_gradients(network, to_batch(x[:2]), y[:2], SoftmaxCrossEntropy(), entries=20))

# %% [markdown]
# Here are all numbers of one step, forwards and backwards. Choose any of them to see the products that sum to it, and
# the line of code that computes it. Arrow keys go from one stage to the next.

# %%
OneStep(x[:1], y[:1], learning_rate=0.05)

# %% [markdown]
# ## The trained network
#
# `fit` takes the steps: it shuffles, makes batches, lowers the learning rate towards the end, and measures the
# accuracy on images that it did not learn from.

# %%
model = fit(network, x, y, epochs=2 if QUICK else 5)
evaluation = model.evaluate(x_test, y_test)
print(f"{100 * evaluation.accuracy:.1f} % with a hidden layer, {100 * accuracy:.1f} % without")
evaluation

# %% [markdown]
# These are its most confident mistakes. Would you have read them correctly?

# %%
report.confident_mistakes(x_test, y_test, model.predict_proba(x_test))

# %% [markdown]
# ## Try it
#
# - Begin with `W = rng.normal(size=(10, 784))`. Why is the first loss so much larger than $\log 10$?
# - Set `learning_rate = 10` and watch the accuracy. What happens to the weights?
# - Leave `ReLU()` out. Why is a network of two dense layers then not better than one?
