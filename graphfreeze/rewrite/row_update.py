"""A writer of a table that is to write some rows only."""

from collections.abc import Mapping
from dataclasses import dataclass

from graphfreeze.model.names import TensorRef
from graphfreeze.rewrite.edits import ReplaceNode
from graphfreeze.rewrite.guarded_writer import GuardedWriter
from graphfreeze.schema import AttrValue, NodeDef, types_pb2
from graphfreeze.selection.rows import RowSet

INT64 = types_pb2.DT_INT64


@dataclass
class RowUpdate(GuardedWriter):
    """A writer of a table, to be kept to ``rows``."""

    rows: RowSet

    @property
    def slice_shape(self) -> list[int]:
        """The shape of updates to any number of rows."""
        return [-1, *(size for size in (self.variable.shape or ())[1:] if size is not None)]

    def gather(self, role: str, tensor: TensorRef, places: TensorRef, dtype: int) -> TensorRef:
        """Take the slices of a tensor at some places of its first axis."""
        types = {"Tparams": dtype, "Tindices": self.graph_dtype(places)}
        return self.build.add(role, "Gather", (tensor, places), types)

    def graph_dtype(self, ref: TensorRef) -> int:
        """Return a tensor's type, also of nodes that are not in the graph yet."""
        return self.graph.dtype(ref) if ref.node in self.graph else INT64

    def replaced(
        self, op: str, arguments: Mapping[str, TensorRef], controls: tuple[TensorRef, ...] = ()
    ) -> ReplaceNode:
        """Return the writer under its own name as another op, with attributes that this op has."""
        definition = self.graph.ops.find(op)
        assert definition is not None, op
        inputs = [arguments[str(arg.name)] for arg in definition.input_arg]
        old = [ref for ref in self.graph.inputs(self.writer) if ref.is_control]
        twin = NodeDef(name=self.writer, op=op, device=self.node.device)
        twin.input.extend(map(str, [*inputs, *old, *controls]))
        known = {str(attr.name) for attr in definition.attr}
        for key, value in self.node.attr.items():
            if key in known or key == "_class":
                twin.attr[key].CopyFrom(value)
        ids = self.graph_dtype(self.arguments.get("indices", arguments["indices"]))
        types = {"T": self.variable.dtype, "dtype": self.variable.dtype, "Tindices": ids}
        for key in known & types.keys():
            twin.attr[key].CopyFrom(AttrValue(type=types[key]))
        return ReplaceNode(twin)
