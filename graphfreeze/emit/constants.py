"""Values of Const nodes as arrays, bit for bit."""

import math
from types import ModuleType

import numpy as np

from graphfreeze.emit.boxes import Array
from graphfreeze.errors import LoadError
from graphfreeze.model.attrs import find_attr
from graphfreeze.model.model import Model
from graphfreeze.read.number_types import find_number_type
from graphfreeze.runtime import Session
from graphfreeze.schema import TensorProto


def constant_of(model: Model, name: str) -> TensorProto:
    """Return the value of a Const as the graph holds it."""
    node = model.graph.nodes[name]
    assert node.op == "Const", f"{name} is no Const"
    return find_attr(node, "value").tensor


def read_constant(tf: ModuleType, sess: Session, model: Model, name: str) -> Array:
    """Return the value of a Const, perhaps read-only; raises LoadError.

    Bytes are taken as they are. TensorFlow reads all else: numbers one by one, where the last
    stands for those that are left out, and text."""
    tensor = constant_of(model, name)
    shape, dtype = [int(dim.size) for dim in tensor.tensor_shape.dim], tf.as_dtype(tensor.dtype)
    content = tensor.tensor_content if find_number_type(tensor.dtype) is not None else b""
    if content and len(content) == math.prod(shape) * dtype.size:
        return np.frombuffer(content, dtype.as_numpy_dtype).reshape(shape)
    place = tf.placeholder(tf.string, [])
    parsed = tf.raw_ops.ParseTensor(serialized=place, out_type=dtype)
    try:
        value: Array = np.asarray(sess.run(parsed, {place: tensor.SerializeToString()}))
    except tf.errors.OpError as error:
        reason = str(error).partition("[[")[0]
        raise LoadError.bad_constant(name, reason, path=model.source.path) from error
    return value
