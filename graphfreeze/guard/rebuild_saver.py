"""Let the saver keep, and the init op initialize, what was added."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.model.graph import Graph
from graphfreeze.model.model import Model
from graphfreeze.model.names import control
from graphfreeze.model.saver import SaverOps, saved_variable
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, ReplaceNode
from graphfreeze.rewrite.fresh_saver import fresh_saver
from graphfreeze.rewrite.saver_edits import NewEntry, extend_saver
from graphfreeze.rewrite.slices import new_entry
from graphfreeze.schema import NodeDef


@dataclass(frozen=True)
class RebuildSaver:
    """Make saver and init op complete.

    =================================  ====================================================
    saver of format V2                 its save and restore ops take the new variables in
    no saver, or one of format V1      a new one under ``graphfreeze/save``
    NoOp that initializes all          waits for the new initializers too
    =================================  ====================================================

    Names of ops stay, and so do the keys that the saver gave to variables.
    """

    name = "rebuild_saver"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits."""
        saver = draft.saver_ops
        if saver is None or not _is_v2(draft.graph, saver):
            entries = _all_entries(draft, saver)
            if entries:
                yield from fresh_saver(draft.graph, entries)
        else:
            missing = [new_entry(v) for v in _unsaved(draft, saver)]
            if missing:
                yield from extend_saver(draft.graph, saver, missing)
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


def _all_entries(draft: Draft, saver: SaverOps | None) -> list[NewEntry]:
    """Return what a new saver keeps: what the old one did, or all, and what is new."""
    if saver is None:
        return [new_entry(v) for v in draft.variables if not v.is_local]
    variables = {variable.name: variable for variable in draft.variables}
    named = ((saved_variable(draft.graph, e.tensor) or "", e) for e in saver.all_entries())
    old = [NewEntry(e.key, e.slice, variables[n]) for n, e in named if n in variables]
    return old + [new_entry(v) for v in _unsaved(draft, saver)]


def _unsaved(draft: Draft, saver: SaverOps) -> list[Variable]:
    """Return the new variables that the saver does not keep."""
    saved = {saved_variable(draft.graph, entry.tensor) for entry in saver.all_entries()}
    old = {variable.name for variable in draft.base.variables}
    return [v for v in draft.variables if v.name not in saved | old and not v.is_local]


def _init_edits(draft: Draft) -> Iterator[ReplaceNode]:
    """Let every op that runs all old initializers run the new ones too."""
    old = {v.name for v in draft.base.variables}
    kept = {_initializer(v) for v in draft.variables if v.name in old and not v.is_local}
    new = {_initializer(v) for v in draft.variables if v.name not in old} - {""}
    for name, node in draft.graph.nodes.items():
        waited = {ref.node for ref in draft.graph.inputs(name) if ref.is_control}
        if new - waited and kept and node.op == "NoOp" and kept <= waited:
            twin = NodeDef()
            twin.CopyFrom(node)
            twin.input.extend(str(control(each)) for each in sorted(new - waited))
            yield ReplaceNode(twin)


def _initializer(variable: Variable) -> str:
    """Return the op that initializes a variable, '' where nothing says so."""
    return "" if variable.definition is None else str(variable.definition.initializer_name)
