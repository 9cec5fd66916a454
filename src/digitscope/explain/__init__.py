"""Explains why each number of a network has its value.

`activations` gives each layer's output, and `gradients` every derivative. For any one of their numbers, `terms` gives
the products that sum to it, the formula, its derivation in the notes and the code that computed it.

    from digitscope import Model, explain, load_mnist
    (x, y), _ = load_mnist()
    print(explain.terms(Model.load("convnet"), x[:1], y[:1], of="d17.weight", index=(3, 100), numeric=True))

A `Pass` answers many such questions about one pass, and a `DescentStep` those about a step of training, too.
"""

from digitscope.explain.definition import Source
from digitscope.explain.descent import DescentStep
from digitscope.explain.layer_rules import layer_terms
from digitscope.explain.loss_rules import LossCall, loss_terms
from digitscope.explain.moving_weights import MovingWeights, moving_weights
from digitscope.explain.stages import Stage, factor_arrays, has_batch, stages
from digitscope.explain.term import COMBINE, Explanation, Factor, Index, Term, Terms
from digitscope.explain.trace import Call, inner_arrays
from digitscope.explain.update_rules import UPDATED, UpdateCall, update_terms
from digitscope.explain.why import Gradients, Pass, Quantity, activations, gradients, terms

__all__ = [
    "COMBINE",
    "UPDATED",
    "Call",
    "DescentStep",
    "Explanation",
    "Factor",
    "Gradients",
    "Index",
    "LossCall",
    "MovingWeights",
    "Pass",
    "Quantity",
    "Source",
    "Stage",
    "Term",
    "Terms",
    "UpdateCall",
    "activations",
    "factor_arrays",
    "gradients",
    "has_batch",
    "inner_arrays",
    "layer_terms",
    "loss_terms",
    "moving_weights",
    "stages",
    "terms",
    "update_terms",
]
