"""Where a value that no input decides arrives: a constant's, or a variable's."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.model.attrs import FLOATING
from graphfreeze.model.control_flow import MERGES
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.ops import OpTypeError
from graphfreeze.model.variables import REF_OPS, RESOURCE_OPS

_PASSING = {
    # Of these ops the input at that place is handed on, whatever the others are.
    **dict.fromkeys(("Identity", "StopGradient", "PreventGradient", "CheckNumerics", "Cast"), 0),
    **dict.fromkeys(("Enter", "RefEnter", "Switch", "RefSwitch", "RefIdentity"), 0),
    **dict.fromkeys(("ReadVariableOp", "Reshape", "ExpandDims", "Squeeze", "Transpose"), 0),
    **dict.fromkeys(("Tile", "BroadcastTo", "Slice", "StridedSlice", "Pad", "PadV2"), 0),
    **dict.fromkeys(("Reverse", "ReverseV2", "SplitV", "Unpack"), 0),
    **dict.fromkeys(("FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVars"), 0),
    **dict.fromkeys(("FakeQuantWithMinMaxVarsPerChannel", "QuantizeAndDequantize"), 0),
    **dict.fromkeys(("QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3"), 0),
    "Split": 1,
}
_COMPUTED = frozenset(
    {
        *("Add", "AddV2", "AddN", "Sub", "Mul", "RealDiv", "Div", "Neg", "Abs", "Square", "Exp"),
        *("Rsqrt", "Sqrt", "Tanh", "Sigmoid", "Softplus", "Maximum", "Minimum", "Sum", "Mean"),
        *("Concat", "ConcatV2", "Pack", "SquaredDifference"),
    }
)
_RANDOM = ("Random", "TruncatedNormal", "ParameterizedTruncatedNormal", "Stateless", "Multinomial")
_GIVEN = frozenset({"PlaceholderWithDefault"})
_RESTING = frozenset({"Const", "NoOp"}) | REF_OPS | RESOURCE_OPS


@dataclass(frozen=True, slots=True)
class Use:
    """How a value comes to where it is used; the last edge of ``path`` is that place."""

    path: tuple[Edge, ...]

    @property
    def edge(self) -> Edge:
        """The op that uses the value, and which of its inputs that is."""
        return self.path[-1]


class Uses:
    """Tells how values that rest are used by what depends on an input of the model.

    ``moving`` are the nodes that depend on one: on placeholders and whatever else begins
    a computation anew each time, random ops and the state of loops included."""

    def __init__(self, graph: Graph) -> None:
        """Find what depends on an input once."""
        self.graph = graph
        starts = (name for name in graph.nodes if self._starts(name))
        self.moving = graph.descendants(starts, data_only=True)

    def find(self, name: str) -> list[Use]:
        """Return where the first output of a node arrives.

        A value is followed through what hands it on (Identity, FakeQuant, Enter, Switch, Reshape
        ...) and through what is computed of resting values alone, as ``gamma * rsqrt(variance)``
        is; one way to each place is told."""
        return list(self._follow(TensorRef(name)))

    def others(self, edge: Edge) -> list[TensorRef]:
        """Return what else the op at an edge takes."""
        refs = self.graph.data_inputs(edge.consumer)
        return [ref for slot, ref in enumerate(refs) if slot != edge.slot]

    def _follow(self, start: TensorRef) -> Iterator[Use]:
        seen, todo = {start}, [(start, tuple[Edge, ...]())]
        while todo:
            ref, path = todo.pop(0)
            for edge in self.graph.edges_of(ref):
                beyond = self._beyond(edge)
                if beyond is None:
                    yield Use((*path, edge))
                for each in beyond or ():
                    if each not in seen:
                        seen.add(each)
                        todo.append((each, (*path, edge)))

    def _beyond(self, edge: Edge) -> list[TensorRef] | None:
        """Return the tensors that carry a value on, None where it is used."""
        name, graph = edge.consumer, self.graph
        op = graph.op(name)
        is_passed = _PASSING.get(op) == edge.slot or (op in MERGES and not self._is_state(name))
        is_computed = op in _COMPUTED and name not in self.moving
        if not (is_passed or is_computed):
            return None
        try:
            types = graph.ops.output_types(graph.nodes[name], graph.functions)
        except OpTypeError:
            return None
        ports = range(1 if op in MERGES else len(types))
        return [TensorRef(name, port) for port in ports if types[port] in FLOATING] or None

    def _starts(self, name: str) -> bool:
        op = self.graph.op(name)
        if op in _GIVEN or op.startswith(_RANDOM) or self._is_state(name):
            return True
        return op not in _RESTING and not self.graph.data_inputs(name)

    def _is_state(self, name: str) -> bool:
        """Tell whether a node holds what a loop has computed so far."""
        graph = self.graph
        back = (graph.op(ref.node) for ref in graph.data_inputs(name))
        return graph.op(name) in MERGES and any(op.endswith("NextIteration") for op in back)
