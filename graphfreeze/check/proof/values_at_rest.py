"""The values of variables that no step writes, as the checkpoint has them."""

import numpy as np

from graphfreeze.check.proof.evaluate import Evaluator
from graphfreeze.errors import LoadError
from graphfreeze.model.graph import Graph
from graphfreeze.model.reads import writers
from graphfreeze.read.checkpoint_values import find_values
from graphfreeze.read.number_types import Array
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Inline, SetValue
from graphfreeze.rewrite.steps import Step


def make_evaluator(draft: Draft, step: Step, graph: Graph) -> Evaluator:
    """Return what computes masks and ids of a draft, with the values of variables at rest.

    ``graph`` is the draft's, unfolded."""
    reached = graph.ancestors(step.ends(draft))
    known = {variable.name: variable for variable in draft.variables}

    def held(name: str) -> Array | None:
        at_rest = name in known and reached.isdisjoint(writers(graph, known[name]))
        return _value(draft, name) if at_rest else None

    return Evaluator(graph, held)


def _value(draft: Draft, name: str) -> Array | None:
    """Return the whole value that a variable has in the checkpoint; None if it has none."""
    key = draft.saved_keys().get(name, name)
    for edit in reversed(draft.value_edits):
        if edit.key == key:
            if isinstance(edit, SetValue) and isinstance(edit.source, Inline):
                return edit.source.values
            return None
    try:
        values = find_values(draft.base.source)
        if values is None or key not in values.shapes:
            return None
        chunks = list(values.read_chunks(key))
        return np.concatenate(chunks) if chunks and chunks[0].ndim else None
    except LoadError:
        return None
