"""Explains why each number of a network has its value.

`activations` gives each layer's output, and `gradients` every derivative. For any one of their numbers, `terms` gives
the products that sum to it, the formula, its derivation in the notes and the code that computed it.

    from digitscope import Model, explain, load_mnist
    (x, y), _ = load_mnist()
    print(explain.terms(Model.load("convnet"), x[:1], y[:1], of="d17.weight", index=(3, 100), numeric=True))
"""

from digitscope.explain.definition import Source
from digitscope.explain.layer_rules import layer_terms
from digitscope.explain.loss_rules import LossCall, loss_terms
from digitscope.explain.term import COMBINE, Explanation, Factor, Index, Term, Terms
from digitscope.explain.trace import Call, inner_arrays
from digitscope.explain.why import Gradients, activations, gradients, terms

__all__ = [
    "COMBINE",
    "Call",
    "Explanation",
    "Factor",
    "Gradients",
    "Index",
    "LossCall",
    "Source",
    "Term",
    "Terms",
    "activations",
    "gradients",
    "inner_arrays",
    "layer_terms",
    "loss_terms",
    "terms",
]
