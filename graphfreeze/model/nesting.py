"""Where each node of a graph runs: inside which v1 while loops and branches, outermost first.

The nodes alone are asked, so it holds for graphs that no context describes. What a node takes or
waits for tells where it runs::

    Enter                 one loop deeper
    Exit                  inside its loop; its value is one loop less deep
    Switch(x, p):0, :1    one branch deeper; those of a loop's LoopCond are the loop's own
    Merge                 where all that it takes runs; of a loop: where its Enter is
    ControlTrigger        where all that it waits for runs: it is never dead
    any other             as deep as the deepest, of which all others must be around

Edges from a NextIteration to its Merge lead back, and are not followed.

A predicate is told by the tensor behind its Identities, so conds on one predicate share their
branches. That is equivalent: they run, and are dead, together; TensorFlow's gradients ask a
context for its predicate and side alone, and these have the same values; a value that goes from
one of the conds to another leaves by a Merge and enters by a Switch as it did.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from graphfreeze.model.attrs import find_attr
from graphfreeze.model.control_flow import ENTERS, EXITS, MERGES, SWITCHES
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef

CONDITION = "LoopCond"
NEXTS = frozenset({"NextIteration", "RefNextIteration"})
_TRIGGER = "ControlTrigger"


@dataclass(frozen=True, slots=True)
class Loop:
    """A while loop, by the name of its frame."""

    frame: str

    def __str__(self) -> str:
        """Name it in a sentence."""
        return f"loop {self.frame!r}"


@dataclass(frozen=True, slots=True)
class Branch:
    """What runs if a predicate is false (0) or true (1)."""

    predicate: TensorRef
    side: int

    def __str__(self) -> str:
        """Name it in a sentence."""
        return f"branch {self.side} of {self.predicate.tensor_name!r}"


Path = tuple[Loop | Branch, ...]


@dataclass(frozen=True, slots=True)
class Misfit:
    """What keeps a loop or branch from being told by its nodes, and the path where it is."""

    path: Path
    reason: str


@dataclass
class Nesting:
    """Where nodes run: ``taken`` as their inputs tell, ``paths`` with Switches in their branches.

    ``predicates`` has the predicate of each Switch that is not a loop's. Nodes that wait for
    themselves have no path."""

    graph: Graph
    taken: dict[str, Path] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)
    predicates: dict[str, TensorRef] = field(default_factory=dict)
    misfits: list[Misfit] = field(default_factory=list)

    def leaving(self, ref: TensorRef) -> Path:
        """Return where a tensor can be taken, or a node be waited for."""
        name, path = ref.node, self.taken[ref.node]
        if self.graph.op(name) in EXITS:
            return path[:-1]
        if ref.port is not None and name in self.predicates:
            return (*path, Branch(self.predicates[name], ref.port))
        return path

    def is_pivot(self, switch: str) -> bool:
        """Tell whether a Switch only turns a predicate into the two values that branches wait for.

        It is in neither of them."""
        data = self.graph.data_inputs(switch)
        return switch in self.predicates and data[0] == data[1]

    def origin(self, ref: TensorRef) -> TensorRef:
        """Return the tensor behind Identities that run where that runs."""
        graph = self.graph
        while graph.op(ref.node) == "Identity" and graph.data_inputs(ref.node):
            (before,) = graph.data_inputs(ref.node)
            if before.node not in self.taken or self.leaving(before) != self.taken[ref.node]:
                break
            ref = before
        return ref


def frame_name(graph: Graph, enter: str) -> str:
    """Return the name of the frame that an Enter leads into."""
    return bytes(find_attr(graph.nodes[enter], "frame_name").s).decode(errors="replace")


def find_nesting(graph: Graph) -> Nesting:
    """Return where each node runs."""
    nesting = Nesting(graph)
    for name in _in_order(graph):
        nesting.taken[name] = _taken(nesting, name)
        if graph.op(name) in SWITCHES:
            _decide(nesting, name)
    nesting.paths = {name: _path(nesting, name) for name in graph.nodes if name in nesting.taken}
    nesting.misfits += _endless(nesting)
    return nesting


def unfetchable(graph: Graph) -> set[str]:
    """Return the nodes inside v1 loops, and those of branches that may not be taken."""
    nesting = find_nesting(graph)
    return {n for n in graph.nodes if n not in nesting.taken or nesting.leaving(TensorRef(n))}


def _leads_back(graph: Graph, edge: Edge, producer: str) -> bool:
    return graph.op(producer) in NEXTS and graph.op(edge.consumer) in MERGES


def _in_order(graph: Graph) -> Iterator[str]:
    """Yield nodes after all that they take; those that never have all of it are left out."""
    waits = dict.fromkeys(graph.nodes, 0)
    for name in graph.nodes:
        for edge in graph.edges_from(name):
            waits[edge.consumer] += not _leads_back(graph, edge, name)
    ready = deque(name for name, count in waits.items() if not count)
    while ready:
        name = ready.popleft()
        yield name
        for edge in graph.edges_from(name):
            if not _leads_back(graph, edge, name):
                waits[edge.consumer] -= 1
                if not waits[edge.consumer]:
                    ready.append(edge.consumer)


def _taken(nesting: Nesting, name: str) -> Path:
    graph = nesting.graph
    op, refs = graph.op(name), [ref for ref in graph.inputs(name) if ref.node in nesting.taken]
    if op in MERGES and not any(graph.op(ref.node) in NEXTS for ref in graph.data_inputs(name)):
        data = [nesting.leaving(ref) for ref in refs if not ref.is_control]
        waited = [nesting.leaving(ref) for ref in refs if ref.is_control]
        return _deepest(nesting, name, [_around(data), *waited])
    if op == _TRIGGER:
        return _around([nesting.leaving(ref) for ref in refs])
    if op in MERGES:
        refs = [ref for ref in refs if graph.op(ref.node) not in NEXTS]
    path = _deepest(nesting, name, [nesting.leaving(ref) for ref in refs])
    if op in ENTERS:
        return (*path, Loop(frame_name(graph, name)))
    if op in EXITS and not (path and isinstance(path[-1], Loop)):
        nesting.misfits.append(Misfit(path, f"{name} leaves a loop that it is not in"))
    return path


def _around(paths: list[Path]) -> Path:
    """Return what all paths begin with."""
    first, *others = paths or [()]
    same = 0
    while same < len(first) and all(path[: same + 1] == first[: same + 1] for path in others):
        same += 1
    return first[:same]


def _deepest(nesting: Nesting, name: str, paths: Iterable[Path]) -> Path:
    """Return the longest path; what is not around it does not fit."""
    found: Path = ()
    for path in paths:
        longer, other = (path, found) if len(path) > len(found) else (found, path)
        if longer[: len(other)] != other:
            reason = f"{name} takes values of {_text(longer)} and of {_text(other)}"
            nesting.misfits += [Misfit(longer, reason), Misfit(other, reason)]
        found = longer
    return found


def _text(path: Path) -> str:
    return " in ".join(map(str, reversed(path)))


def _decide(nesting: Nesting, switch: str) -> None:
    """Find out by what a Switch decides."""
    graph, path = nesting.graph, nesting.taken[switch]
    data = graph.data_inputs(switch)
    if len(data) != 2 or data[1].node not in graph:
        return
    test = nesting.origin(data[1])
    if graph.op(test.node) != CONDITION:
        nesting.predicates[switch] = test
    elif nesting.taken[test.node] != path:
        reason = f"{switch} goes by {test.node} of another loop or branch"
        nesting.misfits.append(Misfit(path, reason))


def _path(nesting: Nesting, name: str) -> Path:
    """Return where a node runs: a Switch in the branch that takes it, if only one does."""
    path = nesting.taken[name]
    if name not in nesting.predicates or nesting.is_pivot(name):
        return path
    refs = map(nesting.graph.ref_at, nesting.graph.edges_from(name))
    ports = {ref.port for ref in refs if ref.port is not None}
    if len(ports) != 1:
        return path
    return (*path, Branch(nesting.predicates[name], ports.pop()))


def _endless(nesting: Nesting) -> Iterator[Misfit]:
    """Yield what waits for itself, where it takes a value from, or by the loop that it enters."""
    graph, taken = nesting.graph, nesting.taken
    for name in (each for each in graph.nodes if each not in taken):
        reason = f"{name} waits for itself"
        above = [nesting.leaving(ref) for ref in graph.inputs(name) if ref.node in taken]
        if graph.op(name) in ENTERS:
            above.append((Loop(frame_name(graph, name)),))
        yield from (Misfit(path, reason) for path in above if path)
