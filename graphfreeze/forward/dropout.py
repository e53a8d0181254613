"""Turn dropout off in frozen scopes."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.model.dropouts import Dropout, dropouts_in_functions, find_dropouts
from graphfreeze.model.graph import Graph
from graphfreeze.model.model import Model
from graphfreeze.model.unfolded import is_inside
from graphfreeze.model.unfolding import unfold
from graphfreeze.rewrite.changed_bodies import ChangedBodies
from graphfreeze.rewrite.copies import copy_edits
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, ReplaceNode
from graphfreeze.rewrite.specialise import Specialised
from graphfreeze.schema import NodeDef
from graphfreeze.selection.resolve import Selection


@dataclass(frozen=True)
class DropoutOff:
    """Let the dropouts of frozen scopes pass on what they are given.

    ================================================  ==============================
    before                                            after, under the same name
    ================================================  ==============================
    ``y = Mul(RealDiv(x, keep), Floor(..), ^c)``      ``y = Identity(x, ^c)``
    ``y = Mul(Mul(x, scale), Cast(u >= rate))``       ``y = Identity(x)``
    ``y = Select*(u >= rate, Mul(x, scale), 0)``      ``y = Identity(x)``
    ``Merge(y, x)`` of a cond                         as before; both are then x
    a call of a function in which y is                a call of a copy of it
    ================================================  ==============================

    So whoever takes, fetches or waits for y has x, in a loop or a branch as well. What drew the
    mask is left without a consumer, and no longer runs.
    """

    selection: Selection
    name = "dropout_off"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits."""
        found = [each.node for each in self._found(draft.graph)]
        yield from (ReplaceNode(_passing(draft.graph, n)) for n in found if not is_inside(n))
        copies = Specialised(draft.graph.functions)
        inner = ChangedBodies(copies, _passing).calls(draft.graph, filter(is_inside, found))
        yield from copy_edits(draft, copies, list(inner))

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a dropout that is still on."""
        for each in self._found(draft.graph):
            return f"{each.node} still drops"
        told = unfold(draft.graph) if self.selection.dropouts else None
        for name in self.selection.dropouts:
            if told is None or told.graph.op(name) != "Identity":
                return f"{name} does not pass on what it is given"
        return None

    def _found(self, graph: Graph) -> list[Dropout]:
        names = set(self.selection.dropouts)
        if not names:
            return []
        found = [*find_dropouts(graph), *dropouts_in_functions(unfold(graph))]
        return [each for each in found if each.node in names]


def _passing(graph: Graph, name: str) -> NodeDef:
    """Return an Identity with a dropout's name, device, hints and control edges."""
    dropout = next(each for each in find_dropouts(graph) if each.node == name)
    old = graph.nodes[name]
    controls = [str(ref) for ref in graph.inputs(name) if ref.is_control]
    inputs = [str(dropout.input), *controls]
    twin = NodeDef(name=old.name, op="Identity", device=old.device, input=inputs)
    for key in ("T", "_output_shapes", "_class"):
        if key in old.attr:
            twin.attr[key].CopyFrom(old.attr[key])
    return twin
