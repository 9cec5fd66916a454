"""The products that sum to a loss, its derivative or its probabilities, for each kind of loss."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, singledispatch

import numpy as np
import numpy.typing as npt

from digitscope.arrays import Array
from digitscope.explain.layer_rules import MINUS, constant, term
from digitscope.explain.term import Explanation, Factor, Index, Term
from digitscope.explain.trace import rule_for
from digitscope.nn import BackgroundCrossEntropy, Loss, MeanSquaredError, SoftmaxCrossEntropy, one_hot, softmax


@dataclass(eq=False, repr=False)
class LossCall:
    """One use of a loss: the network's outputs (classes, N) and the labels (N,)."""

    loss: Loss
    outputs: Array
    labels: npt.NDArray[np.int64] | None = None
    """None if only the network's outputs are explained."""

    @cached_property
    def inner(self) -> dict[str, Array]:
        """The loss's intermediate results: "probability" and the steps to it, and with labels "target"."""
        return dict(rule_for(loss_arrays, self.loss)(self.loss, self)) if self.outputs.ndim == 2 else {}

    @property
    def examples(self) -> int:
        return int(self.outputs.shape[1])

    def entry(self, name: str, index: Index, symbol: str) -> Factor:
        """The number at this index of "output" or of an intermediate result."""
        array = self.outputs if name == "output" else self.inner[name]
        return Factor(symbol, float(array[index]), name, index)


@singledispatch
def loss_arrays(loss: object, call: LossCall) -> Mapping[str, Array]:
    """The intermediate results of a loss, by name."""
    return {}


@loss_arrays.register(SoftmaxCrossEntropy)
@loss_arrays.register(BackgroundCrossEntropy)
def _(loss: SoftmaxCrossEntropy | BackgroundCrossEntropy, call: LossCall) -> Mapping[str, Array]:
    z = _logits(call)
    shifted = z - z.max(axis=0)
    e = np.exp(shifted)
    parts = {"maximum": z.max(axis=0), "shifted": shifted, "exponential": e, "total": e.sum(axis=0)}
    p = softmax(z)
    if call.labels is None:
        return {**parts, "probability": p}
    smooth, labels = loss.label_smoothing, one_hot(call.labels, len(p), p.dtype)
    return {**parts, "probability": p, "target": (1 - smooth) * labels + smooth / len(p)}


@loss_arrays.register
def _(loss: MeanSquaredError, call: LossCall) -> Mapping[str, Array]:
    return {} if call.labels is None else {"target": one_hot(call.labels, len(call.outputs), call.outputs.dtype)}


@singledispatch
def loss_terms(loss: object, call: LossCall, of: str, index: Index) -> Explanation | None:
    """The explanation of a number of "loss", "doutput" or one of `loss_arrays`; None if nothing is known about it.
    Register a rule for your own loss as with `layer_terms`.
    """
    return None


@loss_terms.register(SoftmaxCrossEntropy)
@loss_terms.register(BackgroundCrossEntropy)
def _(loss: SoftmaxCrossEntropy | BackgroundCrossEntropy, call: LossCall, of: str, index: Index) -> Explanation | None:
    smooth, N = loss.label_smoothing, call.examples
    if of == "probability":
        return Explanation(_column(call, index[1]), "p", "softmax", chosen=index[0])
    if of in ("maximum", "shifted", "exponential", "total"):
        return _stable_softmax(call, of, index)
    assert call.labels is not None
    if of == "target":
        k, n = index
        label = constant("[k = label n]", k == call.labels[n])
        terms = [term(constant("1 - s", 1 - smooth), label)]
        if smooth:
            terms.append(term(constant("s", smooth), constant("1/classes", 1 / len(call.inner["target"]))))
        return Explanation(terms, "q")
    if of == "doutput":
        p, q = call.entry("probability", index, "p"), call.entry("target", index, "q")
        return Explanation([term(p), term(MINUS, q)], "dz", scale=1 / N)
    z = _logits(call)
    log_p = z - z.max(axis=0)
    log_p -= np.log(np.exp(log_p).sum(axis=0))
    terms = []
    for k, n in np.argwhere(call.inner["target"] != 0).tolist():
        p = replace(call.entry("probability", (k, n), "log p"), value=float(log_p[k, n]))
        terms.append(term(call.entry("target", (k, n), "q"), p))
    return Explanation(terms, "loss", scale=-1 / N)


def _column(call: LossCall, n: int) -> list[Term]:
    """The logits of an example, with that of the background, if there is one."""
    terms = [term(call.entry("output", (j, n), "z")) for j in range(len(call.outputs))]
    return terms + [term(constant("0", 0))] * (len(call.inner["probability"]) - len(terms))


def _stable_softmax(call: LossCall, of: str, index: Index) -> Explanation:
    """The steps in which a softmax is computed."""
    n = index[-1]
    if of == "maximum":
        terms = _column(call, n)
        products = [term.product for term in terms]
        return Explanation(terms, "m", "max", chosen=products.index(max(products)), definition=softmax)
    if of == "shifted":
        z, m = _column(call, n)[index[0]], call.entry("maximum", (n,), "m")
        return Explanation([z, term(MINUS, m)], "u", definition=softmax)
    if of == "exponential":
        return Explanation([term(call.entry("shifted", index, "u"))], "e", "exp", definition=softmax)
    terms = [term(call.entry("exponential", (j, n), "e")) for j in range(len(call.inner["exponential"]))]
    return Explanation(terms, "t", definition=softmax)


@loss_terms.register
def _(loss: MeanSquaredError, call: LossCall, of: str, index: Index) -> Explanation | None:
    assert call.labels is not None
    if of == "target":
        return Explanation([term(constant("[k = label n]", index[0] == call.labels[index[1]]))], "loss")
    if of == "doutput":
        a, q = call.entry("output", index, "a"), call.entry("target", index, "[k = label n]")
        return Explanation([term(a), term(MINUS, q)], "da", scale=1 / call.examples)
    terms = []
    for place in np.ndindex(call.outputs.shape):
        a = call.entry("output", place, "a - [k = label n]")
        a = replace(a, value=a.value - float(call.inner["target"][place]))
        terms.append(term(a, a))
    return Explanation(terms, "loss", scale=1 / (2 * call.examples))


def _logits(call: LossCall) -> Array:
    """The outputs, followed by the background's logit, 0, if there is one."""
    background = call.loss.classes(len(call.outputs)) - len(call.outputs)
    z: Array = np.concatenate([call.outputs, np.zeros_like(call.outputs[:background])])
    return z
