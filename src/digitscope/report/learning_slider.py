"""Shows how a network learned, as a part of a page with a slider over the epochs."""

import base64
import io
import json
from dataclasses import dataclass

import numpy as np
from PIL import Image

from digitscope.arrays import Array
from digitscope.metrics import percentage
from digitscope.report.page import Html
from digitscope.report.style import BLUE, DIVERGING, VERMILION

COLUMNS = 8
"""Number of units of the first layer side by side."""
FRAME = 255
"""The colour of frames around units; the shades of weights come before it."""


@dataclass(frozen=True, eq=False)
class LearningSteps:
    """The network at each of S moments of its training, and its answers for N images that it did not learn from."""

    epochs: Array
    """Epochs completed at each moment, (S,)."""
    losses: Array
    """Mean validation loss, (S,)."""
    accuracies: Array
    """Accuracy on the validation images, (S,)."""
    probabilities: Array
    """(S, N, classes)"""
    weights: Array
    """Weights of units of the first layer, (S, units, ...)."""
    images: Array
    """uint8 (N, H, W)"""
    labels: Array
    """(N,)"""

    @property
    def patterns(self) -> Array | None:
        """The weights of each unit as an image, (S, units, H, W): of a dense layer, whose units see the whole image, or
        of a convolution of one channel. None if they are not images.
        """
        count, units, *shape = self.weights.shape
        if len(shape) == 3 and shape[0] == 1:
            return self.weights.reshape(count, units, *shape[1:])
        height, width = self.images.shape[1:]
        return self.weights.reshape(count, units, height, width) if shape == [height * width] else None


def learning_slider(steps: LearningSteps) -> Html:
    """The weights of the first layer, the answers for the images, and the probabilities of one of them, at each moment.

    One range input leads through the moments and one group of radio buttons through the images. Both work without a
    network; without JavaScript, and on paper, the last moment is shown.
    """
    count = len(steps.epochs)
    tenths = np.round(1000 * steps.probabilities).astype(int)  # of per cent
    read = steps.probabilities.argmax(axis=2)
    titles = [_title(steps, step) for step in range(count)]
    answers = [[_answer(p, label) for p, label in zip(rows, steps.labels, strict=True)] for rows in steps.probabilities]
    # The digit whose class is the least probable in the end is the most instructive one.
    shown = int(steps.probabilities[-1][np.arange(len(steps.labels)), steps.labels].argmin())
    data = {"titles": titles, "answers": answers, "read": read.tolist(), "tenths": tenths.tolist()}
    content = json.dumps({**data, "labels": steps.labels.tolist()}, ensure_ascii=False, separators=(",", ":"))
    digits = "".join(
        f'<label><input type="radio" name="digit" value="{n}"{" checked=" + chr(34) * 2 if n == shown else ""}/>'
        f'<img class="digit" src="{_png(_ink(image))}" alt="a {label}"/><span>{answer}</span></label>\n'
        for n, (image, label, answer) in enumerate(zip(steps.images, steps.labels, answers[-1], strict=True))
    )
    bars = "".join(
        f'<tr><th scope="row">{k}</th><td><i{_bar_class(k, read[-1, shown], steps.labels[shown])} '
        f'style="width:{value / 10}%"></i></td><td>{value / 10:.1f} %</td></tr>\n'
        for k, value in enumerate(tenths[-1, shown].tolist())
    )
    return Html(f"""<style>{_STYLE}</style>
<div class="learning">
<p><label hidden="">Epoch <input type="range" min="0" max="{count - 1}" value="{count - 1}"/></label>
<output>{titles[-1]}</output></p>
{"" if steps.patterns is None else _weights(steps.patterns)}<fieldset disabled="">
<legend>Probabilities of one of {len(steps.images)} validation images</legend>
<div class="digits">
{digits}</div>
</fieldset>
<table class="bars">
{bars}</table>
<script>{_SCRIPT.replace("DATA", content)}</script>
</div>""")


def _title(steps: LearningSteps, step: int) -> str:
    epoch, last = int(steps.epochs[step]), int(steps.epochs[-1])
    moment = f"After epoch {epoch} of {last}" if epoch else "Before training"
    return f"{moment}: validation loss {steps.losses[step]:.4f}, accuracy {percentage(steps.accuracies[step])}\u00a0%"


def _answer(probabilities: Array, label: int) -> str:
    read = int(probabilities.argmax())
    return f"{read} {'✓' if read == label else '✗'} {percentage(float(probabilities[read]), 0)}\u00a0%"


def _bar_class(k: int, read: int, label: int) -> str:
    return "" if k != read else ' class="right"' if read == label else ' class="wrong"'


