"""What a training step runs, and which writers of a variable are among it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from graphfreeze.model.collected import node_entries
from graphfreeze.model.names import TensorRef, parse_ref
from graphfreeze.model.reads import writers
from graphfreeze.model.signatures import served_signatures, tensors_in
from graphfreeze.model.training import MODEL_KEYS
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.draft import Draft

TRAIN_OP = "train_op"


@dataclass(frozen=True, slots=True)
class Step:
    """What one run fetches: the train_op of the collection, and what is fetched along with it.

    These are ``losses``, and the collections of losses, updates and summaries, and outputs. With
    ``ops`` it is those nodes alone."""

    losses: Sequence[TensorRef] = ()
    ops: tuple[str, ...] | None = None

    def train_ops(self, draft: Draft) -> list[str]:
        """Return the nodes that train."""
        return train_ops(draft) if self.ops is None else list(self.ops)

    def besides(self, draft: Draft) -> list[str]:
        """Return the nodes that are fetched along with those."""
        return list(fetched_besides(draft, self.losses)) if self.ops is None else []

    def ends(self, draft: Draft) -> list[str]:
        """Return all nodes that the step fetches."""
        return [*self.besides(draft), *self.train_ops(draft)]

    def nodes(self, draft: Draft) -> set[str]:
        """Return the nodes that the step runs."""
        return draft.graph.ancestors(self.ends(draft))

    def writers(
        self, draft: Draft, variables: Iterable[Variable]
    ) -> Iterator[tuple[Variable, str]]:
        """Yield the writers of variables that the step runs."""
        reached = self.nodes(draft)
        for variable in variables:
            for writer in writers(draft.graph, variable):
                if writer in reached:
                    yield variable, writer


LISTED = Step()
"""What the collections list."""


def train_ops(draft: Draft) -> list[str]:
    """Return the nodes of the train_op."""
    return [parse_ref(name).node for name in node_entries(draft.collections, TRAIN_OP)]


def fetched_besides(draft: Draft, losses: Sequence[TensorRef]) -> Iterator[str]:
    """Yield the nodes that are fetched along with the train_op."""
    yield from (ref.node for ref in losses)
    for key in sorted(MODEL_KEYS):
        yield from (parse_ref(name).node for name in node_entries(draft.collections, key))
    for signature in served_signatures(draft.signatures):
        yield from (ref.node for ref in tensors_in(signature.outputs))
