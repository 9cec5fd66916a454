"""Everything that the reader of a report sees: figures, tables, sentences and pages.

It takes numbers, not networks.

figures.py            each figure is a function from arrays to a matplotlib Figure
marked_digits.py      pictures with the recognized digits marked
preparation_steps.py  the steps from a picture to the network's input
samples.py            sample images of a data set
style.py              the palette, and SVG that is readable in light and in dark
page.py               figures, facts and sentences on one self-contained HTML page
training_page.py      the page of `digitscope train`
learning_slider.py    its part with a slider over the epochs
inspection_page.py    the page of `digitscope look`
comparison_page.py    the page of `digitscope runs` for two trainings
robustness_page.py    the page and the tables of `digitscope evaluate --robust`
"""

from digitscope.report.figures import (
    calibration_figure,
    confident_mistakes,
    confusion_figure,
    corruption_figure,
    disputed_figure,
    first_layer_weights,
    learning_curves,
    sample_predictions,
)
from digitscope.report.marked_digits import reading_figure
from digitscope.report.page import Html, Section, write_report
from digitscope.report.preparation_steps import steps_figure
from digitscope.report.style import save_svg, to_png, to_svg

__all__ = [
    "Html",
    "Section",
    "calibration_figure",
    "confident_mistakes",
    "confusion_figure",
    "corruption_figure",
    "disputed_figure",
    "first_layer_weights",
    "learning_curves",
    "reading_figure",
    "sample_predictions",
    "save_svg",
    "steps_figure",
    "to_png",
    "to_svg",
    "write_report",
]
