"""Moving averages: variables that a writer moves towards a value, a part of the way each step."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.origins import Values, origins
from graphfreeze.model.reads import writers
from graphfreeze.model.variables import Variable

FUSED_NORMS = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})
_ADDS = frozenset({"Add", "AddV2"})
_DIVISIONS = frozenset({"RealDiv", "Div"})
Pair = tuple[TensorRef, TensorRef]


@dataclass(frozen=True, slots=True)
class Average:
    """A variable that is moved towards one of ``sources``, with the variables that help it."""

    variable: Variable
    sources: tuple[TensorRef, ...]
    companions: tuple[Variable, ...] = ()


def find_averages(values: Values) -> list[Average]:
    """Return the moving averages among floating variables that do not learn, by structure alone.

    ``a`` is the variable as it is read, ``s`` a source:

    =======================================  ==================================================
    ``AssignSub(a, (a - s) * rate)``         assign_moving_average, ExponentialMovingAverage
    ``AssignAdd(a, (s - a) * rate)``         by hand
    ``Assign(a, a * decay + s * rate)``      Keras; also ``a - (a - s) * rate``
    ``Assign(a, FusedBatchNorm(.., a, ..))`` a batch norm with an exponential_avg_factor
    ``Assign(a, b / (1 - decay ** n))``      zero debias, 1.15: ``b`` is an average, ``n`` counts,
    ``AssignSub(a, a - b / (..))``           both are companions; the same in older versions
    =======================================  ==================================================

    Refs and resources, also inside branches. Without collections no variable is known to learn.
    """
    finder = _Finder(values.graph, values)
    for variable in filter(may_average, values.variables):
        finder.look_at(variable)
    return list(finder.averages())


def may_average(variable: Variable) -> bool:
    """Tell whether a variable is floating, saved, and not known to learn."""
    is_learned = variable.is_trainable and variable.definition is not None
    return variable.is_differentiable and not (variable.is_local or is_learned)


@dataclass
class _Finder:
    graph: Graph
    values: Values
    plain: dict[Variable, Average] = field(default_factory=dict)
    debiased: dict[Variable, Pair] = field(default_factory=dict)

    def look_at(self, variable: Variable) -> None:
        """Keep a variable that one of its writers makes an average."""
        for writer in writers(self.graph, variable):
            op = self.graph.op(writer).removesuffix("VariableOp")
            if op not in ("Assign", "AssignAdd", "AssignSub"):
                continue
            for value in origins(self.graph, self.graph.data_inputs(writer)[1]):
                if sources := self._sources(variable, op, value):
                    before = self.plain.get(variable, Average(variable, ())).sources
                    self.plain[variable] = Average(variable, (*before, *sources))
                elif fraction := self._debiased(variable, op, value):
                    self.debiased[variable] = fraction

    def averages(self) -> Iterator[Average]:
        """Yield all, without those that only help another."""
        helped = [self._helped(variable, pair) for variable, pair in self.debiased.items()]
        found = {each.variable: each for each in helped if each is not None}
        helping = {companion for each in found.values() for companion in each.companions}
        for variable, average in {**self.plain, **found}.items():
            if variable not in helping:
                yield average

    def _sources(self, variable: Variable, op: str, value: TensorRef) -> tuple[TensorRef, ...]:
        match op:
            case "AssignSub":
                return self._part_of_way(variable, value, is_down=True)
            case "AssignAdd":
                return self._part_of_way(variable, value, is_down=False)
        own, inputs = self._op(value), self._inputs(value)
        if own in FUSED_NORMS:
            is_own = self._is(variable, inputs[3]) or self._is(variable, inputs[4])
            return (value,) if is_own else ()
        if own not in _ADDS | {"Sub"}:
            return ()
        for first, second in (inputs, inputs[::-1])[: 1 if own == "Sub" else 2]:
            if self._is(variable, first):
                return self._part_of_way(variable, second, is_down=own == "Sub")
            is_sum = own in _ADDS and self._op(first) == self._op(second) == "Mul"
            if is_sum and any(self._is(variable, each) for each in self._inputs(first)):
                return self._inputs(second)
        return ()

    def _part_of_way(
        self, variable: Variable, value: TensorRef, *, is_down: bool
    ) -> tuple[TensorRef, ...]:
        """Return s of ``(a - s) * rate``, or of ``(s - a) * rate``."""
        factors = self._inputs(value) if self._op(value) == "Mul" else ()
        for way in (each for each in factors if self._op(each) == "Sub"):
            first, second = self._inputs(way)
            if self._is(variable, first if is_down else second):
                return (second if is_down else first,)
        return ()

    def _debiased(self, variable: Variable, op: str, value: TensorRef) -> Pair | None:
        """Return the sides of ``b / (1 - decay ** n)``."""
        if op == "AssignSub" and self._op(value) == "Sub":
            first, value = self._inputs(value)
            if not self._is(variable, first):
                return None
        elif op != "Assign":
            return None
        if self._op(value) not in _DIVISIONS:
            return None
        above, below = self._inputs(value)
        return above, below

    def _helped(self, variable: Variable, pair: Pair) -> Average | None:
        above, below = pair
        biased = self.values.find(above)
        if biased is None or biased not in self.plain or self._op(below) != "Sub":
            return None
        _, power = self._inputs(below)
        count = self.values.find(self._inputs(power)[1]) if self._op(power) == "Pow" else None
        companions = (biased,) if count is None else (biased, count)
        return Average(variable, self.plain[biased].sources, companions)

    def _is(self, variable: Variable, ref: TensorRef) -> bool:
        return self.values.find(ref) == variable

    def _op(self, ref: TensorRef) -> str:
        return self.graph.op(ref.node)

    def _inputs(self, ref: TensorRef) -> tuple[TensorRef, ...]:
        return self.graph.data_inputs(ref.node)
