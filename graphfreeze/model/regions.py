"""The parts of v1 while loops and of branches of conds, found by their nodes.

::

    Enter -> Merge -> Switch(LoopCond) :0 -> Exit
               ^         :1 -> Identity -> ... -> NextIteration
               |_________________________________________|

An Enter that no Merge takes brings in a value that stays. A branch gets each value from outside by
a Switch of its own, and waits for a pivot: ``Switch(p, p):side -> Identity``.
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import cached_property

from graphfreeze.model.control_flow import ENTERS, EXITS, MERGES, SWITCHES
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.nesting import CONDITION, NEXTS, Branch, Loop, Misfit, Nesting, Path

_PIVOTS = frozenset({"Identity", "RefIdentity"})
_POPS = frozenset({"StackPop", "StackPopV2"})


@dataclass(frozen=True, slots=True)
class LoopVariable:
    """What a loop hands on from one run of its body to the next; '' for a node that is not there.

    ``body`` is what the body waits for, ``exit`` what leaves the loop in the end."""

    enter: str
    merge: str
    switch: str
    body: str
    exit: str


@dataclass(frozen=True)
class Region:
    """A loop or a branch: its path, the nodes that run right there, and those in regions inside."""

    nesting: Nesting
    path: Path
    nodes: tuple[str, ...]
    inner: tuple["Region", ...]

    @property
    def graph(self) -> Graph:
        """The graph that it is a part of."""
        return self.nesting.graph

    @property
    def frame(self) -> str:
        """The frame of a loop."""
        step = self.path[-1]
        assert isinstance(step, Loop)
        return step.frame

    def walk(self) -> Iterator["Region"]:
        """Yield the region, and all inside it."""
        yield self
        for each in self.inner:
            yield from each.walk()

    def is_within(self, frames: Container[str]) -> bool:
        """Tell whether it is inside a loop of one of these frames."""
        return any(isinstance(step, Loop) and step.frame in frames for step in self.path[:-1])

    @cached_property
    def conditions(self) -> tuple[str, ...]:
        """The LoopConds; a loop has one."""
        return tuple(name for name in self.nodes if self.graph.op(name) == CONDITION)

    @cached_property
    def variables(self) -> tuple[LoopVariable, ...]:
        """What a loop hands on."""
        merges = (name for name in self.nodes if self.graph.op(name) in MERGES)
        found = (self._variable(merge) for merge in merges)
        return tuple(each for each in found if each is not None)

    def _variable(self, merge: str) -> LoopVariable | None:
        graph, taken = self.graph, [ref.node for ref in self.graph.data_inputs(merge)]
        enter = next((name for name in taken if graph.op(name) in ENTERS), "")
        if not any(graph.op(name) in NEXTS for name in taken):
            return None
        ahead = graph.consumers(merge, data_only=True)
        switch = next((n for n in ahead if graph.op(n) in SWITCHES and self._is_own(n)), "")
        bodies = [edge.consumer for edge in graph.edges_of(TensorRef(switch, 1))]
        body = next((each for each in bodies if graph.op(each) in _PIVOTS), "")
        ends = [edge.consumer for edge in graph.edges_of(TensorRef(switch))]
        return LoopVariable(
            enter, merge, switch, body, next((each for each in ends if graph.op(each) in EXITS), "")
        )

    def _is_own(self, switch: str) -> bool:
        return switch not in self.nesting.predicates

    @cached_property
    def brought(self) -> dict[TensorRef, TensorRef]:
        """What came in from right around the region, by what it is inside."""
        step, begun = self.path[-1], {each.enter for each in self.variables}
        if isinstance(step, Loop):
            found = {TensorRef(n): n for n in self.nodes if self._enters(n) and n not in begun}
        else:  # a Switch whose inputs are around the branch that takes it
            taken, paths = self.nesting.taken, self.nesting.paths
            found = {TensorRef(n, step.side): n for n in self.nodes if taken[n] != paths[n]}
        return {ref: self.graph.data_inputs(name)[0] for ref, name in found.items()}

    def _enters(self, name: str) -> bool:
        return self.graph.op(name) in ENTERS

    @cached_property
    def pivots(self) -> tuple[str, ...]:
        """What constants of a branch can wait for: what is alive when it runs, and waits for it."""
        graph, step = self.graph, self.path[-1]
        assert isinstance(step, Branch)
        found = []
        for switch in self.pivot_switches:
            taken = (edge.consumer for edge in graph.edges_of(TensorRef(switch, step.side)))
            found += [name for name in taken if graph.op(name) in _PIVOTS]
        return tuple(found)

    @cached_property
    def pivot_switches(self) -> tuple[str, ...]:
        """The Switches of a branch that have nothing but its predicate."""
        step, nesting = self.path[-1], self.nesting
        assert isinstance(step, Branch)
        return tuple(
            switch
            for switch, predicate in nesting.predicates.items()
            if predicate == step.predicate
            and nesting.is_pivot(switch)
            and nesting.taken[switch] == self.path[:-1]
        )


def find_regions(nesting: Nesting) -> list[Region]:
    """Return the loops and branches that are in no other, in the order of the graph.

    Left out are nodes aside, and loops of gradients: TensorFlow does not describe them."""
    graph, closed = nesting.graph, set(gradient_loops(nesting))
    nodes: dict[Path, list[str]] = {}
    for name, path in nesting.paths.items():
        if path and name not in graph.aside and closed.isdisjoint(_prefixes(path)):
            for each in _prefixes(path):
                nodes.setdefault(each, [])
            nodes[path].append(name)
    inside: dict[Path, list[Path]] = {path: [] for path in ((), *nodes)}
    for path in nodes:
        inside[path[:-1]].append(path)

    def region(path: Path) -> Region:
        return Region(nesting, path, tuple(nodes[path]), tuple(map(region, inside[path])))

    return [region(path) for path in inside[()]]


def gradient_loops(nesting: Nesting) -> list[Path]:
    """Return the loops that pop what another loop pushed: those of gradients, which have none."""
    pops = (path for name, path in nesting.paths.items() if nesting.graph.op(name) in _POPS)
    return list(dict.fromkeys(path[: _last_loop(path)] for path in pops if _last_loop(path)))


def _last_loop(path: Path) -> int:
    return max((n for n, step in enumerate(path, 1) if isinstance(step, Loop)), default=0)


def _prefixes(path: Path) -> list[Path]:
    return [path[: n + 1] for n in range(len(path))]


def misfits(region: Region) -> Iterator[Misfit]:
    """Yield what keeps a region, or one inside it, from being described."""
    known = {each.path for each in region.walk()}
    yield from (each for each in region.nesting.misfits if each.path in known)
    for each in region.walk():
        if isinstance(each.path[-1], Loop):
            yield from (Misfit(each.path, reason) for reason in _loop_misfits(each))


def _loop_misfits(loop: Region) -> Iterator[str]:
    if len(loop.conditions) != 1:
        names = ", ".join(loop.conditions) or "none"
        yield f"a loop has one LoopCond, and its frame has {names}"
    if not loop.variables:
        yield "no value is handed on from one run of its body to the next"
    for variable in loop.variables:
        if not variable.enter:
            yield f"no Enter begins what {variable.merge} hands on"
        for ref in loop.graph.data_inputs(variable.merge):
            if loop.graph.op(ref.node) in NEXTS and loop.nesting.paths.get(ref.node) != loop.path:
                yield f"{ref.node} hands on what is not computed in each run of its body"
