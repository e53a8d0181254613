"""The variables that calls hand to functions, and what is to be done with each there."""

from collections.abc import Iterable, Iterator, Mapping

from graphfreeze.errors import RewriteError
from graphfreeze.model.bodies import ARGUMENT, open_body
from graphfreeze.model.calls import WHILES, Call, find_calls
from graphfreeze.model.functions import handed_back
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import handle_edges, handles
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.grown_calls import Led
from graphfreeze.rewrite.masks import Masks
from graphfreeze.rewrite.needs import Need, selection_of
from graphfreeze.rewrite.stops import Stops
from graphfreeze.schema import NodeDef, types_pb2
from graphfreeze.selection.choice import FROZEN, PARTLY

Handed = Mapping[int, Need]
"""What is to be done with the variables that a node takes, by input in rising order."""


def handed_to(graph: Graph, needs: Iterable[Need]) -> dict[str, Handed]:
    """Return the calls that take variables, in the order of the graph, and what they take.

    Those of an old training that stays are left out, and those that yield gradients of a function:
    no gradient passes either."""
    found: dict[str, dict[int, Need]] = {}
    for need in needs:
        for edge in handle_edges(graph, need.variable):
            if edge.consumer not in graph.aside and has_copies(graph, edge.consumer):
                found.setdefault(edge.consumer, {})[edge.slot] = need
    return {name: dict(sorted(found[name].items())) for name in graph.nodes if name in found}


def has_copies(graph: Graph, name: str) -> bool:
    """Tell whether a node calls functions that copies can stand in for."""
    return graph.op(name) != "SymbolicGradient" and bool(find_calls(graph, graph.nodes[name]))


def check_shared(graph: Graph, needs: Iterable[Need], variables: Iterable[Variable]) -> None:
    """Refuse a handle that may be of two variables, of which not the same is to be done.

    ``variables`` are all that the graph has. Raises RewriteError."""
    wanted = {need.variable.name: need for need in needs}
    owners: dict[TensorRef, str] = {}
    for name, variable in {each.name: each for each in variables}.items() if wanted else ():
        for handle in handles(graph, variable):
            known = owners.setdefault(handle, name)
            pair = [wanted.get(each) for each in (known, name)]
            need = next((each for each in pair if each is not None), None)
            if known == name or need is None:
                continue
            if any(each is None or each.choice.state != FROZEN for each in pair):
                other = known if need.variable.name == name else name
                raise RewriteError.shared_handle(need.owner, handle.node, other=other)


def arguments(graph: Graph) -> Iterator[Variable]:
    """Yield all variables that are handed to a body."""
    for name, node in graph.nodes.items():
        if node.op == ARGUMENT and node.attr["T"].type == types_pb2.DT_RESOURCE:
            yield Variable(name, "resource", types_pb2.DT_FLOAT, None, None, False, False)


def find_moving(graph: Graph, node: NodeDef, handed: Handed) -> Need | None:
    """Return what a loop hands on at another place, where it is to be frozen, if anything."""
    for slot, need in handed.items() if node.op in WHILES else ():
        is_asked = need.choice.state in (FROZEN, PARTLY) or need.choice.scale is not None
        if is_asked and handed_back(graph, node, slot) != {slot}:
            return need
    return None


def in_body(call: Call, handed: Handed) -> list[Need]:
    """Return what is to be done in a body, by the names of its arguments."""
    placed = ((call.find_argument(slot), need) for slot, need in handed.items())
    return [need.named(call.argument_name(at)) for at, need in placed if at is not None]


def led_by(needs: Iterable[Need]) -> list[Led]:
    """Return what is led into functions along with variables."""
    return [each for need in needs for each in need.led]


def bodies(graph: Graph, needs: Iterable[Need]) -> Iterator[tuple[Call, Graph, list[Need]]]:
    """Yield the bodies that variables are handed to, calls inside of bodies included."""
    for name, handed in handed_to(graph, needs).items():
        for call in find_calls(graph, graph.nodes[name]):
            inner, own = open_body(graph, call.function).graph, in_body(call, handed)
            yield call, inner, own
            yield from bodies(inner, own)


def find_missing(graph: Graph, needs: Iterable[Need]) -> str | None:
    """Say which reader in a function takes what it should not, if any."""
    for call, inner, own in bodies(graph, needs):
        selection, kernels = selection_of(own)
        stops, masks = Stops(inner, selection), Masks(inner, selection, kernels)
        wrong = stops.find_missing() or masks.find_missing()
        if wrong is not None:
            return f"{wrong} in function {call.name}"
    return None
