"""Where tf.gradients lets a gradient through, op by op."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from graphfreeze.check.explain.gradient_ops import (
    CALLS,
    DIFFERENTIABLE,
    FLAT,
    NO_GRADIENT_TO,
    NOT_DIFFERENTIABLE,
    RAISES,
    STOP,
    TRAINABLE_TYPES,
    ZERO,
    ZERO_BUT_FIRST,
)
from graphfreeze.model.attrs import dtype_name
from graphfreeze.model.collected import Collections
from graphfreeze.model.control_flow import EXITS, described_exits
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.op_registry import load_shipped
from graphfreeze.model.reads import is_known
from graphfreeze.model.unfolded import Unfolded
from graphfreeze.schema import FunctionDef, NodeDef

_SWITCHES = frozenset({"Switch", "RefSwitch"})
_MADE_UP = "_gradient_op_type"  # an attribute: the op has the gradient of that name


@dataclass(frozen=True, slots=True)
class Block:
    """Why an op gives an input no gradient; ``raises`` if tf.gradients ends with an error."""

    reason: str
    raises: bool = False
    is_unknown: bool = False


@dataclass(frozen=True)
class Flow:
    """What carries gradients in a graph with its functions ``unfolded``: the rules of tf.gradients.

    While, If and Case have the gradients of their bodies. So have other calls, whose gradients were
    Python functions: no graph holds those, and a train_op takes the gradients of their bodies."""

    unfolded: Unfolded
    collections: Collections
    _types: dict[str, tuple[int, ...] | None] = field(default_factory=dict, repr=False)

    @property
    def graph(self) -> Graph:
        """The graph that gradients pass."""
        return self.unfolded.graph

    def carries(self, ref: TensorRef) -> bool:
        """Tell whether a tensor's type can have a gradient; an unknown op's could."""
        dtype = self.dtype(ref)
        return dtype is None or dtype in TRAINABLE_TYPES

    def dtype(self, ref: TensorRef) -> int | None:
        """Return a tensor's type, None if it is not known."""
        types, port = self._types.get(ref.node, ()), ref.port or 0
        if types == () and (node := self.graph.nodes.get(ref.node)) is not None:
            types = self.graph.ops.find_output_types(node, self._functions)
            self._types[ref.node] = types
        return None if types is None or port >= len(types) else types[port]

    def type_text(self, ref: TensorRef) -> str:
        """Return a tensor's type as Python names it."""
        dtype = self.dtype(ref)
        return "an unknown type" if dtype is None else dtype_name(dtype)

    def is_zero(self, ref: TensorRef) -> bool:
        """Tell whether a gradient that comes in by an output goes on as zeros."""
        op = self.graph.op(ref.node)
        return op in ZERO or (op in ZERO_BUT_FIRST and bool(ref.port))

    def find_block(self, edge: Edge) -> Block | None:
        """Return why an op gives no gradient to what it takes there, None if it gives one."""
        node = self.graph.nodes[edge.consumer]
        op = str(node.op)
        if _MADE_UP in node.attr:
            op = bytes(node.attr[_MADE_UP].s).decode("utf-8", "backslashreplace")
            if op not in DIFFERENTIABLE | NOT_DIFFERENTIABLE:
                reason = f"its gradient {op!r} was a Python function, which the graph does not hold"
                return Block(reason, raises=True)
        if op == STOP:
            return Block("it is there to stop gradients")
        if op in self._functions or op in CALLS:
            return None
        if (call := self.unfolded.given_by(edge.consumer)) is not None:
            called = str(call.op)
            is_passing = called in CALLS or called in self._functions
            return None if is_passing else self._unfit(call, called)
        return self._unfit(node, op) or self._in_loop(edge, op) or self._to_argument(edge, op)

    @property
    def _functions(self) -> Mapping[str, FunctionDef]:
        return self.graph.functions

    def _unfit(self, node: NodeDef, op: str) -> Block | None:
        """Return why an op gives no input a gradient."""
        if op in RAISES:
            return Block(RAISES[op], raises=True)
        if op in NOT_DIFFERENTIABLE:
            return Block(f"TensorFlow takes {op} for an op that has no gradient")
        if op in FLAT:
            return Block(f"{op} is flat: TensorFlow gives it no gradient")
        if op in DIFFERENTIABLE:
            return None
        shipped = load_shipped()
        if not is_known(self.graph, node) or op not in {*shipped.tf1.ops, *shipped.tf2.ops}:
            return Block(f"nobody knows whether the op {op} has a gradient", is_unknown=True)
        return Block(f"no gradient is registered for {op}", raises=True)

    def _to_argument(self, edge: Edge, op: str) -> Block | None:
        definition = self.graph.ops.find(op)
        if op not in NO_GRADIENT_TO or definition is None:
            return None
        names = [str(arg.name) for arg in definition.input_arg]
        name = names[min(edge.slot, len(names) - 1)]  # only a last argument is a list of these
        return Block(f"its input {name!r} has no gradient") if name in NO_GRADIENT_TO[op] else None

    def _in_loop(self, edge: Edge, op: str) -> Block | None:
        """Return why a gradient does not get into, or once more round, a v1 while loop."""
        name = edge.consumer
        if op in EXITS and name not in self._exits:
            reason = "it ends a loop that no while_context describes"
            return Block(reason, raises=True)
        if op in EXITS and not self._exits[name]:
            return Block("it ends a loop that was made with back_prop=False")
        if op in _SWITCHES and self._is_endless(name):
            return Block("it is a loop variable without an Exit, which gets no gradient")
        return None

    def _is_endless(self, switch: str) -> bool:
        graph = self.graph
        if graph.op(graph.data_inputs(switch)[1].node) != "LoopCond":
            return False
        ends = (graph.op(edge.consumer) for edge in graph.edges_of(TensorRef(switch)))
        return not any(op in EXITS for op in ends)

    @cached_property
    def _exits(self) -> dict[str, bool]:
        return described_exits(self.collections)
