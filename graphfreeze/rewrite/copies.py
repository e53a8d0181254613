"""Edits that put copies of functions into a library, and take those out that nobody calls."""

from collections.abc import Iterator, Sequence

from graphfreeze.model.functions import functions_run
from graphfreeze.model.graph import Graph
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import (
    AddFunction,
    AddGradient,
    FunctionEdit,
    RemoveFunction,
    ReplaceNode,
)
from graphfreeze.rewrite.specialise import Specialised, is_copy


def copy_edits(
    draft: Draft, copies: Specialised, calls: Sequence[ReplaceNode]
) -> Iterator[FunctionEdit | ReplaceNode]:
    """Yield copies, each with the gradient of its source, then the calls that name them.

    Copies of before that only those called go."""
    yield from map(AddFunction, copies.made.values())
    gradients = {str(each.function_name): str(each.gradient_func) for each in draft.gradients}
    for name, source in copies.sources.items():
        if source in gradients:
            yield AddGradient(name, gradients[source])
    yield from calls
    yield from map(RemoveFunction, _left(draft, copies, calls))


def _left(draft: Draft, copies: Specialised, calls: Sequence[ReplaceNode]) -> list[str]:
    """Return the copies that were added and that nothing calls once some calls name others."""
    added = [str(each.signature.name) for each in draft.added_functions]
    old = [name for name in added if is_copy(name)]
    edited = {str(edit.node.name): edit.node for edit in calls} if old else {}
    if not edited:
        return []
    graph, seen = Graph((), draft.graph.functions | copies.made, draft.graph.ops), set[str]()
    for name, node in draft.graph.nodes.items():
        seen.update(
            str(f.signature.name) for f in functions_run(graph, edited.get(name, node), seen)
        )
    return [name for name in old if name not in seen]
