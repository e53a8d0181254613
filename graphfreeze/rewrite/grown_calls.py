"""Calls that take more: values that are led into the functions they name."""

from collections.abc import Sequence
from dataclasses import dataclass

from graphfreeze.errors import RewriteError
from graphfreeze.model.attrs import HINT, Shape, shape_proto
from graphfreeze.model.bodies import Body
from graphfreeze.model.calls import WHILES, Call
from graphfreeze.model.graph import with_inputs
from graphfreeze.model.names import TensorRef, parse_ref
from graphfreeze.rewrite.edits import Reroute
from graphfreeze.rewrite.node_edits import made_node
from graphfreeze.schema import NodeDef, types_pb2

# Of other calls the attribute is Tin; a function that is the op has none.
_TYPES = {**dict.fromkeys((*WHILES, "For"), "T"), "MapDefun": "Tcaptured"}
_RETURNING = WHILES | {"For"}
_COUNT = "_num_original_outputs"  # of a While: those behind have no gradient
_SHAPES = ("output_shapes", HINT)


@dataclass(frozen=True, slots=True)
class Led:
    """A value that is led into functions, and its type and shape.

    ``node`` yields it in a graph or body, ``argument`` is what a function calls it."""

    node: str
    argument: str
    dtype: int
    shape: Shape


def lead_in(body: Body, call: Call, led: Sequence[Led]) -> Body:
    """Return a body that takes values as its last arguments; those of loops give them back.

    What takes a value's node takes the argument from then on."""
    for each in led:
        name = _free_name(body, each.argument)
        returns = call.op in _RETURNING and call.gives_returns
        body = body.with_argument(name, each.dtype, shape=each.shape, is_returned=returns)
        for edge in body.graph.edges_from(each.node) if lacks(body, each) else ():
            body.graph.put(made_node(body.graph, Reroute(edge, TensorRef(name))))
    return body


def lacks(body: Body, led: Led) -> bool:
    """Tell whether a body speaks of a value's node that it does not have."""
    return led.node not in body.graph and bool(body.graph.edges_from(led.node))


def lead_to(node: NodeDef, led: Sequence[Led]) -> NodeDef:
    """Return a call that takes values as its last inputs, and control edges behind them.

    Raises RewriteError for a variable where no gradient would come back to it."""
    refs = [parse_ref(str(text)) for text in node.input]
    data = [str(ref) for ref in refs if not ref.is_control]
    waits = [str(ref) for ref in refs if ref.is_control]
    made = with_inputs(node, [*data, *(each.node for each in led), *waits])
    _count_in(made, led)
    types = made.attr.get(_TYPES.get(str(node.op), "Tin"))
    if types is not None:
        types.list.type.extend(each.dtype for each in led)
    for key in _SHAPES if node.op in _RETURNING else ():
        if key in made.attr and made.attr[key].list.shape:
            made.attr[key].list.shape.extend(shape_proto(each.shape) for each in led)
    return made


def _count_in(node: NodeDef, led: Sequence[Led]) -> None:
    """Let new outputs of a While have gradients, unless those behind them are of old ones."""
    if led and _COUNT in node.attr:
        if node.attr[_COUNT].i == len(node.attr["T"].list.type):
            node.attr[_COUNT].i += len(led)
        elif any(each.dtype == types_pb2.DT_RESOURCE for each in led):
            raise RewriteError.overlaid_in_old_loop(str(node.name))


def _free_name(body: Body, wanted: str) -> str:
    name, number = wanted, 1
    while name in body.graph:
        number += 1
        name = f"{wanted}_{number}"
    return name
