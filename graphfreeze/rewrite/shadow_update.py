"""An op that works on a temporary copy of a variable, not on the variable.

The copies are TemporaryVariables: each step has its own, which is gone when the step ends, so
steps that run at once do not meet in them. The op is the writer's own or, for a resource variable,
its twin for refs; what it does to entries that learn is what it always does.
"""

from collections.abc import Iterator, Mapping

from graphfreeze.model.attrs import shape_proto, type_attr
from graphfreeze.model.names import TensorRef, control
from graphfreeze.rewrite.builder import Builder
from graphfreeze.rewrite.edits import AddNode, Edit
from graphfreeze.rewrite.entry_update import STORES, EntryUpdate
from graphfreeze.schema import AttrValue, OpDef, types_pb2

INT32 = types_pb2.DT_INT32


def find_twin(update: EntryUpdate) -> OpDef | None:
    """Return the op that does to refs what the writer does to its variable and slots."""
    twin = update.graph.ops.find(str(update.node.op).removeprefix("Resource"))
    args = list(twin.input_arg) if twin is not None else []
    is_like = len(args) == len(update.arguments) and bool(args) and args[0].is_ref
    return twin if is_like else None


def shadowed(update: EntryUpdate, twin: OpDef) -> Iterator[Edit]:
    """Update a copy of the variable, and store the entries of it that learn.

    An op that takes ids of rows gets copies of those rows alone, and of the same rows of its
    slots: a step costs what the batch costs. Other slots of a ref stay where they are.
    """
    build, arguments, ids = update.build, update.arguments, None
    first, *slots = _states(update, twin)
    if "indices" in arguments and "ScatterNd" not in str(twin.name):
        ids, arguments["indices"] = _distinct(update, arguments["indices"])
    elif update.variable.kind == "ref":
        slots = []
    now = update.now(ids)
    arguments[first] = _copy(update, first, now, ids)
    for name in slots:
        value = update.read(update.late.within(name), "now", arguments[name], ids)
        arguments[name] = _copy(update, name, value, ids)
    applied = _apply(update, twin, arguments, is_of_rows=ids is not None)
    last = update.keep(_end(update, first, applied), now, ids)
    for name in slots:
        value = _end(update, name, arguments[name], control(applied.node))
        written = _store(update, name, value, ids)
        last.node.input.append(str(control(written.node)))
    yield from build.edits
    yield last


def _states(update: EntryUpdate, twin: OpDef) -> list[str]:
    """Return the arguments that are variables: the one that learns, then its slots."""
    pairs = zip(update.arguments, twin.input_arg, strict=True)
    return [name for name, given in pairs if given.is_ref]


def _distinct(update: EntryUpdate, given: TensorRef) -> tuple[TensorRef, TensorRef]:
    """Return the ids without repeats, and where each of those given is among them."""
    build, dtype = update.build, update.ids_type
    flat, types = build.const("flat", [-1], INT32), {"T": dtype, "Tshape": INT32}
    vector = build.add("given_ids", "Reshape", (given, flat), types)
    ids = build.add("ids", "Unique", (vector,), {"T": dtype})
    shape = build.add("ids_shape", "Shape", (given,), {"T": dtype})
    types = {"T": INT32, "Tshape": INT32}
    return ids, build.add("places", "Reshape", (TensorRef(ids.node, 1), shape), types)


def _copy(update: EntryUpdate, name: str, value: TensorRef, ids: TensorRef | None) -> TensorRef:
    """Return the ref of a temporary copy of a value."""
    late, dtype = update.late, update.variable.dtype
    height = update.entries.shape[0] if ids is None else 0  # of as many rows as are assigned
    shape = shape_proto((height, *update.entries.shape[1:]))
    attrs = {"shape": AttrValue(shape=shape), "dtype": type_attr(dtype)}
    shadow = _add(late, f"{name}/shadow", "TemporaryVariable", (), attrs | _own(late, name))
    types = {"T": dtype, "validate_shape": ids is None}
    return update.build.add(f"{name}/copy", "Assign", (shadow, value), types)


def _apply(
    update: EntryUpdate, twin: OpDef, arguments: Mapping[str, TensorRef], *, is_of_rows: bool
) -> TensorRef:
    """Add the op that does the writer's work."""
    known = {str(attr.name) for attr in twin.attr}
    attrs = {key: value for key, value in update.node.attr.items() if key in known}
    attrs["T"] = type_attr(update.variable.dtype)
    if is_of_rows:
        attrs["Tindices"] = type_attr(INT32)
    return _add(update.build, "apply", str(twin.name), tuple(arguments.values()), attrs)


def _end(update: EntryUpdate, name: str, ref: TensorRef, *after: TensorRef) -> TensorRef:
    """Return the value of a copy, which is gone then."""
    build = update.build
    attrs = {"T": type_attr(update.variable.dtype), **_own(build, name)}
    return _add(build, f"{name}/new", "DestroyTemporaryVariable", (ref, *after), attrs)


def _store(update: EntryUpdate, name: str, value: TensorRef, ids: TensorRef | None) -> TensorRef:
    """Write a slot, or its rows ``ids``."""
    types = {"T" if update.variable.kind == "ref" else "dtype": update.variable.dtype}
    rows = () if ids is None else (ids,)
    if ids is not None:
        types["Tindices"] = update.ids_type
    op = STORES[update.variable.kind, ids is not None]
    refs = (update.arguments[name], *rows, value)
    return update.build.add(f"{name}/write", op, refs, types)


def _own(build: Builder, name: str) -> dict[str, AttrValue]:
    """Return what a copy is called among those of a step."""
    return {"var_name": AttrValue(s=build.name(f"{name}/shadow").encode())}


def _add(
    build: Builder, role: str, op: str, inputs: tuple[TensorRef, ...], attrs: dict[str, AttrValue]
) -> TensorRef:
    name = build.name(role)
    build.edits.append(AddNode(name, op, (*inputs, *build.controls), attrs, build.device))
    return TensorRef(name)
