"""Walk up the small computations between a gradient and the variable that it updates."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from graphfreeze.model.attrs import FLOATING, read_numbers
from graphfreeze.model.control_flow import SWITCHES
from graphfreeze.model.names import TensorRef
from graphfreeze.model.origins import Values, passed_from
from graphfreeze.model.reads import handles, writers
from graphfreeze.model.training import Training
from graphfreeze.model.variables import Variable
from graphfreeze.schema import types_pb2

ADDS = frozenset({"Add", "AddV2", "AddN"})
DIVISIONS = frozenset({"RealDiv", "Div", "DivNoNan"})
_NUMBERS = FLOATING | {types_pb2.DT_INT32, types_pb2.DT_INT64}


@dataclass(frozen=True)
class Walk:
    """A training's graph, and what gradients and slots decide in it."""

    training: Training

    @cached_property
    def slots(self) -> dict[str, Variable]:
        """The slots that the training moves, by name, those included that stay."""
        every = (*self.training.slots, *self.training.bound)
        return {variable.name: variable for variable in every if self._is_moved(variable)}

    def _is_moved(self, variable: Variable) -> bool:
        training = self.training
        found = (w for w in writers(training.graph, variable) if w in training.found)
        return not all(training.is_initial(writer, variable) for writer in found)

    @cached_property
    def behind_slots(self) -> set[str]:
        """The nodes that the value of a slot can change."""
        return self.training.graph.descendants(self.slots, data_only=True)

    @cached_property
    def owners(self) -> Mapping[TensorRef, Variable]:
        """The variable of every tensor that stands for one itself."""
        graph, variables = self.training.graph, self.training.variables
        return {handle: v for v in variables for handle in handles(graph, v)}

    @cached_property
    def values(self) -> Values:
        """What tells which variable's value a tensor has."""
        return Values(self.training.graph, self.training.variables)

    def op(self, ref: TensorRef) -> str:
        """Return the operation behind a tensor."""
        return self.training.graph.op(ref.node)

    def inputs(self, ref: TensorRef) -> tuple[TensorRef, ...]:
        """Return what the node of a tensor takes."""
        return self.training.graph.data_inputs(ref.node)

    def origin(self, ref: TensorRef) -> TensorRef:
        """Return the tensor that another one has its value from."""
        *_, last = passed_from(self.training.graph, ref)
        return last

    def is_decided(self, ref: TensorRef) -> bool:
        """Tell whether gradients decide a tensor."""
        return ref.node in self.training.gradients.decided

    def is_behind_slots(self, ref: TensorRef) -> bool:
        """Tell whether slots decide a tensor."""
        return ref.node in self.behind_slots

    def number(self, ref: TensorRef) -> float | None:
        """Return the value of a constant of one number, None for all else."""
        node = self.training.graph.nodes.get(self.origin(ref).node)
        if node is None or node.op != "Const" or node.attr["dtype"].type not in _NUMBERS:
            return None
        values = read_numbers(node.attr["value"].tensor)
        return float(f"{values[0]:.7g}") if values.size == 1 else None

    def is_source(self, name: str) -> bool:
        """Tell whether a node draws, reads or counts something: its inputs do not decide it."""
        graph = self.training.graph
        known = graph.ops.find(graph.op(name))
        return known is None or known.is_stateful or not (known.input_arg or known.name == "Const")

    def above(self, name: str) -> Iterator[str]:
        """Yield the nodes above one by data, and by the tests whose branch they are in."""
        graph, seen, todo = self.training.graph, set[str](), [name]
        while todo:
            each = todo.pop()
            if each in seen or each not in graph:
                continue
            seen.add(each)
            yield each
            todo += [r.node for r in graph.inputs(each) if not r.is_control or self._is_pivot(r)]

    def _is_pivot(self, ref: TensorRef) -> bool:
        graph = self.training.graph
        is_passing = graph.op(ref.node) == "Identity"
        return is_passing and graph.op(graph.data_inputs(ref.node)[0].node) in SWITCHES
