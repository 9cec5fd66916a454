"""Chapter 13: connectionist temporal classification."""

from functools import partial
from itertools import groupby, product

import numpy as np
import sympy as sp

from digitscope.arrays import Array
from digitscope.nn.ctc import CTC
from docs.notes.checks import agree, check, differences, matrices
from docs.notes.checks.formula import Value, holds

UNPRINTED = {"13.1": "a sum over the paths that spell a text"}

RNG = np.random.default_rng(13)
K, T = 3, 6
Z = RNG.normal(size=(K, T))
P = np.exp(Z) / np.exp(Z).sum(axis=0)
TEXTS = ([1], [1, 2], [1, 1], [2, 1, 1])


def spelled(path: tuple[int, ...]) -> list[int]:
    return [int(k) for k, _ in groupby(path) if k]


def by_paths(p: Array, text: list[int]) -> float:
    """(13.1), path by path."""
    length = p.shape[1]
    paths = product(range(len(p)), repeat=length)
    return float(sum(np.prod([p[k, t] for t, k in enumerate(path)]) for path in paths if spelled(path) == text))


def with_blanks(text: list[int]) -> tuple[Array, Array]:
    """c and g of (13.3)."""
    c = np.zeros(2 * len(text) + 1, int)
    c[1::2] = text
    g = np.array([float(s > 1 and c[s] != 0 and c[s] != c[s - 2]) for s in range(len(c))])
    return c, g


def sums(p: Array, text: list[int]) -> tuple[Array, Array]:
    """(13.2), (13.3) and (13.6), term by term."""
    c, g = with_blanks(text)
    size, length = len(c), p.shape[1]

    def at(x: Array, s: int, t: int) -> float:
        return float(x[s, t]) if 0 <= s < size else 0.0

    a, b = np.zeros((size, length)), np.zeros((size, length))
    a[0, 0], a[1, 0] = p[c[0], 0], p[c[1], 0]
    b[-1, -1] = b[-2, -1] = 1
    for t in range(length - 1):
        for s in range(size):
            a[s, t + 1] = p[c[s], t + 1] * (at(a, s, t) + at(a, s - 1, t) + g[s] * at(a, s - 2, t))
    for t in range(length - 2, -1, -1):
        for s in range(size):
            for step in range(3):
                if s + step < size and (step < 2 or g[s + 2]):
                    b[s, t] += p[c[s + step], t + 1] * b[s + step, t + 1]
    return a, b


def shares(p: Array, text: list[int]) -> Array:
    """(13.8), as it stands."""
    a, b = sums(p, text)
    c, _ = with_blanks(text)
    r: Array = np.array([(a * b)[c == k].sum(axis=0) for k in range(len(p))]) / (a[-1, -1] + a[-2, -1])
    return r


def loss_of_scores(text: list[int], z: Array) -> float:
    return -float(np.log(by_paths(softmax(z), text)))


def softmax(z: Array) -> Array:
    p: Array = np.exp(z) / np.exp(z).sum(axis=0)
    return p


@check("13.1", "13.2", "13.3", "13.4", "13.6", "13.7", "13.8", by="numbers")
def the_recursions_add_up_all_paths() -> None:
    for text in TEXTS:
        a, b = sums(P, text)
        total = by_paths(P, text)
        agree(a[-1, -1] + a[-2, -1], total)
        agree((a * b).sum(axis=0), np.full(T, total))
        paths = [path for path in product(range(K), repeat=T) if spelled(path) == text]
        weights = np.array([np.prod([P[k, t] for t, k in enumerate(path)]) for path in paths])
        chosen = np.array([[[k == path[t] for t in range(T)] for k in range(K)] for path in paths])
        agree(shares(P, text), np.tensordot(weights, chosen.astype(float), 1) / total)


@check("13.5", by="numbers")
def the_example_by_hand() -> None:
    agree(matrices("13.5")[0], sums(np.full((2, 3), 0.5), [1])[0])


@check("13.5", by="printed")
def the_example_as_printed() -> None:
    holds("13.5", {"A": sums(np.full((2, 3), 0.5), [1])[0]})


@check("13.9", by="sympy")
def the_derivative_symbolically() -> None:
    length, text = 3, [1]
    z = sp.Matrix(2, length, sp.symbols("z:6", real=True))
    p = [[sp.exp(z[k, t]) / sum(sp.exp(z[j, t]) for j in range(2)) for t in range(length)] for k in range(2)]
    paths = [path for path in product(range(2), repeat=length) if spelled(path) == text]
    total = sum(sp.prod([p[k][t] for t, k in enumerate(path)]) for path in paths)
    numbers = dict(zip(z, RNG.normal(size=6).tolist(), strict=True))
    for k in range(2):
        for t in range(length):
            chosen = sum(sp.prod([p[j][u] for u, j in enumerate(path)]) for path in paths if path[t] == k)
            difference = sp.diff(-sp.log(total), z[k, t]) - (p[k][t] - chosen / total)
            assert abs(float(difference.subs(numbers))) < 1e-12


@check("13.9", by="differences")
def the_derivative_by_differences() -> None:
    for text in TEXTS:
        numeric = differences(partial(loss_of_scores, text), Z[:, :5])
        agree(softmax(Z[:, :5]) - shares(softmax(Z[:, :5]), text), numeric, 1e-7)


@check("13.4", "13.9", by="digitscope")
def the_loss_of_digitscope() -> None:
    for text in TEXTS:
        loss, backward = CTC().forward(Z[..., None], [text])
        agree(loss, -np.log(by_paths(P, text)))
        agree(backward(1.0)[..., 0], P - shares(P, text))


@check("13.2", "13.3", "13.4", "13.6", "13.7", "13.8", "13.9", by="printed")
def everything_as_printed() -> None:
    for text in TEXTS:
        a, b = sums(P, text)
        c, g = with_blanks(text)
        total = a[-1, -1] + a[-2, -1]
        named: dict[str, Value] = {"a": a, "b": b, "c": c.astype(float), "g": g, "p": P}
        ends: dict[str, Value] = {"S": len(c) - 1.0, "T": T - 1.0}
        holds("13.2", named)
        holds("13.3", named)
        holds("13.4", {**named, **ends, "P": total})
        holds("13.6", named, sizes={"t": T - 1})
        holds("13.7", {**named, "P": total})
        holds("13.8", {**named, "P": total, "r": shares(P, text)})
        dz = CTC().forward(Z[..., None], [text])[1](1.0)[..., 0]
        holds("13.9", {"dz": dz, "p": P, "r": shares(P, text)})
