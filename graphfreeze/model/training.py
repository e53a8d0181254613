"""Find what only served an old training: its writers, its gradients, its slots.

Nothing here goes by names. A training writer is an optimizer's op, or writes what gradients
decide; whatever leads only to such writers, or needs one, was made for training.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from graphfreeze.model.collected import Collections, names_in, node_entries, node_refs
from graphfreeze.model.gradients import Gradients
from graphfreeze.model.graph import Graph
from graphfreeze.model.idle_gradients import (
    idle_circles,
    idle_loops,
    idle_shapes,
    needed_ends,
)
from graphfreeze.model.idle_savers import idle_ends, idle_saves, saver_defs
from graphfreeze.model.initializers import find_initializer, is_initial
from graphfreeze.model.reads import is_write, writers
from graphfreeze.model.signatures import model_signatures, signed_train_ops, tensors_in
from graphfreeze.model.slots import Slots
from graphfreeze.model.variables import REF_OPS, RESOURCE_OPS, Variable
from graphfreeze.schema import MetaGraphDef

TRAIN_OP_KEYS = frozenset({"train_op", "saved_model_train_op"})
OLD_KEY = "graphfreeze_old_train_op"
"""The collection of the train ops that a model had before one was added."""
MODEL_KEYS = frozenset({"losses", "regularization_losses", "update_ops", "summaries"})
_STEP_KEYS = TRAIN_OP_KEYS | {OLD_KEY}
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
    slots: list[Variable] = field(default_factory=list)
    bound: list[Variable] = field(default_factory=list)
    asking: list[str] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)

    def find(self) -> "Training":
        """Fill ``found`` with the nodes of the old training, slots included.

        ``slots`` are the variables among them, ``bound`` those that only the training moves and
        that stay, as a summary takes their value; ``asking`` are nodes that stay and ask whether a
        slot has a value, as a ready_op does; ``losses`` are those that gradients alone look at."""
        self.protected = self._protect()
        self._spread(self.writers)
        if not self.found:
            return self
        self._take(self._idle_ends())
        uses = self._uses()
        self.slots, self.bound = uses.free(), uses.bound()
        own = [node for slot in self.slots for node in uses.own_nodes(slot)]
        questions = [node for slot in self.slots for node in uses.questions(slot)]
        self.protected = self._protect(own)  # not what an init_op alone needs for slots
        self._take([*own, *self._idle_savers()])
        self._take(self._idle_ends())
        self._take(idle_loops(self.graph, self.found, self.protected))
        self._take(idle_shapes(self.graph, self.gradients.late, self.found, self.protected))
        self.found.update(dict.fromkeys(idle_circles(self.graph, self.found, self.protected)))
        for name in needed_ends(self.graph, self.found, self.gradients.decided):
            del self.found[name]
        self.asking = [name for name in questions if self._is_needed(name)]
        self.found.update(dict.fromkeys(n for n in questions if n not in self.asking))
        return self

    def _idle_savers(self) -> list[str]:
        """Return what is idle of savers without the slots."""
        idle = idle_saves(self.graph, self._gone)
        definitions = [self.header.saver_def, *saver_defs(self.collections).values()]
        ends = idle_ends(self.graph, idle, definitions)
        return [name for name in (*idle, *ends) if name not in self.protected]

    @cached_property
    def writers(self) -> list[str]:
        """The ops that train: optimizers', and what writes what gradients decide."""
        return list(self._find_writers())

    @cached_property
    def gradients(self) -> Gradients:
        """What the gradients of the old training are told by.

        A summary may look at some of them: what it takes is no sign of the model."""
        looking = {ref.node for key, ref in node_refs(self.collections) if key == "summaries"}
        ends = (name for name, is_model in self._entries() if is_model and name not in looking)
        needed = self.graph.ancestors(ends)
        return Gradients(self.graph, self.variables, frozenset(needed))

    @cached_property
    def train_ops(self) -> list[str]:
        """The names by which the training was run: collections', or the ends that it has."""
        keys = (*sorted(TRAIN_OP_KEYS), OLD_KEY)
        listed = [n for key in keys for n in node_entries(self.collections, key)]
        listed += signed_train_ops(self.header.signature_def)
        after = self.graph.descendants(name for name in self.writers if name in self.found)
        ends = [n for n in self.graph.nodes if n in after and not self.graph.edges_from(n)]
        return list(dict.fromkeys(listed or ends))

    def model_ends(self) -> list[str]:
        """Return the nodes that the model is surely for: losses, summaries, outputs, ...."""
        return list(dict.fromkeys(name for name, is_model in self._entries() if is_model))

    def _uses(self) -> Slots:
        kept = {name for name, _ in self._entries()}
        dependent = self.gradients.variable_dependent
        return Slots(self.graph, self.collections, self.variables, self.found, dependent, kept)

    def _entries(self) -> Iterator[tuple[str, bool]]:
        """Yield the nodes that something names, and whether they surely belong to the model."""
        yield from ((name.removeprefix("^").partition(":")[0], True) for name in self.kept)
        for key, ref in node_refs(self.collections):
            if key not in _STEP_KEYS:
                yield ref.node, key in MODEL_KEYS
        for signature in model_signatures(self.header.signature_def):
            ends = (*tensors_in(signature.inputs), *tensors_in(signature.outputs))
            yield from ((ref.node, True) for ref in ends)

    def _protect(self, without: Collection[str] = ()) -> set[str]:
        """Return what the model needs, ``without`` the nodes of slots and what is for them.

        What a collection names is needed, unless it runs after a writer of the training: then it
        is a train op, except in the collections of losses, updates and summaries. These stop
        waiting for it.
        """
        training, passed = self.writers, set(without)
        after = self.graph.descendants(training)
        found: set[str] = set()
        todo = [name for name, is_model in self._entries() if is_model or name not in after]
        todo += self.losses
        while todo:
            name = todo.pop()
            if name in self.graph and name not in found and name not in passed:
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

    def _find_writers(self) -> Iterator[str]:
        """Yield optimizer ops, what writes what gradients decide, and what a train_op changes."""
        decided = self.gradients.decided
        listed = [ref.node for key, ref in node_refs(self.collections) if key in _STEP_KEYS]
        run = self.graph.ancestors([*listed, *signed_train_ops(self.header.signature_def)])
        for variable in self.variables:
            for writer in writers(self.graph, variable):
                is_update = writer in decided and not variable.is_local
                is_step = writer in run and variable.is_trainable
                is_training = is_update or (is_step and not self.is_initial(writer, variable))
                if is_training or "Apply" in self.graph.op(writer):
                    yield writer

    def is_initial(self, writer: str, variable: Variable) -> bool:
        """Tell whether a writer's value depends on no variable: an initializer, a restore op."""
        return is_initial(self.graph, writer, variable, self.gradients.variable_dependent)

    def find_initializer(self, variable: Variable) -> str | None:
        """Return the op that gives a variable a value of its own, not one from a checkpoint."""
        return find_initializer(self.graph, variable, self.gradients.variable_dependent)

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

    def _idle_ends(self) -> list[str]:
        """Return what nobody takes of the gradients."""
        ends = self.gradients.ends(self.writers)
        return [name for name in ends if not (name in self.found or self._is_needed(name))]

    def _take(self, names: Collection[str]) -> None:
        """Take in nodes, and what only they need."""
        self.found.update(dict.fromkeys(names))
        todo = list(names)
        while todo:
            for ref in self.graph.inputs(todo.pop()):
                if ref.node not in self.found and self._only_served(ref.node):
                    self.found[ref.node] = None
                    todo.append(ref.node)

    def _only_served(self, name: str) -> bool:
        graph = self.graph
        if name in self.protected or graph.op(name) in _VARIABLES or name not in graph:
            return False
        if self._described.get(name, name) not in self._gone | {name}:
            return False
        users = graph.consumers(name, data_only=True) or graph.consumers(name)
        if not all(user in self.found or self._is_idle_read(user) for user in users):
            return False
        if self.gradients.is_loss(name):
            self.losses.append(name)
            self.protected |= graph.ancestors([name])
            return False
        return True

    @property
    def _gone(self) -> set[str]:
        return {slot.name for slot in self.slots}

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

    def _is_used(self, name: str) -> bool:
        return any(user not in self.found for user in self.graph.consumers(name))

    def _is_needed(self, name: str) -> bool:
        """Tell whether something that stays takes a node, or asks for it by name."""
        return self._is_used(name) or name in self.protected
