"""Stop what functions write of the variables that are handed to them."""

from collections.abc import Iterator, Sequence

from graphfreeze.errors import RewriteError
from graphfreeze.model.graph import Graph
from graphfreeze.model.reads import writers
from graphfreeze.rewrite.edits import ReplaceNode
from graphfreeze.rewrite.gate import gated
from graphfreeze.rewrite.handed import arguments
from graphfreeze.rewrite.needs import Need
from graphfreeze.rewrite.waits import Waits, going_writers
from graphfreeze.selection.choice import FROZEN


def gate(graph: Graph, need: Need, others: Sequence[Need]) -> Iterator[ReplaceNode]:
    """Gate what writes a frozen variable in a body, as ``gated`` does.

    ``others`` are handed over too: what writes one of them that is not frozen cannot be gated, and
    raises RewriteError."""
    if need.choice.state != FROZEN:
        return
    stopped = [each.variable for each in (need, *others) if each.choice.state == FROZEN]
    going = [each.variable for each in others if each.choice.state != FROZEN]
    shared = {writer: other.name for other in going for writer in writers(graph, other)}
    waits = Waits(graph, going_writers(graph, list(arguments(graph)), stopped))
    for writer in writers(graph, need.variable):
        if writer in shared:
            op, other = graph.op(writer), shared[writer]
            raise RewriteError.shared_writer(need.variable.name, writer, op=op, other=other)
        yield ReplaceNode(gated(graph, need.variable, writer, waits.find(writer)))
