"""Tell what writes a variable, and by which path a train_op gets there."""

from collections.abc import Collection, Iterator

from graphfreeze.check.explain.chosen import get_variable
from graphfreeze.check.explain.writer_kinds import WriterKinds
from graphfreeze.check.proof.static_proof import prove
from graphfreeze.check.proof.steps import find_path
from graphfreeze.check.record import find_entries
from graphfreeze.errors import CheckError
from graphfreeze.model.collected import node_entries
from graphfreeze.model.explain_records import ReachRecord, StepRecord, WriterRecord, WritersRecord
from graphfreeze.model.graph import Graph
from graphfreeze.model.model import Model
from graphfreeze.model.names import find_ref
from graphfreeze.model.reads import writers
from graphfreeze.model.records import VariableRecord
from graphfreeze.model.training import TRAIN_OP_KEYS
from graphfreeze.model.unfolded import Unfolded
from graphfreeze.model.unfolding import unfold
from graphfreeze.model.updates import UPDATE_OPS
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.steps import LISTED
from graphfreeze.selection.resolve import PARTLY, Choice, Selection

_MOST = 5


def explain_writers(
    model: Model,
    name: str,
    *,
    train_op: str | None = None,
    former: VariableRecord | None = None,
) -> WritersRecord:
    """Tell every op that writes a variable, and the shortest path by which a train_op runs it.

    Writers in the bodies of functions are told by the calls that lead to them.
    Without ``train_op`` the ops of the collection ``train_op`` are asked, each by itself.
    ``former`` is what an earlier freeze says of the variable. Raises CheckError for names that the
    model does not have.
    """
    variable, told = get_variable(model, name), unfold(model.graph)
    train_ops = _train_ops(model, train_op)
    kinds = WriterKinds(model, variable, told)
    guarded = find_guarded(model, variable, former, told)
    found = [
        WriterRecord(
            name=told.steps([writer])[0],
            op=told.op(told.steps([writer])[0]),
            kind=kinds.kind(writer),
            guarded=writer in guarded,
            reached=[each for op in train_ops for each in _reached(told, op, writer)],
            others=_others(model, told.graph, writer, train_ops),
        )
        for writer in writers(told.graph, variable)
    ]
    moves = any(writer.reached for writer in found)
    return WritersRecord(
        variable=variable.name,
        train_ops=train_ops,
        moves=moves,
        writers=sorted(found, key=lambda writer: not writer.reached),
        state=former.state if former is not None else "",
        rule=former.rule if former is not None else "",
        notes=list(_notes(model, train_ops)),
    )


def find_guarded(
    model: Model, variable: Variable, former: VariableRecord | None, told: Unfolded
) -> set[str]:
    """Return the writers that a step runs and that are shown to leave frozen entries alone.

    ``former`` says which entries are frozen; without it nothing is."""
    entries = find_entries(former) if former is not None else None
    if entries is None:
        return set()
    draft, choice = Draft(model), Choice(variable, PARTLY, entries=entries)
    breaches = prove(draft, Selection((choice,), ()))
    reached = told.graph.ancestors(LISTED.ends(draft))
    run = {writer for writer in writers(told.graph, variable) if writer in reached}
    wrong = {breach.writer for breach in breaches}
    return {writer for writer in run if wrong.isdisjoint(told.steps([writer]))}


def _train_ops(model: Model, named: str | None) -> list[str]:
    keys = sorted(TRAIN_OP_KEYS)
    listed = [name for key in keys for name in node_entries(model.collections, key)]
    refs = [find_ref(name) for name in (listed if named is None else [named])]
    found = [ref.node for ref in refs if ref is not None and ref.node in model.graph]
    if named is not None and not found:
        raise CheckError.unknown_train_op(named, model.graph.nodes, own=listed)
    return list(dict.fromkeys(found))


def _reached(told: Unfolded, op: str, writer: str) -> Iterator[ReachRecord]:
    """Yield the shortest way from a train_op to a writer, if it runs it."""
    path = told.steps(find_path(told.graph, [op], writer))
    if path:
        yield ReachRecord(op, [StepRecord(each, told.op(each)) for each in path])


def _others(model: Model, graph: Graph, writer: str, train_ops: Collection[str]) -> list[str]:
    """Return what else runs a writer: UPDATE_OPS, and groups that nothing waits for."""
    found = dict[str, None]()
    below = graph.descendants([writer])
    for name in node_entries(model.collections, UPDATE_OPS):
        ref = find_ref(name)
        if ref is not None and ref.node in below:
            found[f"{ref.node} (in {UPDATE_OPS})"] = None
    trained = {name for op in train_ops for name in graph.descendants([op])}
    ends = [n for n in graph.nodes if n in below and not graph.edges_from(n)]
    groups = [n for n in ends if graph.op(n) == "NoOp" and n not in trained and n != writer]
    found.update(dict.fromkeys(groups))
    more = len(found) - _MOST
    return [*list(found)[:_MOST], *([f"{more:,} more"] if more > 0 else [])]


def _notes(model: Model, train_ops: Collection[str]) -> Iterator[str]:
    if not train_ops:
        yield "the graph lists no train_op; name one with --train-op"
