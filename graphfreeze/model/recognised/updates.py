"""Tell which optimizer an op belongs to that updates a variable."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import writers
from graphfreeze.model.recognised.changes import Changes
from graphfreeze.model.recognised.walk import Walk
from graphfreeze.model.variables import Variable

HAND_WRITTEN, PLAIN, UNKNOWN = "hand-written", "GradientDescent", ""
_APPLY = re.compile(r"(?:Resource)?(?:Sparse)?Apply(?:Keras)?(\w+?)(?:V2)?")
_RATES = frozenset({"lr", "alpha"})
_POWERS = 2  # Adam's, by which it corrects its moments


@dataclass(frozen=True)
class Update:
    """An op that updates a variable; ``slots`` has those that it takes of its own.

    ``rate`` is the learning rate, None where none was found; ``decays`` says that the variable's
    own value, scaled, is in its update, ``is_applied`` that an optimizer's own op makes it."""

    variable: Variable
    writer: str
    optimizer: str
    slots: frozenset[str] = frozenset()
    rate: TensorRef | None = None
    decays: bool = False
    is_applied: bool = False


@dataclass(frozen=True)
class Updates:
    """Reads the updates of a training's variables.

    ======================================  =================================================
    ``Apply*``, ``ResourceSparseApply*``    the optimizer of that name
    ``w - rate * gradient``, also of rows   GradientDescent
    the same of moments of the gradient,    Adam
    one under a root, corrected by powers
    of any other slots                      hand-written
    ``w - rate * w`` by itself              a decay of ``w`` that belongs to another update
    anything else                           '': an update of its own
    ======================================  =================================================
    """

    walk: Walk

    @cached_property
    def changes(self) -> Changes:
        """What looks into plain assignments."""
        return Changes(self.walk)

    def find(self) -> Iterator[Update]:
        """Yield the updates of all variables that are no slots."""
        training, slots = self.walk.training, self.walk.slots
        training_writers = set(training.writers)
        for variable in training.variables:
            if variable.name not in slots and variable.is_differentiable:
                for writer in writers(training.graph, variable):
                    if writer in training_writers and not self._is_slot_of(variable, writer):
                        yield self._read(variable, writer)

    def _is_slot_of(self, variable: Variable, writer: str) -> bool:
        """Tell whether an optimizer's own op takes a variable besides the one that it updates."""
        others = self.walk.inputs(TensorRef(writer))[1:]
        is_taken = variable in (self.walk.owners.get(ref) for ref in others)
        return is_taken and _APPLY.fullmatch(self.walk.training.graph.op(writer)) is not None

    def _read(self, variable: Variable, writer: str) -> Update:
        graph = self.walk.training.graph
        applied = _APPLY.fullmatch(graph.op(writer))
        if applied is not None:
            return self._applied(variable, writer, applied[1])
        change = self.changes.find(variable, writer)
        if change is None:
            return Update(variable, writer, UNKNOWN)
        decays = self.changes.decays(variable, change)
        if not self.walk.is_decided(change):
            return Update(variable, writer, UNKNOWN, decays=decays)
        slots, shared = self.changes.slots(variable, change)
        rate = self.changes.rate(change)
        if slots:
            has_powers = len(shared) == _POWERS or self.changes.is_corrected(change)
            is_adam = has_powers and len(slots) == _POWERS and self.changes.is_rooted(change)
            name = "Adam" if is_adam else HAND_WRITTEN
        else:
            name = PLAIN if rate is not None else UNKNOWN
        return Update(variable, writer, name, slots, rate, decays)

    def _applied(self, variable: Variable, writer: str, name: str) -> Update:
        """Read an optimizer's own op by the names of what it takes."""
        graph = self.walk.training.graph
        definition = graph.ops.find(graph.op(writer))
        names = [str(arg.name) for arg in definition.input_arg] if definition else []
        named = dict(zip(names, graph.data_inputs(writer), strict=False))
        owners = (self.walk.owners.get(ref) for ref in named.values())
        slots = frozenset(v.name for v in owners if v is not None and v != variable)
        powers = {n for n in slots if self.walk.slots.get(n, variable).shape == ()}
        slots = slots if variable.shape == () else slots - powers
        rate = next((ref for key, ref in named.items() if key in _RATES), None)
        return Update(variable, writer, name, slots, rate, is_applied=True)
