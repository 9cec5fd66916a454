"""The checks of the chapters notice errors."""

from pathlib import Path

import numpy as np
import pytest

from digitscope.notes.section import Equation
from docs.notes.checks import agree, differences, formula
from docs.notes.figures import what_differs
from docs.notes.quotes import filled, quoted_names, source
from docs.notes.run import run_chapter, same_output


def chapter(folder: Path, text: str) -> Path:
    path = folder / "01-some.md"
    path.write_text(text, encoding="utf-8")
    return path


def test_blocks_share_one_interpreter_and_their_output_is_compared(tmp_path: Path) -> None:
    text = "```python\na = 1\n```\n\nWords.\n\n```python\nprint(a + 1)\n```\n\n```text\n2\n```\n"
    assert run_chapter(chapter(tmp_path, text)).returncode == 0
    done = run_chapter(chapter(tmp_path, text.replace("\n2\n", "\n3\n")))
    assert done.returncode == 1
    assert "line 11: expected\n3\nbut printed was\n2" in done.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```python\nprint(1)\n```\n", "prints what the chapter does not show"),
        ("```python\nprint(1)\n```\n\n```python\npass\n```\n", "prints what the chapter does not show"),
        ("```text\n1\n```\n", "must stand right behind"),
        ("```python\n1 / 0\n```\n", "ZeroDivisionError"),
        ("```python\nimport warnings\nwarnings.warn('careful')\n```\n", "careful"),
    ],
)
def test_errors_are_reported(tmp_path: Path, text: str, message: str) -> None:
    done = run_chapter(chapter(tmp_path, text))
    assert done.returncode != 0
    assert message in done.stdout + done.stderr


def test_output_is_written_if_requested(tmp_path: Path) -> None:
    path = chapter(tmp_path, "```python\nprint('new')\n```\n\n```text\nold\n```\n\nEnd.\n")
    assert run_chapter(path, write=True).returncode == 0
    assert path.read_text(encoding="utf-8").endswith("```text\nnew\n```\n\nEnd.\n")


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("[0.12  0.5]", "[0.12 0.5]", True),
        ("0.123", "0.124", True),
        ("0.123", "0.125", False),
        ("1.2e-09", "1.3e-09", True),
        ("1.2e-09", "1.2e-08", False),
        ("12 images", "13 images", False),
        ("passed", "FAILED", False),
        ("-0.5", "0.5", False),
        ("0.5", "0.5 0.5", False),
    ],
)
def test_numbers_may_differ_in_their_last_digit(a: str, b: str, same: bool) -> None:
    assert same_output(a, b) is same


def test_code_is_quoted_by_name() -> None:
    assert source("docs.notes.run.NUMBER").startswith("NUMBER = re.compile(")
    assert source("digitscope.nn.losses.SoftmaxCrossEntropy.forward.backward").startswith("def backward(dloss")
    assert source("digitscope.nn.losses.SoftmaxCrossEntropy").startswith("@dataclass")
    assert source("digitscope.nn.activations.Tanh.__doc__").startswith('"""The hyperbolic tangent.')
    with pytest.raises(LookupError, match=r"there is no Nothing"):
        source("digitscope.nn.losses.Nothing")
    with pytest.raises(LookupError, match=r"no such module"):
        source("nowhere.at.all")
    text = "```python docs.notes.run.NUMBER\nstale\n```\n"
    assert quoted_names(text) == ["docs.notes.run.NUMBER"]
    assert "stale" not in filled(text)
    assert filled(filled(text)) == filled(text)


def test_a_figure_that_moved_or_says_something_else_is_noticed() -> None:
    old = '<path d="M 1 2.0"/>\n<text>a</text>\n<use href="#figure-p1"/>'
    assert what_differs(old, old.replace("2.0", "2.3").replace("p1", "p2"), 0.5) is None
    assert "2.0 became 3.0" in str(what_differs(old, old.replace("2.0", "3.0"), 0.5))
    assert "line 2" in str(what_differs(old, old.replace("a<", "b<"), 0.5))
    assert "line 3" in str(what_differs(old, old.rpartition("\n")[0], 0.5))


def test_differences_and_agreement() -> None:
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    agree(differences(lambda x: float((x**3).sum()), x), 3 * x**2)
    agree(differences(np.sin, x, np.array([[1.0, -2.0], [0.5, 0.0]])), np.array([[1.0, -2.0], [0.5, 0.0]]) * np.cos(x))
    with pytest.raises(AssertionError, match=r"dy has the shape \(\), the function's value \(2, 2\)"):
        differences(np.sin, x)
    with pytest.raises(AssertionError, match="they differ by"):
        agree(differences(lambda x: float((x**3).sum()), x), 3 * x**2 + 1e-5)
    with pytest.raises(AssertionError, match="shapes differ"):
        agree(np.zeros(2), np.zeros((2, 1)))


