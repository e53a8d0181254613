"""Stop what writes a frozen variable in the course of a step."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.errors import RewriteError
from graphfreeze.model.attrs import type_attr
from graphfreeze.model.model import Model
from graphfreeze.model.reads import handles, is_known
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, ReplaceNode
from graphfreeze.rewrite.steps import LISTED, Step
from graphfreeze.schema import NodeDef
from graphfreeze.selection.resolve import Selection


@dataclass(frozen=True)
class GateWriters:
    """Gate every writer of a wholly frozen variable that a step reaches.

    What a step runs, see ``Step``.
    A batch norm's moving average is one such writer, if the loss waits for it.

    ============================  ================================================
    writer                        becomes, under its own name
    ============================  ================================================
    ``Assign(w, v, ^c)``          ``RefIdentity(w, ^c)``: who took the ref has it
    ``AssignVariableOp(w, ^c)``   ``NoOp(^c)``, also an op that nobody knows
    ============================  ================================================

    Initializers and restore ops, which no step reaches, still write.
    """

    selection: Selection
    step: Step = LISTED
    name = "gate_writers"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits; raises RewriteError for a writer whose data outputs are taken."""
        gated: set[str] = set()
        for variable, writer in self.step.writers(draft, self.selection.frozen):
            if writer not in gated:
                gated.add(writer)
                yield ReplaceNode(_gate(draft, writer, variable))

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a writer that a step still reaches."""
        for variable, writer in self.step.writers(draft, self.selection.frozen):
            return f"a step reaches {writer}, which writes the frozen {variable.name}"
        return None


def _gate(draft: Draft, writer: str, variable: Variable) -> NodeDef:
    """Return a node that does not write, with the writer's name, device and control edges."""
    graph, old = draft.graph, draft.graph.nodes[writer]
    controls = [str(ref) for ref in graph.inputs(writer) if ref.is_control]
    if variable.kind == "ref" and is_known(graph, old):
        own = set(handles(graph, variable))
        handle = next(ref for ref in graph.data_inputs(writer) if ref in own)
        inputs = [str(handle), *controls]
        twin = NodeDef(name=writer, op="RefIdentity", device=old.device, input=inputs)
        twin.attr["T"].CopyFrom(type_attr(variable.dtype))
        if "_class" in old.attr:
            twin.attr["_class"].CopyFrom(old.attr["_class"])
        return twin
    if graph.consumers(writer, data_only=True):
        raise RewriteError.ungated_writer(variable.name, writer, op=str(old.op))
    return NodeDef(name=writer, op="NoOp", device=old.device, input=controls)
