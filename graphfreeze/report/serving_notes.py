"""What makes an export serve other numbers than its user may expect."""

from collections.abc import Iterator

from graphfreeze.errors.base import count_text, listed
from graphfreeze.exported import Exported
from graphfreeze.model.averages import FUSED_NORMS, find_averages
from graphfreeze.model.batch_norms import BatchNorm, find_batch_norms
from graphfreeze.model.control_flow import MERGES, SWITCHES
from graphfreeze.model.graph import Graph
from graphfreeze.model.main_op import OP_SIGNATURES
from graphfreeze.model.names import TensorRef
from graphfreeze.model.origins import Values, origins, passed_from
from graphfreeze.model.signatures import tensors_in


def batch_norm_notes(exported: Exported) -> Iterator[str]:
    """Yield which batch norms of the outputs normalize by the batch that is served."""
    if exported.twin is not None:
        return
    graph = exported.draft.graph
    live = graph.ancestors(ref.node for ref in _outputs(exported))
    values = Values(graph, exported.draft.variables)
    norms = find_batch_norms(values, find_averages(values)) if live else []
    names = [n.node for n in norms if n.node in live and not _is_decided(graph, n)]
    if names:
        told = f"{count_text(len(names), 'batch norm')} {'goes' if len(names) == 1 else 'go'}"
        yield (
            f"{told} by the batch that is served, not by moving averages: {listed(names, most=3)}; "
            "to serve single examples export the graph that was made for serving"
        )


def _outputs(exported: Exported) -> Iterator[TensorRef]:
    yield from exported.outputs
    for key, signature in exported.signatures.items() if exported.tags else ():
        if key not in OP_SIGNATURES:
            yield from tensors_in(signature.outputs)


def _is_decided(graph: Graph, norm: BatchNorm) -> bool:
    """Tell whether a cond decides if a batch norm goes by its batch."""
    if graph.op(norm.node) in FUSED_NORMS:
        entering = passed_from(graph, graph.data_inputs(norm.node)[0])
        return any(graph.op(ref.node) in SWITCHES for ref in entering)
    taken = (ref for edge in norm.edges for ref in origins(graph, graph.ref_at(edge)))
    return any(graph.op(ref.node) in MERGES for ref in taken)
