"""The original, changed in what it computes as the freeze was asked to change it."""

from dataclasses import replace

from graphfreeze.check.record import selection_of
from graphfreeze.errors.base import listed
from graphfreeze.forward.batch_norm import InferBatchNorms
from graphfreeze.forward.dropout import DropoutOff
from graphfreeze.model.model import Model
from graphfreeze.model.records import FreezeRecord
from graphfreeze.rewrite.draft import Draft


def as_intended(original: Model, record: FreezeRecord) -> tuple[Model, dict[str, str], list[str]]:
    """Return the original with the same dropouts off and batch norms by their averages.

    The second item has what could not be changed so, and what it does in the bundle; the last one
    are notes on what was."""
    offs, norms = record.dropouts_off, record.batch_norms_inference
    if not offs and not norms:
        return original, {}, []
    chosen = selection_of(original, record)
    selection = replace(chosen, batch_norms=tuple(norms), dropouts=tuple(offs))
    draft, left, notes = Draft(original), dict[str, str](), list[str]()
    for rewrite, names, state in (
        (InferBatchNorms(selection), norms, "by its averages"),
        (DropoutOff(selection), offs, "with its dropout off"),
    ):
        tried = draft.copy()
        for edit in list(rewrite.plan(draft)):
            tried.apply(edit)
        if not names or rewrite.verify(original, tried) is not None:
            left |= dict.fromkeys(names, state)
            continue
        draft = tried
        notes.append(f"compared with the original {state} too: {listed(names, most=4)}")
    return replace(original, graph=draft.graph), left, notes
