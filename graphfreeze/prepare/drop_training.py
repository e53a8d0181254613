"""Take an old gradient and optimizer subgraph away."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from graphfreeze.model.attrs import colocations
from graphfreeze.model.collected import is_empty, keep_entries
from graphfreeze.model.control_flow import keep_contexts
from graphfreeze.model.model import Model
from graphfreeze.model.training import Training
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, RemoveNode, ReplaceNode, SetCollection
from graphfreeze.rewrite.saver_edits import drop_from_savers
from graphfreeze.schema import NodeDef


@dataclass(frozen=True)
class DropTraining:
    """Drop what only served the old training.

    ===========================================  =============================================
    training writers, gradients, schedules        removed
    slots, with initializer, read, saver entry    removed; their checkpoint keys are dropped
    collections, control flow contexts            lose the entries that named removed nodes
    losses, summaries, UPDATE_OPS, signatures     stay, with all that leads to them
    ===========================================  =============================================

    ``keep`` are tensors that stay besides, such as the loss that is to be trained. ``slots`` names
    afterwards the slots that stay because a kept op, such as a ready_op, asks for their state.
    """

    keep: tuple[str, ...] = ()
    name: str = "drop_training"
    slots: set[str] = field(default_factory=set)

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits."""
        training = self._find(draft)
        gone = training.found
        if not gone:
            return
        self.slots.update(slot.name for slot in training.slots() if slot.name not in gone)
        yield from drop_from_savers(draft.graph, gone)
        yield from _collection_edits(draft, gone)
        yield from (RemoveNode(name) for name in gone)
        yield from _colocation_edits(draft, gone)

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for what is left of the old training."""
        left = self._find(draft).found
        return f"{next(iter(left))} still serves a training" if left else None

    def _find(self, draft: Draft) -> Training:
        header = draft.base.header
        training = Training(draft.graph, draft.collections, draft.variables, header, self.keep)
        return training.find()


def _collection_edits(draft: Draft, gone: dict[str, None]) -> Iterator[Edit]:
    for key, entry in draft.collections.items():
        kept = keep_contexts(key, entry, gone) or keep_entries(entry, lambda n: n not in gone)
        if kept != entry:
            yield SetCollection(key, None if is_empty(kept) else kept)


def _colocation_edits(draft: Draft, gone: dict[str, None]) -> Iterator[ReplaceNode]:
    """Free the nodes that stay from those that they were colocated with."""
    for name, node in draft.graph.nodes.items():
        if name not in gone and gone.keys() & set(colocations(node)):
            twin = NodeDef()
            twin.CopyFrom(draft.graph.nodes[name])
            entries = [e for e in twin.attr["_class"].list.s if e.decode()[5:] not in gone]
            twin.attr.pop("_class")
            if entries:
                twin.attr["_class"].list.s.extend(entries)
            yield ReplaceNode(twin)
