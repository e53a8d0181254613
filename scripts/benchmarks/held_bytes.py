"""The bytes that training holds for a table: variables, slots and constants."""

import math
import tempfile
from pathlib import Path

import tensorflow.compat.v1 as tf

from benchmarks.variants import Setting, freeze


def count(setting: Setting, strategy: str) -> dict[str, int]:
    """Freeze the model to a bundle and count what that holds.

    Variables and slots are the checkpoint's keys under the table's name. All constants of the
    graph are counted, those of the rest of the model too: their values, not their encoding."""
    with tempfile.TemporaryDirectory(dir=setting.source.parent) as folder:
        bundle = Path(folder) / "bundle"
        freeze(setting, strategy, bundle)
        saved = tf.train.load_checkpoint(str(bundle / "model"))
        dtypes = saved.get_variable_to_dtype_map()
        held = {
            key: math.prod(shape) * dtypes[key].size
            for key, shape in saved.get_variable_to_shape_map().items()
            if key.split("/")[0] == "table"
        }
        meta = tf.MetaGraphDef.FromString((bundle / "model.meta").read_bytes())
    constants = sum(_bytes(node) for node in meta.graph_def.node if node.op == "Const")
    parts = {"table": held.pop("table"), **held, "constants": constants}
    return {**parts, "total": sum(parts.values())}


def _bytes(node: tf.NodeDef) -> int:
    value = node.attr["value"].tensor
    return math.prod(dim.size for dim in value.tensor_shape.dim) * tf.DType(value.dtype).size
