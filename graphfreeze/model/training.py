"""Find what only served an old training: its writers, its gradients, its slots.

Nothing here goes by names. A training writer is an optimizer's op, or writes what gradients
decide; whatever leads only to such writers, or needs one, was made for training.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from graphfreeze.model.collected import (
    Collections,
    names_in,
    node_entries,
    node_refs,
    variable_entries,
)
from graphfreeze.model.control_flow import EXITS
from graphfreeze.model.gradients import Gradients
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import parse_ref
from graphfreeze.model.reads import (
    RESTORERS,
    SAVERS,
    STATUS,
    handle_edges,
    handles,
    is_write,
    reads,
    writers,
)
from graphfreeze.model.variables import REF_OPS, RESOURCE_OPS, Variable
from graphfreeze.schema import MetaGraphDef

TRAIN_OP_KEYS = frozenset({"train_op", "saved_model_train_op"})
MODEL_KEYS = frozenset({"losses", "regularization_losses", "update_ops", "summaries"})
_LISTS = ("global_step", "model_variables", "moving_average_variables")
_VARIABLES = REF_OPS | RESOURCE_OPS


@dataclass
class Training:
    """The old training in a graph; ``kept`` are tensors that stay whatever leads to them."""

    graph: Graph
    collections: Collections
    variables: tuple[Variable, ...]
    header: MetaGraphDef
    kept: tuple[str, ...] = ()
    protected: set[str] = field(default_factory=set)
    found: dict[str, None] = field(default_factory=dict)
    free: set[str] = field(default_factory=set)

    def find(self) -> "Training":
        """Fill ``found`` with the nodes of the old training, slots included."""
        found = list(self._writers())
        self.protected = self._protect(found)
        self._spread(found)
        if not self.found:
            return self
        slots = [slot for slot in self.slots() if self._is_unchecked(slot)]
        self.free = {slot.name for slot in slots}
        own = [node for slot in slots for node in self._own_nodes(slot)]
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
        needed = self.graph.ancestors(name for name, is_model in self._entries() if is_model)
        return Gradients(self.graph, self.variables, frozenset(needed))

    def slots(self) -> list[Variable]:
        """Return the variables that nothing but the old training uses, or checks for a value."""
        return [v for v in self.variables if self._is_slot(v)]

    def _entries(self) -> Iterator[tuple[str, bool]]:
        """Yield the nodes that something names, and whether they surely belong to the model."""
        yield from ((name.removeprefix("^").partition(":")[0], True) for name in self.kept)
        for key, ref in node_refs(self.collections):
            if key not in TRAIN_OP_KEYS:
                yield ref.node, key in MODEL_KEYS
        for signature in self.header.signature_def.values():
            outputs = signature.outputs.values()
            yield from ((parse_ref(str(info.name)).node, True) for info in outputs)

    def _protect(self, training: list[str]) -> set[str]:
        """Return what the model needs, given the writers of the training.

        What a collection names is needed, unless it runs after such a writer: then it is a train
        op, except in the collections of losses, updates and summaries. These stop waiting for it.
        """
        after = self.graph.descendants(training)
        found: set[str] = set()
        todo = [name for name, is_model in self._entries() if is_model or name not in after]
        while todo:
            name = todo.pop()
            if name in self.graph and name not in found:
                found.add(name)
                waits = self.graph.op(name) == "NoOp"
                for ref in self.graph.inputs(name):
                    is_member = waits and self._is_update(ref.node) and ref.node not in training
                    if not ref.is_control or ref.node not in after or is_member:
                        todo.append(ref.node)
        return found

    def _is_update(self, name: str) -> bool:
        """Tell whether a member of a group writes something, or is a group of its own."""
        return self.graph.op(name) == "NoOp" or is_write(self.graph, name)

    def _writers(self) -> Iterator[str]:
        """Yield optimizer ops, what writes what gradients decide, and what a train_op changes."""
        decided = self.gradients.decided
        train_ops = (n for key in TRAIN_OP_KEYS for n in node_entries(self.collections, key))
        run = self.graph.ancestors(parse_ref(name).node for name in train_ops)
        for variable in self.variables:
            for writer in writers(self.graph, variable):
                is_update = writer in decided and not variable.is_local
                is_step = writer in run and variable.is_trainable
                is_training = is_update or (is_step and not self.is_initial(writer, variable))
                if is_training or "Apply" in self.graph.op(writer):
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
        todo = [name for name in seeds if name not in self.protected]
        while todo:
            name = todo.pop()
            if name in self.found:
                continue
            self.found[name] = None
            todo.extend(n for n in self.graph.consumers(name) if n not in self.protected)
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
        if self._described.get(name, name) not in self.free | {name}:
            return False
        users = graph.consumers(name, data_only=True) or graph.consumers(name)
        if not all(user in self.found or self._is_idle_read(user) for user in users):
            return False
        if self.gradients.is_loss(name):
            self.protected |= graph.ancestors([name])
            return False
        return True

    @cached_property
    def _described(self) -> dict[str, str]:
        """The variables that collections describe, by each node that a description names."""
        return {
            name.partition(":")[0]: variable.name
            for variable in self.variables
            if variable.definition is not None
            for name in names_in(variable.definition)
        }

    def _is_idle_read(self, name: str) -> bool:
        """Tell whether a node reads a variable for nobody, as Adam's do on resource variables."""
        is_read = self.graph.op(name) in ("ReadVariableOp", "Identity")
        is_named = name in self._described or name in self.protected
        return is_read and not is_named and not self.graph.edges_from(name)

    def _circular(self) -> list[str]:
        """Return what leads nowhere but round a loop: counters and stacks that gradients need."""
        ends = (n for n in self.graph.nodes if n not in self.found and not self._is_used(n))
        live = self.graph.ancestors(ends) | self.protected
        return [n for n in self.graph.nodes if n not in live and n not in self.found]

    def _ends_live_loop(self, name: str) -> bool:
        """Tell whether a node is the Exit of a loop variable that stays.

        Without it tf.gradients takes the variable for one that has no gradient."""
        graph = self.graph
        return graph.op(name) in EXITS and graph.data_inputs(name)[0].node not in self.found

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
