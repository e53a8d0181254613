"""Bring a tensor into loops and branches by the ways that a variable takes into them."""

from dataclasses import dataclass, field

from graphfreeze.errors import RewriteError
from graphfreeze.model.attrs import type_attr
from graphfreeze.model.control_flow import ENTERS, SWITCHES
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.builder import node_name
from graphfreeze.rewrite.edits import AddNode

_UNFIT_ATTRS = ("_class", "_output_shapes", "T")


@dataclass
class BringIn:
    """Brings ``source``, a tensor of a type, to where values of a variable are taken.

    ``w/read -> Enter -> Switch -> y``   =>   the same, and beside it
    ``source -> Enter -> Switch``, each named for the one whose twin it is and for ``role``

    Frames are entered once. ``twins`` has what stands beside each tensor on the way, so that
    contexts which name the one can name the other; ``edits`` are the new nodes.
    """

    graph: Graph
    variable: Variable
    source: TensorRef
    dtype: int
    role: str
    twins: dict[TensorRef, TensorRef] = field(default_factory=dict)
    edits: list[AddNode] = field(default_factory=list)

    def beside(self, ref: TensorRef) -> TensorRef:
        """Return the source as it is known where a tensor with values of the variable is.

        Raises RewriteError for a way out of a loop."""
        if ref not in self.twins:
            self.twins[ref] = self._beside(ref)
        return self.twins[ref]

    def _beside(self, ref: TensorRef) -> TensorRef:
        if ref.node == self.variable.name:
            return self.source
        first, *rest = self.graph.inputs(ref.node) or (None,)
        op = self.graph.op(ref.node)
        if first is None or op.endswith("Exit"):
            raise RewriteError.reader_in_loop(self.variable.name, ref.node)
        before = self.beside(first)
        if op not in ENTERS | SWITCHES:
            return before
        node = self.graph.nodes[ref.node]
        attrs = {key: value for key, value in node.attr.items() if key not in _UNFIT_ATTRS}
        attrs["T"] = type_attr(self.dtype)
        name = node_name(ref.node, self.role)
        made = AddNode(name, op.removeprefix("Ref"), (before, *rest), attrs, str(node.device))
        return TensorRef(self._added(made), ref.port)

    def _added(self, made: AddNode) -> str:
        """Return the name of a node, or of the one that brings the same value into its frame."""
        for each in self.edits:
            is_same_way = (each.op, each.inputs) == (made.op, made.inputs)
            is_same_frame = each.attrs.get("frame_name") == made.attrs.get("frame_name")
            if each.name == made.name or (made.op == "Enter" and is_same_way and is_same_frame):
                return each.name
        self.edits.append(made)
        return made.name
