"""Whether collections, saver and slots of a bundle agree with its record."""

from collections.abc import Iterator

from graphfreeze.check.record import LEARNING, NOT_REACHED, OVERLAY
from graphfreeze.emit.place import RECORD
from graphfreeze.errors import UndoError
from graphfreeze.errors.base import shape_text
from graphfreeze.model.collected import node_entries, variable_entries
from graphfreeze.model.names import find_ref, parse_ref
from graphfreeze.model.reads import writers
from graphfreeze.model.records import FreezeRecord, VariableRecord
from graphfreeze.model.updates import UPDATE_OPS
from graphfreeze.model.variables import TRAINABLE, Variable
from graphfreeze.read.mark import is_marked, read_mark
from graphfreeze.rewrite.builder import MARK
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.steps import TRAIN_OP
from graphfreeze.selection.resolve import FROZEN, Selection

_SLOT = f"/{MARK}_"  # what the names of our optimizers begin with
_SHADOW = "shadow of "  # the rule of a moving average of a variable, which does not learn


def find_differences(draft: Draft, record: FreezeRecord, selection: Selection) -> Iterator[str]:
    """Yield a sentence for each thing that a record says and a graph does not."""
    yield from _mark(draft)
    yield from _variables(draft, record)
    yield from _train_op(draft, record)
    yield from _trainable(draft, record)
    if record.patch is None:  # which leaves both as they were
        yield from _updates(draft, selection)
        yield from _saver(draft, record)
    if record.train_op is not None:
        yield from _slots(draft, record)


def _mark(draft: Draft) -> Iterator[str]:
    """Compare the record beside the graph with what the graph says of it."""
    model = draft.base
    if is_marked(model) and model.source.path.with_name(RECORD).is_file():
        try:
            read_mark(model)
        except UndoError as error:
            yield str(error)


def _variables(draft: Draft, record: FreezeRecord) -> Iterator[str]:
    there = {variable.name: variable for variable in draft.variables}
    for told in record.variables:
        variable = there.get(told.name)
        if variable is None:
            yield f"the record tells of {told.name}, which is not in the graph"
            continue
        shape = None if variable.shape is None else list(variable.shape)
        if shape != told.shape and shape is not None and told.shape is not None:
            both = f"{shape_text(shape)} in the graph and {shape_text(told.shape)} in the record"
            yield f"{told.name} has shape {both}"
        if (variable.type_name, variable.kind) != (told.dtype, told.kind):
            both = f"{variable.type_name} {variable.kind}, not {told.dtype} {told.kind}"
            yield f"{told.name} is {both} as in the record"
        if told.overlay_rows is not None and told.overlay_rows not in there:
            yield f"{told.overlay_rows}, which learns for {told.name}, is not in the graph"


def _train_op(draft: Draft, record: FreezeRecord) -> Iterator[str]:
    found = node_entries(draft.collections, TRAIN_OP)
    if record.train_op is not None and found != [record.train_op]:
        names = ", ".join(found) or "nothing"
        yield f"the collection 'train_op' holds {names}, not {record.train_op}"
    for name in record.losses:
        ref = find_ref(name)
        if ref is None or ref.node not in draft.graph:
            yield f"the record tells of the loss {name}, which is not in the graph"


def _trainable(draft: Draft, record: FreezeRecord) -> Iterator[str]:
    listed: dict[str, str] = {}
    for key in TRAINABLE:
        for definition in variable_entries(draft.collections, key):
            listed.setdefault(parse_ref(str(definition.variable_name)).node, key)
    going = {writer.variable for writer in record.patch.still_writing} if record.patch else ()
    for told in record.variables:
        is_stopped = told.state == FROZEN and told.name not in going
        if told.name in listed and (is_stopped or told.strategy == OVERLAY):
            state = "frozen" if told.state == FROZEN else "under an overlay"
            yield f"{told.name} is {state} and still in {listed[told.name]}"
    for name in _learning(record) if record.patch is None or listed else ():
        if name not in listed:
            yield f"{name} learns and is not in {TRAINABLE[0]}"


def _learning(record: FreezeRecord, *, reached: bool = False) -> list[str]:
    """Return the variables that learn, those of overlays instead of their tables."""
    states = LEARNING - {NOT_REACHED} if reached else LEARNING
    able = (told for told in record.variables if not told.rule.startswith(_SHADOW))
    return [_learner(told) for told in able if told.state in states]


def _learner(told: VariableRecord) -> str:
    return told.overlay_rows or told.name


def _updates(draft: Draft, selection: Selection) -> Iterator[str]:
    by_writer = {w: v.name for v in selection.frozen for w in writers(draft.graph, v)}
    for entry in node_entries(draft.collections, UPDATE_OPS):
        for name in sorted(draft.graph.ancestors([parse_ref(entry).node]) & by_writer.keys()):
            yield f"update_ops holds {entry}, which writes the frozen {by_writer[name]} by {name}"


def _saver(draft: Draft, record: FreezeRecord) -> Iterator[str]:
    saver, graph = draft.saver_ops, draft.graph
    if saver is None:
        yield "the graph has no saver"
        return
    told = {name for each in record.variables for name in (each.name, each.overlay_rows)}
    above_save = graph.ancestors(saver.entries)
    above_restore = graph.ancestors([parse_ref(str(saver.definition.restore_op_name)).node])
    for variable in draft.variables:
        if variable.name not in told or variable.is_local:
            continue
        if variable.name not in above_save:
            yield f"the saver does not save {variable.name}"
        if above_restore.isdisjoint(writers(graph, variable)):
            yield f"the saver does not restore {variable.name}"


def _slots(draft: Draft, record: FreezeRecord) -> Iterator[str]:
    """Compare the slots of what learns; what is frozen has none."""
    counts: dict[str, int] = {}
    there: dict[str, Variable] = {variable.name: variable for variable in draft.variables}
    others = {told.name for told in record.variables}  # one of the model's may be called so
    for name in there:
        owner, mark, _ = name.rpartition(_SLOT)
        if mark and name not in others:
            counts[owner] = counts.get(owner, 0) + 1
    for told in record.variables:
        if told.state == FROZEN and told.name in counts:
            count = "1 slot" if counts[told.name] == 1 else f"{counts[told.name]} slots"
            yield f"{told.name} is frozen and has {count} of the optimizer"
    learning = [name for name in _learning(record, reached=True) if name in there]
    most = max((counts.get(name, 0) for name in learning), default=0)
    for name in learning:
        if counts.get(name, 0) != most:
            yield f"{name} learns and has {counts.get(name, 0)} slots, not {most} as others have"
