"""Put the frozen entries back that a writer of the train_op moves and nothing else can guard."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from graphfreeze.errors import RewriteError
from graphfreeze.model.control_flow import branches_of, nodes_in_loops
from graphfreeze.model.model import Model
from graphfreeze.model.names import control
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, ReplaceNode
from graphfreeze.rewrite.guarding import find_guard, is_guarded
from graphfreeze.rewrite.pin import Pin, pin_name
from graphfreeze.rewrite.steps import LISTED, Step, train_ops
from graphfreeze.rewrite.table_rows import get_table
from graphfreeze.schema import NodeDef
from graphfreeze.selection.resolve import Selection


@dataclass
class PinRows:
    """Pin what a function, or an op that nobody knows, writes in the course of the train_op.

    ``train_op -> writer``   =>   ``train_op -> pin -> writer``

    The pin copies the frozen entries from a variable that nothing writes. What is only fetched, a
    loss or a summary, is not waited for by the train_op: a writer there stays unguarded. With
    several workers others would see moved entries, so that a pin is an error there.
    """

    selection: Selection
    step: Step = LISTED
    name: str = "pin_rows"
    pinned: dict[str, list[str]] = field(default_factory=dict)

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits; raises RewriteError with several workers."""
        partly, found = self.selection.partly, defaultdict[Variable, list[str]](list)
        for variable, writer in self._unguarded(draft):
            found[variable].append(writer)
        for variable, writers in found.items():
            device = _find_worker(draft)
            op = draft.graph.op(writers[0])
            if device:
                raise RewriteError.pin_with_workers(variable.name, writers[0], op=op, device=device)
            pin = Pin(draft, variable, partly[variable])
            value = pin.find_value(get_table(variable, self.selection.tables))
            if value is None:
                raise RewriteError.unguarded_writer(variable.name, writers[0], op=op)
            written = self._written(draft, variable)
            self._check_branches(draft, variable, writers, written)
            self.pinned[variable.name] = writers
            yield from pin.edits(written)
            yield value
        if found:
            yield _waiting(draft, [pin_name(variable) for variable in found])

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a pin that the train_op does not wait for, and a copy that something writes."""
        above = draft.graph.ancestors(train_ops(draft))
        for variable in (v for v in self.selection.partly if v.name in self.pinned):
            if pin_name(variable) not in above:
                return f"the train_op does not wait for {pin_name(variable)}"
        return None

    def _written(self, draft: Draft, variable: Variable) -> list[str]:
        """Return all its writers of the train_op: one that is guarded may have read moved ones."""
        above = draft.graph.ancestors(train_ops(draft))
        return [w for _, w in self.step.writers(draft, [variable]) if w in above]

    def _check_branches(
        self, draft: Draft, variable: Variable, unguarded: Sequence[str], written: Sequence[str]
    ) -> None:
        """Refuse to wait for what may not run where an unguarded writer does: nor would the pin."""
        for writer in unguarded:
            own = branches_of(draft.graph, writer)
            for other in written:
                if not branches_of(draft.graph, other) <= own:
                    op = draft.graph.op(writer)
                    raise RewriteError.pin_in_branch(variable.name, writer, branch=other, op=op)

    def _unguarded(self, draft: Draft) -> Iterator[tuple[Variable, str]]:
        """Yield the writers that the train_op alone reaches, and that no other guard fits."""
        partly, looped = self.selection.partly, nodes_in_loops(draft.graph)
        besides = draft.graph.ancestors(self.step.besides(draft))
        for variable, writer in self.step.writers(draft, partly):
            entries = partly[variable]
            if writer in besides or writer in looped or writer == pin_name(variable):
                continue
            if is_guarded(draft, variable, entries, writer):
                continue
            if find_guard(draft, variable, entries, writer) is None:
                yield variable, writer


def _waiting(draft: Draft, pins: Sequence[str]) -> ReplaceNode:
    """Return the train_op, which waits for pins too."""
    twin = NodeDef()
    twin.CopyFrom(draft.graph.nodes[train_ops(draft)[0]])
    twin.input.extend(str(control(pin)) for pin in pins)
    return ReplaceNode(twin)


def _find_worker(draft: Draft) -> str:
    """Return a device that only several workers have, '' if there is none."""
    devices = dict.fromkeys(str(node.device) for node in draft.graph.nodes.values())
    return next((d for d in devices if "/job:" in d and "/job:localhost" not in d), "")
