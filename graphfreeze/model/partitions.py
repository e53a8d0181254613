"""How ids are spread over the parts of a partitioned table, and which stored rows they are.

``tf.nn.embedding_lookup`` (``tensorflow/python/ops/embedding_ops.py``) knows two strategies. With n
parts of V rows, id i lies

========  =============================================  ==================================
strategy  in part                                        at its row
========  =============================================  ==================================
mod       ``i % n``                                      ``i // n``
div       ``max(i // (V//n + 1), (i - V%n) // (V//n))``  the rest of that division
========  =============================================  ==================================

The wiring of a lookup tells which one it is: the parts come from FloorMod, or from Maximum.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import handles, reads
from graphfreeze.model.tables import Table

MOD, DIV = "mod", "div"
_LOOKUPS = {"Gather": 1, "GatherV2": 1, "ResourceGather": 1}
_PASSING = frozenset({"Identity", "Cast", "Reshape", "Enter", "Switch"})
_RULES = {"FloorMod": MOD, "Mod": MOD, "Maximum": DIV}

Ids = npt.NDArray[np.int64]


def find_strategies(graph: Graph, table: Table) -> dict[str, str]:
    """Return the strategy of each lookup of a table's parts, '' where the wiring tells none."""
    return {name: _strategy(graph, name) for name in _lookups(graph, table)}


def has_parts_of_rows(table: Table) -> bool:
    """Tell whether the rows of a table are spread over parts; parts of columns have all rows."""
    return len({part.offset[0] for part in table.parts}) > 1


def stored_rows(table: Table, ids: Ids, strategy: str) -> Ids:
    """Return the rows of the whole, as it is saved, at which ids are kept; ids lie in the table."""
    height, count = (table.shape or (0,))[0] or 0, len(table.parts)
    if not has_parts_of_rows(table):
        return ids
    if strategy == MOD:
        part, row = ids % count, ids // count
    else:
        per_part, extras = divmod(height, count)
        part = np.maximum(ids // (per_part + 1), (ids - extras) // max(per_part, 1))
        is_wide = part < extras
        row = np.where(is_wide, ids % (per_part + 1), (ids - extras) % max(per_part, 1))
    offsets = np.array([part.offset[0] for part in table.parts], np.int64)
    stored: Ids = offsets[part] + row
    return stored


def _lookups(graph: Graph, table: Table) -> Iterator[str]:
    for part in table.parts:
        todo = [*handles(graph, part.variable), *reads(graph, part.variable)]
        seen: set[TensorRef] = set()
        while todo:
            ref = todo.pop()
            if ref in seen:
                continue
            seen.add(ref)
            for edge in graph.edges_of(ref):
                op = graph.op(edge.consumer)
                if op in _LOOKUPS and edge.slot == 0:
                    yield edge.consumer
                elif op in _PASSING and op != "Reshape":
                    todo += [TensorRef(edge.consumer, port) for port in (0, 1)]


def _strategy(graph: Graph, lookup: str) -> str:
    ids = _source(graph, graph.data_inputs(lookup)[1])
    if graph.op(ids) != "DynamicPartition":
        return ""
    return _RULES.get(graph.op(_source(graph, graph.data_inputs(ids)[1])), "")


def _source(graph: Graph, ref: TensorRef) -> str:
    """Return the node that makes a tensor, past those that only pass it on."""
    while graph.op(ref.node) in _PASSING:
        ref = graph.data_inputs(ref.node)[0]
    return ref.node
