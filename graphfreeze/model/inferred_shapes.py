"""Infer the shape of a tensor from those above it, where the graph itself does not tell."""

from graphfreeze.model.attrs import HINT, Shape
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.shape_rules import RULES
from graphfreeze.model.shape_sites import Site
from graphfreeze.model.static_shapes import find_shape


def infer_shape(graph: Graph, ref: TensorRef) -> Shape | None:
    """Return a tensor's shape, None where neither the graph nor the ops above it tell.

    What goes around a loop is not followed."""
    known: dict[TensorRef, Shape | None] = {}
    seen, todo = set[TensorRef](), [(ref, False)]
    while todo:
        each, is_ready = todo.pop()
        if is_ready:
            known[each] = _infer(Site(graph, each, known))
        elif each not in seen and each.node in graph:
            seen.add(each)
            todo.append((each, True))
            if not _is_told(graph, each):
                todo += [(above, False) for above in graph.data_inputs(each.node)]
    return known.get(ref)


def _is_told(graph: Graph, ref: TensorRef) -> bool:
    return HINT in graph.nodes[ref.node].attr and find_shape(graph, ref) is not None


def _infer(site: Site) -> Shape | None:
    rule = RULES.get(site.op)
    if rule is None or _is_told(site.graph, site.ref):
        return find_shape(site.graph, site.ref)
    return rule(site)
