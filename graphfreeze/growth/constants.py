"""Constants with a larger number in them, or with more of what they hold."""

import numpy as np

from graphfreeze.growth.heights import Repeats, Stretches, Tall
from graphfreeze.model.attrs import count_elements, parse_shape, tensor_proto
from graphfreeze.model.static_shapes import item_size, read_integers
from graphfreeze.schema import TensorProto


def grown_value(value: TensorProto, change: Stretches | Repeats) -> TensorProto:
    """Return the value that a constant has to have."""
    if isinstance(change, Repeats):
        return _repeated(value, change.tall)
    return _stretched(value, change)


def _stretched(value: TensorProto, change: Stretches) -> TensorProto:
    """Return whole numbers of which one is to count the new rows too."""
    numbers = read_integers(value)
    numbers[change.index] += change.tall.added
    shape = [size or 0 for size in parse_shape(value.tensor_shape) or ()]
    return tensor_proto(np.array(numbers).reshape(shape), value.dtype)


def _repeated(value: TensorProto, tall: Tall) -> TensorProto:
    """Return more of a constant that has one value throughout."""
    out = TensorProto()
    out.CopyFrom(value)
    out.tensor_shape.dim[tall.axis].size = tall.size + tall.added
    if value.tensor_content:
        count = count_elements(parse_shape(out.tensor_shape)) or 0
        out.tensor_content = value.tensor_content[: item_size(value)] * count
    return out
