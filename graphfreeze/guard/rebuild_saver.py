"""Let the saver keep every variable, and the init op initialize what was added."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from graphfreeze.model.attrs import type_attr
from graphfreeze.model.graph import Graph
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef, control, parse_ref
from graphfreeze.model.reads import writers
from graphfreeze.model.saver import SaverOps, restore_ops, saved_entries, saved_variable
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import (
    AddNode,
    Change,
    Edit,
    FromInitializer,
    ReplaceNode,
    SetValue,
)
from graphfreeze.rewrite.fresh_saver import fresh_saver
from graphfreeze.rewrite.saver_edits import NewEntry, extend_saver, saved_tensor
from graphfreeze.rewrite.slices import new_entry
from graphfreeze.schema import NodeDef


@dataclass(frozen=True)
class RebuildSaver:
    """Make saver and init op complete.

    =================================  ====================================================
    saver of format V2                 its save and restore ops take in what they leave out
    no saver, or one of format V1      a new one under ``graphfreeze/save``
    NoOp that initializes all          waits for the new initializers too
    =================================  ====================================================

    Names of ops stay, and so do the keys that the saver gave to variables. What the saver left
    out before gets its value from its initializer, if the checkpoint does not hold it. Local
    variables stay out.
    """

    name = "rebuild_saver"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits."""
        saver = draft.saver_ops
        missing = _missing_entries(draft, saver)
        reads = list(_reads(draft.graph, missing))
        if reads:
            yield from reads
            draft = draft.copy()
            for read in reads:
                draft.apply(read)
        if saver is None or not _is_v2(draft.graph, saver):
            entries = [*_kept_entries(draft, saver), *missing]
            if entries:
                yield from fresh_saver(draft.graph, entries)
        elif missing:
            yield from extend_saver(draft.graph, saver, missing)
        if saver is not None:
            yield from _values(draft, missing)
        yield from _init_edits(draft)

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a variable that neither restore nor save would reach."""
        saver = draft.saver_ops
        if saver is None:
            return "no saver was made" if draft.variables else None
        left = _unsaved(draft, saver)
        return f"{left[0].name} is not saved" if left else None


def _is_v2(graph: Graph, saver: SaverOps) -> bool:
    ops = {graph.op(name) for name in [*saver.entries, *saver.keys]}
    return ops == {"SaveV2", "RestoreV2"}


def _kept_entries(draft: Draft, saver: SaverOps | None) -> list[NewEntry]:
    """Return what a saver keeps, for a new one to keep."""
    variables = {variable.name: variable for variable in draft.variables}
    entries = saver.all_entries() if saver is not None else ()
    named = ((saved_variable(draft.graph, e.tensor) or "", e) for e in entries)
    return [NewEntry(e.key, e.slice, variables[n]) for n, e in named if n in variables]


def _missing_entries(draft: Draft, saver: SaverOps | None) -> list[NewEntry]:
    """Return entries for what the saver leaves out, under keys that nothing else has."""
    kept = saver.all_entries() if saver is not None else ()
    # Parts share the key of the whole; it is then the owner, else a single variable is.
    owners = {e.key: (e.key if e.slice else "", "") for e in kept}
    entries = []
    for entry in map(new_entry, _unsaved(draft, saver)):
        whole, name = entry.variable.partition_of, entry.variable.name
        key, owner = entry.key, (whole, "" if whole else name)
        while owners.get(key, owner) != owner:
            key += "_1"
        owners[key] = owner
        entries.append(replace(entry, key=key))
    return entries


def _unsaved(draft: Draft, saver: SaverOps | None) -> list[Variable]:
    """Return the variables that the saver neither saves nor restores."""
    graph, lasting = draft.graph, [v for v in draft.variables if not v.is_local]
    if saver is None:
        return lasting
    saved = saved_entries(graph, saver)
    above = graph.ancestors([parse_ref(str(saver.definition.restore_op_name)).node])
    left = [v for v in lasting if v.name not in saved]
    return [v for v in left if above.isdisjoint(writers(graph, v))]


def _reads(graph: Graph, entries: list[NewEntry]) -> Iterator[AddNode]:
    """Read the resources that nothing else reads, so that a saver can take their values."""
    for variable in (entry.variable for entry in entries):
        read = saved_tensor(graph, variable)
        if read.node not in graph:
            attrs = {"dtype": type_attr(variable.dtype)}
            yield AddNode(read.node, "ReadVariableOp", (TensorRef(variable.name),), attrs)


def _values(draft: Draft, entries: list[NewEntry]) -> Iterator[SetValue]:
    """Give values to what was there before and not saved; the new ones have theirs."""
    edits = [edit for edit in draft.value_edits if isinstance(edit, SetValue)]
    initial = {e.source.variable for e in edits if isinstance(e.source, FromInitializer)}
    # Added or changed rows give no whole value.
    given = {e.key for e in edits if not isinstance(e.source, Change)}
    for entry in entries:
        if entry.variable.name not in initial and entry.key not in given:
            yield SetValue(entry.key, FromInitializer(entry.variable.name), if_missing=True)


def _init_edits(draft: Draft) -> Iterator[ReplaceNode]:
    """Let every op that runs all old initializers run the new ones too.

    What restores a variable that has no other initializer is none of them: no op for restoring is
    to initialize anything."""
    graph, old = draft.graph, {v.name for v in draft.base.variables}
    restoring = graph.descendants(restore_ops(graph), data_only=True)
    named = {v.name: _initializer(v) for v in draft.variables if not v.is_local}
    kept = {op for name, op in named.items() if name in old} - restoring
    new = {op for name, op in named.items() if name not in old and op in graph} - restoring
    for name, node in graph.nodes.items():
        waited = {ref.node for ref in graph.inputs(name) if ref.is_control}
        if new - waited and kept and node.op == "NoOp" and kept <= waited:
            twin = NodeDef()
            twin.CopyFrom(node)
            twin.input.extend(str(control(each)) for each in sorted(new - waited))
            yield ReplaceNode(twin)


def _initializer(variable: Variable) -> str:
    """Return the op that initializes a variable, '' where nothing says so."""
    return "" if variable.definition is None else str(variable.definition.initializer_name)