Z = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]])
W = np.array([[2.0, 1.0], [0.0, -1.0], [1.0, 1.0]])


@pytest.mark.parametrize(
    ("latex", "values"),
    [
        (r"y_k = 2 z_k^2 - \frac{z_k}{4}", {"y": 2 * Z[0] ** 2 - Z[0] / 4, "z": Z[0]}),
        (r"s_n = \sum_{k=1}^{K} z_{kn}", {"s": Z.sum(axis=0), "z": Z}),
        (r"L = -\sum_{n=1}^{N} \sum_{k=1}^{K} z_{kn} (1 - z_{kn})", {"L": -(Z * (1 - Z)).sum(), "z": Z}),
        (
            r"\mathrm{d}Y = W Z \odot Y, \quad X = Z^\top",
            {"dY": W @ Z * 2, "W": W, "Z": Z, "Y": np.full((3, 3), 2.0), "X": Z.T},
        ),
        (r"\begin{aligned} a &= b + 1 & (1) \\ c &= e^{-b} & (2) \end{aligned}", {"a": 3.0, "b": 2.0, "c": np.exp(-2)}),
        (
            r"y_i = \sum_{u=1}^{k} w_u x_{i + u,\,1}",
            {"y": np.array([8.0, 3.0]), "w": np.array([1.0, 2]), "x": np.array([[2.0], [3]])},
        ),
        (
            r"y_i = \sum_{h} [0 \leq h - i < 2]\,x_h = x_i + x_{i+1}",
            {"y": np.array([3.0, 7.0, 5.0]), "x": np.array([1.0, 2.0, 5.0])},
        ),
        (r"a = \bar v + \hat v", {"a": 5.0, "v_": 2.0, "v^": 3.0}),
        (r"a = \left\lfloor \frac{b}{2} \right\rfloor + 1", {"a": 3.0, "b": 5.0}),
        (r"\log \prod_{k=1}^{K} z_k \leq [u = v] + \max(u, v)", {"z": np.array([1.0, 2]), "u": 1.0, "v": 1.0}),
        (r"\lVert z \rVert^2 = f(z^2) = \frac{\partial q}{\partial r}", {"z": 3.0, "f": lambda x: x, "∂q/∂r": 9.0}),
        (
            r"\hat g_k = \sqrt{\frac{z_k^2}{4}} - 2 \sqrt{a + 1}",
            {"g^": np.array([-3.5, -3]), "z": np.array([1.0, 2]), "a": 3.0},
        ),
        (r"W^{(1)\top} = \begin{bmatrix} 1 & -2 \\ 3 & 4 \end{bmatrix}", {"W1": np.array([[1.0, 3], [-2, 4]])}),
    ],
)
def test_an_equation_is_computed_as_printed(
    monkeypatch: pytest.MonkeyPatch, latex: str, values: dict[str, formula.Value]
) -> None:
    monkeypatch.setattr(formula, "equations", lambda text: [Equation(latex, "1.1")])
    formula.holds("1.1", values)
    for name, value in values.items():
        if not callable(value) and name in ("y", "s", "L", "dY", "c", "a", "W1", "∂q/∂r", "g^"):
            with pytest.raises(AssertionError, match="does not hold"):
                formula.holds("1.1", {**values, name: value - 2.5})
    with pytest.raises((LookupError, AssertionError)):
        formula.holds("1.1", {})


def test_an_index_that_stands_alone_nowhere_is_given_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formula, "equations", lambda text: [Equation(r"y_i = \max_{u} x_{2i+u}", "1.1")])
    values: dict[str, formula.Value] = {"y": np.array([4.0, 6.0]), "x": np.array([1.0, 4, 6, 3])}
    formula.holds("1.1", values, sizes={"u": 2})
    with pytest.raises(AssertionError, match="does not hold"):
        formula.holds("1.1", values, sizes={"u": 1})


def test_a_wrong_sign_on_paper_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    values: dict[str, formula.Value] = {"dz": (Z - 1) / 3, "p": Z, "q": np.ones_like(Z), "N": 3.0}
    right = r"\mathrm{d}z_{kn} = \frac{p_{kn} - q_{kn}}{N}"
    for latex in (right.replace("-", "+"), right.replace("q_{kn}}", "q_{kn}} 2"), right.replace("p_{kn}", "p_{k1}")):
        monkeypatch.setattr(formula, "equations", lambda text, latex=latex: [Equation(latex, "1.1")])
        with pytest.raises(AssertionError, match="does not hold"):
            formula.holds("1.1", values)
