"""Build a few new nodes in one scope, on one device."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy.typing as npt

from graphfreeze.model.attrs import const_node, tensor_proto
from graphfreeze.model.names import TensorRef
from graphfreeze.rewrite.edits import AddNode
from graphfreeze.schema import AttrValue

MARK = "graphfreeze"


def node_name(where: str, role: str) -> str:
    """Return the name of a new node by the node whose work it does, and its role."""
    return f"{where}/{MARK}/{role}"


def _as_it_is(ref: TensorRef, _: int) -> TensorRef:
    return ref


@dataclass
class Builder:
    """Collects new nodes named ``<where>/graphfreeze/<role>``.

    ``where`` is the node whose work they do; ``controls`` are waited for by all but constants.
    Inside a loop constants need an ``anchor`` there, a control edge, to run along with the rest.
    ``bring_in`` returns what stands inside for a tensor of a type from outside.
    """

    where: str
    device: str = ""
    controls: Sequence[TensorRef] = ()
    anchor: TensorRef | None = None
    scope: str = ""
    bring_in: Callable[[TensorRef, int], TensorRef] = _as_it_is
    edits: list[AddNode] = field(default_factory=list)

    def name(self, role: str) -> str:
        """Return the name of a node by its role."""
        return node_name(self.where, f"{self.scope}{role}")

    def within(self, role: str) -> "Builder":
        """Return a builder of the same nodes whose roles are parts of a larger one."""
        return replace(self, scope=f"{self.scope}{role}/")

    def add(
        self,
        role: str,
        op: str,
        inputs: Sequence[TensorRef],
        attrs: Mapping[str, int | bool],
        numbers: Mapping[str, int] = MappingProxyType({}),
    ) -> TensorRef:
        """Add a node; an attribute that is an int is a type, see ``types_pb2.DataType``.

        ``numbers`` are attributes that are integers."""
        made = {key: _attr(value) for key, value in attrs.items()}
        made |= {key: AttrValue(i=value) for key, value in numbers.items()}
        name = self.name(role)
        self.edits.append(AddNode(name, op, (*inputs, *self.controls), made, self.device))
        return TensorRef(name)

    def const(self, role: str, values: npt.ArrayLike, dtype: int) -> TensorRef:
        """Add a constant."""
        name = self.name(role)
        node = const_node(name, tensor_proto(values, dtype))
        inputs = () if self.anchor is None else (self.anchor,)
        self.edits.append(AddNode(name, "Const", inputs, dict(node.attr), self.device))
        return TensorRef(name)


def _attr(value: int | bool) -> AttrValue:
    return AttrValue(b=value) if isinstance(value, bool) else AttrValue(type=value)
