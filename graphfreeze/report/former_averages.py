"""Tell which moving averages the old train_op moved, and nothing moves now."""

from collections.abc import Iterator

from graphfreeze.errors.base import listed
from graphfreeze.model.averages import find_averages
from graphfreeze.model.origins import Values
from graphfreeze.model.reads import writers
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.draft import Draft
from graphfreeze.selection.choice import FROZEN, SLOT
from graphfreeze.selection.resolve import Selection


def average_notes(draft: Draft, selection: Selection) -> Iterator[str]:
    """Yield the averages that stopped with the old train_op, whose variables may go on."""
    free = {each.variable.name for each in selection.choices if each.state not in (FROZEN, SLOT)}
    names = [v.name for v in _stopped(draft) if v.name in free]
    if names:
        yield (
            "these moving averages were moved by the old train_op, after its step, and stay as "
            f"they are now: {listed(names, most=3)}; whoever evaluates with them needs new ones"
        )


def _stopped(draft: Draft) -> Iterator[Variable]:
    """Yield the averages of the base that are still there, without what moved them."""
    base, removed = draft.base, set(draft.removed_nodes())
    if removed:
        for average in find_averages(Values(base.graph, base.variables)):
            if removed & set(writers(base.graph, average.variable)):
                yield average.variable
