"""Let new nodes inside a v1 while loop or branch join its context.

Without it TensorFlow imports the graph, builds gradients, and fails as it runs them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from graphfreeze.model.control_flow import CONTEXTS, Context, nested_contexts, node_of
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import SetCollection
from graphfreeze.schema import CollectionDef, CondContextDef


def join_contexts(draft: Draft, new: Sequence[str]) -> Iterator[SetCollection]:
    """Yield the contexts with the new nodes that take a value from inside them.

    A node is where the innermost of its values is. A constant takes none: it waits for a node
    inside. What a context names already stays there."""
    entries = {key: draft.collections[key] for key in CONTEXTS if key in draft.collections}
    if not entries or not new:
        return
    tops = {
        key: [_Inside(CONTEXTS[key].FromString(raw)) for raw in entry.bytes_list.value]
        for key, entry in entries.items()
    }
    seats = _Seats.of(top for each in tops.values() for top in each)
    for name in new:
        seats.seat(draft.graph, name)
    for key, contexts in tops.items():
        if any(each.is_changed for each in contexts):
            raws = zip(contexts, entries[key].bytes_list.value, strict=True)
            listed = [
                each.context.SerializeToString(deterministic=True) if each.is_changed else raw
                for each, raw in raws
            ]
            yield SetCollection(
                key, CollectionDef(bytes_list=CollectionDef.BytesList(value=listed))
            )


@dataclass(eq=False)
class _Inside:
    """A context, and the one around it; ``is_changed`` if it, or one inside it, has got a node."""

    context: Context
    around: "_Inside | None" = None
    is_changed: bool = False

    def walk(self) -> Iterator["_Inside"]:
        """Yield it, and all that are inside it."""
        yield self
        for nested in nested_contexts(self.context):
            yield from _Inside(nested, self).walk()

    @property
    def path(self) -> tuple["_Inside", ...]:
        """It, after those that it is inside of."""
        return (*(self.around.path if self.around is not None else ()), self)

    def taken(self) -> set[str]:
        """Return the tensors that are taken inside: not what is outside, or has left the loop."""
        values = self.context.values_def
        ends = getattr(self.context, "loop_exit_names", ())
        return {*values.values}.difference(values.external_values, ends)

    def add(self, names: Sequence[str]) -> None:
        """Name the outputs of a new node; what a branch computes all around it have seen."""
        is_branch = isinstance(self.context, CondContextDef)
        for each in self.path:
            each.is_changed = True
            if is_branch or each is self:
                each.context.values_def.values.extend(names)


@dataclass
class _Seats:
    """The innermost context where each tensor is taken, and where each node is waited for."""

    of_tensors: dict[str, _Inside] = field(default_factory=dict)
    of_nodes: dict[str, _Inside | None] = field(default_factory=dict)

    @classmethod
    def of(cls, contexts: Iterable[_Inside]) -> "_Seats":
        """Find them; what is taken in a branch, and around it, is taken in the branch.

        What leaves a loop is where the loop is."""
        seats, inside = cls(), [inner for context in contexts for inner in context.walk()]
        for each in inside:
            seats.of_tensors.update(dict.fromkeys(each.taken(), each))
        for tensor, each in seats.of_tensors.items():
            name = node_of(tensor)
            seats.of_nodes[name] = _around(each, seats.of_nodes.get(name, each))
        for each in inside:
            for name in map(node_of, getattr(each.context, "loop_exit_names", ())):
                seats.of_nodes.setdefault(name, each.around)
        return seats

    def seat(self, graph: Graph, name: str) -> None:
        """Add a new node to the innermost context of what it takes and waits for."""
        found = [each for ref in graph.inputs(name) if (each := self._at(ref)) is not None]
        if name in self.of_nodes or not found:
            return
        own = self.of_nodes[name] = max(found, key=lambda each: len(each.path))
        outputs = [f"{name}:{port}" for port in range(graph.count_outputs(name))]
        own.add(outputs)
        self.of_tensors.update(dict.fromkeys(outputs, own))

    def _at(self, ref: TensorRef) -> _Inside | None:
        return (
            self.of_nodes.get(ref.node)
            if ref.is_control
            else self.of_tensors.get(str(ref.tensor_name))
        )


def _around(one: _Inside, other: _Inside | None) -> _Inside | None:
    """Return the innermost context that both are in: the two sides of a Switch are in none."""
    paths = one.path, () if other is None else other.path
    shared = [a for a, b in zip(*paths, strict=False) if a is b]
    return shared[-1] if shared else None
