"""Find what only served an old training: its writers, its gradients, its slots.

Nothing here goes by names. A training writer changes a trainable variable with a value that
depends on variables; whatever leads only to such writers, or needs one, was made for training.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from graphfreeze.model.collected import Collections, node_refs, variable_entries
from graphfreeze.model.gradients import Gradients
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import parse_ref
from graphfreeze.model.reads import RESTORERS, SAVERS, STATUS, handle_edges, handles, reads, writers
from graphfreeze.model.saver import SaverOps
from graphfreeze.model.variables import REF_OPS, RESOURCE_OPS, Variable
from graphfreeze.schema import MetaGraphDef

TRAIN_OP_KEYS = frozenset({"train_op", "saved_model_train_op"})
_LISTS = ("global_step", "model_variables", "moving_average_variables")
_EXITS = frozenset({"Exit", "RefExit"})
_VARIABLES = REF_OPS | RESOURCE_OPS


@dataclass
class Training:
    """The old training in a graph; ``kept`` are tensors that stay whatever leads to them."""

    graph: Graph
    collections: Collections
    variables: tuple[Variable, ...]
    saver: SaverOps | None
    header: MetaGraphDef
    kept: tuple[str, ...] = ()
    protected: set[str] = field(default_factory=set)
    found: dict[str, None] = field(default_factory=dict)

    def find(self) -> "Training":
        """Fill ``found`` with the nodes of the old training, slots included."""
        self.protected = self.graph.ancestors(self._roots())
        self._spread(n for n in self._writers() if n not in self.protected)
        if not self.found:
            return self
        free = [slot for slot in self.slots() if self._is_unchecked(slot)]
        own = [node for slot in free for node in self._own_nodes(slot)]
        self.found.update(dict.fromkeys(own))
        leftovers = [n for n in self.gradients.late_shapes() if not self._is_used(n)]
        self.found.update(dict.fromkeys(leftovers))
        for name in [*own, *leftovers]:
            self._climb(name)
        self.found.update(dict.fromkeys(self._circular()))
        for name in [name for name in self.found if self._ends_live_loop(name)]:
            del self.found[name]
        return self

    @cached_property
    def gradients(self) -> Gradients:
        """What the gradients of the old training are told by."""
        return Gradients(self.graph, self.variables, frozenset(self.protected))

    def slots(self) -> list[Variable]:
        """Return the variables that nothing but the old training uses, or checks for a value."""
        return [v for v in self.variables if self._is_slot(v)]

    def _roots(self) -> Iterator[str]:
        """Yield the nodes that the model is for."""
        yield from (name.removeprefix("^").partition(":")[0] for name in self.kept)
        for key, ref in node_refs(self.collections):
            if key not in TRAIN_OP_KEYS:
                yield ref.node
        for signature in self.header.signature_def.values():
            yield from (parse_ref(str(info.name)).node for info in signature.outputs.values())

    def _writers(self) -> Iterator[str]:
        for variable in self.variables:
            for writer in writers(self.graph, variable) if variable.is_trainable else ():
                initializer = variable.definition and variable.definition.initializer_name
                if writer != initializer and not self.is_initial(writer, variable):
                    yield writer

    def is_initial(self, writer: str, variable: Variable) -> bool:
        """Tell whether a writer's value depends on no variable: an initializer, a restore op."""
        own = {handle.node for handle in handles(self.graph, variable)}
        values = [ref.node for ref in self.graph.data_inputs(writer) if ref.node not in own]
        return "Apply" not in self.graph.op(writer) and not self.gradients.variable_dependent & set(
            values
        )

    def find_initializer(self, variable: Variable) -> str | None:
        """Return the op that gives a variable a value of its own, not one from a checkpoint."""
        for writer in writers(self.graph, variable):
            above = {self.graph.op(name) for name in self.graph.ancestors([writer])}
            is_assign = self.graph.op(writer).startswith("Assign")
            if is_assign and not above & RESTORERS and self.is_initial(writer, variable):
                return writer
        return None

    def _spread(self, seeds: Iterable[str]) -> None:
        """Take in what needs a training node, and what only training nodes need."""
        todo = list(seeds)
        while todo:
            name = todo.pop()
            if name in self.found:
                continue
            self.found[name] = None
            todo.extend(self.graph.consumers(name))
            todo.extend(ref.node for ref in self.graph.inputs(name) if self._only_served(ref.node))

    def _climb(self, name: str) -> None:
        """Take in what only this node needs."""
        todo = [name]
        while todo:
            for ref in self.graph.inputs(todo.pop()):
                if ref.node not in self.found and self._only_served(ref.node):
                    self.found[ref.node] = None
                    todo.append(ref.node)

    def _only_served(self, name: str) -> bool:
        graph = self.graph
        if name in self.protected or graph.op(name) in _VARIABLES or name not in graph:
            return False
        users = graph.consumers(name, data_only=True) or graph.consumers(name)
        if not all(user in self.found for user in users):
            return False
        if self.gradients.is_loss(name):
            self.protected |= graph.ancestors([name])
            return False
        return True

    def _circular(self) -> list[str]:
        """Return what leads nowhere but round a loop: counters and stacks that gradients need."""
        ends = (n for n in self.graph.nodes if n not in self.found and not self._is_used(n))
        live = self.graph.ancestors(ends) | self.protected
        return [n for n in self.graph.nodes if n not in live and n not in self.found]

    def _ends_live_loop(self, name: str) -> bool:
        """Tell whether a node is the Exit of a loop variable that stays.

        Without it tf.gradients takes the variable for one that has no gradient."""
        graph = self.graph
        return graph.op(name) in _EXITS and graph.data_inputs(name)[0].node not in self.found

    def _is_used(self, name: str) -> bool:
        return any(user not in self.found for user in self.graph.consumers(name))

    def _is_slot(self, variable: Variable) -> bool:
        is_trained = variable.is_trainable and variable.definition is not None
        if is_trained or variable.name in self._listed:
            return False
        users = self._users(variable)
        return any(u in self.found for u in users) and all(
            u in self.found or self._is_own(u, variable) for u in users
        )

    @cached_property
    def _listed(self) -> set[str]:
        """The variables that a collection besides that of all variables speaks of."""
        found = (d for key in _LISTS for d in variable_entries(self.collections, key))
        return {parse_ref(str(definition.variable_name)).node for definition in found}

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
        if op in SAVERS | STATUS | {"Identity", "ReadVariableOp"}:
            return True
        written = user in writers(self.graph, variable)
        return written and self.is_initial(user, variable)

    def _is_unchecked(self, slot: Variable) -> bool:
        """Tell whether nothing that stays, such as a ready_op, asks if the slot has a value."""
        checks = (u for u in self._users(slot) if self.graph.op(u) in STATUS)
        return not any(self._is_used(check) for check in checks)

    def _own_nodes(self, slot: Variable) -> Iterator[str]:
        users = (u for u in self._users(slot) if self.graph.op(u) not in SAVERS)
        yield from (handle.node for handle in handles(self.graph, slot))
        yield from users
