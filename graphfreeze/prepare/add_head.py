"""Give a model that has no loss, or none that is wanted, a head of its own."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from graphfreeze.errors import HeadError
from graphfreeze.errors.base import with_scopes
from graphfreeze.model.attrs import FLOATING, Shape, count_elements, dtype_name
from graphfreeze.model.collected import node_entries
from graphfreeze.model.graph import Graph
from graphfreeze.model.heads import Head, HeadRecord
from graphfreeze.model.inferred_shapes import infer_shape
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef, find_ref
from graphfreeze.model.nesting import unfetchable
from graphfreeze.model.variables import REF_OPS, RESOURCE_OPS
from graphfreeze.read.former import Former
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, FromCheckpoint, FromInitializer, SetCollection, SetValue
from graphfreeze.rewrite.head_nodes import HeadNodes, Inlet
from graphfreeze.rewrite.new_variable import add_variables
from graphfreeze.schema import CollectionDef

LOSSES, OLD_LOSSES = "losses", "graphfreeze_old_losses"


@dataclass
class AddHead:
    """Lay a dense layer on a tensor, and a loss on that.   at: [batch, ...] => <name>/loss: []

    ===============================  ==================================================
    at: half or bfloat16             is cast to float32
    more than two axes               are flattened to one row an example
    <name>/features                  may be fed with such rows, computed once for all
    <name>/kernel, <name>/bias       learn, ref or resource as the model's variables
    <name>/loss                      is the collection ``losses``; what was there moves
                                     to ``graphfreeze_old_losses``
    what the tensor led to before    stays
    ===============================  ==================================================

    ``trained`` has the key of each variable that a checkpoint has values of already; the others
    are initialized. ``record`` tells afterwards what was added.
    """

    head: Head
    trained: dict[str, str] = field(default_factory=dict)
    name: str = "add_head"
    record: HeadRecord | None = None

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits; raises HeadError."""
        made = HeadNodes(self.head, _find_inlet(draft, self.head))
        _check_name(draft.graph, self.head.name)
        before = node_entries(draft.collections, LOSSES)
        self.record = _record(made, before)
        yield from made.nodes
        yield from add_variables(draft, made.variables)
        yield from (self._value(variable.name) for variable in made.variables)
        if before:
            yield SetCollection(OLD_LOSSES, _names(before))
        yield SetCollection(LOSSES, _names([made.tensors["loss"].tensor_name]))

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for the shape of the logits, and for the loss."""
        told = self.record
        if told is None or node_entries(draft.collections, LOSSES) != [told.tensors["loss"]]:
            return "its loss is not the one of the graph"
        (output,) = [told.tensors[r] for r in ("logits", "predictions") if r in told.tensors]
        shape = infer_shape(draft.graph, TensorRef(output.partition(":")[0]))
        return None if shape == (None, told.classes) else f"{output} has shape {shape}"

    def _value(self, name: str) -> SetValue:
        """Return what a variable begins with: what it had learned, else what is drawn."""
        key = self.trained.get(name)
        if key is None or key == name:
            return SetValue(name, FromInitializer(name), if_missing=key is not None)
        return SetValue(name, FromCheckpoint(key))


def go_on_with(head: Head | None, former: Former | None) -> AddHead | None:
    """Return what adds a head, or the one that a former freeze had, as it was trained.

    Raises HeadError if the two are not the same, UndoError."""
    before = None if former is None else former.mark.head
    if before is None or former is None:
        return None if head is None else AddHead(head)
    differing = [] if head is None else before.differs_in(head)
    if differing:
        raise HeadError.other_head(before.name, differing, former.written.source.path)
    keys = {name: former.keys[name] for name in before.variables if name in former.keys}
    return AddHead(before.head, keys)


def _find_inlet(draft: Draft, head: Head) -> Inlet:
    graph, ref = draft.graph, _tensor(draft.graph, head.at)
    shape = infer_shape(graph, ref)
    if shape is not None and len(shape) < 2:
        raise HeadError.no_batch(head.at, shape)
    is_flat = shape is not None and len(shape) == 2
    kinds = {v.kind for v in draft.variables}
    device = str(graph.nodes[ref.node].device)
    places = [str(graph.nodes[v.name].device) for v in draft.variables if v.is_trainable]
    return Inlet(
        ref,
        graph.dtype(ref),
        _features(head, shape),
        is_flat,
        kind="resource" if kinds == {"resource"} else "ref",
        device=device,
        variable_device=places[-1] if places else device,
    )


def _tensor(graph: Graph, at: str) -> TensorRef:
    """Return the tensor that is to get a head; raises HeadError."""
    ref = find_ref(at)
    if ref is None or ref.is_control or ref.output or ref.node not in graph:
        raise HeadError.unknown_tensor(at, graph.nodes)
    node, port = graph.nodes[ref.node], ref.port or 0
    types = graph.ops.output_types(node, graph.functions)
    if port >= len(types):
        raise HeadError.unknown_tensor(at, [f"{ref.node}:{i}" for i in range(len(types))])
    is_ref = graph.ops.output_is_ref(node, graph.functions)[port]
    if is_ref or node.op in REF_OPS | RESOURCE_OPS:
        raise HeadError.is_variable(at)
    if types[port] not in FLOATING:
        raise HeadError.not_floating(at, dtype_name(types[port]), op=str(node.op))
    if ref.node in unfetchable(graph):
        raise HeadError.not_always_run(at)
    return ref


def _features(head: Head, shape: Shape | None) -> int:
    """Return how many numbers an example has; raises HeadError if nothing tells."""
    found = None if shape is None else count_elements(shape[1:])
    if head.features is not None and found not in (None, head.features):
        raise HeadError.other_features(head.at, head.features, found or 0)
    features = found or head.features
    if features is None:
        raise HeadError.no_features(head.at, shape)
    return features


def _check_name(graph: Graph, name: str) -> None:
    """Refuse a scope that has nodes already; raises HeadError."""
    taken = set(with_scopes(graph.nodes))
    if name in taken:
        others = (f"{name}_{i}" for i in count(1))
        raise HeadError.scope_taken(name, next(other for other in others if other not in taken))


def _record(made: HeadNodes, before: list[str]) -> HeadRecord:
    head, inlet = made.head, made.inlet
    return HeadRecord(
        kind=head.kind,
        at=inlet.tensor.tensor_name,
        classes=head.width,
        features=inlet.features,
        name=head.name,
        tensors={what: ref.tensor_name for what, ref in made.tensors.items()},
        variables=[variable.name for variable in made.variables],
        losses_before=before,
    )


def _names(names: list[str]) -> CollectionDef:
    return CollectionDef(node_list=CollectionDef.NodeList(value=names))
