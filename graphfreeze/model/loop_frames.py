"""The v1 while loops of a graph by their nodes, where no WhileContextDef describes them.

::

    Enter -> Merge -> Switch(LoopCond) :0 -> Exit
               ^         :1 -> Identity -> ... -> NextIteration
               |_________________________________________|

An Enter that no Merge takes brings in a value that stays. Loops in loops and branches in loops are
left out: what runs in which of them the nodes do not tell apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.model.attrs import find_attr
from graphfreeze.model.control_flow import ENTERS, EXITS, MERGES, SWITCHES
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef

_COND = "LoopCond"


@dataclass(frozen=True, slots=True)
class LoopVariable:
    """What a loop hands on from one run of its body to the next; ``exit`` is '' if it has none."""

    enter: str
    merge: str
    switch: str
    body: str
    exit: str


@dataclass(frozen=True, slots=True)
class LoopFrame:
    """A loop: its frame, the node of its condition, its variables, and all nodes inside.

    ``values`` are the Enters that bring in what stays."""

    name: str
    condition: str
    variables: tuple[LoopVariable, ...]
    values: tuple[str, ...]
    nodes: tuple[str, ...]


def find_frames(graph: Graph) -> list[LoopFrame]:
    """Return the loops that hold neither a loop nor a branch, in the order of the graph."""
    enters: dict[str, list[str]] = {}
    for name, node in graph.nodes.items():
        if node.op in ENTERS:
            frame = bytes(find_attr(node, "frame_name").s).decode()
            enters.setdefault(frame, []).append(name)
    found = (_frame(graph, name, own) for name, own in enters.items())
    return [frame for frame in found if frame is not None]


def _frame(graph: Graph, name: str, enters: list[str]) -> LoopFrame | None:
    inside = _inside(graph, enters)
    nodes = [each for each in graph.nodes if each in inside]
    conditions = [each for each in nodes if graph.op(each) == _COND]
    is_nested = any(graph.op(each) in ENTERS and each not in enters for each in nodes)
    if len(conditions) != 1 or is_nested:
        return None
    tests = {graph.data_inputs(each)[1].node for each in nodes if graph.op(each) in SWITCHES}
    variables = list(_variables(graph, nodes, enters))
    merges = [each for each in nodes if graph.op(each) in MERGES]
    if tests != set(conditions) or len(variables) != len(merges) or not variables:
        return None
    begun = {variable.enter for variable in variables}
    values = tuple(each for each in enters if each not in begun)
    return LoopFrame(name, conditions[0], tuple(variables), values, tuple(nodes))


def _inside(graph: Graph, enters: list[str]) -> set[str]:
    """Return what runs in a frame: what follows its Enters, up to and with its Exits."""
    found: set[str] = set()
    todo = list(enters)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += [] if graph.op(name) in EXITS else graph.consumers(name)
    return found


def _variables(graph: Graph, nodes: list[str], enters: list[str]) -> Iterator[LoopVariable]:
    for merge in (each for each in nodes if graph.op(each) in MERGES):
        enter = next((ref.node for ref in graph.data_inputs(merge) if ref.node in enters), None)
        switches = [n for n in graph.consumers(merge, data_only=True) if graph.op(n) in SWITCHES]
        if enter is None or len(switches) != 1:
            continue
        (switch,) = switches
        bodies = [edge.consumer for edge in graph.edges_of(TensorRef(switch, 1))]
        body = next((each for each in bodies if graph.op(each).endswith("Identity")), "")
        exits = [edge.consumer for edge in graph.edges_of(TensorRef(switch))]
        ending = next((each for each in exits if graph.op(each) in EXITS), "")
        yield LoopVariable(enter, merge, switch, body, ending)
