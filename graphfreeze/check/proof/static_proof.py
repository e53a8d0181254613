"""Prove that no op which a step runs changes a frozen value; names of nodes mean nothing here."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from graphfreeze.check.proof.evaluate import Evaluator
from graphfreeze.check.proof.guard_proof import GuardProof
from graphfreeze.check.proof.pin_proof import PinProof
from graphfreeze.check.proof.steps import (
    Storage,
    find_hidden_writers,
    find_path,
    nodes_run,
    resource_name,
)
from graphfreeze.check.proof.values_at_rest import make_evaluator
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import handles, passed_on, writers
from graphfreeze.model.unfolded import Unfolded
from graphfreeze.model.unfolding import unfold
from graphfreeze.model.variables import REF_OPS, RESOURCE_OPS, Variable
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.steps import LISTED, Step
from graphfreeze.selection.resolve import Selection


@dataclass(frozen=True, slots=True)
class Breach:
    """A writer that a step runs and that may change a frozen value.

    One in a function's body is named by the calls that lead there: ``loop[body] > Assign``.
    ``path`` leads from the train_op, or from what is fetched, to the writer. ``reason`` says why
    the writer of a partly frozen variable is not harmless; it is '' for a wholly frozen one."""

    writer: str
    op: str
    variable: str
    path: tuple[str, ...]
    reason: str = ""

    def __str__(self) -> str:
        end = f"; path {' -> '.join(self.path)}"
        if not self.reason:
            return f"{self.writer} (op {self.op}) writes the frozen {self.variable}{end}"
        told = f"writes {self.variable} without a guard: {self.reason}"
        return f"{self.writer} (op {self.op}) {told}{end}"


def prove(draft: Draft, selection: Selection, step: Step = LISTED) -> list[Breach]:
    """Return every writer that a step runs and that may change a frozen value; none is the proof.

    Without ``step`` it is what the collections list.
    A wholly frozen variable, and a table under an overlay, may have no writer; each writer of a
    partly frozen one is to be shown harmless, see ``guard_proof``. Bodies of functions are looked
    into. TensorFlow is not started."""
    return list(_Proof(draft, selection, step, unfold(draft.graph)).breaches())


@dataclass
class _Proof:
    draft: Draft
    selection: Selection
    step: Step
    unfolded: Unfolded

    @property
    def graph(self) -> Graph:
        """The draft's graph, with the bodies of functions in it."""
        return self.unfolded.graph

    def breaches(self) -> Iterator[Breach]:
        """Yield the breaches, wholly frozen variables first."""
        for variable in self.selection.frozen:
            for writer in self._writers(variable):
                yield self._breach(variable, writer)
        for variable, entries in self.selection.partly.items():
            proof = GuardProof(self.evaluator, self._own(variable), entries)
            written = self._writers(variable)
            faults = {w: fault for w in written if (fault := proof.find_fault(w)) is not None}
            if faults:
                pins = PinProof(self.draft, proof, variable, self.step)
                faults = pins.without_pinned(faults, written)
            for writer, fault in faults.items():
                yield self._breach(variable, writer, fault)
        yield from self._hidden()

    @cached_property
    def reached(self) -> set[str]:
        """The nodes that a step runs."""
        return nodes_run(self.graph, self.step.ends(self.draft))

    @cached_property
    def evaluator(self) -> Evaluator:
        """What computes masks and ids."""
        return make_evaluator(self.draft, self.step, self.graph)

    @cached_property
    def by_storage(self) -> dict[Storage, list[str]]:
        """The variables' nodes by what they stand for; a body may open one by its name."""
        found: dict[Storage, list[str]] = {}
        for name, node in self.graph.nodes.items():
            if node.op in REF_OPS | RESOURCE_OPS:
                found.setdefault(resource_name(node), []).append(name)
        return found

    def _aliases(self, variable: Variable) -> list[Variable]:
        """Return a variable by all nodes that stand for it."""
        if variable.name not in self.graph:
            return []
        names = self.by_storage[resource_name(self.graph.nodes[variable.name])]
        return [replace(variable, name=name) for name in names]

    def _writers(self, variable: Variable) -> list[str]:
        aliases = self._aliases(variable)
        found = (w for alias in aliases for w in writers(self.graph, alias))
        return [writer for writer in dict.fromkeys(found) if writer in self.reached]

    def _own(self, variable: Variable) -> set[TensorRef]:
        """Return the tensors that stand for a variable, also those that its writers give back."""
        graph, aliases = self.graph, self._aliases(variable)
        own = {handle for alias in aliases for handle in handles(graph, alias)}
        for writer in (w for alias in aliases for w in writers(graph, alias)):
            node, inputs = graph.nodes[writer], graph.data_inputs(writer)
            # Those of others come first in the list: writers are found from the variable on.
            is_known = graph.ops.find(str(node.op)) is not None
            if is_known and inputs[0] in own and graph.ops.output_is_ref(node, graph.functions)[:1]:
                own.update(passed_on(graph, TensorRef(writer), "ref"))
        return own

    def _breach(self, variable: Variable, writer: str, reason: str = "") -> Breach:
        graph, told = self.graph, self.unfolded
        trained, besides = self.step.train_ops(self.draft), self.step.besides(self.draft)
        path = find_path(graph, trained, writer) or find_path(graph, besides, writer)
        (name,), steps = told.steps([writer]), told.steps(path or [writer])
        return Breach(name, told.op(name), variable.name, tuple(steps), reason)

    def _hidden(self) -> Iterator[Breach]:
        """Look for functions that open a variable by its name, where no body was unfolded."""
        graph, chosen = self.graph, [*self.selection.frozen, *self.selection.partly]
        by_storage = {resource_name(graph.nodes[v.name]): v for v in chosen if v.name in graph}
        for name in graph.nodes if graph.functions else ():
            if name not in self.reached:
                continue
            for function, storage in find_hidden_writers(graph, name):
                if storage in by_storage:
                    reason = f"function {function} opens it by its name"
                    yield self._breach(by_storage[storage], name, reason)
