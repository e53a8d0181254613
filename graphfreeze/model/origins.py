"""Where a tensor's value comes from: through what passes values on, to reads of variables."""

from collections.abc import Iterable, Iterator, Mapping

from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import handles, reads, writers
from graphfreeze.model.variables import Variable

_PASSING = frozenset(
    {
        *("Identity", "Cast", "StopGradient", "CheckNumerics", "Switch", "Enter"),
        *("RefIdentity", "RefSwitch", "RefEnter"),
    }
)
MERGES = frozenset({"Merge", "RefMerge"})


def passed_from(graph: Graph, ref: TensorRef) -> Iterator[TensorRef]:
    """Yield a tensor, then those that it has its value from, in a chain; a Merge ends it."""
    seen = set[TensorRef]()
    while ref not in seen:
        seen.add(ref)
        yield ref
        if graph.op(ref.node) in _PASSING:
            ref = graph.data_inputs(ref.node)[0]


def origins(graph: Graph, ref: TensorRef) -> list[TensorRef]:
    """Return the tensors whose value a tensor can have: those of both branches behind a Merge."""
    found: dict[TensorRef, None] = {}
    todo = [ref]
    while todo:
        for each in passed_from(graph, todo.pop(0)):
            if each not in found and graph.op(each.node) in MERGES:
                todo.extend(graph.data_inputs(each.node))
            found[each] = None
        todo = [each for each in todo if each not in found]
    return list(found)


class Values:
    """Tells which variable's value a tensor has."""

    def __init__(self, graph: Graph, variables: Iterable[Variable]) -> None:
        """Look up the reads of variables once; writers of refs give their new value."""
        self.graph, self.variables = graph, tuple(variables)
        self._known: Mapping[TensorRef, Variable] = {
            ref: variable for variable in self.variables for ref in _values_of(graph, variable)
        }

    def find(self, ref: TensorRef) -> Variable | None:
        """Return the variable that a tensor is read from, None if it is computed."""
        chain = passed_from(self.graph, ref)
        return next((self._known[each] for each in chain if each in self._known), None)

    def is_read(self, ref: TensorRef) -> bool:
        """Tell whether a tensor is a variable's value as it is read."""
        return ref in self._known


def _values_of(graph: Graph, variable: Variable) -> Iterator[TensorRef]:
    yield from reads(graph, variable)
    if variable.kind == "ref":
        yield from handles(graph, variable)
        yield from (TensorRef(name) for name in writers(graph, variable))
