"""The update that moves only entries that learn, where these are not whole rows."""

from collections.abc import Iterator

from graphfreeze.model.graph import Graph
from graphfreeze.rewrite.edits import AddNode, Edit
from graphfreeze.rewrite.entry_update import STORES, EntryUpdate
from graphfreeze.rewrite.shadow_update import find_twin, shadowed

_ASSIGNS = frozenset({"Assign", "AssignVariableOp"})
_MOVES = {
    "AssignAdd": "Add",
    "AssignSub": "Sub",
    "AssignAddVariableOp": "Add",
    "AssignSubVariableOp": "Sub",
}
_DESCENTS = frozenset({"ApplyGradientDescent", "ResourceApplyGradientDescent"})
_SHADOWED = ("Apply", "SparseApply", "Scatter", "StridedSliceAssign")


def guarded_entries(update: EntryUpdate) -> Iterator[Edit] | None:
    """Return the edits that keep a writer to the entries that learn, None if there is no way."""
    op = str(update.node.op)
    if op in _ASSIGNS:
        return _assigned(update)
    if op in _MOVES:
        return _moved(update, _MOVES[op])
    if op in _DESCENTS:
        return _descended(update)
    twin = find_twin(update) if op.removeprefix("Resource").startswith(_SHADOWED) else None
    return None if twin is None else shadowed(update, twin)


def _assigned(update: EntryUpdate) -> Iterator[Edit]:
    """Store what was to be stored."""
    last = update.keep(update.arguments["value"], update.now())
    yield from update.build.edits
    yield last


def _moved(update: EntryUpdate, op: str) -> Iterator[Edit]:
    """Store the sum or the difference."""
    now, types = update.now(), {"T": update.variable.dtype}
    new = update.build.add("new", op, (now, update.arguments["value"]), types)
    last = update.keep(new, now)
    yield from update.build.edits
    yield last


def _descended(update: EntryUpdate) -> Iterator[Edit]:
    """Store what gradient descent comes to."""
    now, types, given = update.now(), {"T": update.variable.dtype}, update.arguments
    step = update.build.add("step", "Mul", (given["alpha"], given["delta"]), types)
    new = update.build.add("new", "Sub", (now, step), types)
    last = update.keep(new, now)
    yield from update.build.edits
    yield last


def is_kept(update: EntryUpdate) -> bool:
    """Tell whether a writer stores frozen entries as it reads them from the variable itself.

    The mask and the read are built once more, and must be those that the writer's value has."""
    graph, build, kept = update.graph, update.build, update.build.name("kept")
    if update.node.op not in STORES.values():
        return False
    *_, stored = graph.data_inputs(update.writer)
    if str(stored) != kept or graph.op(kept) != "SelectV2":
        return False
    ids = update.arguments.get("indices")
    mask, _, now = graph.data_inputs(kept)
    return (mask, now) == (update.mask(ids), update.now(ids)) and all(
        _is_there(graph, edit) for edit in build.edits
    )


def _is_there(graph: Graph, wanted: AddNode) -> bool:
    """Tell whether a graph has a node with this op, these values and these attributes."""
    if wanted.name not in graph or graph.op(wanted.name) != wanted.op:
        return False
    node, values = graph.nodes[wanted.name], [r for r in wanted.inputs if not r.is_control]
    same = all(node.attr[k] == v for k, v in wanted.attrs.items() if k in node.attr)
    return same and list(graph.data_inputs(wanted.name)) == values
