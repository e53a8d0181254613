"""The loops and branches of a graph that no context describes, where gradients need one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from graphfreeze.model.control_flow import ENTERS, SWITCHES
from graphfreeze.model.described import Described, find_described
from graphfreeze.model.graph import Graph
from graphfreeze.model.nesting import Branch, Loop, Misfit, Nesting, find_nesting
from graphfreeze.model.regions import Region, find_regions, misfits
from graphfreeze.schema import CollectionDef

_POPS = frozenset({"StackPop", "StackPopV2"})


@dataclass(frozen=True)
class Undescribed:
    """Outermost loops and branches without a context, and what ``told`` the contexts there are.

    ``misfits`` has by frame the loops that cannot be described, and why."""

    regions: tuple[Region, ...]
    misfits: Mapping[str, str]
    told: Described

    def loops(self) -> Iterator[Region]:
        """Yield all loops among the regions."""
        inside = (each for top in self.regions for each in top.walk())
        yield from (each for each in inside if isinstance(each.path[-1], Loop))


@dataclass(frozen=True)
class RecoveredContexts:
    """The frames of loops whose contexts were recovered, and how many branches were.

    Of these loops ``closed`` let no gradient pass, as was asked; ``misfits`` are loops that still
    have no context, and why."""

    loops: tuple[str, ...] = ()
    branches: int = 0
    closed: tuple[str, ...] = ()
    misfits: Mapping[str, str] = field(default_factory=dict)


def find_undescribed(graph: Graph, collections: Mapping[str, CollectionDef]) -> Undescribed:
    """Return what no context describes.

    Without any context that is all of it. With some it is what holds a loop, or is in one; but a
    branch in a loop of gradients, which pops what another loop pushed, never has a context. Nodes
    aside need none."""
    nesting = find_nesting(graph) if _has_control_flow(graph) else Nesting(graph)
    told, tops = find_described(nesting, collections), find_regions(nesting)
    bare = [each for each in tops if _lacks_context(each, told)]
    odd = {each.path: list(misfits(each)) for each in bare}
    reasons = _endless(nesting, tops)
    for each in bare:
        reasons |= dict(_reasons(each, odd[each.path]))
    return Undescribed(tuple(each for each in bare if not odd[each.path]), reasons, told)


def count_branches(regions: tuple[Region, ...]) -> int:
    """Return how many branches there are among regions."""
    inside = (each for top in regions for each in top.walk())
    return sum(isinstance(each.path[-1], Branch) for each in inside)


def _has_control_flow(graph: Graph) -> bool:
    return any(graph.op(name) in ENTERS | SWITCHES for name in graph.nodes)


def _endless(nesting: Nesting, tops: Iterable[Region]) -> dict[str, str]:
    """Return the frames of loops that no node is placed in, and why."""
    placed = {each.path[0] for each in tops}
    found = ((each.path[0], each.reason) for each in nesting.misfits)
    return {step.frame: why for step, why in found if isinstance(step, Loop) and step not in placed}


def _reasons(region: Region, found: Sequence[Misfit]) -> Iterator[tuple[str, str]]:
    """Yield the loops in a region that does not fit, and of its misfits the nearest to each."""
    loops = (each for each in region.walk() if isinstance(each.path[-1], Loop))
    for loop in loops if found else ():
        own = [misfit for misfit in found if misfit.path[: len(loop.path)] == loop.path]
        yield loop.frame, (own or found)[0].reason


def _lacks_context(region: Region, told: Described) -> bool:
    graph, inside = region.graph, list(region.walk())
    nodes = [name for each in inside for name in each.nodes]
    if graph.aside.intersection(nodes):
        return False
    if not told.tops:
        return True
    loops = [each.path for each in inside if isinstance(each.path[-1], Loop)]
    if any(path not in told.contexts for path in loops):
        return True
    is_of_gradients = any(graph.op(name) in _POPS for name in nodes)
    untold = any(each.path not in told.contexts for each in inside if each.nodes)
    return bool(loops) and not is_of_gradients and untold
