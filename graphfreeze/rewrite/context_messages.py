"""Write contexts of loops and branches as TensorFlow does, from their parts."""

from collections.abc import Iterator, Mapping

from graphfreeze.model.attrs import find_attr
from graphfreeze.model.control_flow import EXITS, Context
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.nesting import Branch, Loop, Path
from graphfreeze.model.regions import Region
from graphfreeze.rewrite.builder import node_name
from graphfreeze.schema import CondContextDef, WhileContextDef

_PARALLEL = 10  # as tf.while_loop has it by itself
Told = Mapping[Path, WhileContextDef]


def make_context(
    region: Region, told: Told, around: Mapping[TensorRef, TensorRef] | None = None
) -> Context:
    """Describe a loop or a branch, and all inside it.

    ``told`` has by path what no node tells of a loop: whether gradients pass it, whether its memory
    is swapped, how often it can run. Without it they pass, and nothing is swapped. ``around`` has
    what values were outside that are right around the region; that is what a context names."""
    step = region.path[-1]
    made = _loop(region, told) if isinstance(step, Loop) else _branch(region, step)
    known = around or {}
    sources = {ref: known.get(before, before) for ref, before in region.brought.items()}
    external: dict[str, str] = {}
    if isinstance(made, CondContextDef):
        # It has seen its predicate, and what a context around it makes of a value.
        seen = (made.pred_name, *(ref.tensor_name for ref in region.brought.values()))
        external = {name: name for name in seen}
    external |= {source.tensor_name: ref.tensor_name for ref, source in sources.items()}
    made.values_def.values.extend(sorted({*_values(region), *external}))
    for outer, inner in sorted(external.items()):
        made.values_def.external_values[outer] = inner
    for each in region.inner:
        inside = make_context(each, told, sources)
        nested = made.nested_contexts.add()
        if isinstance(inside, WhileContextDef):
            nested.while_ctxt.CopyFrom(inside)
        else:
            nested.cond_ctxt.CopyFrom(inside)
    return made


def _values(region: Region) -> Iterator[str]:
    """Yield what is computed inside: in branches too, and of loops inside what leaves them."""
    for name in region.nodes:
        yield from _outputs(region.graph, name)
    for each in region.inner:
        if isinstance(each.path[-1], Branch):
            yield from _values(each)
            continue
        for name in (name for name in each.nodes if region.graph.op(name) in EXITS):
            yield from _outputs(region.graph, name)


def _outputs(graph: Graph, name: str) -> Iterator[str]:
    return (f"{name}:{port}" for port in range(graph.count_outputs(name)))


def _loop(region: Region, told: Told) -> WhileContextDef:
    graph, first = region.graph, region.variables[0]
    (condition,) = region.conditions
    known = told.get(region.path)
    parallel = find_attr(graph.nodes[first.enter], "parallel_iterations").i
    merge = max((v.merge for v in region.variables), key=lambda name: _waiting(graph, name))
    bodies = [v.body for v in region.variables if v.body]
    return WhileContextDef(
        context_name=region.frame,
        parallel_iterations=parallel or _PARALLEL,
        back_prop=known is None or known.back_prop,
        swap_memory=known is not None and known.swap_memory,
        maximum_iterations_name="" if known is None else known.maximum_iterations_name,
        pivot_name=f"{condition}:0",
        pivot_for_pred_name=f"{merge}:0",
        pivot_for_body_name=f"{max(bodies, key=lambda name: _waiting(graph, name))}:0",
        loop_exit_names=[f"{v.exit}:0" for v in region.variables if v.exit],
        loop_enter_names=[f"{v.enter}:0" for v in region.variables],
    )


def _branch(region: Region, step: Branch) -> CondContextDef:
    graph = region.graph
    switch, *_ = (*(ref.node for ref in region.brought), *region.pivot_switches)
    pivot = max(region.pivots, key=lambda name: _waiting(graph, name))
    return CondContextDef(
        context_name=node_name(step.predicate.node, f"branch_{step.side}"),
        pred_name=graph.data_inputs(switch)[1].tensor_name,
        pivot_name=f"{pivot}:0",
        branch=step.side,
    )


def _waiting(graph: Graph, name: str) -> int:
    """Return how many nodes wait for one."""
    return sum(graph.ref_at(edge).is_control for edge in graph.edges_from(name))
