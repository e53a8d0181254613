"""Freeze chosen scopes, tensors and rows of a saved TensorFlow 1 model, and train the rest.

``freeze(load(path), FreezePlan(freeze=("bert/encoder",)))`` is the whole way in; ``add_train_op``
and ``save`` are the way out. Scripts that still build their graph use ``graphfreeze.live``.
"""

from graphfreeze.api import FrozenModel, add_train_op, freeze, load, report, save, show
from graphfreeze.errors import GraphfreezeError
from graphfreeze.selection.plan import FreezePlan

__all__ = [
    "FreezePlan",
    "FrozenModel",
    "GraphfreezeError",
    "add_train_op",
    "freeze",
    "load",
    "report",
    "save",
    "show",
]
