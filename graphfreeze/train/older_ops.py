"""Ops of TensorFlow 2 told by those of 1.15, and of 1.4 where they do.

    SparseSegmentSumGrad(g, ids, segments, n)   UnsortedSegmentSum(Gather(g, segments), ids, n),
                                                as 1.15's own gradient: the same sums in the same
                                                order; one of -0.0 alone is 0.0
    MatrixDiagV3, MatrixDiagPartV3 and          MatrixDiag, MatrixDiagPart and MatrixSetDiag, or of
    MatrixSetDiagV3 of a constant diagonal      another diagonal than the main one their V2
    BatchMatMulV3 of one type                   BatchMatMulV2
    DisableCopyOnRead(v)                        NoOp: a hint to the runtime
    StatelessCase(n, x) {branches}              Case, which only promises less
    AddV2(a, b)                                 Add(a, b), for writers before 1.15

A node keeps its name, and its outputs theirs, so that consumers stay as they are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from graphfreeze.model.attrs import find_attr, type_attr
from graphfreeze.model.names import parse_ref
from graphfreeze.model.static_shapes import read_integers
from graphfreeze.rewrite.builder import node_name
from graphfreeze.schema import AttrValue, NodeDef, types_pb2

_INT32 = type_attr(types_pb2.DT_INT32)


@dataclass(frozen=True)
class Told:
    """A node to be told anew, and by name those beside it, in a function those of its body."""

    node: NodeDef
    beside: Mapping[str, NodeDef]
    in_function: bool = False

    @property
    def inputs(self) -> list[str]:
        """The data that it takes."""
        return [str(text) for text in self.node.input if not text.startswith("^")]

    def integers(self, slot: int) -> list[int] | None:
        """Return the whole numbers of a constant that it takes there, None if it is none."""
        source = self.beside.get(parse_ref(self.inputs[slot]).node)
        if source is None or source.op != "Const":
            return None
        return read_integers(source.attr["value"].tensor)

    def as_op(
        self, op: str, inputs: Sequence[str], attrs: Mapping[str, AttrValue] | None = None
    ) -> NodeDef:
        """Return another op of its name, on its device, that waits for what it waits for.

        What belongs to no op, such as a colocation, stays; of attributes ``T``, or ``attrs``."""
        own = {name: value for name, value in self.node.attr.items() if name.startswith("_")}
        given = {"T": self.node.attr["T"]} if attrs is None else dict(attrs)
        waits = [str(text) for text in self.node.input if text.startswith("^")]
        made = NodeDef(name=self.node.name, op=op, device=self.node.device, attr={**given, **own})
        made.input.extend([*inputs, *waits])
        return made

    def helper(
        self, role: str, op: str, inputs: Sequence[str], attrs: Mapping[str, AttrValue]
    ) -> NodeDef:
        """Return a node that does a part of the work."""
        name, device = node_name(str(self.node.name), role), self.node.device
        return NodeDef(name=name, op=op, device=device, input=inputs, attr=attrs)

    def output(self, helper: NodeDef, argument: str) -> str:
        """Return how the first output of a helper is called where the node is."""
        return f"{helper.name}:{argument}:0" if self.in_function else str(helper.name)


Rule = Callable[[Told], list[NodeDef] | None]


def tell_older(told: Told, *, avoids_new: bool = False) -> list[NodeDef] | None:
    """Return nodes of 1.15 that do the same, the one of its name last; None if no rule fits.

    Ops that 1.15 has need none, but ``avoids_new`` takes those of 1.4 in their place."""
    rule = _RULES.get(str(told.node.op)) or (_NEW.get(str(told.node.op)) if avoids_new else None)
    return None if rule is None else rule(told)


def _sum_of_gathered(told: Told) -> list[NodeDef]:
    gradient, ids, segments, height = told.inputs
    dtype = find_attr(told.node, "T")
    kinds = {"Tparams": dtype, "Tindices": told.node.attr.get("Tsegmentids", _INT32)}
    gathered = told.helper("gathered", "Gather", [gradient, segments], kinds)
    types = {"T": dtype, "Tindices": told.node.attr.get("Tidx", _INT32), "Tnumsegments": _INT32}
    inputs = [told.output(gathered, "output"), ids, height]
    return [gathered, told.as_op("UnsortedSegmentSum", inputs, types)]


def _diagonal(op: str, *, at: int, least: int) -> Rule:
    """Return a rule for an op that takes the number of a diagonal as its input ``at``.

    Its oldest form has the first ``least`` inputs, and knows the main diagonal alone."""

    def rule(told: Told) -> list[NodeDef] | None:
        numbers = told.integers(at)
        if numbers is None or len(numbers) != 1:
            return None  # a band: how it is aligned is new
        if numbers == [0] and all(told.integers(slot) == [-1] for slot in _sizes(told, at)):
            return [told.as_op(op, told.inputs[:least])]
        return [told.as_op(f"{op}V2", told.inputs)]

    return rule


def _sizes(told: Told, at: int) -> range:
    """Return the inputs that are sizes of a matrix: of MatrixDiagV3(x, k, rows, columns, rest)."""
    return range(at + 1, at + 3) if told.node.op == "MatrixDiagV3" else range(0)


def _of_one_type(told: Told) -> list[NodeDef] | None:
    kinds = {find_attr(told.node, name).type for name in ("Ta", "Tb", "Tout")}
    if len(kinds) > 1:
        return None
    kept = {name: told.node.attr[name] for name in ("adj_x", "adj_y") if name in told.node.attr}
    return [told.as_op("BatchMatMulV2", told.inputs, {"T": find_attr(told.node, "Ta"), **kept})]


def _with_state(told: Told) -> list[NodeDef]:
    names = ("branches", "Tin", "Tout", "output_shapes")
    attrs = {name: told.node.attr[name] for name in names if name in told.node.attr}
    return [told.as_op("Case", told.inputs, attrs)]


_RULES: dict[str, Rule] = {
    "SparseSegmentSumGrad": _sum_of_gathered,
    "MatrixDiagV3": _diagonal("MatrixDiag", at=1, least=1),
    "MatrixDiagPartV3": _diagonal("MatrixDiagPart", at=1, least=1),
    "MatrixSetDiagV3": _diagonal("MatrixSetDiag", at=2, least=2),
    "BatchMatMulV3": _of_one_type,
    "StatelessCase": _with_state,
    "DisableCopyOnRead": lambda told: [told.as_op("NoOp", (), {})],
}
TOLD_BY_OLDER = frozenset(_RULES)
"""The ops of TensorFlow 2 that a rule is there for."""
_NEW: dict[str, Rule] = {"AddV2": lambda told: [told.as_op("Add", told.inputs)]}