def _weights(weights: Array) -> str:
    """One picture of all moments, one below the other, behind a window as high as one of them."""
    scale = max(1, 28 // max(weights.shape[2:]))  # the pixels of small patterns are larger than the frames are thick
    weights = weights.astype(np.float32).repeat(scale, axis=2).repeat(scale, axis=3)
    count, units, height, width = weights.shape
    columns = min(COLUMNS, units)
    gap = max(1, max(height, width) // 7)
    limit = float(np.percentile(np.abs(weights), 99.8)) or 1.0
    # Few shades make a small file, and the eye does not tell more apart.
    shades = (127 + 127 * np.round(20 * np.clip(np.nan_to_num(weights / limit), -1, 1)) / 20).astype(np.uint8)
    high, wide = -(-units // columns) * (height + gap) + 2, columns * (width + gap) + 2 - gap
    tiles = np.full((count, high, wide), 127, np.uint8)
    for unit in range(units):
        top, left = 1 + unit // columns * (height + gap), 1 + unit % columns * (width + gap)
        tiles[:, top - 1 : top + height + 1, left - 1 : left + width + 1] = FRAME
        tiles[:, top : top + height, left : left + width] = shades[:, unit]
    picture = Image.fromarray(tiles.reshape(count * high, wide), mode="P")
    palette = np.round(255 * DIVERGING(np.arange(255))).astype(np.uint8)
    palette = np.concatenate([palette, [[128, 128, 128, 80]]]).astype(np.uint8)
    picture.putpalette(palette[:, :3].tobytes())
    source = _png(picture, transparency=palette[:, 3].tobytes())
    return (
        f'<p>Weights of {units} units of the first layer</p>\n<div class="weights" '
        f'style="aspect-ratio:{wide}/{high - gap};max-width:{40 / 8 * columns:g}rem">'
        f'<img src="{source}" alt="The weights of each unit as an image" '
        f'style="transform:translateY({-100 * (count - 1) / count:.4f}%)"/></div>\n'
    )


def _ink(image: Array) -> Image.Image:
    """Black ink on transparent paper."""
    return Image.fromarray(np.stack([np.zeros_like(image), image], axis=-1), mode="LA")


def _png(image: Image.Image, **options: bytes) -> str:
    content = io.BytesIO()
    image.save(content, format="png", optimize=True, **options)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


_STYLE = f"""
.learning {{ max-width: 40rem; }}
.learning p {{ margin: 0 0 0.5rem; }}
.learning p label {{ display: flex; align-items: center; gap: 0.75rem; font-weight: 600; }}
.learning [hidden] {{ display: none; }}
.learning input[type="range"] {{ flex: 1; min-width: 0; height: 2rem; accent-color: {BLUE}; }}
.learning output {{ font-variant-numeric: tabular-nums; }}
.weights {{ overflow: hidden; margin-bottom: 1rem; }}
.weights img {{ display: block; width: 100%; }}
.learning img {{ image-rendering: pixelated; }}
.learning fieldset {{ margin: 0 0 0.75rem; padding: 0; border: 0; min-width: 0; }}
.learning legend {{ padding: 0; margin-bottom: 0.25rem; }}
.digits {{ display: grid; grid-template-columns: repeat(5, minmax(0, 1fr)); gap: 0.25rem; font-size: 0.8rem; }}
.digits label {{ position: relative; padding: 0.25rem 0; text-align: center;
  border: 2px solid transparent; border-radius: 0.4rem; font-variant-numeric: tabular-nums; }}
.digits label:has(:checked) {{ border-color: {BLUE}; }}
.digits label:has(:focus-visible) {{ outline: 2px solid currentColor; outline-offset: 2px; }}
.digits input {{ position: absolute; inset: 0; opacity: 0; margin: 0; width: 100%; height: 100%; cursor: pointer; }}
.digit {{ display: block; width: 3.5rem; max-width: 100%; margin: 0 auto; }}
.bars {{ width: 100%; }}
.bars :is(th, td) {{ padding: 0.15rem 0.5rem; border: 0; width: 1%; white-space: nowrap; }}
.bars td:nth-child(2) {{ width: 98%; }}
.bars i {{ display: block; height: 0.8rem; min-width: 1px; background: var(--soft); }}
.bars i.right {{ background: {BLUE}; }}
.bars i.wrong {{ background: {VERMILION}; }}
@media (prefers-color-scheme: dark) {{ .digit {{ filter: invert(1); }} }}
@media print {{ .learning p label {{ display: none; }} .digit {{ filter: none; }}
  .learning :is(i, img) {{ print-color-adjust: exact; -webkit-print-color-adjust: exact; }} }}
"""

# The page is also XML: no "less than" and no ampersand.
_SCRIPT = """
(() => {
  const data = DATA, root = document.currentScript.parentElement;
  const range = root.querySelector("[type=range]"), weights = root.querySelector(".weights img");
  const answers = root.querySelectorAll(".digits span"), rows = root.querySelectorAll(".bars tr");
  function draw() {
    const step = range.value, digit = root.querySelector(":checked").value;
    const tenths = data.tenths[step][digit], read = data.read[step][digit];
    root.querySelector("output").textContent = data.titles[step];
    range.setAttribute("aria-valuetext", data.titles[step]);
    if (weights) weights.style.transform = `translateY(${-100 * step / data.titles.length}%)`;
    answers.forEach((answer, n) => { answer.textContent = data.answers[step][n]; });
    rows.forEach((row, k) => {
      const bar = row.querySelector("i");
      bar.style.width = `${tenths[k] / 10}%`;
      bar.className = k !== read ? "" : read === data.labels[digit] ? "right" : "wrong";
      row.lastElementChild.textContent = `${(tenths[k] / 10).toFixed(1)} %`;
    });
  }
  root.querySelector("p label").hidden = root.querySelector("fieldset").disabled = false;
  root.addEventListener("input", draw);
  draw();
})();
"""
