"""What kind of writer an op is."""

from dataclasses import dataclass
from functools import cached_property

from graphfreeze.model.averages import find_averages
from graphfreeze.model.functions import called_functions
from graphfreeze.model.graph import Graph
from graphfreeze.model.model import Model
from graphfreeze.model.origins import Values
from graphfreeze.model.reads import RESTORERS, is_known
from graphfreeze.model.training import Training
from graphfreeze.model.unfolded import Unfolded, is_inside
from graphfreeze.model.variables import REF_OPS, RESOURCE_OPS, Variable


@dataclass(frozen=True)
class WriterKinds:
    """Tells the writers of one variable apart."""

    model: Model
    variable: Variable
    told: Unfolded

    @property
    def _graph(self) -> Graph:
        """The model's graph, unfolded."""
        return self.told.graph

    def kind(self, writer: str) -> str:
        """Return what a writer does: see ``WriterRecord``."""
        graph, op = self._graph, self._graph.op(writer)
        node = graph.nodes[writer]
        if writer in self.told.places or op in graph.functions or called_functions(node):
            return "function call"
        if not is_known(graph, node):
            return "unknown op"
        definition = self.variable.definition
        if definition is not None and writer == str(definition.initializer_name):
            return "initializer"  # perhaps by another variable's value, as a shadow's
        if "Apply" in op:
            return "optimizer update"
        is_constant = self._is_constant(writer)
        if is_constant and ("AssignAdd" in op or "AssignSub" in op):
            return "counter"
        if is_constant and "Assign" in op and not is_inside(writer):
            above = {graph.op(name) for name in self._above(writer, depth=6)}
            return "restore" if above & RESTORERS else "initializer"
        if "Assign" in op and self._is_averaged:
            return "moving average"
        if writer in self._training.gradients.decided:
            return "optimizer update"
        return "row update" if "Scatter" in op else "assign"

    def _is_constant(self, writer: str) -> bool:
        """Tell whether what an Assign takes besides the variable depends on no variable."""
        values = [ref.node for ref in self._graph.data_inputs(writer)[1:]]
        if is_inside(writer):
            above = (self._graph.op(name) for name in self._graph.ancestors(values))
            return not any(op in REF_OPS | RESOURCE_OPS for op in above)
        return self._training.gradients.variable_dependent.isdisjoint(values)

    @cached_property
    def _training(self) -> Training:
        model = self.model
        return Training(model.graph, model.collections, model.variables, model.header)

    @cached_property
    def _is_averaged(self) -> bool:
        """Tell whether the variable is a moving average, or helps one."""
        found = find_averages(Values(self.model.graph, self.model.variables))
        return any(self.variable in (each.variable, *each.companions) for each in found)

    def _above(self, name: str, *, depth: int) -> set[str]:
        """Return the nodes whose data gets to one over a few others."""
        graph, found, layer = self._graph, set[str](), {name}
        for _ in range(depth):
            refs = {ref.node for each in layer for ref in graph.data_inputs(each)}
            layer = {node for node in refs if node in graph} - found
            found |= layer
        return found
