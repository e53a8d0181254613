"""Tell which variables the slots of an optimizer serve, and which slots nothing needs any more."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from graphfreeze.model.graph import Graph
from graphfreeze.model.reads import SAVERS, STATUS, handles, is_write, writers
from graphfreeze.model.variables import Variable

_PASSED = frozenset({"Identity", "ReadVariableOp"})


@dataclass(frozen=True)
class SlotOwners:
    """The slots of a graph among its variables, and which of the others they serve.

    A slot serves the variables whose writers take its value: Adam's ``m`` and ``v`` one each, its
    beta powers many."""

    graph: Graph
    variables: Sequence[Variable]
    slots: Sequence[Variable]

    @cached_property
    def owners(self) -> dict[str, set[str]]:
        """The variables that each slot serves, by its name."""
        return {
            name: {v.name for writer in reached for v in self._others(writer)}
            for name, reached in self._reached.items()
        }

    def served(self, writer: str) -> set[str]:
        """Return the variables that a writer is about: those it writes, or whose slots it does."""
        direct = {variable.name for variable in self._others(writer)}
        own = {variable.name for variable in self._writers.get(writer, ())}
        return direct or {owner for name in own for owner in self.owners[name]}

    def find_idle(self, stopped: Collection[str]) -> list[Variable]:
        """Return the slots, no scalars, that only served what ``stopped`` writers wrote."""
        live, gone = self._live(set(stopped)), set(stopped)
        able = (slot for slot in self.slots if slot.shape != ())
        return [s for s in able if s.name not in live and self._reached[s.name] & gone]

    @cached_property
    def _writers(self) -> dict[str, list[Variable]]:
        """What each writer writes."""
        found: dict[str, list[Variable]] = {}
        for variable in self.variables:
            for writer in writers(self.graph, variable):
                found.setdefault(writer, []).append(variable)
        return found

    @cached_property
    def _names(self) -> set[str]:
        return {slot.name for slot in self.slots}

    def _others(self, writer: str) -> list[Variable]:
        """Return what a writer writes, but for slots."""
        return [v for v in self._writers.get(writer, ()) if v.name not in self._names]

    @cached_property
    def _reached(self) -> dict[str, set[str]]:
        """The writers that take a slot or what is computed from it, by the slot's name."""
        return {slot.name: self._writers_behind(slot) for slot in self.slots}

    def _writers_behind(self, slot: Variable) -> set[str]:
        found, seen = set[str](), set[str]()
        todo = [c for h in handles(self.graph, slot) for c in self._takers(h.node)]
        while todo:
            name = todo.pop()
            if name in seen or self.graph.op(name) in SAVERS | STATUS:
                continue
            seen.add(name)
            if name in self._writers:
                found.add(name)
            if not self._others(name):
                todo += self._takers(name)
        return found

    def _takers(self, name: str) -> list[str]:
        return self.graph.consumers(name, data_only=True)

    def _live(self, stopped: set[str]) -> set[str]:
        """Return the nodes whose values are still needed, slots by their names among them."""
        graph, own = self.graph, {slot.name: slot for slot in self.slots}
        idle = stopped | {writer for writer in self._writers if not self._others(writer)}
        found = set[str]()
        todo = [name for name in graph.nodes if name not in idle and self._is_end(name)]
        while todo:
            name = todo.pop()
            if name in found or name in stopped or graph.op(name) in SAVERS | STATUS:
                continue
            found.add(name)
            todo += [ref.node for ref in graph.data_inputs(name)]
            todo += writers(graph, own[name]) if name in own else []
        return found

    def _is_end(self, name: str) -> bool:
        """Tell whether a node writes, or yields what nothing in the graph takes."""
        if name in self._writers or is_write(self.graph, name):
            return True
        return not self._takers(name) and self.graph.op(name) not in SAVERS | STATUS | _PASSED
