"""A node that does not write, in the place of one that does."""

from collections.abc import Iterable

from graphfreeze.errors import RewriteError
from graphfreeze.model.attrs import type_attr
from graphfreeze.model.control_flow import ENTERS
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef, control
from graphfreeze.model.reads import handles, is_known, passed_on, writers
from graphfreeze.model.variables import Variable
from graphfreeze.schema import NodeDef


def gated(graph: Graph, variable: Variable, writer: str, waits: Iterable[str] = ()) -> NodeDef:
    """Return what takes a writer's place, with its name, device and control edges.

    ``waits`` are nodes that it waited for by what it took, see ``Waits``.

    ============================  ================================================
    writer                        becomes, under its own name
    ============================  ================================================
    ``Assign(w, v, ^c)``          ``RefIdentity(w, ^c)``: who took the ref has it
    ``AssignVariableOp(w, ^c)``   ``NoOp(^c)``, also an op that nobody knows
    ============================  ================================================

    In a loop a NoOp waits for the handle, which ties it to the loop's frame. Raises RewriteError
    where an output is taken that no ref can stand for."""
    old = graph.nodes[writer]
    controls = [str(ref) for ref in graph.inputs(writer) if ref.is_control]
    controls += [str(control(name)) for name in waits]
    own = _own(graph, variable)
    handle = next((ref for ref in graph.data_inputs(writer) if ref in own), None)
    if handle is not None and variable.kind == "ref" and is_known(graph, old):
        inputs = [str(handle), *controls]
        twin = NodeDef(name=writer, op="RefIdentity", device=old.device, input=inputs)
        twin.attr["T"].CopyFrom(type_attr(variable.dtype))
        if "_class" in old.attr:
            twin.attr["_class"].CopyFrom(old.attr["_class"])
        return twin
    if graph.consumers(writer, data_only=True):
        raise RewriteError.ungated_writer(variable.name, writer, op=str(old.op))
    if handle is not None and not controls and _is_entered(graph, handle):
        controls = [str(control(handle.node))]
    return NodeDef(name=writer, op="NoOp", device=old.device, input=controls)


def _is_entered(graph: Graph, handle: TensorRef) -> bool:
    """Tell whether what stands for a variable came into a loop."""
    name = handle.node
    while graph.data_inputs(name):
        if graph.op(name) in ENTERS:
            return True
        name = graph.data_inputs(name)[0].node
    return False


def _own(graph: Graph, variable: Variable) -> set[TensorRef]:
    """Return what stands for a variable, the refs that its writers give back included."""
    own = set(handles(graph, variable))
    if variable.kind == "ref":
        for writer in writers(graph, variable):
            own.update(passed_on(graph, TensorRef(writer), "ref"))
    return own
