"""Tell the variables that only an old training uses, such as an optimizer's slots."""

from collections.abc import Container, Iterator, Set
from dataclasses import dataclass
from functools import cached_property

from graphfreeze.model.collected import Collections, node_entries, variable_entries
from graphfreeze.model.graph import Graph
from graphfreeze.model.initializers import is_initial
from graphfreeze.model.names import parse_ref
from graphfreeze.model.reads import (
    SAVERS,
    STATUS,
    handle_edges,
    handles,
    reads,
    writers,
)
from graphfreeze.model.variables import Variable

READY = frozenset({"IsVariableInitialized", "VarIsInitializedOp"})
_STEP = "global_step"
_LISTS = (_STEP, "model_variables", "moving_average_variables")


@dataclass(frozen=True)
class Slots:
    """The slots of an old training; ``found`` are its nodes, as far as they are known.

    ``dependent`` are the nodes that the value of a variable can change, ``kept`` those that
    something asks for by name."""

    graph: Graph
    collections: Collections
    variables: tuple[Variable, ...]
    found: Container[str]
    dependent: Set[str]
    kept: Set[str]

    def free(self) -> list[Variable]:
        """Return the variables that nothing but the training uses, or asks for its state.

        A ready_op asks: its question can be answered without the variable."""
        return [v for v in self.variables if self._may_be(v) and self._is_free(v)]

    def bound(self) -> list[Variable]:
        """Return the slots that stay: a summary takes their value, or it is to be kept."""
        able = (v for v in self.variables if v.is_differentiable and self._may_be(v))
        moved = (v for v in able if self._is_moved(v) and not self._is_free(v))
        return [v for v in moved if not self._is_of_model(v)]

    def own_nodes(self, slot: Variable) -> Iterator[str]:
        """Yield what goes with a slot, its savers and the questions for its state left out."""
        yield from (handle.node for handle in handles(self.graph, slot))
        yield from (u for u in self._users(slot) if self.graph.op(u) not in SAVERS | READY)

    def questions(self, slot: Variable) -> list[str]:
        """Return the nodes that ask whether a slot has a value."""
        return [user for user in self._users(slot) if self.graph.op(user) in READY]

    def _may_be(self, variable: Variable) -> bool:
        is_trained = variable.is_trainable and variable.definition is not None
        return not is_trained and variable.name not in self._listed

    @cached_property
    def _listed(self) -> set[str]:
        """The variables that a collection besides that of all variables speaks of.

        TensorFlow up to 1.4 names a global step where later ones describe it; where none is
        listed, TensorFlow takes the variable of that name."""
        found = (d for key in _LISTS for d in variable_entries(self.collections, key))
        described = {parse_ref(str(definition.variable_name)).node for definition in found}
        steps = node_entries(self.collections, _STEP) or [_STEP]
        return described | {parse_ref(name).node for name in steps}

    def _is_free(self, variable: Variable) -> bool:
        users = self._users(variable)
        return any(u in self.found for u in users) and all(
            u in self.found or self._is_own(u, variable) for u in users
        )

    def _is_moved(self, variable: Variable) -> bool:
        moving = [w for w in self._writers[variable.name] if not self._is_initial(w, variable)]
        return bool(moving) and all(writer in self.found for writer in moving)

    def _is_of_model(self, variable: Variable) -> bool:
        """Tell whether the training updates a variable for the model's sake.

        It is then what an optimizer's op updates, or gradients look at what is computed from it."""
        graph = self.graph
        own = set(handles(graph, variable))
        applied = (w for w in self._writers[variable.name] if "Apply" in graph.op(w))
        if any(graph.data_inputs(writer)[0] in own for writer in applied):
            return True
        users = (user for user in self._users(variable) if user not in self.found)
        todo = [user for user in users if not self._is_own(user, variable)]
        seen = set[str]()
        while todo:
            name = todo.pop()
            if name in self.found:
                return True
            if name not in seen and graph.op(name) not in SAVERS:
                seen.add(name)
                todo += graph.consumers(name, data_only=True)
        return False

    @cached_property
    def _writers(self) -> dict[str, list[str]]:
        return {variable.name: writers(self.graph, variable) for variable in self.variables}

    def _users(self, variable: Variable) -> list[str]:
        """Return who takes the variable or its value, also what passes the value on."""
        users = [edge.consumer for edge in handle_edges(self.graph, variable)]
        passing = [read.node for read in reads(self.graph, variable)]
        for name in passing:
            users += self.graph.consumers(name)
            passing += [u for u in self.graph.consumers(name) if self.graph.op(u) == "Identity"]
        return users

    def _is_own(self, user: str, variable: Variable) -> bool:
        """Tell whether a node only reads, initializes, restores or saves the variable."""
        op = self.graph.op(user)
        if op in ("Identity", "ReadVariableOp"):
            return user not in self.kept
        if op in READY:
            # Behind a Switch or an Enter an answer would have to run where the question did.
            return self.graph.inputs(user)[0].node == variable.name
        if op in SAVERS or (op in STATUS and not self._is_used(user)):
            return True
        written = user in self._writers[variable.name]
        return written and self._is_initial(user, variable)

    def _is_initial(self, writer: str, variable: Variable) -> bool:
        return is_initial(self.graph, writer, variable, self.dependent)

    def _is_used(self, name: str) -> bool:
        return any(user not in self.found for user in self.graph.consumers(name))
