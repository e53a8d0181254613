"""Which constants of a graph are weights: variables that somebody froze to constants.

By the ops that take them, never by their names alone:

==========================================  ================================================
MatMul, Conv*, Gather*, LSTM blocks, ...    a weight: one of their places for weights
BiasAdd, batch norms                        a weight; moving mean and variance do not learn
Add, Sub, Mul, RealDiv, AddN                a bias or a scale, if it meets what a weight came
                                            to before; what meets a bare input is preprocessing
ops that take a ref                         a variable, which only an op like these may write
==========================================  ================================================

Freezing leaves the read of a variable: an Identity ``w/read`` or ``.../ReadVariableOp``. Where a
graph has such reads, a bias or a scale without one was no variable.
"""

from dataclasses import dataclass
from functools import cached_property

from graphfreeze.model.attrs import COMPLEX, FLOATING, read_numbers
from graphfreeze.model.batch_norms import is_training
from graphfreeze.model.constants import Constant, find_constants, is_read_of
from graphfreeze.model.control_flow import EXITS, branches_of, nodes_in_loops
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.norm_statistics import is_statistic
from graphfreeze.model.reads import is_ref_edge
from graphfreeze.model.static_shapes import is_uniform
from graphfreeze.model.uses import Use, Uses

_PLACES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("MatMul", "BatchMatMul", "BatchMatMulV2", "SparseMatMul"), (0, 1)),
    **dict.fromkeys(("Einsum", "Conv2D", "Conv3D", "DepthwiseConv2dNative", "Dilation2D"), (1,)),
    **dict.fromkeys(("Conv2DBackpropInput", "Conv3DBackpropInput"), (1,)),
    **dict.fromkeys(("Conv3DBackpropInputV2", "DepthwiseConv2dNativeBackpropInput"), (1,)),
    **dict.fromkeys(("BiasAdd", "BiasAddV1"), (1,)),
    **dict.fromkeys(("Gather", "GatherV2", "GatherNd"), (0,)),
    **dict.fromkeys(("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"), (1, 2)),
    **dict.fromkeys(("BlockLSTM", "BlockLSTMV2"), (4, 5, 6, 7, 8)),
    "BatchNormWithGlobalNormalization": (3, 4),
    "FusedPadConv2D": (2,),
    "FusedResizeAndPadConv2D": (3,),
    "LSTMBlockCell": (3, 4, 5, 6, 7),
    "GRUBlockCell": (2, 3, 4, 5),
    "CudnnRNN": (3,),
    "CudnnRNNV2": (3,),
    "SparseTensorDenseMatMul": (3,),
}
_MEETING = frozenset({"Add", "AddV2", "AddN", "Sub", "Mul"})
_DIVIDING = frozenset({"RealDiv", "Div"})
_QUANTIZED = ("Quantized", "Requantize")
_CALLS = frozenset({"If", "StatelessIf", "While", "StatelessWhile", "PartitionedCall"})
_SCALES = {name: 1 for name in _PLACES if name.startswith("FusedBatchNorm")}

NO_NUMBERS = "hold no floating numbers"
SINGLE = "hold one number or none"
UNUSED = "are taken by nothing"
INSIDE = "are made inside a loop or a branch"
PREPROCESSING = "meet a bare input, as preprocessing does"
UNREAD = "are not read by a node of their own, as the other weights are"
ARRAYS = "are added or multiplied, and may be masks"
ONES = "scale a batch norm by 1, which has no gamma"
FUNCTIONS = "are handed to a function"


@dataclass(frozen=True, slots=True)
class Weight:
    """A constant that is to be a variable; ``why`` names the op that takes it."""

    constant: Constant
    why: str
    is_trainable: bool


@dataclass(frozen=True, slots=True)
class Left:
    """A constant that stays one, and why."""

    constant: Constant
    reason: str


def quantized_ops(graph: Graph) -> list[str]:
    """Return the ops that compute with quantized weights, which cannot learn."""
    ops = sorted({str(node.op) for node in graph.nodes.values()})
    return [op for op in ops if op.startswith(_QUANTIZED)]


def has_weights(graph: Graph) -> bool:
    """Tell whether a graph has constants that are to be variables."""
    return not quantized_ops(graph) and bool(Weights(graph).sort()[0])


