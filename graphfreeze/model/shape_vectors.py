"""Shapes that a graph hands to ops as tensors: constants, or scalars and pieces put together."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from graphfreeze.model.attrs import find_attr
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.static_shapes import find_integers, find_rank

RankOf = Callable[[TensorRef], int | None]
_SAME = frozenset({"Identity", "Cast"})


@dataclass(frozen=True, slots=True)
class Size:
    """One number of a shape: ``value`` is None if it is computed.

    ``path`` leads from the op that takes the shape up to the constant, in which ``index`` is its
    place. A number that is computed may be the size of ``axis`` of the tensor ``of``; one computed
    from constants alone ``is_fixed``."""

    value: int | None = None
    path: tuple[Edge, ...] = ()
    index: int = 0
    of: TensorRef | None = None
    axis: int = 0
    is_fixed: bool = False

    def behind(self, edge: Edge) -> "Size":
        """Return it with one more step in front."""
        return replace(self, path=(edge, *self.path))


def find_sizes(graph: Graph, edge: Edge, *, rank_of: RankOf | None = None) -> list[Size] | None:
    """Return the numbers of a shape or scalar, None where not even their count is known.

    ``rank_of`` tells how many axes a tensor has, where more is known than the graph says."""
    known = rank_of or partial(find_rank, graph)
    sizes = _sizes(graph, graph.ref_at(edge), known)
    return None if sizes is None else [size.behind(edge) for size in sizes]


def _sizes(graph: Graph, ref: TensorRef, rank_of: RankOf) -> list[Size] | None:
    node = graph.nodes[ref.node]
    inputs = [Edge(ref.node, slot) for slot in range(len(graph.data_inputs(ref.node)))]
    if node.op == "Const":
        return [Size(n, index=i) for i, n in enumerate(find_integers(graph, ref) or ())]
    if node.op in _SAME:
        return find_sizes(graph, inputs[0], rank_of=rank_of)
    if node.op == "Pack":
        pieces = [find_sizes(graph, edge, rank_of=rank_of) or [] for edge in inputs]
        return [piece[0] if len(piece) == 1 else Size() for piece in pieces]
    if node.op == "ConcatV2":
        found = [find_sizes(graph, edge, rank_of=rank_of) for edge in inputs[:-1]]
        joined = [size for piece in found for size in piece or ()]
        return None if None in found else joined
    picked = _picked(graph, ref, rank_of)
    if picked is not None:
        return picked
    return [Size(is_fixed=_is_fixed(graph, ref))] if rank_of(ref) == 0 else None


def _is_fixed(graph: Graph, ref: TensorRef) -> bool:
    """Tell whether a tensor is computed from constants alone."""
    sources = (name for name in graph.ancestors([ref.node]) if not graph.inputs(name))
    return all(graph.op(name) == "Const" for name in sources)


def _picked(graph: Graph, ref: TensorRef, rank_of: RankOf) -> list[Size] | None:
    """Return what a piece of the shape of another tensor is."""
    node, inputs = graph.nodes[ref.node], graph.data_inputs(ref.node)
    if node.op in ("Shape", "VariableShape"):
        rank = rank_of(inputs[0])
        return None if rank is None else [Size(of=inputs[0], axis=axis) for axis in range(rank)]
    if node.op not in ("StridedSlice", "Slice", "Gather", "GatherV2"):
        return None
    whole = _sizes(graph, inputs[0], rank_of)
    numbers = [find_integers(graph, each) for each in inputs[1:]]
    if whole is None or None in numbers:
        return None
    whole = [_cut_off(size) for size in whole]
    first, second, *_ = [*(each or [0] for each in numbers), [0]]
    if node.op.startswith("Gather"):
        return [whole[index] for index in first]
    if node.op == "Slice":
        return whole[first[0] :][: None if second[0] == -1 else second[0]]
    if find_attr(node, "shrink_axis_mask").i:
        return [whole[first[0]]]
    start = None if find_attr(node, "begin_mask").i else first[0]
    stop = None if find_attr(node, "end_mask").i else second[0]
    return whole[start:stop]


def _cut_off(size: Size) -> Size:
    """Return a number that was picked of others, to whose constant no path leads any more."""
    is_fixed = size.is_fixed or size.value is not None
    return replace(size, value=None, path=(), is_fixed=is_fixed)
