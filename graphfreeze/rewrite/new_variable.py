"""New variables of our own: nodes, read, initializer, and entries in the collections."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from graphfreeze.model.attrs import const_node, shape_proto, tensor_proto, type_attr
from graphfreeze.model.names import TensorRef
from graphfreeze.model.variables import TRAINABLE, VARIABLES
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import AddNode, Edit, SetCollection
from graphfreeze.schema import AttrValue, CollectionDef, NodeDef, VariableDef, types_pb2


@dataclass(frozen=True)
class NewVariable:
    """A variable to be made: ref or resource, on a device, trainable or not.

    ``initial`` is what its initializer assigns; without one that is zeros (False)."""

    name: str
    shape: tuple[int, ...]
    dtype: int
    kind: str
    device: str = ""
    is_trainable: bool = False
    initial: TensorRef | None = None

    @property
    def read(self) -> TensorRef:
        """The tensor that yields its value."""
        return TensorRef(f"{self.name}/read")

    @property
    def definition(self) -> VariableDef:
        """What the collections say of it."""
        return VariableDef(
            variable_name=f"{self.name}:0",
            initializer_name=f"{self.name}/Assign",
            snapshot_name=self.read.tensor_name,
            initial_value_name=self._value.tensor_name,
            trainable=self.is_trainable,
            is_resource=self.kind == "resource",
        )

    def nodes(self) -> Iterator[AddNode]:
        """Yield the variable, its read and its initializer."""
        dtype, handle = type_attr(self.dtype), TensorRef(self.name)
        attrs = {
            "dtype": dtype,
            "shape": AttrValue(shape=shape_proto(self.shape)),
            "container": AttrValue(s=b""),
            "shared_name": AttrValue(s=self.name.encode() if self.kind == "resource" else b""),
        }
        if self.initial is None:
            yield from self._zeros()
        if self.kind == "resource":
            yield AddNode(self.name, "VarHandleOp", (), attrs, self.device)
            yield self._add("read", "ReadVariableOp", (handle,), {"dtype": dtype})
            yield self._add("Assign", "AssignVariableOp", (handle, self._value), {"dtype": dtype})
            return
        yield AddNode(self.name, "VariableV2", (), attrs, self.device)
        own = AttrValue(list=AttrValue.ListValue(s=[f"loc:@{self.name}".encode()]))
        yield self._add("read", "Identity", (handle,), {"T": dtype, "_class": own})
        flags = {"use_locking": AttrValue(b=True), "validate_shape": AttrValue(b=True)}
        assign = {"T": dtype, "_class": own, **flags}
        yield self._add("Assign", "Assign", (handle, self._value), assign)

    @property
    def _value(self) -> TensorRef:
        return self.initial or TensorRef(f"{self.name}/zeros")

    def _zeros(self) -> Iterator[AddNode]:
        """Yield zeros of the shape, made when they are asked for."""
        values = {
            "zeros/shape": tensor_proto(np.asarray(self.shape, np.int32), types_pb2.DT_INT32),
            "zeros/value": tensor_proto(0, self.dtype),
        }
        for role, value in values.items():
            node: NodeDef = const_node(f"{self.name}/{role}", value)
            yield AddNode(str(node.name), "Const", (), dict(node.attr), self.device)
        inputs = tuple(TensorRef(f"{self.name}/{role}") for role in values)
        types = {"T": type_attr(self.dtype), "index_type": type_attr(types_pb2.DT_INT32)}
        yield self._add("zeros", "Fill", inputs, types)

    def _add(
        self, role: str, op: str, inputs: tuple[TensorRef, ...], attrs: dict[str, AttrValue]
    ) -> AddNode:
        return AddNode(f"{self.name}/{role}", op, inputs, attrs, self.device)


def add_variables(draft: Draft, new: Sequence[NewVariable]) -> Iterator[Edit]:
    """Yield the nodes of new variables, and the collections with them."""
    for each in new:
        yield from each.nodes()
    yield from _listed(draft, VARIABLES, new)
    yield from _listed(draft, TRAINABLE[0], [each for each in new if each.is_trainable])


def _listed(draft: Draft, key: str, new: Sequence[NewVariable]) -> Iterator[SetCollection]:
    if not new:
        return
    out = CollectionDef()
    if key in draft.collections:
        out.CopyFrom(draft.collections[key])
    out.bytes_list.value.extend(each.definition.SerializeToString() for each in new)
    yield SetCollection(key, out)
