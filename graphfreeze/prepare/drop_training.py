"""Take an old gradient and optimizer subgraph away."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from graphfreeze.model.attrs import colocations, tensor_proto
from graphfreeze.model.collected import is_empty, keep_entries
from graphfreeze.model.control_flow import keep_contexts
from graphfreeze.model.idle_savers import SAVERS_KEY, saver_defs, saver_ends
from graphfreeze.model.main_op import TRAIN_SIGNATURE
from graphfreeze.model.model import Model
from graphfreeze.model.queue_runners import keep_runners
from graphfreeze.model.recognised import recognise
from graphfreeze.model.saver import save_ops
from graphfreeze.model.signatures import signed_train_ops
from graphfreeze.model.training_records import TrainingRecord
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import (
    DropKey,
    Edit,
    RemoveNode,
    ReplaceNode,
    SetCollection,
    SetSignature,
)
from graphfreeze.rewrite.saver_edits import drop_from_savers
from graphfreeze.schema import AttrValue, CollectionDef, NodeDef, types_pb2


@dataclass
class DropTraining:
    """Drop what only served the old training.

    =============================================  ============================================
    training writers, gradients, schedules         removed
    slots, with initializer, read, saver entry     removed; their checkpoint keys are dropped
    a ready_op's question whether a slot has a     a constant under its name: yes
    value: IsVariableInitialized and the like
    collections, control flow contexts, queue      lose the entries that named removed nodes
    runners, the signature of the train_op
    losses, summaries, UPDATE_OPS, signatures      stay, with all that leads to them
    =============================================  ============================================

    ``keep`` are tensors that stay besides, such as the loss that is to be trained. ``slots`` names
    afterwards the slots that stay because something that does, such as a summary, takes their
    value; ``record`` tells what the training was, and nothing is left ``aside``.

    A ready_op knows only the variables that it was made for: it does not ask for the slots of a new
    train_op, which a saver and the init op take in.
    """

    keep: tuple[str, ...] = ()
    name: str = "drop_training"
    slots: set[str] = field(default_factory=set)
    record: TrainingRecord | None = None
    aside: frozenset[str] = frozenset()

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits."""
        training = draft.training(self.keep)
        gone = training.found
        if not gone:
            return
        self.record = recognise(training)
        self.slots.update(slot.name for slot in training.bound)
        yield from drop_from_savers(draft.graph, gone)
        yield from _saver_edits(draft, gone)
        yield from _collection_edits(draft, gone)
        if any(name in gone for name in signed_train_ops(draft.signatures)):
            yield SetSignature(TRAIN_SIGNATURE, None)
        yield from (RemoveNode(name) for name in gone)
        answers = {name: _answer(draft, name, gone) for name in training.asking}
        twins = {**answers, **_merges(draft, gone)}
        yield from map(ReplaceNode, twins.values())
        yield from _colocation_edits(draft, {*gone, *twins}, gone)

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for what is left of the old training."""
        left = draft.training(self.keep).found
        return f"{next(iter(left))} still serves a training" if left else None


def _saver_edits(draft: Draft, gone: dict[str, None]) -> Iterator[Edit]:
    """Forget savers, and save ops of shards, that kept slots alone."""
    for name, entries in save_ops(draft.graph).items():
        yield from (DropKey(entry.key) for entry in entries if name in gone)
    found = saver_defs(draft.collections)
    lost = [raw for raw, saver in found.items() if not gone.keys().isdisjoint(saver_ends(saver))]
    if lost:
        raws = (bytes(raw) for raw in draft.collections[SAVERS_KEY].bytes_list.value)
        left = CollectionDef.BytesList(value=[raw for raw in raws if raw not in lost])
        yield SetCollection(SAVERS_KEY, CollectionDef(bytes_list=left) if left.value else None)


def _merges(draft: Draft, gone: dict[str, None]) -> dict[str, NodeDef]:
    """Return the nodes that list the shards of savers, without those that kept slots alone."""
    found, graph = dict[str, NodeDef](), draft.graph
    prefixes = {name: graph.data_inputs(name)[0].node for name in save_ops(graph)}
    idle = {at for name, at in prefixes.items() if name in gone}
    lost = {*gone, *(idle - {at for name, at in prefixes.items() if name not in gone})}
    for name, node in graph.nodes.items():
        is_merged = "MergeV2Checkpoints" in map(graph.op, graph.consumers(name))
        shards = [ref for ref in graph.data_inputs(name) if ref.node not in lost]
        if node.op != "Pack" or not is_merged or name in gone or len(shards) == node.attr["N"].i:
            continue
        waits = [ref for ref in graph.inputs(name) if ref.is_control and ref.node not in gone]
        inputs = map(str, [*shards, *waits])
        found[name] = twin = NodeDef(name=name, op="Pack", device=node.device, input=inputs)
        twin.attr["T"].CopyFrom(node.attr["T"])
        twin.attr["N"].i = len(shards)
        _colocate(twin, node, gone)
    return found


def _collection_edits(draft: Draft, gone: dict[str, None]) -> Iterator[Edit]:
    def stays(name: str) -> bool:
        return name not in gone

    for key, entry in draft.collections.items():
        special = keep_contexts(key, entry, gone) or keep_runners(key, entry, stays)
        kept = special or keep_entries(entry, stays)
        if kept != entry:
            yield SetCollection(key, None if is_empty(kept) else kept)


def _answer(draft: Draft, name: str, gone: Collection[str]) -> NodeDef:
    """Return a constant that says a slot has a value, in the place of who asked."""
    graph, old = draft.graph, draft.graph.nodes[name]
    waits = [str(r) for r in graph.inputs(name) if r.is_control and r.node not in gone]
    twin = NodeDef(name=name, op="Const", device=old.device, input=waits)
    twin.attr["dtype"].type = types_pb2.DT_BOOL
    twin.attr["value"].tensor.CopyFrom(tensor_proto(True, types_pb2.DT_BOOL))
    if "_output_shapes" in old.attr:
        twin.attr["_output_shapes"].CopyFrom(old.attr["_output_shapes"])
    _colocate(twin, old, gone)
    return twin


def _colocation_edits(
    draft: Draft, changed: Collection[str], gone: dict[str, None]
) -> Iterator[ReplaceNode]:
    """Free the nodes that stay from those that they were colocated with."""
    for name, node in draft.graph.nodes.items():
        if name not in changed and gone.keys() & set(colocations(node)):
            twin = NodeDef()
            twin.CopyFrom(draft.graph.nodes[name])
            twin.attr.pop("_class")
            _colocate(twin, node, gone)
            yield ReplaceNode(twin)


def _colocate(twin: NodeDef, old: NodeDef, gone: Collection[str]) -> None:
    """Colocate a node with what another one was colocated with, and what stays."""
    entries = old.attr["_class"].list.s if "_class" in old.attr else ()
    left = [e for e in entries if bytes(e)[5:].decode(errors="replace") not in gone]
    if left:
        twin.attr["_class"].CopyFrom(AttrValue(list=AttrValue.ListValue(s=left)))
