"""What is left of gradients that nobody takes, where their data alone does not tell.

A loop of gradients counts down what its forward loop counted up, see TensorFlow's
``AddBackpropLoopCounter``::

    count -> Enter -> Merge -> GreaterEqual(.., 1) -> LoopCond
                        ^---- NextIteration <- Sub <- Switch:1

Constants and shapes hang on its counter. It goes whole, or not at all.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from graphfreeze.model.attrs import find_attr
from graphfreeze.model.control_flow import ENTERS, EXITS, MERGES
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.schema import types_pb2

_INTEGERS = frozenset({types_pb2.DT_INT32, types_pb2.DT_INT64})
_SHAPES = frozenset({"Shape", "ShapeN", "Size", "Rank", "VariableShape"})
_COUNTING = ENTERS | {"StackPush", "StackPushV2"}
_COUNTED = EXITS | {"StackPop", "StackPopV2"}


def idle_loops(graph: Graph, found: Collection[str], protected: Collection[str]) -> list[str]:
    """Return the nodes of loops of gradients that nobody takes anything of, but for ``found``."""
    conditions, enters = list(_conditions(graph)), _enters(graph)
    loops = [frozenset(_inside(graph, name, enters)) for name in conditions]
    loops = [loop for loop in loops if loop.isdisjoint(protected)]
    while True:
        gone = {*found, *(name for loop in loops for name in loop)}
        idle = [loop for loop in loops if all(map(gone.issuperset, _takers(graph, loop)))]
        if len(idle) == len(loops):
            return [name for name in graph.nodes if name in gone and name not in found]
        loops = idle


def idle_shapes(
    graph: Graph, late: Collection[str], found: Collection[str], protected: Collection[str]
) -> list[str]:
    """Return the ends, of what was made ``late``, of shapes that gradients took a part of."""
    taken = {*found, *protected}
    ends = (name for name in late if name not in taken and not graph.edges_from(name))
    return [name for name in ends if _is_shape_of(graph, name, late, found)]


def idle_circles(graph: Graph, found: Collection[str], protected: Collection[str]) -> list[str]:
    """Return what leads nowhere but round a loop: counters and stacks that gradients need."""
    left = [name for name in graph.nodes if name not in found]
    ends = (name for name in left if all(user in found for user in graph.consumers(name)))
    live = graph.ancestors(ends).union(protected)
    return [name for name in left if name not in live]


def needed_ends(graph: Graph, found: Collection[str], decided: Collection[str]) -> list[str]:
    """Return the Exits among ``found`` of loops that stay, and what of ``found`` they need.

    Without its Exit tf.gradients takes a loop variable for one that has no gradient. What
    gradients ``decided`` or counted with goes."""
    ends = dict[str, None]()
    for name in (each for each in found if graph.op(each) in EXITS):
        switch = graph.data_inputs(name)[0].node
        tests = (ref.node for ref in graph.data_inputs(switch)[1:])
        is_forward = name not in decided and not _is_count(graph, name)
        if switch not in found:
            ends[name] = None
        elif is_forward and any(test not in found for test in tests):
            ends.update(dict.fromkeys(graph.ancestors([name])))
    return [name for name in ends if name in found]


def _is_count(graph: Graph, name: str) -> bool:
    """Tell whether an Exit only enters loops of gradients, or the stack for one."""
    users = graph.consumers(name, data_only=True)
    return bool(users) and all(graph.op(user) in _COUNTING for user in users)


def _conditions(graph: Graph) -> Iterator[str]:
    """Yield the LoopConds of loops of gradients."""
    for name in graph.nodes:
        if graph.op(name) == "LoopCond":
            test = graph.data_inputs(name)[0].node
            counter = graph.data_inputs(test)[0].node if graph.op(test) == "GreaterEqual" else ""
            if graph.op(counter) in MERGES and _counts_down(graph, counter):
                yield name


def _counts_down(graph: Graph, counter: str) -> bool:
    """Tell whether a loop variable begins with a count, and loses some of it each time."""
    sources = {graph.op(ref.node): ref.node for ref in graph.data_inputs(counter)}
    if sources.keys() != {"Enter", "NextIteration"}:
        return False
    began, left = (graph.data_inputs(sources[op])[0].node for op in ("Enter", "NextIteration"))
    return graph.op(began) in _COUNTED and graph.op(left) == "Sub"


def _enters(graph: Graph) -> dict[bytes, list[str]]:
    """Return the Enters of each frame."""
    found: dict[bytes, list[str]] = {}
    for name in (name for name in graph.nodes if graph.op(name) in ENTERS):
        found.setdefault(_frame(graph, name), []).append(name)
    return found


def _frame(graph: Graph, enter: str) -> bytes:
    return bytes(find_attr(graph.nodes[enter], "frame_name").s)


def _inside(graph: Graph, condition: str, enters: Mapping[bytes, Sequence[str]]) -> Iterator[str]:
    """Yield the nodes of a loop, loops inside it included, from its Enters up to its Exits."""
    counter = graph.data_inputs(graph.data_inputs(condition)[0].node)[0].node
    enter = next(r.node for r in graph.data_inputs(counter) if graph.op(r.node) in ENTERS)
    todo = [*enters[_frame(graph, enter)]]
    switches = {edge.consumer for edge in graph.edges_of(TensorRef(condition))}
    seen = set[str]()
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            yield name
            is_end = graph.op(name) in EXITS and graph.data_inputs(name)[0].node in switches
            todo += [] if is_end else graph.consumers(name)


def _takers(graph: Graph, loop: Collection[str]) -> Iterator[list[str]]:
    """Yield the consumers of what leaves a loop."""
    return (graph.consumers(name) for name in loop if graph.op(name) in EXITS)


def _is_shape_of(graph: Graph, end: str, late: Collection[str], found: Collection[str]) -> bool:
    """Tell whether an end is computed of shapes alone, some of which found nodes take."""
    seen, todo = set[str](), [end]
    while todo:
        name = todo.pop()
        if name in seen or name in found:
            continue
        seen.add(name)
        types = graph.ops.find_output_types(graph.nodes[name], graph.functions)
        if name not in late or types is None or not _INTEGERS.issuperset(types):
            return False
        if graph.op(name) not in _SHAPES:
            todo += [ref.node for ref in graph.data_inputs(name)]
    shared = any(user in found for name in seen for user in graph.consumers(name))
    return shared and any(graph.op(name) in _SHAPES for name in seen)
