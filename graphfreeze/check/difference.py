"""How one model differs from another: nodes, collections, functions, saver, variables."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from google.protobuf.message import DecodeError, Message

from graphfreeze.model.bodies import open_body
from graphfreeze.model.collected import parse_variable_def
from graphfreeze.model.control_flow import CONTEXTS
from graphfreeze.model.diff_records import (
    ChangedRecord,
    DiffRecord,
    EntriesRecord,
    FunctionRecord,
    NodeRecord,
    RewiredRecord,
    StateRecord,
    ValueRecord,
)
from graphfreeze.model.function_records import copied_from
from graphfreeze.model.graph import Graph
from graphfreeze.model.model import Model
from graphfreeze.model.records import VariableRecord
from graphfreeze.model.sketch_values import format_attr
from graphfreeze.schema import CollectionDef, NodeDef

Nodes = Mapping[str, NodeDef]
Entry = tuple[str, bytes]  # its name, and what it holds besides


def find_difference(first: Model, second: Model) -> DiffRecord:
    """Return what it takes to get from one model to another; the order of nodes is none."""
    old, new = first.graph.nodes, second.graph.nodes
    ops = Counter(str(node.op) for node in new.values())
    ops.subtract(Counter(str(node.op) for node in old.values()))
    return DiffRecord(
        first=str(first.source.path),
        second=str(second.source.path),
        added=_only_in(new, old),
        removed=_only_in(old, new),
        rewired=list(_rewired(old, new)),
        changed=list(_changed(old, new)),
        operations={op: count for op, count in sorted(ops.items()) if count},
        collections=list(_collections(first.collections, second.collections)),
        functions=list(_functions(first.graph, second.graph)),
        others=list(_others(first, second)),
    )


def find_states(
    first: Iterable[VariableRecord], second: Iterable[VariableRecord]
) -> list[StateRecord]:
    """Return the variables whose state or frozen entries differ, or that one model has alone."""
    old, new = ({each.name: each for each in side} for side in (first, second))
    found = []
    for name in dict.fromkeys([*old, *new]):
        before, after = old.get(name), new.get(name)
        if before is None or after is None or _frozen(before) != _frozen(after):
            rule = after.rule if after is not None else ""
            found.append(StateRecord(name, _state(before), _state(after), rule))
    return found


def _frozen(variable: VariableRecord) -> tuple[object, ...]:
    which = (variable.frozen_ranges, variable.frozen_along, variable.element_mask)
    return variable.state, variable.shape, variable.strategy, *which


def _state(variable: VariableRecord | None) -> str | None:
    if variable is None:
        return None
    if variable.frozen_elements is None or variable.parameters is None:
        return variable.state
    return f"{variable.state} ({variable.frozen_elements:,} of {variable.parameters:,} entries)"


def _functions(first: Graph, second: Graph) -> Iterator[FunctionRecord]:
    """Yield functions with other bodies than before, or than what they are copies of."""
    for name, function in second.functions.items():
        source = name if name in first.functions else copied_from(name)
        if source is None or source not in first.functions or function == first.functions[source]:
            continue
        old = open_body(first, first.functions[source]).graph.nodes
        new = open_body(second, function).graph.nodes
        found = FunctionRecord(
            name=name,
            source=source,
            added=_only_in(new, old),
            removed=_only_in(old, new),
            rewired=list(_rewired(old, new)),
            changed=list(_changed(old, new)),
        )
        if found.added or found.removed or found.rewired or found.changed:
            yield found


def _only_in(these: Nodes, others: Nodes) -> list[NodeRecord]:
    return [NodeRecord(name, str(node.op)) for name, node in these.items() if name not in others]


def _rewired(old: Nodes, new: Nodes) -> Iterator[RewiredRecord]:
    for name, node in old.items():
        if name in new and list(node.input) != list(new[name].input):
            yield RewiredRecord(name, str(new[name].op), list(node.input), list(new[name].input))


def _changed(old: Nodes, new: Nodes) -> Iterator[ChangedRecord]:
    for name in old:
        if name in new:
            yield from _changes(old[name], new[name])


def _changes(old: NodeDef, new: NodeDef) -> Iterator[ChangedRecord]:
    values = [
        ValueRecord(what, before, after)
        for what, before, after in (("op", old.op, new.op), ("device", old.device, new.device))
        if before != after
    ]
    for key in sorted({*old.attr, *new.attr}):
        before, after = (node.attr.get(key, None) for node in (old, new))
        if before != after:
            texts = (None if each is None else format_attr(each) for each in (before, after))
            values.append(ValueRecord(key, *texts))
    if values:
        yield ChangedRecord(str(new.name), str(new.op), values)


def _collections(
    first: Mapping[str, CollectionDef], second: Mapping[str, CollectionDef]
) -> Iterator[EntriesRecord]:
    for key in sorted({*first, *second}):
        old, new = (_entries(key, side[key]) if key in side else [] for side in (first, second))
        yield from _entry_records(key, old, new)


def _others(first: Model, second: Model) -> Iterator[EntriesRecord]:
    """Yield functions, signatures and what the savers keep."""
    functions = (first.graph.functions, second.graph.functions)
    yield from _entry_records("functions", *map(_messages, functions))
    signatures = (first.header.signature_def, second.header.signature_def)
    yield from _entry_records("signatures", *map(_messages, signatures))
    yield from _entry_records("saver", _saved(first), _saved(second))


def _entry_records(key: str, old: list[Entry], new: list[Entry]) -> Iterator[EntriesRecord]:
    """Yield what only one side has; what both have by name, but not alike, is told as changed."""
    before, after = Counter(old), Counter(new)
    added, removed = [*(after - before).elements()], [*(before - after).elements()]
    if added or removed:
        both = {name for name, _ in added} & {name for name, _ in removed}
        texts = (
            [f"{name} (changed)" if name in both else name for name, _ in side]
            for side in (added, removed)
        )
        yield EntriesRecord(key, *texts)


def _messages(messages: Mapping[str, Message]) -> list[Entry]:
    return [(name, each.SerializeToString(deterministic=True)) for name, each in messages.items()]


def _saved(model: Model) -> list[Entry]:
    saver = model.saver_ops
    entries = saver.all_entries() if saver is not None else ()
    return [(f"{each.key} {each.slice}".strip(), b"") for each in entries]


def _entries(key: str, entry: CollectionDef) -> list[Entry]:
    """Return a name for each entry of a collection, and what it holds."""
    kind = entry.WhichOneof("kind")
    if kind == "bytes_list":
        return [(_name(key, raw), raw) for raw in entry.bytes_list.value]
    return [] if kind is None else [(str(value), b"") for value in getattr(entry, kind).value]


def _name(key: str, raw: bytes) -> str:
    definition = parse_variable_def(raw)
    if definition is not None:
        return str(definition.variable_name)
    try:
        return str(CONTEXTS[key].FromString(raw).context_name)
    except (KeyError, DecodeError):
        return f"{len(raw):,} bytes"
