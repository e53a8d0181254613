"""A GraphDef whose variables are constants, made by TensorFlow's own freeze_graph."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from google.protobuf.message import EncodeError

from graphfreeze.emit.source import reason_of
from graphfreeze.errors import ExportError
from graphfreeze.model.graph import Graph
from graphfreeze.model.misfits import find_misfits
from graphfreeze.model.names import TensorRef, parse_ref
from graphfreeze.model.op_origins import with_origins
from graphfreeze.model.wire import MOST_BYTES
from graphfreeze.read.number_types import find_number_type
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.message import importable_part
from graphfreeze.rewrite.valued_nodes import hang_axes
from graphfreeze.rewrite.values_for_handles import ValuesForHandles
from graphfreeze.runtime import building, missing_ops, session
from graphfreeze.schema import GraphDef


def check_size(draft: Draft, outputs: Sequence[TensorRef]) -> None:
    """Refuse variables that no message holds; raises ExportError."""
    needed = draft.graph.ancestors(ref.node for ref in outputs)
    size = 0
    for variable in draft.variables:
        if variable.name in needed:
            dtype = find_number_type(variable.dtype)
            size += (variable.parameters or 0) * (1 if dtype is None else dtype.itemsize)
    if size > MOST_BYTES:
        raise ExportError.too_large(size)


def frozen_graph(draft: Draft, outputs: Sequence[TensorRef], checkpoint: Path | None) -> GraphDef:
    """Return what outputs need, with the values of a checkpoint; raises ExportError.

    Starts TensorFlow, and asks its ``convert_variables_to_constants``."""
    names = list(dict.fromkeys(ref.node for ref in outputs))
    saver = draft.saver
    ends = [] if checkpoint is None or saver is None else [parse_ref(saver.restore_op_name).node]
    first = importable_part(draft, [*names, *ends])
    with building() as tf, session(tf) as sess:
        lacking = missing_ops(str(n.op) for n in first.node if n.op not in draft.graph.functions)
        if lacking:
            raise ExportError.missing_ops(with_origins(lacking), version=tf.__version__)
        try:
            tf.import_graph_def(first, name="")
            _add_reads(tf, draft, names)
            if checkpoint is not None and saver is not None:
                feeds = {str(saver.filename_tensor_name): str(checkpoint)}
                sess.run(str(saver.restore_op_name), feeds)
            part = _with_values(draft, importable_part(draft, names, keep_devices=True))
            made = tf.graph_util.convert_variables_to_constants(sess, part, names)
        except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
            raise ExportError.not_frozen(reason_of(str(error))) from error
    frozen = GraphDef.FromString(_serialized(made))
    functions = {str(each.signature.name): each for each in frozen.library.function}
    graph = Graph(frozen.node, functions, draft.graph.ops)
    _check(graph)
    hang_axes(graph)
    return frozen


def _check(graph: Graph) -> None:
    """Refuse a graph that no session would run: TensorFlow loses lookups in functions."""
    misfit = next(find_misfits(graph), None)
    if misfit is not None:
        raise ExportError.not_frozen(f"{misfit} takes a variable in a function")


def _with_values(draft: Draft, part: GraphDef) -> GraphDef:
    """Return a graph whose functions take no variables."""
    functions = {str(each.signature.name): each for each in part.library.function}
    graph = Graph(part.node, functions, draft.graph.ops)
    ValuesForHandles(graph).replace(draft.variables)
    made = GraphDef(node=graph.nodes.values(), versions=part.versions, library=part.library)
    made.library.ClearField("function")
    made.library.function.extend(graph.functions.values())
    return made


def _add_reads(tf: ModuleType, draft: Draft, names: Sequence[str]) -> None:
    """Read resource variables under the names by which TensorFlow asks for their values."""
    needed, graph = draft.graph.ancestors(names), tf.get_default_graph()
    for variable in draft.variables:
        if variable.kind == "resource" and variable.name in needed:
            handle = graph.get_tensor_by_name(f"{variable.name}:0")
            name = f"{variable.name}/Read/ReadVariableOp"
            if name not in {op.name for op in handle.consumers()}:
                tf.raw_ops.ReadVariableOp(resource=handle, dtype=variable.dtype, name=name)


def _serialized(graph: GraphDef) -> bytes:
    try:
        raw: bytes = graph.SerializeToString(deterministic=True)
    except (EncodeError, ValueError) as error:
        raise ExportError.too_large(int(graph.ByteSize())) from error
    return raw
