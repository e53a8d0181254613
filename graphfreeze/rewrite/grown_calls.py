"""Calls that take more: values that are led into the functions they name."""

from collections.abc import Sequence
from dataclasses import dataclass

from graphfreeze.model.attrs import HINT, Shape, shape_proto
from graphfreeze.model.bodies import Body
from graphfreeze.model.calls import WHILES, Call
from graphfreeze.model.graph import with_inputs
from graphfreeze.model.names import parse_ref
from graphfreeze.schema import AttrValue, NodeDef

# Of other calls the attribute is Tin; a function that is the op has none.
_TYPES = {**dict.fromkeys((*WHILES, "For"), "T"), "MapDefun": "Tcaptured"}
_RETURNING = WHILES | {"For"}
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

    Where it speaks of a value's node, that yields it from then on."""
    for each in led:
        name = _free_name(body, each.argument)
        returns = call.op in _RETURNING and call.gives_returns
        body = body.with_argument(name, each.dtype, is_returned=returns)
        if body.graph.edges_from(each.node):
            attrs = {"T": AttrValue(type=each.dtype)}
            body.graph.put(NodeDef(name=each.node, op="Identity", input=[name], attr=attrs))
    return body


def lead_to(node: NodeDef, led: Sequence[Led]) -> NodeDef:
    """Return a call that takes values as its last inputs, and control edges behind them."""
    refs = [parse_ref(str(text)) for text in node.input]
    data = [str(ref) for ref in refs if not ref.is_control]
    waits = [str(ref) for ref in refs if ref.is_control]
    made = with_inputs(node, [*data, *(each.node for each in led), *waits])
    types = made.attr.get(_TYPES.get(str(node.op), "Tin"))
    if types is not None:
        types.list.type.extend(each.dtype for each in led)
    for key in _SHAPES if node.op in _RETURNING else ():
        if key in made.attr and made.attr[key].list.shape:
            made.attr[key].list.shape.extend(shape_proto(each.shape) for each in led)
    return made


def _free_name(body: Body, wanted: str) -> str:
    name, number = wanted, 1
    while name in body.graph:
        number += 1
        name = f"{wanted}_{number}"
    return name
