"""The loops and branches of a graph that no context describes, where gradients need one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from graphfreeze.model.control_flow import CONTEXTS, ENTERS, SWITCHES
from graphfreeze.model.described import Described, find_described
from graphfreeze.model.functions import functions_run
from graphfreeze.model.graph import Graph
from graphfreeze.model.nesting import Branch, Loop, Misfit, Nesting, find_nesting
from graphfreeze.model.regions import Region, find_regions, gradient_loops, misfits
from graphfreeze.schema import CollectionDef, NodeDef


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

    Of these loops ``closed`` let no gradient pass, as was asked, so none reaches those ``within``
    them; ``misfits`` are loops that still have no context, and why."""

    loops: tuple[str, ...] = ()
    branches: int = 0
    closed: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    misfits: Mapping[str, str] = field(default_factory=dict)


def find_undescribed(graph: Graph, collections: Mapping[str, CollectionDef]) -> Undescribed:
    """Return what no context describes.

    Without any context that is all of it, with some what holds a loop or is in one."""
    nesting = find_nesting(graph) if _may_lack_some(graph, collections) else Nesting(graph)
    told, tops = find_described(nesting, collections), find_regions(nesting)
    bare = [each for each in tops if _lacks_context(each, told)]
    odd = {each.path: list(misfits(each)) for each in bare}
    reasons = _endless(nesting)
    for each in bare:
        reasons |= dict(_reasons(each, odd[each.path]))
    return Undescribed(tuple(each for each in bare if not odd[each.path]), reasons, told)


def find_in_functions(graph: Graph, ends: Iterable[str]) -> Iterator[tuple[NodeDef, str]]:
    """Yield what begins a loop or branch in a function that some nodes run, and the function.

    No context describes it: a collection knows the nodes of a graph alone."""
    needed, seen = graph.ancestors(ends), set[str]()
    for name in (each for each in graph.nodes if each in needed):
        for function in functions_run(graph, graph.nodes[name], seen):
            for node in function.node_def:
                if node.op in ENTERS | SWITCHES:
                    yield node, str(function.signature.name)


def count_branches(regions: tuple[Region, ...]) -> int:
    """Return how many branches there are among regions."""
    inside = (each for top in regions for each in top.walk())
    return sum(isinstance(each.path[-1], Branch) for each in inside)


def _may_lack_some(graph: Graph, collections: Mapping[str, CollectionDef]) -> bool:
    """Tell whether it takes a look at all nodes: there are loops, or branches and no context."""
    needing = ENTERS if any(key in collections for key in CONTEXTS) else ENTERS | SWITCHES
    return any(graph.op(name) in needing for name in graph.nodes)


def of_gradients(nesting: Nesting) -> dict[str, str]:
    """Return the frames of loops of gradients, and why they have no context."""
    reason = "it is a loop of gradients, which TensorFlow does not take gradients of"
    return {step.frame: reason for *_, step in gradient_loops(nesting) if isinstance(step, Loop)}


def _endless(nesting: Nesting) -> dict[str, str]:
    """Return the frames of loops that no node is placed in, and why."""
    placed = set(nesting.paths.values())
    found = ((each.path[0], each.reason) for each in nesting.misfits if each.path not in placed)
    return {step.frame: why for step, why in found if isinstance(step, Loop)}


def _reasons(region: Region, found: Sequence[Misfit]) -> Iterator[tuple[str, str]]:
    """Yield the loops in a region that does not fit, and of its misfits the nearest to each."""
    loops = (each for each in region.walk() if isinstance(each.path[-1], Loop))
    for loop in loops if found else ():
        own = [misfit for misfit in found if misfit.path[: len(loop.path)] == loop.path]
        yield loop.frame, (own or found)[0].reason


def _lacks_context(region: Region, told: Described) -> bool:
    if not told.tops:
        return True
    inside = [each for each in region.walk() if each.nodes]
    has_loop = any(isinstance(each.path[-1], Loop) for each in inside)
    return has_loop and any(each.path not in told.contexts for each in inside)
