"""Nodes that take the values of variables where they took handles."""

from collections.abc import Iterator, Mapping

from graphfreeze.errors import ExportError
from graphfreeze.model.attrs import HINT, const_node, type_attr
from graphfreeze.model.bodies import ARGUMENT, RETURN
from graphfreeze.model.control_flow import nodes_in_loops
from graphfreeze.model.graph import Graph
from graphfreeze.rewrite.builder import node_name
from graphfreeze.schema import AttrValue, NodeDef, TensorProto, TensorShapeProto, types_pb2

HANDING_ON = frozenset({"Identity", "Enter", "Switch", "Exit", ARGUMENT})
_INT32 = int(types_pb2.DT_INT32)


def valued(node: NodeDef, dtype: int) -> Iterator[NodeDef]:
    """Yield a node that takes a value in place of a handle, and what it needs beside; or raise."""
    name, inputs, kind = str(node.name), [str(text) for text in node.input], type_attr(dtype)
    own = {key: value for key, value in node.attr.items() if key.startswith("_")}
    axis = node_name(name, "axis")
    indices = {"Tindices": node.attr["Tindices"]} if "Tindices" in node.attr else {}
    match str(node.op):
        case op if op in HANDING_ON or op == RETURN:
            own |= {key: value for key, value in node.attr.items() if key != "T"}
            yield _made(node, op, inputs, {**own, "T": kind})
        case "ReadVariableOp":
            yield _made(node, "Identity", inputs, {**own, "T": kind})
        case "VariableShape":
            out = {"out_type": node.attr["out_type"]} if "out_type" in node.attr else {}
            yield _made(node, "Shape", inputs, {**own, "T": kind, **out})
        case "ResourceGatherNd":
            yield _made(node, "GatherNd", inputs, {**own, "Tparams": kind, **indices})
        case "ResourceGather":
            value = TensorProto(dtype=_INT32, int_val=[0])
            yield const_node(axis, value, device=str(node.device))
            attrs = {**own, "Tparams": kind, **indices, "Taxis": type_attr(_INT32)}
            if "batch_dims" in node.attr:
                attrs["batch_dims"] = node.attr["batch_dims"]
            yield _made(node, "GatherV2", [*inputs[:2], axis, *inputs[2:]], attrs)
        case op:
            raise ExportError.not_frozen(f"{name} takes a variable itself with op {op}")


def _made(node: NodeDef, op: str, inputs: list[str], attrs: Mapping[str, AttrValue]) -> NodeDef:
    return NodeDef(name=node.name, op=op, device=node.device, input=inputs, attr=attrs)


def give(call: NodeDef, port: int, dtype: int) -> None:
    """Let a call give a value of a type."""
    if "Tout" in call.attr:
        call.attr["Tout"].list.type[port] = dtype
    for key in ("output_shapes", HINT):
        if key in call.attr and call.attr[key].list.shape:
            call.attr[key].list.shape[port].CopyFrom(TensorShapeProto(unknown_rank=True))


def hang_axes(graph: Graph) -> None:
    """Let the axes of lookups in v1 loops wait for the ids, where they stand outside.

    Changes these nodes in place."""
    for name in nodes_in_loops(graph):
        if graph.op(name) == "GatherV2":
            _, ids, axis = graph.data_inputs(name)
            constant = graph.nodes[axis.node]
            if constant.op == "Const" and not constant.input:
                constant.input.append(f"^{ids.node}")
                graph.put(constant)