class Weights:
    """Tells of each constant of a graph whether it is a weight."""

    def __init__(self, graph: Graph) -> None:
        """Find how all constants are used."""
        self.graph, self.uses = graph, Uses(graph)
        self.constants = find_constants(graph)
        self._used = {c.name: self.uses.find(c.name) for c in self.constants if c.is_floating}
        ways = ((name, use) for name, found in self._used.items() for use in found)
        placed = [(name, use) for name, use in ways if self._is_placed(use)]
        self._learned = graph.descendants((use.edge.consumer for _, use in placed), data_only=True)
        self._has_reads = any(self.is_read(name) for name, _ in placed)

    def sort(self) -> tuple[list[Weight], list[Left]]:
        """Return the constants that are weights, and the others."""
        sorted_out = [self._look_at(constant) for constant in self.constants]
        weights = [each for each in sorted_out if isinstance(each, Weight)]
        return weights, [each for each in sorted_out if isinstance(each, Left)]

    def describe(self, constant: Constant) -> Weight:
        """Return a constant as the weight that somebody says it is."""
        found = self._look_at(constant)
        if isinstance(found, Weight):
            return found
        uses = self._used.get(constant.name) or self.uses.find(constant.name)
        why = self._told(uses[0].edge) if uses else ""
        return Weight(constant, why, self._can_learn(constant, uses))

    def is_read(self, name: str) -> bool:
        """Tell whether a constant has the read of a variable."""
        readers = self.graph.consumers(name, data_only=True)
        return any(is_read_of(self.graph, reader, name) for reader in readers)

    def _look_at(self, constant: Constant) -> Weight | Left:
        name, graph = constant.name, self.graph
        written = [e for e in graph.edges_from(name) if is_ref_edge(graph, e)]
        if written:
            return Weight(constant, self._told(written[0]), is_trainable=False)
        if not constant.is_floating:
            return Left(constant, NO_NUMBERS)
        is_array = constant.elements > 1
        if not (is_array or (constant.elements and constant.shape and self.is_read(name))):
            return Left(constant, SINGLE)
        if self.is_inside(name):
            return Left(constant, INSIDE)
        return self._by_use(constant)

    def _by_use(self, constant: Constant) -> Weight | Left:
        uses = self._used[constant.name]
        found = next(filter(self._is_placed, uses), None)
        if found is not None and self._is_no_gamma(constant, found):
            return Left(constant, ONES)
        reasons = [self._against(constant, use) for use in uses]
        if found is None:
            found = next((u for u, why in zip(uses, reasons, strict=True) if not why), None)
        if found is None:
            return Left(constant, next(iter(reasons), UNUSED))
        return Weight(constant, self._told(found.edge), self._can_learn(constant, uses))

    def _against(self, constant: Constant, use: Use) -> str:
        """Return why a use is none of a bias or a scale, '' if it is."""
        op, edge = self.graph.op(use.edge.consumer), use.edge
        if op in self.graph.functions or op in _CALLS:
            return FUNCTIONS
        if op not in _MEETING and not (op in _DIVIDING and edge.slot == 1):
            return f"are taken by {op}"
        if not any(ref.node in self._learned for ref in self.uses.others(edge)):
            return PREPROCESSING
        if self.is_read(constant.name):
            return ""
        if self._has_reads:
            return UNREAD
        return ARRAYS if sum(size != 1 for size in constant.shape) > 1 else ""

    def _is_placed(self, use: Use) -> bool:
        """Tell whether a value stands where an op takes weights."""
        op = self.graph.op(use.edge.consumer)
        return use.edge.slot in _PLACES.get(op, ()) or is_statistic(self.graph, use)

    def _is_no_gamma(self, constant: Constant, use: Use) -> bool:
        """Tell whether a batch norm without gamma takes a constant: ones that were no variable."""
        edge, graph = use.edge, self.graph
        if _SCALES.get(graph.op(edge.consumer)) != edge.slot or self.is_read(constant.name):
            return False
        value = graph.nodes[constant.name].attr["value"].tensor
        is_inferring = not is_training(graph, edge.consumer)
        return is_inferring and is_uniform(value) and read_numbers(value)[:1] == [1]

    def _can_learn(self, constant: Constant, uses: list[Use]) -> bool:
        is_able = constant.dtype in FLOATING | COMPLEX
        return is_able and not any(is_statistic(self.graph, use) for use in uses)

    def is_inside(self, name: str) -> bool:
        """Tell whether a constant runs with the body of a loop, or with one branch."""
        waited = {ref.node for ref in self.graph.inputs(name)}
        return bool(waited & self._looped) or bool(branches_of(self.graph, name))

    @cached_property
    def _looped(self) -> set[str]:
        """The nodes that run inside a loop; what leaves one is outside."""
        inside = nodes_in_loops(self.graph)
        return {name for name in inside if self.graph.op(name) not in EXITS}

    def _told(self, edge: Edge) -> str:
        return f"{self.graph.op(edge.consumer)} {edge.consumer}"
