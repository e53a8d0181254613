"""What a bundle's saver runs, and which of that are its own ops on the files that it is told.

The graph says what its saver is: more may hang on it than saving and restoring.
"""

from graphfreeze.check.running.needed_nodes import closure
from graphfreeze.model.graph import Graph
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef, parse_ref
from graphfreeze.model.reads import RESTORERS, SAVERS

_MERGE = "MergeV2Checkpoints"
_JOINING = frozenset({"StringJoin", "ShardedFilename", "Identity"})  # what begins stays in front


def saver_nodes(model: Model) -> list[str]:
    """Return the nodes that save and restore; none without a saver in the graph."""
    saver = model.saver if model.saver_ops is not None else None
    if saver is None:
        return []
    return [parse_ref(str(n)).node for n in (saver.save_tensor_name, saver.restore_op_name)]


def find_beside(model: Model) -> list[str]:
    """Return the nodes that saving and restoring run besides the saver's own ops on its files."""
    if model.saver is None:
        return []
    graph, filename = model.graph, parse_ref(str(model.saver.filename_tensor_name))
    run = closure(graph, saver_nodes(model), [filename])
    return sorted(name for name in run if not _is_own(graph, name, filename))


def _is_own(graph: Graph, name: str, filename: TensorRef) -> bool:
    """Tell whether an op saves or restores under the name that the saver is told."""
    op, inputs = graph.op(name), graph.data_inputs(name)
    places = inputs[:2] if op == _MERGE else inputs[:1] if op in SAVERS | RESTORERS else ()
    return bool(places) and all(_is_below(graph, place, filename) for place in places)


def _is_below(graph: Graph, ref: TensorRef, filename: TensorRef) -> bool:
    """Tell whether a text is the saver's name with something behind it that leads nowhere else."""
    if ref == filename:
        return True
    inputs = graph.data_inputs(ref.node)
    if graph.op(ref.node) == "Pack":
        return all(_is_below(graph, each, filename) for each in inputs)
    if graph.op(ref.node) not in _JOINING or not _is_below(graph, inputs[0], filename):
        return False
    behind = closure(graph, [each.node for each in inputs[1:]], [filename])
    texts = (graph.nodes[name].attr["value"].tensor for name in behind if graph.op(name) == "Const")
    return not any(b".." in text for tensor in texts for text in tensor.string_val)
