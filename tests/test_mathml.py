"""The formulas of docstrings as MathML."""

import inspect
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitscope import nn
from digitscope.mathml import formula_html, formula_lines, left_side, symbol_mathml
from digitscope.nn import conv, pooling

INVISIBLE = dict.fromkeys(map(ord, "\u2061\u2062"))


def docstrings() -> list[str]:
    things = [thing for thing in vars(nn).values() if inspect.isclass(thing) or inspect.isfunction(thing)]
    return [inspect.getdoc(thing) or "" for thing in (*things, conv.convolve, pooling.max_pool)]


LINES = sorted({line for doc in docstrings() for line in doc.splitlines() if re.search(r"(=|<-) ", line)})
EQUATIONS = sorted({f for line in LINES for f in formula_lines(line) if left_side(f)})


def tree(html: str) -> ET.Element:
    return ET.fromstring(f"<p>{html}</p>")


def shown(element: ET.Element) -> str:
    """The formula in one line: fractions as (a)/(b), indices as a_[b], powers as a^(b)."""
    parts = [shown(child) for child in element]
    inside = (element.text or "").translate(INVISIBLE) + "".join(
        part + (child.tail or "") for part, child in zip(parts, element, strict=True)
    )
    form = {"mfrac": "({})/({})", "msub": "{}_[{}]", "msup": "{}^({})", "munder": "{}_({})", "msqrt": "√({})"}
    return form[element.tag].format(*parts) if element.tag in form else inside


def line(formula: str) -> str:
    return shown(tree(formula_html(formula)))


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("y[o,n] = b[o] + sum_i W[o,i] x[i,n]", "y_[o,n]=b_[o]+∑_(i)W_[o,i]x_[i,n]"),
        ("dW[o,i] = sum_n dy[o,n] x[i,n]", "dW_[o,i]=∑_(n)dy_[o,n]x_[i,n]"),
        (
            "y[o,i,j,n] = b[o] + sum_{c,u,v} W[o,c,u,v] x[c, s i + u - p, s j + v - p, n]",
            "y_[o,i,j,n]=b_[o]+∑_(c,u,v)W_[o,c,u,v]x_[c,si+u−p,sj+v−p,n]",
        ),
        ("p[k,n] = e^z[k,n] / sum_j e^z[j,n]", "p_[k,n]=(e^(z_[k,n]))/(∑_(j)e^(z_[j,n]))"),
        ("dz[k,n] = (p[k,n] - q[k,n]) / N", "dz_[k,n]=(p_[k,n]−q_[k,n])/(N)"),
        ("loss = (1/2N) sum_{n,k} (a[k,n] - [k = label n])²", "loss=(1)/(2N)∑_(n,k)(a_[k,n]−[k=labeln])^(2)"),
        ("loss = -(1/N) sum_{n,k} q[k,n] log p[k,n]", "loss=−(1)/(N)∑_(n,k)q_[k,n]logp_[k,n]"),
        ("r_m[k,n] = dy[k,n] p_m[k,n] / sum_i p_i[k,n]", "r_[m]_[k,n]=(dy_[k,n]p_[m]_[k,n])/(∑_(i)p_[i]_[k,n])"),
        ("y = 1 / (1 + e^-x), which never overflows", "y=(1)/(1+e^(−x)), which never overflows"),
        ("dx = dy where x > 0, else 0. At x = 0 it is 0.", "dx=dy where x>0, else 0. At x=0 it is 0."),
        ("r[c] = 1 / sqrt(v[c] + eps)", "r_[c]=(1)/(√(v_[c]+ε))"),
        ("y[c,i,j,n] = max_{u,v} x[c, s i + u, s j + v, n]", "y_[c,i,j,n]=max_(u,v)x_[c,si+u,sj+v,n]"),
        ("w <- w - learning_rate m' / (sqrt(v') + eps)", "w←w−(learning ratem′)/(√(v′)+ε)"),
        ("m' = m / (1 - beta1^t)", "m′=(m)/(1−β_[1]^(t))"),
        ("dX = W^T dY", "dX=W^(T)dY"),
        ("dx[c,h,w,n] = the sum of dy[c,i,j,n] over all", "dx_[c,h,w,n] = the sum of dy_[c,i,j,n] over all"),
        ("in the same (row-major) order", "in the same (row-major) order"),
        ("h = 1e-5", "h=10^(−5)"),
        ("H' = (H + 2p - k) // s + 1", "H′=⌊(H+2p−k)/(s)⌋+1"),
    ],
)
def test_a_formula(formula: str, expected: str) -> None:
    assert line(formula) == expected


@pytest.mark.parametrize("text", LINES)
def test_nothing_of_a_docstring_is_lost(text: str) -> None:
    """Letters and digits remain, in their order, whatever becomes of the marks between them."""
    html = formula_html(text)
    seen = shown(tree(html))
    for sign, name in {"ε": "eps", "π": "pi", "β": "beta", "∑": "sum", "√": "sqrt"}.items():
        seen = seen.replace(sign, name)
    kept = "".join(re.findall(r"[^\W_]", seen.replace("10^(−5)", "1e5")))
    assert kept == "".join(re.findall(r"[^\W_]", text.replace("²", "2")))


@pytest.mark.parametrize("formula", EQUATIONS)
def test_the_left_side_of_each_equation_is_mathematics_with_its_symbol(formula: str) -> None:
    symbol, _ = left_side(formula) or ("", ())
    html = formula_html(formula)
    assert "<math" in html
    assert f'data-symbol="{symbol}"' in html


def test_indices_become_numbers_and_nothing_else_does() -> None:
    formula = "y[o,n] = b[o] + sum_i W[o,i] x[i,n]"
    assert left_side(formula) == ("y", ("o", "n"))
    html = formula_html(formula, {"o": 3, "n": 0})
    assert shown(tree(html)) == "y_[3,0]=b_[3]+∑_(i)W_[3,i]x_[i,0]"
    assert shown(tree(formula_html("n = o x[o]", {"o": 3}))) == "n=ox_[3]"


def test_a_symbol_alone() -> None:
    assert shown(ET.fromstring(symbol_mathml("1 - y²"))) == "1−y^(2)"
    assert shown(ET.fromstring(symbol_mathml("1/√(v + eps)"))) == "1/√(v + eps)"
    assert shown(ET.fromstring(symbol_mathml("dW"))) == "dW"


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc"]), max_size=60))
def test_any_text_gives_well_formed_markup(text: str) -> None:
    tree(formula_html(text))
    ET.fromstring(symbol_mathml(text))


PARTS = [
    *("x", "y", "dW", "sum_i", "max_{u}", "log", "(", ")", "[", "]", "/", "^", "²", "-", "+", "=", "<-", ",", "&", "<"),
    *("1/", "2N", "e^", "the", "where", "sqrt(", "a"),
]


@given(st.lists(st.sampled_from(PARTS)))
def test_any_mixture_of_symbols_gives_well_formed_markup(parts: list[str]) -> None:
    tree(formula_html(" ".join(parts)))
    tree(formula_html("".join(parts)))


def test_deep_nesting_stays_text() -> None:
    assert shown(tree(formula_html("(" * 5_000))) == "(" * 5_000
    assert "<math" in formula_html("((((x + 1)))) = 2")
