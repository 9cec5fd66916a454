"""The plot of `digitscope sweep`: the validation accuracy of each trial after each epoch."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from digitscope.report.style import BLUE, MUTED, VERMILION, styled


def sweep_figure(curves: Sequence[tuple[int, Sequence[float]]]) -> Figure:
    """One line for each trial; the first is the best. A trial that was stopped early ends with a dot.

    curves: number and accuracies of each trial, the best first
    """
    with styled():
        figure = Figure(figsize=(6, 3.6), layout="constrained")
        axes = figure.add_subplot()
        longest = max((len(accuracies) for _, accuracies in curves), default=0)
        lowest = 1.0
        for place, (number, accuracies) in reversed(list(enumerate(curves))):
            if not accuracies:
                continue
            epochs = range(1, len(accuracies) + 1)
            colour, width = (VERMILION, 2.0) if place == 0 else (BLUE, 1.0)
            label = f"trial {number}, the best" if place == 0 else None
            per_cent = [100 * accuracy for accuracy in accuracies]
            axes.plot(epochs, per_cent, color=colour, linewidth=width, alpha=1 if place == 0 else 0.6, label=label)
            if len(accuracies) < longest or longest == 1:
                axes.plot(epochs[-1:], per_cent[-1:], "o", color=colour, markersize=3.5)
            lowest = min(lowest, accuracies[-1])
        axes.set_xlabel("epoch")
        axes.set_ylabel("validation accuracy, %")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(visible=True, color=MUTED, alpha=0.2)
        if longest:
            axes.legend(loc="lower right")
        return figure
