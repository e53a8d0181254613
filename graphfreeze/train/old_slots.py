"""The slots of an old training, by the variable and the optimizer that they belonged to."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from graphfreeze.model.model import Model
from graphfreeze.model.reads import writers
from graphfreeze.model.saver import saved_entries
from graphfreeze.model.variables import Variable

OWN = "graphfreeze_"
_NUMBER = re.compile(r"_\d+$")
# Slots of optimizers that are written by hand, in the order of the named optimizer's own.
_HAND_WRITTEN = {"Adam": (("adam_m", "adam_v"),)}  # of BERT's AdamWeightDecayOptimizer


@dataclass(frozen=True)
class OldSlots:
    """The variables of a model that only its old training used: ``gone`` has their names.

    TensorFlow calls the slots of ``w`` under an optimizer ``w/<title>``, ``w/<title>_1``, ..., in a
    variable scope ``s``, as that of contrib's optimize_loss, ``s/w/<title>``. Slots that the saver
    leaves out are none: no checkpoint has them."""

    model: Model
    gone: Collection[str]

    def find(self, owner: str, title: str, count: int) -> list[Variable]:
        """Return the slots that a variable had under an optimizer; there may be none.

        The optimizer is known by its title, or by the op that took the slots. With another number
        of slots it had other settings. Of two the one that graphfreeze made is taken."""
        groups = self._groups.get(owner, {})
        known = {f"{OWN}{title}", title}
        same = [t for t in groups if t in known or self._ops.get(t, "") == title]
        same.sort(key=lambda t: not t.startswith(OWN))
        for names in [groups[t] for t in same] + _written_by_hand(groups, title):
            if len(names) == count:
                return [self._variables[name] for name in names]
        return []

    @property
    def titles(self) -> list[str]:
        """Return the titles of the optimizers that there were."""
        return sorted({t.removeprefix(OWN) for groups in self._groups.values() for t in groups})

    def find_powers(self, role: str, owners: Collection[str], name: str) -> list[Variable]:
        """Return the scalars ``beta1_power`` or the like that the updates of variables took.

        One that has the very ``name`` of the new one is that one of before."""
        found = [v for v in self._scalars if _NUMBER.sub("", v.name.rpartition("/")[2]) == role]
        same = [v for v in found if v.name == name]
        if len(found) > 1 and not same:
            found = [v for v in found if self._reaches(v, owners)]
        return same or found

    def key(self, variable: Variable) -> str:
        """Return the key that the saver kept a variable under."""
        return self._keys.get(variable.name, variable.name)

    @property
    def _scalars(self) -> list[Variable]:
        return [v for v in self._variables.values() if v.shape == () and v.name in self._saved]

    @cached_property
    def _variables(self) -> dict[str, Variable]:
        return {v.name: v for v in self.model.variables}

    @cached_property
    def _keys(self) -> dict[str, str]:
        saved = saved_entries(self.model.graph, self.model.saver_ops)
        return {name: entry.key for name, entry in saved.items()}

    @cached_property
    def _saved(self) -> set[str]:
        return {n for n in self.gone if not self._keys or n in self._keys}

    @cached_property
    def _groups(self) -> dict[str, dict[str, list[str]]]:
        """The slots of each variable by the title of their optimizer, in their order."""
        groups: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for name in self._variables:
            path, _, slot = name.rpartition("/")
            owner = next(filter(self._is_owner, _ends(path)), None)
            if name in self._saved and owner is not None:
                groups[owner][_title(slot)].append(name)
        return groups

    def _is_owner(self, name: str) -> bool:
        return name in self._variables and name not in self.gone

    @cached_property
    def _ops(self) -> dict[str, str]:
        """What the optimizer of each title really was, by the ops that took its slots."""
        return {
            _title(name.rpartition("/")[2]): family
            for owner in self._groups
            for family, taken in self._applied(owner)
            for name in taken
        }

    def _applied(self, owner: str) -> Iterator[tuple[str, set[str]]]:
        """Yield the optimizer's name in the ops that updated a variable, and what they took."""
        graph = self.model.graph
        for writer in writers(graph, self._variables[owner]):
            _, is_applied, family = graph.op(writer).partition("Apply")
            if is_applied:
                above = {ref.node for ref in graph.data_inputs(writer)}
                slots = {n for n in self.gone if n in above or f"{n}/read" in above}
                yield family.removeprefix("Centered"), slots - {v.name for v in self._scalars}

    def _reaches(self, power: Variable, owners: Collection[str]) -> bool:
        # By data alone: one train_op may wait for another's, which has powers of its own.
        graph = self.model.graph
        behind = graph.descendants([power.name], data_only=True)
        return any(w in behind for o in owners for w in writers(graph, self._variables[o]))


def _written_by_hand(groups: Mapping[str, list[str]], title: str) -> list[list[str]]:
    known = _HAND_WRITTEN.get(title, ())
    return [[n for slot in slots for n in groups.get(slot, ())] for slots in known]


def _ends(path: str) -> Iterator[str]:
    """Yield a path, then what is left of it without its first segments."""
    while path:
        yield path
        path = path.partition("/")[2]


def _title(slot: str) -> str:
    return _NUMBER.sub("", slot)
