"""The ops that do to a resource variable what others do to a ref, all of them in TensorFlow 1.15.

=================================  =======================================
takes a ref                        takes a handle
=================================  =======================================
Assign                             AssignVariableOp
AssignAdd, AssignSub               AssignAddVariableOp, AssignSubVariableOp
Apply..., SparseApply...,          the same with ``Resource`` before it
Scatter..., CountUpTo,
StridedSliceAssign
IsVariableInitialized              VarIsInitializedOp
RefSwitch, RefEnter, ...           Switch, Enter, ... of a handle
Identity                           ReadVariableOp
=================================  =======================================

A twin takes the same inputs in the same order. No writer among them yields anything, but for
ResourceCountUpTo, whose output is a value in both kinds.
"""

from collections.abc import Iterable

from graphfreeze.model.attrs import HINT, find_attr, type_attr
from graphfreeze.model.names import TensorRef
from graphfreeze.model.op_registry import attributes_known_to_tf1, known_to_tf1
from graphfreeze.model.refs import REF_PASSING
from graphfreeze.schema import NodeDef, TensorShapeProto, types_pb2

_NAMED = {
    "Assign": "AssignVariableOp",
    "AssignAdd": "AssignAddVariableOp",
    "AssignSub": "AssignSubVariableOp",
    "IsVariableInitialized": "VarIsInitializedOp",
    "Identity": "ReadVariableOp",
    **{op: op.removeprefix("Ref") for op in REF_PASSING},
}
_PREFIXED = ("Apply", "SparseApply", "Scatter", "CountUpTo", "StridedSliceAssign")
_SAME_OUTPUT = frozenset({"Identity", "IsVariableInitialized", "CountUpTo"})


def find_twin(op: str) -> str | None:
    """Return the op that takes a handle where this one takes a ref, None if there is none."""
    twin = _NAMED.get(op) or (f"Resource{op}" if op.startswith(_PREFIXED) else "")
    return twin if known_to_tf1(twin) else None


def twin_node(node: NodeDef, op: str, inputs: Iterable[TensorRef]) -> NodeDef:
    """Return the node of a twin: same name, device, and the attributes that both ops have.

    What was ``T``, the type of the ref, many twins call ``dtype``. A hint of shapes stays only
    where the output is what it was."""
    known = attributes_known_to_tf1(op)
    twin = NodeDef(name=node.name, op=op, device=node.device, input=map(str, inputs))
    for key, value in node.attr.items():
        is_hint = key == HINT and node.op not in _SAME_OUTPUT
        if key in known or (key.startswith("_") and not is_hint):
            twin.attr[key].CopyFrom(value)
    if node.op in REF_PASSING:
        twin.attr["T"].CopyFrom(type_attr(types_pb2.DT_RESOURCE))
    elif "dtype" in known:
        twin.attr["dtype"].CopyFrom(find_attr(node, "T"))
    return twin


def handle_node(variable: NodeDef) -> NodeDef:
    """Return the VarHandleOp in the place of a ref variable; both find it by ``shared_name``.

    The old op ``Variable`` cannot tell a scalar from a shape that is not known: it is that then,
    unless ``_output_shapes`` says more."""
    twin = NodeDef(name=variable.name, op="VarHandleOp", device=variable.device)
    twin.input.extend(variable.input)
    for key, value in variable.attr.items():
        if key != HINT:
            twin.attr[key].CopyFrom(value)
    twin.attr["container"].s = find_attr(variable, "container").s
    twin.attr["shared_name"].s = find_attr(variable, "shared_name").s or str(variable.name).encode()
    if variable.op == "Variable" and not find_attr(variable, "shape").shape.dim:
        hints = find_attr(variable, HINT).list.shape
        shape = hints[0] if hints else TensorShapeProto(unknown_rank=True)
        twin.attr["shape"].shape.CopyFrom(shape)
    return twin
