"""A saver for a graph that has none."""

from collections.abc import Iterator, Sequence

from graphfreeze.model.attrs import const_node, strings, type_attr
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef, control
from graphfreeze.rewrite.builder import MARK
from graphfreeze.rewrite.edits import AddNode, Edit, SetSaver
from graphfreeze.rewrite.saver_edits import NewEntry, assign_op, restore_name, saved_tensor
from graphfreeze.schema import AttrValue, SaverDef, TensorProto, types_pb2

_SAVE = f"{MARK}/save"


def fresh_saver(graph: Graph, new: Sequence[NewEntry]) -> Iterator[Edit]:
    """Yield a whole saver of format V2 for a graph that has none."""
    string, typed = type_attr(types_pb2.DT_STRING), {"dtypes": _type_list(new)}
    names = {role: f"{_SAVE}/{role}" for role in ("filename", "tensor_names", "shape_and_slices")}
    consts = {"tensor_names": [e.key for e in new], "shape_and_slices": [e.slice for e in new]}
    default = strings(["model"])
    default.tensor_shape.Clear()
    yield _const(f"{names['filename']}/input", default)
    filename = TensorRef(names["filename"])
    shape = AttrValue(shape=default.tensor_shape)
    default_in = (TensorRef(f"{names['filename']}/input"),)
    attrs = {"dtype": string, "shape": shape}
    yield AddNode(filename.node, "PlaceholderWithDefault", default_in, attrs)
    for role, values in consts.items():
        yield _const(names[role], strings(values))
    head = (filename, TensorRef(names["tensor_names"]), TensorRef(names["shape_and_slices"]))
    tensors = tuple(saved_tensor(graph, each.variable) for each in new)
    yield AddNode(f"{_SAVE}/SaveV2", "SaveV2", (*head, *tensors), typed)
    wait = (filename, control(f"{_SAVE}/SaveV2"))
    yield AddNode(f"{_SAVE}/control_dependency", "Identity", wait, {"T": string})
    yield AddNode(f"{_SAVE}/RestoreV2", "RestoreV2", head, typed)
    assigns = [restore_name(each.variable) for each in new]
    for port, (name, each) in enumerate(zip(assigns, new, strict=True)):
        yield from assign_op(name, each.variable, TensorRef(f"{_SAVE}/RestoreV2", port))
    yield AddNode(f"{_SAVE}/restore_all", "NoOp", tuple(map(control, assigns)))
    yield SetSaver(_saver_def(filename))


def _saver_def(filename: TensorRef) -> SaverDef:
    return SaverDef(
        filename_tensor_name=filename.tensor_name,
        save_tensor_name=f"{_SAVE}/control_dependency:0",
        restore_op_name=f"{_SAVE}/restore_all",
        max_to_keep=5,
        keep_checkpoint_every_n_hours=10000.0,
        version=SaverDef.V2,
    )


def _type_list(new: Sequence[NewEntry]) -> AttrValue:
    return AttrValue(list=AttrValue.ListValue(type=[each.variable.dtype for each in new]))


def _const(name: str, value: TensorProto) -> AddNode:
    node = const_node(name, value)
    return AddNode(name, "Const", (), dict(node.attr))
