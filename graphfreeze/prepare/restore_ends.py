"""Put back what loops and branches lost when a graph was cut to what its outputs need."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from graphfreeze.model.attrs import type_attr
from graphfreeze.model.graph import Graph
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef, control
from graphfreeze.model.nesting import Branch, Loop, Path
from graphfreeze.model.regions import Region
from graphfreeze.model.undescribed import find_undescribed
from graphfreeze.rewrite.builder import node_name
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import AddNode, Edit


@dataclass(frozen=True)
class RestoreEnds:
    """Give each loop variable an Exit, and loops and branches a node that constants wait for.

    TensorFlow takes a loop variable without an Exit for one without a gradient, and says nothing.

    =====================================  ==================================================
    before                                 after
    =====================================  ==================================================
    a loop's ``Switch`` without an Exit    ``Switch:0 -> Exit``
    a loop without an Identity in it       ``Switch:1 -> Identity``
    a branch whose constants are gone      ``Switch(predicate, predicate):side -> Identity``
    =====================================  ==================================================
    """

    name = "restore_ends"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits, for what no context describes and can be described."""
        found = find_undescribed(draft.graph, draft.collections)
        made: dict[str, AddNode] = {}
        pivots: dict[Path, str] = {}
        for region in (each for top in found.regions for each in top.walk()):
            step = region.path[-1]
            if isinstance(step, Loop):
                edits = [*_of_loop(region)]
            else:
                edits = [*_of_branch(region, step, pivots.get(region.path[:-1]))]
                pivots[region.path] = edits[-1].name if edits else region.pivots[0]
            made |= {edit.name: edit for edit in edits}
        yield from made.values()

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for what still lacks an end."""
        return next((f"{edit} is missing" for edit in self.plan(draft)), None)


def _of_loop(loop: Region) -> Iterator[AddNode]:
    graph, variables = loop.graph, [each for each in loop.variables if each.switch]
    for each in variables:
        if not each.exit:
            op = "RefExit" if graph.op(each.switch).startswith("Ref") else "Exit"
            yield _node(graph, node_name(each.switch, "exit"), op, TensorRef(each.switch))
    if variables and not any(each.body for each in variables):
        switch = variables[0].switch
        op = "RefIdentity" if graph.op(switch).startswith("Ref") else "Identity"
        yield _node(graph, node_name(switch, "body"), op, TensorRef(switch, 1))


def _of_branch(region: Region, step: Branch, around: str | None) -> Iterator[AddNode]:
    """Yield a pivot if there is none.

    A predicate from further out waits for ``around``, the pivot of the branch around this one."""
    if region.pivots:
        return
    graph, predicate = region.graph, step.predicate
    port = f"_{predicate.port}" if predicate.port else ""
    where, waits = predicate.node, tuple[TensorRef, ...]()
    if around is not None and region.nesting.leaving(predicate) != region.path[:-1]:
        where, waits = f"{around}/{where}", (control(around),)
    switch = next(iter(region.pivot_switches), node_name(where, f"switch{port}"))
    if switch not in graph:
        yield _node(graph, switch, "Switch", predicate, predicate, *waits)
    name = node_name(where, f"branch_{step.side}{port}")
    yield replace(_node(graph, name, "Identity", predicate), inputs=(TensorRef(switch, step.side),))


def _node(graph: Graph, name: str, op: str, *inputs: TensorRef) -> AddNode:
    source = inputs[0]
    device = str(graph.nodes[source.node].device)
    return AddNode(name, op, inputs, {"T": type_attr(graph.dtype(source))}, device)
