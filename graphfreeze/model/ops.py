"""What a node takes and gives: the type of every input and output, without TensorFlow's runtime.

A definition is looked for in the model's functions, then in its own ``stripped_op_list``, then in
what TensorFlow 1.15 registers, then in TensorFlow 2. For a node the first definition that knows
all of the node's attributes is taken: TensorFlow 2 gave some old ops new ones that decide types
(``SparseSegmentSum`` with ``Tsegmentids``), always with defaults that keep the old meaning.

Types are base types (``types_pb2.DT_*``, never ``DT_*_REF``); data inputs and outputs only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from graphfreeze.errors import RewriteError
from graphfreeze.model.op_registry import load_shipped
from graphfreeze.schema import AttrValue, FunctionDef, NodeDef, OpDef, OpList, types_pb2

__all__ = ["OpRegistry", "OpTypeError"]

Functions = Mapping[str, FunctionDef]

_NO_FUNCTIONS: Functions = MappingProxyType({})
_REF = int(types_pb2.DT_FLOAT_REF) - int(types_pb2.DT_FLOAT)


class OpTypeError(RewriteError, ValueError):
    """The inputs or outputs of a node cannot be typed."""

    @classmethod
    def unknown_op(cls, node: NodeDef) -> OpTypeError:
        """Report an op that no definition is at hand for."""
        return cls(
            f"node {node.name!r}: op {node.op!r} is no function of the model, not in its "
            "stripped_op_list, and no op of TensorFlow "
            f"{load_shipped().tf1.version} or {load_shipped().tf2.version}; "
            "export a MetaGraphDef where the op is loaded: that records its definition"
        )

    @classmethod
    def no_value(cls, node: NodeDef, attr: str) -> OpTypeError:
        """Report an attribute that decides a type and has neither a value nor a default."""
        return cls(
            f"node {node.name!r}: op {node.op!r} has no value for attribute {attr!r}, and its "
            "definition has no default; set the attribute, or export the model again"
        )


@dataclass(frozen=True, slots=True)
class _Slot:
    """One data input or output of a node."""

    dtype: int
    is_ref: bool


@dataclass(frozen=True)
class OpRegistry:
    """Op definitions: the model's ``own`` stripped_op_list, then what ships with this package.

    All questions about a node raise OpTypeError if it cannot be typed. ``functions`` are the
    model's library by name; a node whose op is one of them has that function's signature."""

    own: OpList | None = None

    @cached_property
    def _own_ops(self) -> dict[str, OpDef]:
        return {op.name: op for op in self.own.op} if self.own is not None else {}

    def find(self, op: str) -> OpDef | None:
        """Return an op's first definition: the model's own, TensorFlow 1.15's, TensorFlow 2's."""
        return next(self._definitions(op), None)

    def find_output_types(
        self, node: NodeDef, functions: Functions = _NO_FUNCTIONS
    ) -> tuple[int, ...] | None:
        """Return the types of a node's outputs, or None if its op is in no registry."""
        return (
            None if self._find_for(node, functions) is None else self.output_types(node, functions)
        )

    def find_input_types(
        self, node: NodeDef, functions: Functions = _NO_FUNCTIONS
    ) -> tuple[int, ...] | None:
        """Return the types of a node's data inputs, or None if its op is in no registry."""
        if self._find_for(node, functions) is None:
            return None
        return tuple(slot.dtype for slot in self._inputs(node, functions))

    def output_types(self, node: NodeDef, functions: Functions = _NO_FUNCTIONS) -> tuple[int, ...]:
        """Return the type of each output."""
        return tuple(slot.dtype for slot in self._outputs(node, functions))

    def output_names(
        self, node: NodeDef, functions: Functions = _NO_FUNCTIONS
    ) -> list[tuple[str, int]]:
        """Return how function bodies name each output: its argument, and the place in that."""
        definition = self._get_for(node, functions)
        return [
            (str(arg.name), place)
            for arg in definition.output_arg
            for place in range(len(_types(node, definition, arg)))
        ]

    def output_is_ref(
        self, node: NodeDef, functions: Functions = _NO_FUNCTIONS
    ) -> tuple[bool, ...]:
        """Tell for each output if it is a reference, as VariableV2's and Assign's are."""
        return tuple(slot.is_ref for slot in self._outputs(node, functions))

    def input_is_ref(self, node: NodeDef, functions: Functions = _NO_FUNCTIONS) -> tuple[bool, ...]:
        """Tell for each data input if the op takes it as a reference, so may write there."""
        return tuple(slot.is_ref for slot in self._inputs(node, functions))

    def is_default(self, node: NodeDef, attr: str) -> bool:
        """Tell whether leaving an attribute off the node would mean the same."""
        definition = self._find_for(node, _NO_FUNCTIONS)
        default = None if definition is None else _find_default(definition, attr)
        return attr not in node.attr or (default is not None and node.attr[attr] == default)

    def _definitions(self, op: str) -> Iterator[OpDef]:
        """Yield the definitions of an op, nearest first; read the shipped file only if need be."""
        if op in self._own_ops:
            yield self._own_ops[op]
        for release in (load_shipped().tf1, load_shipped().tf2):
            if op in release.ops:
                yield release.ops[op]

    def _find_for(self, node: NodeDef, functions: Functions) -> OpDef | None:
        """Return the first definition that knows all attributes of the node, else the first."""
        if node.op in functions:
            return functions[node.op].signature
        public = {name for name in node.attr if not name.startswith("_")}
        fitting = (
            op for op in self._definitions(node.op) if public <= {attr.name for attr in op.attr}
        )
        return next(fitting, None) or self.find(node.op)

    def _get_for(self, node: NodeDef, functions: Functions) -> OpDef:
        definition = self._find_for(node, functions)
        if definition is None:
            raise OpTypeError.unknown_op(node)
        return definition

    def _outputs(self, node: NodeDef, functions: Functions) -> list[_Slot]:
        definition = self._get_for(node, functions)
        return _expand(node, definition, definition.output_arg)

    def _inputs(self, node: NodeDef, functions: Functions) -> list[_Slot]:
        definition = self._get_for(node, functions)
        return _expand(node, definition, definition.input_arg)


