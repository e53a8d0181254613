"""Tell where a learning rate comes from."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from graphfreeze.model.names import TensorRef
from graphfreeze.model.recognised.walk import ADDS, DIVISIONS, Walk
from graphfreeze.model.training_records import RateRecord
from graphfreeze.model.variables import REF_OPS, RESOURCE_OPS

UNKNOWN = RateRecord(source="unknown")
_PLACEHOLDERS = frozenset({"Placeholder", "PlaceholderWithDefault", "PlaceholderV2"})
_TESTS = frozenset({"Less", "LessEqual", "Greater", "GreaterEqual", "Equal", "NotEqual"})
_STEPPING = frozenset({"Identity", "Cast", "Minimum", "Maximum", "ReadVariableOp", "Switch", *ADDS})
_RISING = _STEPPING | {"Mul", "Select", "SelectV2", "Merge"}


def read_rate(walk: Walk, ref: TensorRef | None) -> RateRecord:
    """Return where a learning rate comes from; None stands for one that was not found."""
    if ref is None:
        return UNKNOWN
    ref = walk.origin(ref)
    if walk.op(ref) == "Const":
        return RateRecord(source="constant", value=walk.number(ref))
    variable = walk.values.find(ref)
    if variable is not None:
        return RateRecord(source="variable", inputs=[variable.name])
    graph, above = walk.training.graph, list(walk.above(ref.node))
    fed = [name for name in above if graph.op(name) in _PLACEHOLDERS]
    if ref.node in fed:
        return RateRecord(source="placeholder", inputs=[ref.node])
    taken = [name for name in above if graph.op(name) in REF_OPS | RESOURCE_OPS]
    if not taken and not fed and not any(map(walk.is_source, above)):
        return RateRecord(source="constant")
    steps = [v.name for v in walk.training.variables if v.name in taken and not v.is_differentiable]
    if not steps:
        return RateRecord(source="computed", inputs=sorted([*taken, *fed]))
    shapes = _Shapes(walk, ref, set(above), steps).names()
    return RateRecord(source="schedule", schedule=shapes, inputs=sorted([*taken, *fed]))


@dataclass(frozen=True)
class _Shapes:
    """What stands between some steps and a rate; ``above`` are its nodes."""

    walk: Walk
    rate: TensorRef
    above: Collection[str]
    steps: list[str]

    def names(self) -> list[str]:
        """Return what is recognised: a warm-up, and how the rate goes on."""
        found = self._outermost()
        is_tested = any(self._op(name) in _TESTS for name in self.above)
        is_bounded = is_tested or any(self._op(name) == "Minimum" for name in self._moving)
        rises = is_bounded and self._rises(self.rate, frozenset())
        if is_tested and not found and not rises:
            return ["piecewise constant"]
        return ["warm-up"] * rises + found

    def _outermost(self) -> list[str]:
        """Return the shapes nearest to the rate; what leads to one is a part of it."""
        graph, found, seen, todo = (
            self.walk.training.graph,
            list[str](),
            set[str](),
            [self.rate.node],
        )
        while todo:
            name = todo.pop()
            if name in self._moving and name not in seen:
                seen.add(name)
                shape = self._shape(name)
                found += [each for each in shape if each not in found]
                todo += [] if shape else [ref.node for ref in reversed(graph.data_inputs(name))]
        return found

    @cached_property
    def _moving(self) -> set[str]:
        """The nodes that a step moves by its size, not by a test of it."""
        graph, found, todo = self.walk.training.graph, set[str](), list(self.steps)
        while todo:
            name = todo.pop()
            if name in self.above and name not in found and self._op(name) not in _TESTS:
                found.add(name)
                todo += graph.consumers(name, data_only=True)
        return found

    def _shape(self, name: str) -> list[str]:
        """Return what the op of a node makes of a rate."""
        op, inputs = self._op(name), self.walk.training.graph.data_inputs(name)
        moved = [ref.node in self._moving for ref in inputs]
        if op == "Pow" and moved[1]:
            return ["exponential"]
        if op == "Pow":
            number = self.walk.number(inputs[1])
            if self._falls(inputs[0]):
                return ["polynomial"]
            return ["inverse square root" if number == -0.5 else "power"]
        if op == "Sub" and self._falls(TensorRef(name)):
            return ["linear"]
        if op in DIVISIONS and moved[1]:
            is_root = self._op(self.walk.origin(inputs[1]).node) == "Sqrt"
            return ["inverse square root" if is_root else "inverse time"]
        known = {"Exp": "exponential", "Cos": "cosine", "Rsqrt": "inverse square root"}
        return [known[op]] if op in known else []

    def _falls(self, ref: TensorRef) -> bool:
        """Tell whether a tensor is a constant less a part of a step."""
        ref = self.walk.origin(ref)
        inputs = self.walk.inputs(ref)
        is_less = self.walk.op(ref) == "Sub" and self.walk.number(inputs[0]) is not None
        return is_less and inputs[1].node in self._moving

    def _rises(self, ref: TensorRef, seen: frozenset[TensorRef]) -> bool:
        """Tell whether a part of a step gets to the rate through sums and products alone."""
        if ref.node not in self._moving or ref in seen:
            return False
        op, inputs, seen = self.walk.op(ref), self.walk.inputs(ref), seen | {ref}
        if op in DIVISIONS or op == "Mul":
            others = [each for each in inputs if each.node not in self._moving]
            if len(others) == 1 and any(self._is_step(e, seen) for e in inputs if e not in others):
                return inputs[-1] in others or op == "Mul"
        inputs = inputs[:1] if op in DIVISIONS else inputs
        return op in _RISING | DIVISIONS and any(self._rises(each, seen) for each in inputs)

    def _is_step(self, ref: TensorRef, seen: frozenset[TensorRef]) -> bool:
        """Tell whether a tensor is a step, or one next to it."""
        if ref.node in self.steps:
            return True
        able = ref.node in self._moving and self.walk.op(ref) in _STEPPING and ref not in seen
        return able and any(self._is_step(each, seen | {ref}) for each in self.walk.inputs(ref))

    def _op(self, name: str) -> str:
        return self.walk.training.graph.op(name)
