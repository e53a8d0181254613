"""What a writer waited for by the values that it took.

TensorFlow gives a node under ``control_dependencies`` no control edge where a value that it takes
waits already. So a writer that takes no value any more would let go of what a step runs before it.
"""

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from functools import cached_property

from graphfreeze.model.control_flow import ENTERS, EXITS, MERGES
from graphfreeze.model.graph import Graph
from graphfreeze.model.reads import is_write, writers
from graphfreeze.model.variables import Variable

_BOUNDS = ENTERS | EXITS | MERGES
_At = tuple[str, bool]


@dataclass(frozen=True)
class Waits:
    """The waits of a graph for ``going``, the writers that go on."""

    graph: Graph
    going: Set[str]

    def find(self, writer: str) -> list[str]:
        """Return the nodes that stand for the writers that go on before this one, if it waits.

        A value that such a writer yields is no wait. It is the writer itself, a group of writers,
        or the end of the branch or the loop that it runs in."""
        starts = [(ref.node, False) for ref in self.graph.data_inputs(writer)]
        own = (str(ref.node) for ref in self.graph.inputs(writer) if ref.is_control)
        known = self.graph.ancestors(own)
        return [name for name in dict.fromkeys(self._walk(starts)) if name not in known]

    @cached_property
    def _behind(self) -> set[str]:
        return self.graph.descendants(self.going)

    def _walk(self, starts: Iterable[_At], *, is_inside: bool = False) -> Iterator[str]:
        """Yield the nearest that is waited for; ``is_inside`` also those of branches and loops."""
        seen, todo = set[_At](), list(starts)
        while todo:
            at = todo.pop()
            name, is_waiting = at
            if at in seen or name not in self._behind:
                continue
            seen.add(at)
            if is_waiting and (name in self.going or self._is_group(name)):
                yield name
            elif self.graph.op(name) in _BOUNDS and not is_inside:
                if any(self._walk(self._above(name, is_waiting=is_waiting), is_inside=True)):
                    yield name
            else:
                todo += self._above(name, is_waiting=is_waiting)

    def _above(self, name: str, *, is_waiting: bool) -> Iterator[_At]:
        """Yield what a node takes or waits for."""
        for ref in self.graph.inputs(name):
            is_wait = ref.is_control and not self._is_result(name, ref.node)
            yield ref.node, is_waiting or is_wait

    def _is_group(self, name: str) -> bool:
        """Tell whether a node does nothing but wait for writers, and reads of what they wrote."""
        graph = self.graph
        return graph.op(name) == "NoOp" and all(
            self._is_update(ref.node) or self._is_group(ref.node) for ref in graph.inputs(name)
        )

    def _is_update(self, name: str) -> bool:
        is_read = self.graph.op(name) == "ReadVariableOp"
        return is_read or name in self.going or is_write(self.graph, name)

    def _is_result(self, name: str, writer: str) -> bool:
        """Tell whether a node reads what a writer has just written: a value, and no wait."""
        read, written = self.graph.data_inputs(name)[:1], self.graph.data_inputs(writer)[:1]
        return bool(read) and read == written


def going_writers(
    graph: Graph, variables: Iterable[Variable], stopped: Iterable[Variable]
) -> set[str]:
    """Return the writers of all variables but for what writes those ``stopped``, too."""
    known = (variable for variable in variables if variable.name in graph)
    going = {writer for variable in known for writer in writers(graph, variable)}
    return going - {writer for variable in stopped for writer in writers(graph, variable)}
