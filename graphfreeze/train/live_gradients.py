"""Gradients without what a forward mask leaves of those of frozen entries.

A mask that multiplies makes 0 of a frozen row's gradient, and NaN if it is infinite: that row must
neither make a norm NaN nor stop a step.
"""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from graphfreeze.model.names import TensorRef
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.builder import Builder
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import AddNode
from graphfreeze.rewrite.entry_mask import mask_of_ids, trainable_mask
from graphfreeze.schema import GraphDef
from graphfreeze.selection.entries import Entries
from graphfreeze.selection.resolve import Selection


def live_gradients(
    tf: ModuleType, draft: Draft, selection: Selection, pairs: Sequence[tuple[Any, Any]]
) -> list[Any]:
    """Return gradients that are 0 at frozen entries; IndexedSlices keep their ids."""
    partly = {v.name: (v, entries) for v, entries in selection.partly.items()}
    return [
        _live(tf, draft, gradient, *partly[variable.op.name])
        if variable.op.name in partly
        else gradient
        for gradient, variable in pairs
    ]


def _live(tf: ModuleType, draft: Draft, gradient: Any, variable: Variable, entries: Entries) -> Any:
    device = str(draft.graph.nodes[variable.name].device)
    build = Builder(variable.name, device, scope="gradient/")
    if not isinstance(gradient, tf.IndexedSlices):
        mask = trainable_mask(build, entries, variable)
        return _selected(tf, build, mask, gradient)
    ids = gradient.indices
    given = TensorRef(ids.op.name, ids.value_index)
    mask = mask_of_ids(build, entries, variable, given, ids.dtype.as_datatype_enum)
    return tf.IndexedSlices(_selected(tf, build, mask, gradient.values), ids, gradient.dense_shape)


def _selected(tf: ModuleType, build: Builder, mask: TensorRef, values: Any) -> Any:
    """Return values where a mask is true, 0 elsewhere."""
    dtype = values.dtype.as_datatype_enum
    zero = build.const("zero_gradient", 0, dtype)
    given = TensorRef(values.op.name, values.value_index)
    kept = build.add("live", "SelectV2", (mask, given, zero), {"T": dtype})
    _add(tf, build.edits)
    return tf.get_default_graph().get_tensor_by_name(kept.tensor_name)


def _add(tf: ModuleType, edits: Sequence[AddNode]) -> None:
    """Put new nodes into the default graph."""
    graph, own = tf.get_default_graph(), {edit.name for edit in edits}
    made, outside = GraphDef(), dict[str, object]()
    made.versions.producer = tf.GRAPH_DEF_VERSION
    for edit in edits:
        inputs = [str(ref) for ref in edit.inputs]
        node = made.node.add(name=edit.name, op=edit.op, device=edit.device, input=inputs)
        for key, value in edit.attrs.items():
            node.attr[key].CopyFrom(value)
        refs = [ref for ref in edit.inputs if ref.node not in own]
        outside |= {ref.tensor_name: graph.get_tensor_by_name(ref.tensor_name) for ref in refs}
    tf.import_graph_def(made, input_map=outside, name="")
