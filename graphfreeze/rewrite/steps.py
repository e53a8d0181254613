"""What a training step runs, and which writers of a variable are among it."""

from collections.abc import Iterable, Iterator, Sequence

from graphfreeze.model.collected import node_entries
from graphfreeze.model.names import TensorRef, parse_ref
from graphfreeze.model.reads import writers
from graphfreeze.model.training import MODEL_KEYS
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.draft import Draft

TRAIN_OP = "train_op"


def reached_writers(
    draft: Draft, variables: Iterable[Variable], losses: Sequence[TensorRef]
) -> Iterator[tuple[Variable, str]]:
    """Yield the writers of variables that a step runs: its own, and those of what is fetched."""
    reached = nodes_of_step(draft, losses)
    for variable in variables:
        for writer in writers(draft.graph, variable):
            if writer in reached:
                yield variable, writer


def nodes_of_step(draft: Draft, losses: Sequence[TensorRef]) -> set[str]:
    """Return the nodes that a step runs, or what is fetched with it."""
    return draft.graph.ancestors([*fetched_besides(draft, losses), *train_ops(draft)])


def train_ops(draft: Draft) -> list[str]:
    """Return the nodes of the train_op."""
    return [parse_ref(name).node for name in node_entries(draft.collections, TRAIN_OP)]


def fetched_besides(draft: Draft, losses: Sequence[TensorRef]) -> Iterator[str]:
    """Yield the nodes that are fetched along with the train_op."""
    yield from (ref.node for ref in losses)
    for key in sorted(MODEL_KEYS):
        yield from (parse_ref(name).node for name in node_entries(draft.collections, key))
    for signature in draft.base.header.signature_def.values():
        yield from (parse_ref(str(info.name)).node for info in signature.outputs.values())
