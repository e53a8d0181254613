"""Run initializers in TensorFlow, and write what they give to a checkpoint."""

from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from types import ModuleType

from graphfreeze.emit.contents import Contents, initializers, runtime_prefix
from graphfreeze.errors import EmitError
from graphfreeze.model.saver import Entry, saved_variable
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.message import importable, meta_graph
from graphfreeze.runtime import Session
from graphfreeze.schema import GraphDef


def save_initial_values(
    tf: ModuleType, sess: Session, draft: Draft, contents: Contents, to: Path
) -> None:
    """Initialize the new variables in the default graph, and save them.

    Raises EmitError where an initializer fails."""
    initializer = initializers(draft)
    _import(tf, draft, contents, initializer)
    for names in _in_order(draft, contents, initializer):
        ops = [initializer[name] for name in names]
        before = _restored(tf, draft, contents, draft.graph.ancestors(ops))
        try:
            sess.run(before)
            sess.run([tf.get_default_graph().get_operation_by_name(op) for op in ops])
        except (tf.errors.OpError, ValueError, TypeError) as error:
            reason = f"initializing fails: {error}"
            raise EmitError.no_value(names, reason) from error
    graph, entries = tf.get_default_graph(), contents.new
    save = tf.raw_ops.SaveV2(
        prefix=str(to),
        tensor_names=[e.key for e in entries],
        shape_and_slices=[e.slice for e in entries],
        tensors=[graph.get_tensor_by_name(e.tensor.tensor_name) for e in entries],
    )
    sess.run(save)


def _import(
    tf: ModuleType, draft: Draft, contents: Contents, initializer: Mapping[str, str]
) -> None:
    """Import what initializing and saving takes, and no more of the graph."""
    names = [_variable(draft, entry) for entry in contents.new]
    wanted = [initializer[name] for name in names]
    needed = draft.graph.ancestors([*wanted, *(entry.tensor.node for entry in contents.new)])
    graph = importable(meta_graph(draft)).graph_def
    nodes = [node for node in graph.node if node.name in needed]
    for node in nodes:
        node.device = ""
        node.attr.pop("_class", None)
    part = GraphDef(node=nodes, library=graph.library, versions=graph.versions)
    try:
        tf.import_graph_def(part, name="")
    except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
        raise EmitError.no_value(names, f"TensorFlow refuses the graph: {error}") from error


def _in_order(
    draft: Draft, contents: Contents, initializer: Mapping[str, str]
) -> Iterator[list[str]]:
    """Yield the new variables in groups; none needs one of its own group or of a later one."""
    new = sorted({_variable(draft, entry) for entry in contents.new})
    above = {name: draft.graph.ancestors([initializer[name]]) for name in new}
    needs = {name: found.intersection(new) - {name} for name, found in above.items()}
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        yield ready
        sorter.done(*ready)


def _restored(tf: ModuleType, draft: Draft, contents: Contents, needed: set[str]) -> list[object]:
    """Return ops that give variables which initializers depend on their source's values."""
    graph, ops = tf.get_default_graph(), []
    for entry in contents.kept:
        name = _variable(draft, entry)
        if name not in needed:
            continue
        (value,) = tf.raw_ops.RestoreV2(
            prefix=runtime_prefix(contents.prefix),
            tensor_names=[entry.key],
            shape_and_slices=[entry.slice],
            dtypes=[tf.as_dtype(draft.graph.dtype(entry.tensor))],
        )
        variable = graph.get_tensor_by_name(f"{name}:0")
        if variable.dtype == tf.resource:
            ops.append(tf.raw_ops.AssignVariableOp(resource=variable, value=value))
        else:
            # The graph may not know the shape, and what the source has was checked already.
            assign = tf.raw_ops.Assign(ref=variable, value=value, validate_shape=False)
            ops.append(assign.op)
    return ops


def _variable(draft: Draft, entry: Entry) -> str:
    return saved_variable(draft.graph, entry.tensor) or ""
