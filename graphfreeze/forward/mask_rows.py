"""Stop the gradient of the frozen rows of tables that otherwise learn."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from graphfreeze.errors import RewriteError
from graphfreeze.model.attrs import read_numbers
from graphfreeze.model.control_flow import nodes_in_loops
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import (
    handle_edges,
    is_known,
    reads,
    resource_lookups,
)
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.builder import MARK, Builder
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, Reroute
from graphfreeze.rewrite.row_nodes import is_among_rows, row_range
from graphfreeze.schema import types_pb2
from graphfreeze.selection.resolve import Selection
from graphfreeze.selection.rows import RowSet

INT64 = types_pb2.DT_INT64


@dataclass(frozen=True, slots=True)
class _Place:
    """A tensor of rows to be masked; ``ids`` says which rows, None stands for all in order."""

    tensor: TensorRef
    ids: TensorRef | None


@dataclass(frozen=True)
class MaskRows:
    """Let only the trainable rows of a table have a gradient, with m = 1 for those:

    ``y = m * x + stop_gradient((1 - m) * x)``, whose value is x for every finite x but denormals.

    ====================  ============================================================
    lookup of rows        masked behind the lookup, by its ids: a step costs the batch
    any other reader      the read itself is masked, for all such readers at once
    both                  both
    ====================  ============================================================
    """

    selection: Selection
    name = "mask_rows"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits; raises RewriteError for a reader that no mask fits."""
        looped = nodes_in_loops(draft.graph) if self.selection.partly else set()
        for variable, frozen in self.selection.partly.items():
            for place, edges in _places(draft, variable).items():
                if place.tensor.node in looped:
                    raise RewriteError.reader_in_loop(variable.name, place.tensor.node)
                build = Builder(place.tensor.node, _device(draft, variable, place))
                masked = _mask(build, draft.graph, variable, frozen.complement(), place)
                yield from build.edits
                yield from (Reroute(edge, masked) for edge in edges)

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a reader that gets rows unmasked."""
        for variable in self.selection.partly:
            for place, edges in _places(draft, variable).items():
                for edge in edges:
                    if not edge.consumer.startswith(f"{place.tensor.node}/{MARK}/"):
                        return f"{edge.consumer} takes rows of {variable.name} past their mask"
        return None


def _places(draft: Draft, variable: Variable) -> dict[_Place, list[Edge]]:
    """Return where a table is to be masked, with the edges that take rows there."""
    graph = draft.graph
    found: dict[_Place, list[Edge]] = {}
    for read in reads(graph, variable):
        _follow(draft, read, found)
    for name in resource_lookups(graph, variable):
        _check_axis(graph, variable, name)
        place = _Place(TensorRef(name), graph.data_inputs(name)[1])
        found[place] = draft.forward_edges(place.tensor)
    _check_functions(graph, variable)
    return {place: edges for place, edges in found.items() if edges}


def _follow(draft: Draft, read: TensorRef, found: dict[_Place, list[Edge]]) -> None:
    """Sort the consumers of a whole table: lookups, ops that pass it on, and all others."""
    graph = draft.graph
    for edge in draft.forward_edges(read):
        node = edge.consumer
        if graph.op(node) == "Identity" and MARK not in node:
            _follow(draft, TensorRef(node), found)
        elif edge.slot == 0 and _is_row_lookup(graph, node):
            place = _Place(TensorRef(node), graph.data_inputs(node)[1])
            found[place] = draft.forward_edges(place.tensor)
        else:
            found.setdefault(_Place(read, None), []).append(edge)


def _is_row_lookup(graph: Graph, name: str) -> bool:
    """Tell whether a node takes whole rows by their ids."""
    if graph.op(name) == "Gather":
        return True
    if graph.op(name) != "GatherV2" or graph.nodes[name].attr["batch_dims"].i:
        return False
    axis = graph.nodes[graph.data_inputs(name)[2].node]
    return axis.op == "Const" and not np.any(read_numbers(axis.attr["value"].tensor))


def _mask(
    build: Builder, graph: Graph, variable: Variable, rows: RowSet, place: _Place
) -> TensorRef:
    """Build the mask of one place and return the masked tensor."""
    dtype, x = variable.dtype, place.tensor
    ids = place.ids if place.ids is not None else row_range(build, 0, rows.height)
    test = is_among_rows(build, rows, ids, graph.dtype(ids) if place.ids is not None else INT64)
    for axis in range(1, len(variable.shape or ())):
        last = build.const(f"axis_{axis}", -1, types_pb2.DT_INT32)
        types = {"T": types_pb2.DT_BOOL, "Tdim": types_pb2.DT_INT32}
        test = build.add(f"is_trainable_{axis}", "ExpandDims", (test, last), types)
    types = {"SrcT": types_pb2.DT_BOOL, "DstT": dtype}
    mask = build.add("mask", "Cast", (test,), types)
    one = build.const("one_mask", 1, dtype)
    live = build.add("trainable", "Mul", (mask, x), {"T": dtype})
    rest = build.add("rest", "Sub", (one, mask), {"T": dtype})
    still = build.add("frozen", "Mul", (rest, x), {"T": dtype})
    stop = build.add("stop", "StopGradient", (still,), {"T": dtype})
    return build.add("masked", "Add", (live, stop), {"T": dtype})


def _device(draft: Draft, variable: Variable, place: _Place) -> str:
    own = str(draft.graph.nodes[place.tensor.node].device)
    return own or str(draft.graph.nodes[variable.name].device)


def _check_axis(graph: Graph, variable: Variable, name: str) -> None:
    node = graph.nodes[name]
    if node.op == "ResourceGatherNd" or node.attr["batch_dims"].i:
        raise RewriteError.unmaskable_reader(variable.name, name, op=str(node.op))


def _check_functions(graph: Graph, variable: Variable) -> None:
    """Refuse a table that is handed to a function: its rows would learn in there."""
    for edge in handle_edges(graph, variable):
        node = graph.nodes[edge.consumer]
        in_function = node.op in graph.functions or any(
            a.HasField("func") for a in node.attr.values()
        )
        if variable.kind == "resource" and (in_function or not is_known(graph, node)):
            raise RewriteError.unmaskable_reader(variable.name, edge.consumer, op=str(node.op))
