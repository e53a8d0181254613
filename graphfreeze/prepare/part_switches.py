"""Part the Switches that both branches of a cond take, where no context describes these."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef
from graphfreeze.model.undescribed import find_undescribed
from graphfreeze.rewrite.builder import node_name
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import AddNode, Edit, Reroute

_FALSE = 0


@dataclass(frozen=True)
class PartSwitches:
    """Let each branch take a value from outside by a Switch of its own, as TensorFlow makes them.

    ========================================  ========================================
    before                                    after
    ========================================  ========================================
    ``s:0 -> a``, ``s:1 -> b``                ``side_0:0 -> a``, ``s:1 -> b``
    a Switch of a loop, a predicate's pivot   as before
    ========================================  ========================================

    Tools that merge equal nodes leave such. Inside a loop or a branch the Switch is then in neither
    branch, and gradients take it for one of what is around; elsewhere they pass it.
    """

    name = "part_switches"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits, for what no context describes and can be described."""
        graph, shared = draft.graph, _shared(draft)
        parted = {TensorRef(name, _FALSE): TensorRef(_part(name)) for name in shared}
        for name in shared:
            node, inputs = graph.nodes[name], graph.inputs(name)
            taken = tuple(parted.get(ref, ref) for ref in inputs)
            yield AddNode(_part(name), str(node.op), taken, dict(node.attr), str(node.device))
        for ref, part in parted.items():
            yield from (Reroute(edge, part) for edge in graph.edges_of(ref))

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a Switch that two branches take."""
        return next((f"both branches take {name}" for name in _shared(draft)), None)


def _shared(draft: Draft) -> list[str]:
    """Return the Switches inside loops and branches that both branches take, but for pivots'."""
    tops = find_undescribed(draft.graph, draft.collections).regions
    paths = {each.path for top in tops for each in top.walk()}
    found = []
    for nesting in (top.nesting for top in tops[:1]):
        for name in nesting.predicates:
            sides = (draft.graph.edges_of(TensorRef(name, side)) for side in (0, 1))
            if not nesting.is_pivot(name) and nesting.taken[name] in paths and all(sides):
                found.append(name)
    return found


def _part(switch: str) -> str:
    return node_name(switch, f"side_{_FALSE}")
