"""What a patch can serve: it only stops writers, and adds no variable."""

from collections.abc import Mapping

from graphfreeze.errors import PatchError
from graphfreeze.rewrite.entry_mask import MOST_INLINE, is_held
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import Selection

_GRADIENTS = "the gradients are in the graph already, and a patch only stops what writes variables"
_VALUES = "a patch changes no value of a checkpoint"
_FORWARD = "a patch changes nothing but what writes variables"
UNFIT: Mapping[str, str] = {
    "stop_gradient": _GRADIENTS,
    "row_scale": _GRADIENTS,
    "row_strategy": "an overlay is a new variable, and a patch adds none",
    "mask_kernel": _FORWARD,
    "vectors": _VALUES,
    "add_words": _VALUES,
    "dropout": _FORWARD,
}
"""Options that only ``freeze`` serves, and why."""


def check_plan(plan: FreezePlan) -> None:
    """Refuse what a patch cannot serve; raises PatchError."""
    if not plan.asks_to_freeze:
        raise PatchError.nothing_chosen()
    default = FreezePlan()
    for option, reason in UNFIT.items():
        if getattr(plan, option) != getattr(default, option):
            raise PatchError.not_for_patch(option, reason)
    if plan.batch_norm == "inference":
        raise PatchError.not_for_patch("batch_norm", f"'inference': {_FORWARD}")


def check_selection(selection: Selection) -> None:
    """Refuse masks that need a variable to hold them; raises PatchError."""
    for variable, entries in selection.partly.items():
        if is_held(entries) and entries.elements is not None:
            size = int(entries.elements.nbytes)
            raise PatchError.mask_too_large(variable.name, size, MOST_INLINE)
