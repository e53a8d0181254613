"""Turn dropout off in frozen scopes."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.model.dropouts import Dropout, find_dropouts
from graphfreeze.model.model import Model
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, ReplaceNode
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
    ================================================  ==============================

    So whoever takes, fetches or waits for y has x, in a loop or a branch as well. What drew the
    mask is left without a consumer, and no longer runs.
    """

    selection: Selection
    name = "dropout_off"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits."""
        yield from (ReplaceNode(_passing(draft, each)) for each in self._found(draft))

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a dropout that is still on."""
        for each in self._found(draft):
            return f"{each.node} still drops"
        for name in self.selection.dropouts:
            if draft.graph.op(name) != "Identity":
                return f"{name} does not pass on what it is given"
        return None

    def _found(self, draft: Draft) -> list[Dropout]:
        names = set(self.selection.dropouts)
        return [each for each in find_dropouts(draft.graph) if each.node in names] if names else []


def _passing(draft: Draft, dropout: Dropout) -> NodeDef:
    """Return an Identity with the node's name, device, hints and control edges."""
    graph, old = draft.graph, draft.graph.nodes[dropout.node]
    controls = [str(ref) for ref in graph.inputs(dropout.node) if ref.is_control]
    inputs = [str(dropout.input), *controls]
    twin = NodeDef(name=old.name, op="Identity", device=old.device, input=inputs)
    for key in ("T", "_output_shapes", "_class"):
        if key in old.attr:
            twin.attr[key].CopyFrom(old.attr[key])
    return twin
