"""The difference that a built train_op makes to a draft, as edits."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef, parse_ref
from graphfreeze.model.training import OLD_KEY, TRAIN_OP_KEYS
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import (
    AddFunction,
    AddNode,
    Edit,
    FromInitializer,
    ReplaceNode,
    SetCollection,
    SetValue,
)
from graphfreeze.schema import CollectionDef, NodeDef, VariableDef
from graphfreeze.selection.resolve import Selection
from graphfreeze.train.build import Built, build_train_op
from graphfreeze.train.request import TrainRequest, find_losses
from graphfreeze.train.taken import Taken


@dataclass
class TrainOp:
    """Add a train_op: gradients of a loss by the variables that are left, and their updates.

    Only what TensorFlow added is taken over. ``built`` says afterwards what came of it, ``losses``
    what is minimized.
    """

    selection: Selection
    request: TrainRequest
    name: str = "train_op"
    built: Built | None = None
    losses: list[TensorRef] = field(default_factory=list)
    unforeseen: list[str] = field(default_factory=list)

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits; raises TrainError. Starts TensorFlow."""
        self.losses[:] = find_losses(draft.graph, draft.collections, self.request.loss)
        self.built = build_train_op(draft, self.selection, self.losses, self.request)
        taken = Taken(draft, self.built.how.aliases, *self.built.graphs)
        yield from map(_added, taken.added())
        yield from map(ReplaceNode, taken.changed())
        yield from map(AddFunction, taken.functions())
        self.unforeseen[:] = taken.unforeseen()
        yield from _variable_edits(self.built, draft)
        yield from _context_edits(self.built, draft)
        yield from _train_op_edits(self.built, draft)

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for an old optimizer in the new step, and for changes that were not taken over."""
        for name in self.unforeseen:
            return f"gradients changed {name} in a way that is not taken over"
        for name in draft.graph.ancestors([self.built_name or ""]):
            if "Apply" in draft.graph.op(name) and name in base.graph:
                return f"the old optimizer's {name} would run with the new train_op"
        return None

    @property
    def built_name(self) -> str | None:
        """The name of the train_op, None before it is built."""
        return None if self.built is None else self.built.train_op


def _added(node: NodeDef) -> AddNode:
    inputs = tuple(parse_ref(str(text)) for text in node.input)
    return AddNode(str(node.name), str(node.op), inputs, dict(node.attr), str(node.device))


def _variable_edits(built: Built, draft: Draft) -> Iterator[Edit]:
    """List new variables where a saver and an initializer look for them, and give them values."""
    new = {n: raw for n, raw in built.after.variables.items() if n not in built.before.variables}
    yield _appended(draft, "variables", list(new.values()))
    if built.global_step in new:
        yield _appended(draft, "global_step", [new[built.global_step]])
    for raw in new.values():
        definition = VariableDef.FromString(raw)
        key = parse_ref(str(definition.variable_name)).node
        info = definition.save_slice_info_def
        yield SetValue(str(info.full_name) or key, FromInitializer(key))


def _appended(draft: Draft, key: str, raws: list[bytes]) -> SetCollection:
    out = CollectionDef()
    if key in draft.collections:
        out.CopyFrom(draft.collections[key])
    out.bytes_list.value.extend(raws)
    return SetCollection(key, out)


def _context_edits(built: Built, draft: Draft) -> Iterator[SetCollection]:
    """Take over new control flow contexts, and those that gradients changed."""
    for key, after in built.after.contexts.items():
        before = built.before.contexts[key]
        if after == before:
            continue
        own = list(draft.collections[key].bytes_list.value) if key in draft.collections else []
        same = len(own) == len(before)
        entries = [
            own[i] if same and i < len(before) and raw == before[i] else raw
            for i, raw in enumerate(after)
        ]
        yield SetCollection(key, CollectionDef(bytes_list=CollectionDef.BytesList(value=entries)))


def _train_op_edits(built: Built, draft: Draft) -> Iterator[SetCollection]:
    """Let the collection hold exactly this op; what it held moves to another key."""
    old = [
        str(value)
        for key in sorted(TRAIN_OP_KEYS & draft.collections.keys())
        for value in draft.collections[key].node_list.value
    ]
    if old:
        yield SetCollection(OLD_KEY, _node_list(old))
    yield SetCollection("train_op", _node_list([built.train_op]))


def _node_list(values: list[str]) -> CollectionDef:
    return CollectionDef(node_list=CollectionDef.NodeList(value=values))
