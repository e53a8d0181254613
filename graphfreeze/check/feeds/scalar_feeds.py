"""What placeholders of one number are fed with: dropout, learning rates, sizes."""

from collections.abc import Iterator

from graphfreeze.model.attrs import FLOATING
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.static_shapes import find_shape

_PASSING = frozenset({"Identity", "Cast", "Switch", "Enter", "Merge"})
_SUMS = frozenset({"Add", "AddV2"})
_COMPARED = frozenset({"GreaterEqual", "Greater", "Less", "LessEqual"})
_DRAWING = frozenset({"RandomUniform", "Add", "AddV2", "Sub", "Mul", "Identity", "Const"})
_SIZES = {"Reshape": 1, "Fill": 0, "BroadcastTo": 1, "Tile": 1, "RandomUniform": 0}
_RATE, _POSITIVE = 0.01, 0.5


def find_scalar(graph: Graph, name: str, dtype: int, batch: int) -> tuple[object, str] | None:
    """Return a value and why, None where no single value is called for."""
    if dtype in FLOATING:
        kept = _kept_share(graph, name)
        if kept is not None:
            return kept, f"dropout is off at {kept:g}"
        if "rate" in name.lower() or name.lower().rpartition("/")[2] == "lr":
            return _RATE, "a learning rate by its name"
        return _POSITIVE, "one number"
    if _is_size(graph, name):
        return batch, "a size, as --batch"
    return None


def _kept_share(graph: Graph, name: str) -> float | None:
    """Return 1 for the probability to keep of a dropout, 0 for that to drop, else None.

    Dropout adds the former to a uniform draw, or compares the draw with the latter."""
    for consumer, slot, is_turned in _takers(graph, name):
        op, inputs = graph.op(consumer), graph.data_inputs(consumer)
        if op in _SUMS | _COMPARED and len(inputs) == 2 and _is_draw(graph, inputs[1 - slot]):
            is_kept = (op in _SUMS) != is_turned
            return 1.0 if is_kept else 0.0
    return None


def _takers(graph: Graph, name: str) -> Iterator[tuple[str, int, bool]]:
    """Yield consumers of a scalar or of 1 minus it; the last item tells which."""
    todo, seen = [(name, False)], {(name, False)}
    while todo:
        at, is_turned = todo.pop(0)
        for edge in graph.edges_from(at):
            if graph.ref_at(edge).is_control:
                continue
            op = graph.op(edge.consumer)
            yield edge.consumer, edge.slot, is_turned
            after = (edge.consumer, is_turned != (op == "Sub"))
            is_passed = op in _PASSING or (op == "Sub" and edge.slot == 1)
            if is_passed and after not in seen:
                seen.add(after)
                todo.append(after)


def _is_draw(graph: Graph, ref: TensorRef) -> bool:
    """Tell whether a tensor is a uniform draw, perhaps moved and stretched."""
    todo, seen, has_draw = [ref.node], set[str](), False
    while todo:
        name = todo.pop()
        if name in seen or name not in graph:
            continue
        seen.add(name)
        if graph.op(name) not in _DRAWING or len(seen) > 20:
            return False
        has_draw |= graph.op(name) == "RandomUniform"
        if graph.op(name) != "RandomUniform":
            todo += [each.node for each in graph.data_inputs(name)]
    return has_draw


def _is_size(graph: Graph, name: str) -> bool:
    """Tell whether a number is part of a shape that some op takes."""
    todo, seen = [name], {name}
    while todo:
        at = todo.pop()
        for edge in graph.edges_from(at):
            op = graph.op(edge.consumer)
            if _SIZES.get(op) == edge.slot:
                return True
            is_joined = op in ("Pack", "ConcatV2", "Cast", "Identity", "ExpandDims", "Reshape")
            if is_joined and edge.consumer not in seen:
                seen.add(edge.consumer)
                todo.append(edge.consumer)
    return find_shape(graph, TensorRef(name)) == () and "size" in name.lower()
