"""Freeze chosen scopes, tensors and rows of a saved TensorFlow 1 model, and train the rest.

``freeze(load(path), FreezePlan(freeze=("bert/encoder",)))`` is the whole way in; ``add_train_op``
and ``save`` are the way out. Scripts that still build their graph use ``graphfreeze.live``.
"""

from graphfreeze.api import (
    FrozenModel,
    add_train_op,
    diff,
    explain_gradient,
    explain_writers,
    export,
    freeze,
    load,
    patch,
    report,
    save,
    show,
    thaw,
    undo,
    verify,
    verify_checkpoints,
)
from graphfreeze.errors import GraphfreezeError
from graphfreeze.model.heads import Head
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.value_plan import ValuePlan
from graphfreeze.train.schedules import Schedule

__all__ = [
    "FreezePlan",
    "FrozenModel",
    "GraphfreezeError",
    "Head",
    "Schedule",
    "ValuePlan",
    "add_train_op",
    "diff",
    "explain_gradient",
    "explain_writers",
    "export",
    "freeze",
    "load",
    "patch",
    "report",
    "save",
    "show",
    "thaw",
    "undo",
    "verify",
    "verify_checkpoints",
]
