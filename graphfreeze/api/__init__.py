"""The public API: the stages in their order, without any logic of its own."""

from graphfreeze.api.exporting import export
from graphfreeze.api.freezing import add_train_op, freeze
from graphfreeze.api.looking import diff, explain_gradient, explain_writers, show
from graphfreeze.api.patching import patch
from graphfreeze.api.saving import check_out, complete, report, save
from graphfreeze.api.thawing import thaw
from graphfreeze.api.undoing import undo
from graphfreeze.check.verify import verify, verify_checkpoints
from graphfreeze.frozen import FrozenModel
from graphfreeze.read import load

__all__ = [
    "FrozenModel",
    "add_train_op",
    "check_out",
    "complete",
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
