"""Control flow contexts in collections, kept in step with the nodes of the graph."""

from collections.abc import Collection, Iterator, Mapping
from typing import TypeAlias

from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef, parse_ref
from graphfreeze.schema import CollectionDef, CondContextDef, WhileContextDef

ENTERS = frozenset({"Enter", "RefEnter"})
EXITS = frozenset({"Exit", "RefExit"})
MERGES = frozenset({"Merge", "RefMerge"})
SWITCHES = frozenset({"Switch", "RefSwitch"})
Context: TypeAlias = WhileContextDef | CondContextDef
CONTEXTS: Mapping[str, type[Context]] = {
    "while_context": WhileContextDef,
    "cond_context": CondContextDef,
}


def keep_contexts(key: str, entry: CollectionDef, gone: Collection[str]) -> CollectionDef | None:
    """Return a collection of contexts without nodes that are gone, None if it is another one.

    A context whose own pivot is gone goes as a whole: it was a loop of gradients, or a branch
    that only training took.
    """
    kind = CONTEXTS.get(key)
    if kind is None:
        return None
    out = CollectionDef()
    out.bytes_list.SetInParent()
    for raw in entry.bytes_list.value:
        context = kind.FromString(raw)
        if _is_gone(context, gone):
            continue
        is_changed = _prune(context, gone) | _prune_ends(context, gone)
        out.bytes_list.value.append(
            context.SerializeToString(deterministic=True) if is_changed else raw
        )
    return out


def nested_contexts(context: Context) -> Iterator[Context]:
    """Yield the contexts right inside one."""
    for nested in context.nested_contexts:
        which = nested.WhichOneof("ctxt")
        if which is not None:
            yield getattr(nested, which)


def named_in_contexts(collections: Mapping[str, CollectionDef]) -> Iterator[tuple[str, str]]:
    """Yield key and node of all that contexts name."""
    for key, kind in CONTEXTS.items():
        entry = collections.get(key)
        for raw in entry.bytes_list.value if entry is not None else ():
            yield from ((key, node_of(name)) for name in _names(kind.FromString(raw)))


def _names(context: Context) -> Iterator[str]:
    """Yield all tensors that a context names, and those inside it."""
    outside = context.values_def.external_values
    yield from (*context.values_def.values, *outside, *outside.values(), context.pivot_name)
    if isinstance(context, WhileContextDef):
        yield from (*context.loop_enter_names, *context.loop_exit_names)
        yield from (context.pivot_for_pred_name, context.pivot_for_body_name)
    else:
        yield context.pred_name
    for nested in nested_contexts(context):
        yield from _names(nested)


def _prune(context: Context, gone: Collection[str]) -> bool:
    """Take the values that are gone out of a context, and out of those inside it.

    What nothing brings in any more is no value of its either: the context would take it for one
    that is computed inside."""
    values = context.values_def
    outside = values.external_values.items()
    lost = [k for k, v in outside if node_of(k) in gone or node_of(v) in gone]
    stay = [v for v in values.values if node_of(v) not in gone and v not in lost]
    is_changed = len(stay) != len(values.values) or bool(lost)
    if is_changed:
        values.ClearField("values")
        values.values.extend(stay)
        for key in lost:
            del values.external_values[key]
    for nested in list(context.nested_contexts):
        which = nested.WhichOneof("ctxt")
        inner = getattr(nested, which) if which is not None else None
        if inner is not None and _is_gone(inner, gone):
            context.nested_contexts.remove(nested)
            is_changed = True
        elif inner is not None:
            is_changed |= _prune(inner, gone) | _prune_ends(inner, gone)
    return is_changed


def _is_gone(context: Context, gone: Collection[str]) -> bool:
    names = [context.pivot_name]
    names += [context.pred_name] if isinstance(context, CondContextDef) else []
    return any(node_of(str(name)) in gone for name in names)


def _prune_ends(context: Context, gone: Collection[str]) -> bool:
    """Take loop variables that are gone, such as a counter for gradients, out of a loop."""
    if not isinstance(context, WhileContextDef):
        return False
    is_changed = False
    for field in ("loop_exit_names", "loop_enter_names"):
        names = list(getattr(context, field))
        stay = [name for name in names if node_of(name) not in gone]
        if stay != names:
            is_changed = True
            context.ClearField(field)
            getattr(context, field).extend(stay)
    return is_changed


def node_of(name: str) -> str:
    """Return the node that a context names, by a tensor or as a pivot that is waited for."""
    return parse_ref(str(name).removeprefix("^")).node


def described_exits(collections: Mapping[str, CollectionDef]) -> dict[str, bool]:
    """Return the Exits that a while_context names, and whether its loop lets gradients back."""
    found: dict[str, bool] = {}
    for key, kind in CONTEXTS.items():
        entry = collections.get(key)
        for raw in entry.bytes_list.value if entry is not None else ():
            found.update(_exits_in(kind.FromString(raw)))
    return found


def _exits_in(context: Context) -> Iterator[tuple[str, bool]]:
    """Yield the Exits of a loop, and of those inside it."""
    if isinstance(context, WhileContextDef):
        yield from ((node_of(str(name)), context.back_prop) for name in context.loop_exit_names)
    for nested in nested_contexts(context):
        yield from _exits_in(nested)


def nodes_in_loops(graph: Graph) -> set[str]:
    """Return the nodes that run inside v1 while loops: from their Enters up to their Exits."""
    found: set[str] = set()
    todo = [name for name in graph.nodes if graph.op(name) in ENTERS]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            is_exit = graph.op(name) in EXITS
            todo.extend(() if is_exit else graph.consumers(name, data_only=True))
    return found


def branches_of(graph: Graph, name: str) -> set[tuple[TensorRef, int]]:
    """Return the tests without whose outcome, 0 or 1, a node does not run; not those of loops."""
    found, seen, todo = set[tuple[TensorRef, int]](), {name}, [name]
    while todo:
        for ref in graph.inputs(todo.pop()):
            if graph.op(ref.node) in SWITCHES and ref.port is not None:
                test = _origin(graph, graph.data_inputs(ref.node)[1])
                if graph.op(test.node) != "LoopCond":
                    found.add((test, ref.port))
            if ref.node in graph and ref.node not in seen and graph.op(ref.node) not in MERGES:
                seen.add(ref.node)
                todo.append(ref.node)
    return found


def _origin(graph: Graph, ref: TensorRef) -> TensorRef:
    while graph.op(ref.node) == "Identity":
        ref = graph.data_inputs(ref.node)[0]
    return ref
