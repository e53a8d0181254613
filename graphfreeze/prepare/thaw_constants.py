"""Let constants be variables again, whose values are in the checkpoint."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphfreeze.errors import ThawError
from graphfreeze.model.model import Model
from graphfreeze.model.variables import TRAINABLE, VARIABLES
from graphfreeze.model.weights import Weight
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, FromConst, SetCollection, SetValue
from graphfreeze.rewrite.thawed_variable import ThawedVariable
from graphfreeze.schema import CollectionDef


@dataclass(frozen=True)
class ThawConstants:
    """Turn Consts into variables under their names.

    ======================  ==============================  ===============================
    Const ``w``             ref                             resource
    ======================  ==============================  ===============================
    itself                  VariableV2 ``w``                VarHandleOp ``w``
    Identity of it          stays                           ReadVariableOp of its name
    other consumers         take ``w/read``, a new one if   take ``w/Read/ReadVariableOp``
                            it is not there
    an op that takes a ref  takes ``w`` as it did           (refused before)
    ======================  ==============================  ===============================

    The value goes to the checkpoint, and what restores it from there is the initializer:
    RebuildSaver makes that. What a Const waits for its new read waits for instead.
    """

    weights: tuple[Weight, ...]
    kind: str

    name = "thaw_constants"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits; raises ThawError."""
        owners = {key: name for name, key in draft.saved_keys().items()}
        thawed = [ThawedVariable(draft.graph, weight, self.kind) for weight in self.weights]
        for each in thawed:
            if each.name in owners:
                raise ThawError.key_taken(each.name, owners[each.name])
            yield from each.edits()
            yield SetValue(each.name, FromConst(each.name))
        yield from _listed(draft, VARIABLES, thawed)
        yield from _listed(draft, TRAINABLE[0], [t for t in thawed if t.weight.is_trainable])

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a constant that is no variable now, or has another type or shape."""
        found = {v.name: (v.kind, v.dtype, v.shape) for v in draft.variables}
        for constant in (each.constant for each in self.weights):
            if found.get(constant.name) != (self.kind, constant.dtype, constant.shape):
                return f"{constant.name} is no {self.kind} variable"
        return None


def _listed(draft: Draft, key: str, thawed: Sequence[ThawedVariable]) -> Iterator[SetCollection]:
    """Yield a collection of variables, with the new ones behind those that it has."""
    if not thawed:
        return
    entry = CollectionDef()
    entry.CopyFrom(draft.collections.get(key, CollectionDef()))
    entry.bytes_list.value.extend(each.definition.SerializeToString() for each in thawed)
    yield SetCollection(key, entry)