def _expand(node: NodeDef, definition: OpDef, args: Iterable[OpDef.ArgDef]) -> list[_Slot]:
    """Return the slots of arguments: one, ``number_attr`` of a type, or a ``type_list_attr``."""
    return [
        _Slot(dtype - _REF if dtype > _REF else dtype, arg.is_ref or dtype > _REF)
        for arg in args
        for dtype in _types(node, definition, arg)
    ]


def _types(node: NodeDef, definition: OpDef, arg: OpDef.ArgDef) -> list[int]:
    """Return the types of the slots of one argument, references not yet taken off."""
    if arg.type_list_attr:
        return list(_value(node, definition, arg.type_list_attr).list.type)
    count = _value(node, definition, arg.number_attr).i if arg.number_attr else 1
    dtype = _value(node, definition, arg.type_attr).type if arg.type_attr else arg.type
    return [int(dtype)] * int(count)


def _value(node: NodeDef, definition: OpDef, attr: str) -> AttrValue:
    """Return an attribute's value, else its default; a function's placeholder is no value."""
    if attr in node.attr and node.attr[attr].WhichOneof("value") not in (None, "placeholder"):
        return node.attr[attr]
    default = _find_default(definition, attr)
    if default is None:
        raise OpTypeError.no_value(node, attr)
    return default


def _find_default(definition: OpDef, attr: str) -> AttrValue | None:
    defaults = (
        entry.default_value
        for entry in definition.attr
        if entry.name == attr and entry.HasField("default_value")
    )
    return next(defaults, None)
