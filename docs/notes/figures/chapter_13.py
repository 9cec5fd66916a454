"""Chapter 13: reading a line."""

import numpy as np
from matplotlib.figure import Figure

from digitscope.report.style import BLUE, INK, MUTED, SMALL, VERMILION, WIDTH, add_panel, new_figure
from digitscope.synthetic.text_lines import LineWriter
from digitscope.vision.line_reader import ALPHABET, LINE_NETWORK, LineReader
from docs.notes.checks.chapter_13 import sums, with_blanks
from docs.notes.figures import drawing
from docs.notes.mnist import load_mnist

SEED = 3
LINE_SEED = 39


@drawing("13-paths")
def walks_through_the_labels() -> Figure:
    p = np.array([[0.7, 0.3, 0.3, 0.6, 0.3, 0.6], [0.3, 0.7, 0.7, 0.4, 0.7, 0.4]])
    text = [1, 1]
    c, g = with_blanks(text)
    a, b = sums(p, text)
    share = a * b / (a[-1, -1] + a[-2, -1])
    figure = new_figure("Paths that spell 44", 200)
    axes = add_panel(figure, 60, 10, WIDTH - 90, 160)
    for t in range(p.shape[1] - 1):
        for s in range(len(c)):
            for step in range(3):
                if s + step < len(c) and (step < 2 or g[s + 2]) and share[s, t] > 0 and share[s + step, t + 1] > 0:
                    axes.annotate(
                        "", (t + 0.86, s + 0.86 * step), (t + 0.14, s + 0.14 * step),
                        arrowprops={"arrowstyle": "->", "color": MUTED, "linewidth": 0.8},
                    )  # fmt: skip
    for s in range(len(c)):
        axes.scatter(range(p.shape[1]), [s] * p.shape[1], s=260 * share[s], color=VERMILION if c[s] else BLUE, zorder=3)
    axes.set_yticks(range(len(c)), ["4" if k else "blank" for k in c])
    axes.set_xticks(range(p.shape[1]), [str(t + 1) for t in range(p.shape[1])])
    axes.set_xlabel("place")
    axes.set_xlim(-0.4, p.shape[1] - 0.6)
    axes.set_ylim(len(c) - 0.6, -0.4)
    axes.grid(False)
    axes.tick_params(length=0)
    return figure


@drawing("13-line", tolerance=3.0)
def a_line_and_its_probabilities() -> Figure:
    (images, labels), _ = load_mnist()
    line = LineWriter(images[-2000:], labels[-2000:]).write(np.random.default_rng(LINE_SEED), "number")
    said = LineReader.load(LINE_NETWORK)(line.ink / np.float32(255))
    figure = new_figure("A line and the probabilities at its places", 210)
    above = add_panel(figure, 40, 8, WIDTH - 60, 62)
    above.imshow(1 - said.image, cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    above.set_xticks([])
    above.set_yticks([])
    above.grid(False)
    below = add_panel(figure, 40, 78, WIDTH - 60, 96)
    p = np.exp(said.log_p)
    below.plot(p[0], color=MUTED, linewidth=1.5)
    for k in range(1, len(ALPHABET) + 1):
        if p[k].max() > 0.3:
            below.plot(p[k], color=VERMILION if ALPHABET[k - 1].isdigit() else BLUE, linewidth=1.5)
    choices = p.argmax(axis=0)
    for first in np.flatnonzero((choices != 0) & (np.append(0, choices[:-1]) != choices)):
        k = int(choices[first])
        best = first + int(p[k, first : first + 4].argmax())
        below.annotate(
            ALPHABET[k - 1], (best, float(p[k, best])), (0, 3), textcoords="offset points", ha="center",
            fontsize=SMALL, color=INK,
        )  # fmt: skip
    below.set_xlim(0, p.shape[1] - 1)
    below.set_ylim(0, 1.2)
    below.set_yticks([0, 1])
    below.set_xlabel("place")
    return figure
