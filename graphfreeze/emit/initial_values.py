"""Run initializers in TensorFlow, each after the values that it depends on are there."""

from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from types import ModuleType
from zlib import crc32

from graphfreeze.emit.changed_values import Values
from graphfreeze.emit.contents import Contents, initializers, variable_of
from graphfreeze.emit.source import reason_of
from graphfreeze.errors import EmitError
from graphfreeze.model.attrs import find_attr
from graphfreeze.model.op_origins import with_origins
from graphfreeze.model.saver import Entry
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import FromRows
from graphfreeze.rewrite.message import importable_part
from graphfreeze.runtime import missing_ops
from graphfreeze.schema import NodeDef

Feeds = dict[object, object]


def initialize(values: Values) -> None:
    """Import what it takes into the default graph, and initialize the variables that need it.

    Raises EmitError where an initializer fails."""
    tf, draft, contents = values.tf, values.draft, values.contents
    initializer = initializers(draft)
    _import(tf, draft, contents, initializer)
    for names in _in_order(draft, contents, initializer):
        ops = [initializer[name] for name in names]
        given = _given(values, draft.graph.ancestors(ops).difference(names))
        try:
            for assign, feeds in given:
                values.sess.run(assign, feeds)
            values.sess.run([tf.get_default_graph().get_operation_by_name(op) for op in ops])
        except (tf.errors.OpError, ValueError, TypeError) as error:
            reason = f"initializing fails: {reason_of(str(error))}"
            failed = [name for name in names if _fails(values, initializer[name])]
            raise EmitError.no_value(failed or names, reason) from error


def _fails(values: Values, op: str) -> bool:
    """Tell whether an initializer fails by itself."""
    tf = values.tf
    try:
        values.sess.run(tf.get_default_graph().get_operation_by_name(op))
    except tf.errors.OpError:
        return True
    return False


def _import(
    tf: ModuleType, draft: Draft, contents: Contents, initializer: Mapping[str, str]
) -> None:
    """Import what initializing and saving takes, and no more of the graph."""
    entries = contents.initialized
    names = [variable_of(draft, entry) for entry in entries]
    wanted = [initializer[name] for name in names]
    part = importable_part(draft, [*wanted, *(entry.tensor.node for entry in entries)])
    for node in part.node:
        node.attr.pop("_class", None)
        _seed(node, draft)
    lacking = missing_ops(str(n.op) for n in part.node if n.op not in draft.graph.functions)
    if lacking:
        told = with_origins(lacking)
        raise EmitError.missing_ops(told, names, version=tf.__version__)
    try:
        tf.import_graph_def(part, name="")
    except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
        raise EmitError.no_value(names, f"TensorFlow refuses the graph: {error}") from error


def _seed(node: NodeDef, draft: Draft) -> None:
    """Let an op draw the same each time, if that is wanted and it has no seed of its own."""
    definition = draft.graph.ops.find(str(node.op))
    known = {str(attr.name) for attr in definition.attr} if definition is not None else set()
    if draft.seed is None or not known >= {"seed", "seed2"}:
        return
    if not (find_attr(node, "seed").i or find_attr(node, "seed2").i):
        node.attr["seed"].i = draft.seed
        node.attr["seed2"].i = crc32(str(node.name).encode()) or 1  # both 0 would be none


def _in_order(
    draft: Draft, contents: Contents, initializer: Mapping[str, str]
) -> Iterator[list[str]]:
    """Yield the variables in groups; none needs one of its own group or of a later one."""
    new = sorted({variable_of(draft, entry) for entry in contents.initialized})
    tables = _tables(draft, contents)
    needs: dict[str, set[str]] = {}
    for name in new:
        above = draft.graph.ancestors([initializer[name]])
        above |= {table for each in above & tables.keys() for table in tables[each]}
        needs[name] = above.intersection(new) - {name}
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        yield ready
        sorter.done(*ready)


def _tables(draft: Draft, contents: Contents) -> dict[str, set[str]]:
    """Return the variables whose rows others are to hold, by those."""
    bases = [(entry, contents.recipes[entry.key].base) for entry in contents.new]
    return {
        variable_of(draft, entry): {
            variable_of(draft, other) for other in contents.entries if other.key == base.key
        }
        for entry, base in bases
        if isinstance(base, FromRows)
    }


def _given(values: Values, needed: set[str]) -> Iterator[tuple[object, Feeds]]:
    """Yield ops that give variables which initializers depend on the values they are to have."""
    for entry in values.contents.entries:
        recipe = values.contents.recipes.get(entry.key)
        if variable_of(values.draft, entry) not in needed:
            continue
        if recipe is None:
            yield _assign(values, entry, values.restored([entry])[0]), {}
        elif not recipe.is_initial:
            value = values.value(entry)
            place = values.tf.placeholder(value.dtype, value.shape)
            yield _assign(values, entry, place), {place: value}


def _assign(values: Values, entry: Entry, value: object) -> object:
    """Return the op that gives a variable of either kind a value."""
    tf, name = values.tf, variable_of(values.draft, entry)
    variable = tf.get_default_graph().get_tensor_by_name(f"{name}:0")
    if variable.dtype == tf.resource:
        return tf.raw_ops.AssignVariableOp(resource=variable, value=value)
    # The graph may not know the shape, and what the source has was checked already.
    return tf.raw_ops.Assign(ref=variable, value=value, validate_shape=False).op
