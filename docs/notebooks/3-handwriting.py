# ---
# jupyter:
#   jupytext:
#     formats: py:percent
# ---

# %% [markdown]
# # Your own handwriting
#
# The images of MNIST are clean: one digit in the middle of a small square, white ink on black. Your photo has paper,
# shadows, lines, and several digits. This notebook follows a picture on its way to the network, asks how sure the
# answer is, and teaches the network a form of digit that it does not know.
#
# Put the path of a photo of your own into `PHOTO`. Until then, we make one.

# %%
import os
from pathlib import Path

import numpy as np
from PIL import Image

from digitscope import DataSet, Model, fit, load_mnist, prepare, read, report, teach, vision
from digitscope.synthetic.photos import photograph_digit, photograph_numbers

# The tests set this variable: less data, the same steps.
QUICK = bool(os.environ.get("DIGITSCOPE_QUICK"))
PHOTO = None

(x, y), (x_test, y_test) = load_mnist()
model, data = Model.load("convnet"), "mnist"  # the model that is taught, and what it learned from
if QUICK:
    data = DataSet("a part of MNIST", x[:1200], y[:1200])
    model = fit("mlp", data, epochs=8)
rng = np.random.default_rng(4)
if PHOTO is None:
    PHOTO = "photo.png"
    photo = photograph_digit(x_test[0], rng, kind="lined", side=480 if QUICK else 1200)
    Image.fromarray(photo.pixels).save(PHOTO)
Image.fromarray(vision.to_picture(PHOTO))

# %% [markdown]
# ## From the photo to 28 × 28 pixels
#
# The network was trained on images of one form, so the photo has to take this form: paper becomes 0, ink becomes
# large, the digit is cut out, scaled to 20 pixels and centred by its centre of mass, as MNIST's were. Each step is
# shown.

# %%
preparation = prepare(PHOTO)
report.steps_figure([("What happened to the photo", [(s.name, s.sentence, s.image) for s in preparation.steps])])

# %% [markdown]
# ## How sure is it?
#
# `answers` gives the digit, the probability of each digit, and the *evidence* that it is a digit at all. The
# probabilities are calibrated on images that the network did not learn from: of the answers with 90 %, about nine in
# ten are right.

# %%
reader = Model.load("reader")
(answer,) = reader.answers(preparation.image[None])
print(answer.text, "|", answer.evidence_text)
report.sample_predictions(preparation.image[None], [answer.digit], answer.probabilities[None])

# %% [markdown]
# ## What is not a digit
#
# A network with ten outputs must answer with one of ten digits, whatever it is shown. `reader` may refuse. Here is a
# grid.

# %%
grid = np.zeros((28, 28), np.uint8)
grid[4:24:4, 4:24] = grid[4:24, 4:24:4] = 220
(refused,) = reader.answers(grid[None])
print("a digit" if refused.is_digit else "not a digit", "|", refused.evidence_text)

# %% [markdown]
# ## A whole number
#
# `read` finds the lines and the digits in them first, and then reads each.

# %%
digits = [7, 0, 4, 9]
number = photograph_numbers(
    [x_test[[int(np.argmax(y_test == digit)) for digit in digits]]], rng, kind="felt pen", side=640 if QUICK else 1600
).pixels
found = read(number)
print("written:", *digits, "read:", found.text)
Image.fromarray(number)

# %% [markdown]
# ## A digit that it does not know
#
# People write digits differently. MNIST's ones were written in America, most of them as a single stroke. In many
# countries a 1 begins with a long stroke upwards. We draw some, and ask.


# %%
def european_one(rng):
    """A 1 with a long stroke up to its top."""
    picture = np.zeros((28, 28), np.uint8)
    low, top, end = np.array([[17, 6], [4, 15], [24, 15]]) + rng.normal(0, 0.5, (3, 2))
    for t in np.linspace(0, 1, 80):
        for row, column in (low + t * (top - low), top + t * (end - top)):
            i, j = round(row), round(column)
            picture[i - 1 : i + 1, j - 1 : j + 1] = 255
    return picture


ones = np.stack([european_one(rng) for _ in range(10)])
report.sample_predictions(ones[:4], [1] * 4, model.predict_proba(ones[:4]))

# %% [markdown]
# ## Teaching
#
# If we trained on five of them alone, the network would learn that everything is a 1. `teach` trains on them together
# with images that it learned before, and measures on others what it has forgotten.

# %%
learned, asked = ones[:5], ones[5:]
lesson = teach(model, learned, [1] * 5, data)
taught = lesson.model
right = [int((found.predict(asked) == 1).sum()) for found in (model, taught)]
print(f"of five others like them: {right[0]} right before, {right[1]} after")
print(f"of MNIST's images: {100 * lesson.accuracy_before:.2f} % before, {100 * lesson.accuracy_after:.2f} % after")

# %% [markdown]
# ## Keep it
#
# A model is one file, which holds numbers and no code. `digitscope predict mine.safetensors photo.png` reads with it,
# and `digitscope lab mine.safetensors` opens it in the browser, where you can draw.

# %%
taught.save("mine.safetensors")
size = Path("mine.safetensors").stat().st_size
same = Model.load("mine.safetensors")
assert (same.predict(asked) == taught.predict(asked)).all()
print(f"{size / 1024:.0f} KB")

# %% [markdown]
# ## Try it
#
# - Write your phone number, photograph it, and `read` it. Which digits are unsure, and why?
# - Teach it one picture of yours instead of five. Does it read the others?
# - Show it a letter. Is it refused? `reader.answers(image, refuse=0.05)` refuses more, and some digits with it.
