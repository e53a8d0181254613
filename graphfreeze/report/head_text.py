"""What a head is, as labelled lines and notes."""

from collections.abc import Iterator, Sequence

from graphfreeze.errors.base import listed
from graphfreeze.frozen import FrozenModel
from graphfreeze.model.collected import node_entries
from graphfreeze.model.heads import REGRESSION, HeadRecord
from graphfreeze.report.columns import count_text


def head_facts(head: HeadRecord | None) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield what was laid on which tensor, and the tensors that it has."""
    if head is None:
        return
    one, several = ("number", "numbers") if head.kind == REGRESSION else ("class", "classes")
    count = f"{head.classes:,} {one if head.classes == 1 else several}"
    yield "head", [f"{head.kind}, {count} from {count_text(head.features, 'feature')} of {head.at}"]
    told = dict(head.tensors)
    features, labels, loss = (told.pop(what) for what in ("features", "labels", "loss"))
    yield "  features", [f"{features}, which may be fed instead of the model's inputs"]
    yield "  labels", [labels]
    yield "  loss", [loss]
    yield "  outputs", list(told.values())


def head_notes(frozen: FrozenModel) -> Iterator[str]:
    """Yield the losses that the new one replaces, and those that it does not count."""
    head = frozen.head
    if head is None:
        return
    loss = head.tensors["loss"]
    if len(frozen.selection.choices) == len(head.variables):
        yield (
            "the graph has no other variables: what it knows lies in constants, which stay as they "
            "are; 'graphfreeze thaw' makes variables of them"
        )
    if head.losses_before:
        names = listed(head.losses_before, most=3)
        yield f"the head's loss takes the place of {names}, which no step needs any more"
    others = node_entries(frozen.draft.collections, "regularization_losses")
    chosen = [] if frozen.train is None else [ref.tensor_name for ref in frozen.train.losses]
    if others and chosen == [loss]:
        names = listed(others, most=3)
        yield f"{loss} alone is minimized; '--loss total' would add {names}"
