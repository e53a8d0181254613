"""Edits that let a saver keep fewer or more tensors, under the names that its ops have."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from graphfreeze.model.attrs import const_node, strings, type_attr
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef, control, parse_ref
from graphfreeze.model.reads import plain_reads
from graphfreeze.model.saver import (
    Entry,
    SaverOps,
    restore_ops,
    save_ops,
    saved_variable,
    slices_at,
    strings_at,
)
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.builder import node_name
from graphfreeze.rewrite.edits import AddNode, DropKey, Edit, ReplaceNode, Reroute
from graphfreeze.schema import AttrValue, NodeDef, SaverDef

_TYPES = {"SaveV2": "dtypes", "RestoreV2": "dtypes", "Save": "T", "SaveSlices": "T"}


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A variable that the saver is to keep: its key, and its slice ('' if whole)."""

    key: str
    slice: str
    variable: Variable


def saved_tensor(graph: Graph, variable: Variable) -> TensorRef:
    """Return what a saver takes of a variable: the ref itself, or a read of the resource."""
    if variable.kind == "ref":
        return TensorRef(variable.name)
    found = plain_reads(graph, variable)
    own = [ref for ref in found if ref.node.startswith(f"{variable.name}/Read")]
    return next(iter(own or found), TensorRef(node_name(variable.name, "read")))


def restore_op(name: str) -> str:
    """Return the name of the op that gives a variable of that name its value from a checkpoint."""
    return node_name(name, "restore")


def restore_name(variable: Variable) -> str:
    """Return the name of the op that gives a new variable its value from a checkpoint."""
    return restore_op(variable.name)


def drop_from_savers(graph: Graph, gone: Collection[str]) -> Iterator[Edit]:
    """Yield the edits that take variables which go out of every saver of the graph."""
    for name, entries in save_ops(graph).items():
        stay = [e for e in entries if saved_variable(graph, e.tensor) not in gone]
        if name not in gone and len(stay) < len(entries):
            yield from _save_op(graph, name, stay)
            yield from (DropKey(e.key) for e in entries if e not in stay)
    for name, keys in restore_ops(graph).items():
        ports = range(len(keys))
        stay_at = [port for port in ports if not _all_gone(graph, TensorRef(name, port), gone)]
        if name not in gone and len(stay_at) < len(keys):
            yield from _restore_op(graph, name, stay_at, ())


def extend_saver(graph: Graph, saver: SaverOps, new: Sequence[NewEntry]) -> Iterator[Edit]:
    """Yield the edits that let a saver of format V2 keep more variables."""
    save, restore = next(iter(saver.entries)), next(iter(saver.keys))
    entries = [Entry(e.key, e.slice, saved_tensor(graph, e.variable)) for e in new]
    yield from _save_op(graph, save, [*saver.entries[save], *entries])
    count = len(saver.keys[restore])
    yield from _restore_op(graph, restore, range(count), new)
    yield from _assigns(graph, saver.definition, restore, count, new)


def _all_gone(graph: Graph, ref: TensorRef, gone: Collection[str]) -> bool:
    edges = graph.edges_of(ref)
    return bool(edges) and all(edge.consumer in gone for edge in edges)


def _save_op(graph: Graph, name: str, entries: list[Entry]) -> Iterator[Edit]:
    yield from _string_inputs(graph, name, [e.key for e in entries], [e.slice for e in entries])
    old = graph.inputs(name)
    head = old[: 2 if graph.op(name) == "Save" else 3]
    controls = [ref for ref in old if ref.is_control]
    dtypes = [graph.dtype(e.tensor) for e in entries]
    yield ReplaceNode(
        _typed(graph.nodes[name], [*head, *(e.tensor for e in entries), *controls], dtypes)
    )


def _restore_op(
    graph: Graph, name: str, stay: Sequence[int], new: Sequence[NewEntry]
) -> Iterator[Edit]:
    """Drop outputs of a restore op, move up those that stay, and add new ones at the end."""
    keys, slices = strings_at(graph, name, 1), slices_at(graph, name)
    yield from _string_inputs(
        graph,
        name,
        [keys[i] for i in stay] + [each.key for each in new],
        [slices[i] for i in stay] + [each.slice for each in new],
    )
    dtypes = graph.ops.output_types(graph.nodes[name])
    types = [dtypes[i] for i in stay] + [each.variable.dtype for each in new]
    yield ReplaceNode(_typed(graph.nodes[name], graph.inputs(name), types))
    for to, old in enumerate(stay):
        if to != old:
            edges = graph.edges_of(TensorRef(name, old))
            yield from (Reroute(edge, TensorRef(name, to)) for edge in edges)


def _string_inputs(
    graph: Graph, name: str, keys: list[str], slices: list[str]
) -> Iterator[ReplaceNode]:
    for slot, values in ((1, keys), (2, slices)):
        inputs = graph.data_inputs(name)
        if slot < len(inputs) and graph.op(inputs[slot].node) == "Const":
            old = graph.nodes[inputs[slot].node]
            yield ReplaceNode(const_node(str(old.name), strings(values), device=str(old.device)))


def _typed(node: NodeDef, inputs: Sequence[TensorRef], dtypes: Sequence[int]) -> NodeDef:
    """Return a save or restore op with other inputs and types."""
    twin = NodeDef()
    twin.CopyFrom(node)
    del twin.input[:]
    twin.input.extend(map(str, inputs))
    twin.attr[_TYPES[str(node.op)]].CopyFrom(AttrValue(list=AttrValue.ListValue(type=dtypes)))
    twin.attr.pop("_output_shapes", None)
    return twin


def _assigns(
    graph: Graph, saver: SaverDef, restorer: str, at: int, new: Sequence[NewEntry]
) -> Iterator[Edit]:
    """Yield the op that writes each new variable, and let the restore op wait for it."""
    group = graph.nodes[parse_ref(str(saver.restore_op_name)).node]
    twin = NodeDef()
    twin.CopyFrom(group)
    for offset, each in enumerate(new):
        assign = restore_name(each.variable)
        yield from assign_op(assign, each.variable, TensorRef(restorer, at + offset))
        twin.input.append(str(control(assign)))
    yield ReplaceNode(twin)


def assign_op(name: str, variable: Variable, value: TensorRef) -> Iterator[AddNode]:
    """Yield the op that gives a variable of either kind a value."""
    handle = TensorRef(variable.name)
    if variable.kind == "resource":
        yield AddNode(
            name, "AssignVariableOp", (handle, value), {"dtype": type_attr(variable.dtype)}
        )
        return
    is_known = variable.shape is not None and None not in variable.shape
    attrs = {
        "T": type_attr(variable.dtype),
        "use_locking": AttrValue(b=True),
        "validate_shape": AttrValue(b=is_known),
        "_class": AttrValue(list=AttrValue.ListValue(s=[f"loc:@{variable.name}".encode()])),
    }
    yield AddNode(name, "Assign", (handle, value), attrs)
