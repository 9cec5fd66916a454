"""Curves and digits of a training in the terminal: exact text of small charts, and no line wider than the terminal."""

import itertools
import re
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from digitscope.cli.curves import ASCII, UNICODE, VALIDATION, Curves, Signs, draw_curves
from digitscope.cli.learning_screen import LearningScreen
from digitscope.datasets import DataSet
from digitscope.metrics import percentage
from digitscope.nn import Dense, Momentum, Network, OneCycle, SoftmaxCrossEntropy
from digitscope.training import Plan, Run, train

FALLING = Curves(
    steps=np.arange(1.0, 9.0),
    training=np.array([2.0, 1.0, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1]),
    validation_steps=np.array([0.0, 4.0, 8.0]),
    validation=np.array([2.3, 0.3, 0.2]),
)


def chart(curves: Curves, signs: Signs, *, log: bool = False, skip: float = 0.0, last_step: int = 8) -> list[str]:
    lines = draw_curves(
        curves, last_step=last_step, end="2 epochs", log=log, skip=skip, width=24, height=9, signs=signs
    )
    assert {line.cell_len for line in lines} == {24}
    return [line.plain.rstrip() for line in lines]


def test_a_chart_in_braille_dots() -> None:
    assert chart(FALLING, UNICODE) == [
        " │●",
        "2┤  ⠈⢧",
        " │   ⠘⣆",
        " │    ⠘⣆",
        "1┤     ⠘⢦⡀",
        " │       ⠙⠦⣄⣀⡀",
        " │           ●⠉⠙⠒⠲⠤⠤⠤⢤⣀●",
        " └──────────────────────",
        " 0              2 epochs",
    ]


def test_a_chart_in_ascii() -> None:
    assert chart(FALLING, ASCII) == [
        " |o",
        "2+   .",
        " |   ..",
        " |    ..",
        "1+     ...",
        " |       ...o....",
        " |              .......o",
        " +----------------------",
        " 0              2 epochs",
    ]


def test_half_way_the_curve_ends_in_the_middle() -> None:
    assert chart(FALLING, ASCII, last_step=16)[:7] == [
        " |o",
        "2+ ..",
        " |  .",
        " |  ..",
        "1+   ..",
        " |    .o..",
        " |       ...o",
    ]


def test_the_axis_is_logarithmic_over_a_factor_of_ten_and_may_skip_the_first_steps() -> None:
    assert chart(FALLING, UNICODE, log=True, skip=0.5)[:7] == [
        "0.4┤         ⠈⢧",
        "   │          ⠈⢧⡀",
        "0.3┤          ● ⢳⡀",
        "   │             ⢳⡀",
        "0.2┤              ⠳⣄   ●",
        "   │               ⠈⠳⣄",
        "0.1┤                 ⠈⠳⣄",
    ]
    ticks = [line.partition("┤")[0] for line in chart(FALLING, UNICODE, log=True) if "┤" in line]
    assert ticks == ["  1", "0.3", "0.1"]


@pytest.mark.parametrize(
    "values", [[], [0.0], [2.5], [0.0, 0.0], [1e-8, 1e8], [np.nan, 1.0], [97.0, 97.000001]], ids=str
)
def test_any_values_make_a_chart(values: list[float]) -> None:
    y = np.array(values)
    curves = Curves(np.arange(1.0, len(y) + 1), y, np.arange(1.0, len(y) + 1), y)
    for signs, log in itertools.product((UNICODE, ASCII), (False, True)):
        assert len(chart(curves, signs, log=log)) == 9


@pytest.fixture(scope="module")
def run(few: DataSet) -> Run:
    """Two epochs on few images; two of the ten digits are read wrongly."""
    plan = Plan(SoftmaxCrossEntropy(), Momentum(), OneCycle(0.1), epochs=2, batch_size=50)
    rng = np.random.default_rng(0)
    run = Run.start(Network(Dense(784, 10, rng=rng)), plan, 300, rng)
    validation = few.x_train[300:400], few.y_train[300:400]
    list(train(run, few.x_train[:300], few.y_train[:300], validation=validation, watch=WATCH))
    return run


WATCH = list(range(10))


def screen_of(run: Run, few: DataSet) -> LearningScreen:
    return LearningScreen(run, few.x_train[300:310], few.y_train[300:310], steps=12)


def test_the_screen_fits_terminals_of_all_sizes(run: Run, few: DataSet) -> None:
    for screen in (
        screen_of(run, few),
        screen_of(Run.start(run.network, run.plan, 300, np.random.default_rng(0)), few),
    ):
        for width, height, signs in itertools.product(
            (1, 8, 39, 40, 71, 72, 80, 120, 250), (1, 5, 12, 23, 60), (UNICODE, ASCII)
        ):
            lines = screen.lines(width, height, signs)
            assert 1 <= len(lines) <= height
            assert max(line.cell_len for line in lines) <= width


@pytest.mark.parametrize(
    ("width", "height", "charts", "lines_of_pictures"),
    [(80, 23, 2, 4), (40, 23, 1, 8), (120, 39, 2, 5), (40, 10, 0, 0)],
)
def test_small_terminals_show_less(
    run: Run, few: DataSet, width: int, height: int, charts: int, lines_of_pictures: int
) -> None:
    text = "\n".join(line.plain for line in screen_of(run, few).lines(width, height, UNICODE))
    assert text.count("└") == charts
    below = text.partition("10 validation images after epoch 2\n")[2]
    assert sum(any("\u2800" < sign < "\u2900" for sign in line) for line in below.splitlines()) == lines_of_pictures
    assert text.splitlines()[-1].startswith("epoch 2/2 ━━")
    for name in ("training images", "validation images", "Loss", "Accuracy"):
        assert name in text


def test_the_answers_are_those_of_the_last_snapshot(run: Run, few: DataSet) -> None:
    lines = screen_of(run, few).lines(120, 39, UNICODE)
    last = run.snapshots[-1].probabilities
    expected = [
        f"{p.argmax()}{'✓' if p.argmax() == label else '✗'}{percentage(p.max(), 0):>3} %"
        for p, label in zip(last, few.y_train[300:310], strict=True)
    ]
    (answers,) = [line for line in lines if "✓" in line.plain]
    assert re.findall(r"\d[✓✗] *\d+ %", answers.plain) == expected
    wrong = [answers.plain[span.start : span.end] for span in answers.spans if VALIDATION in str(span.style)]
    assert wrong == [text for text in expected if "✗" in text] != []


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_a_terminal_without_unicode_gets_ascii(run: Run, few: DataSet, encoding: str) -> None:
    class Terminal(StringIO):
        @property
        def encoding(self) -> str:  # type: ignore[override]
            return encoding

    console = Console(file=Terminal(), width=80, height=24, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(screen_of(run, few))
    assert capture.get().isascii() == (encoding != "utf-8")
