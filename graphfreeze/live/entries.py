"""Stop the gradient of single entries of a tensor that is still being built.

The recipe ``stop_gradient(abs(mask - 1) * x) + mask * x``, published as the answer to "How to stop
gradient for some entry of a tensor in tensorflow" (Stack Overflow), made right: 0 * inf is NaN and
0 + -0.0 is 0.0, so it changes values that it should pass on.
"""

from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from graphfreeze.errors import SelectionError
from graphfreeze.runtime import open_runtime

Tensor = Any  # TensorFlow has no types


def entry_stop_gradients(target: Tensor, mask: Tensor) -> Tensor:
    """Return ``target`` with the gradient of each entry multiplied by its entry of ``mask``.

    Here, as in the published recipe, **1 or True lets the gradient through** and 0 or False stops
    it; everywhere else in graphfreeze True means frozen.

    ``target`` is a floating tensor or a variable, ref or resource. ``mask`` is bool, or a number in
    [0, 1]: a list, a numpy array or a tensor. Like numpy it is aligned with the last axes of
    ``target``, so a mask of the rows of a [10, 5] has shape [10, 1]; no gradient reaches it.

    =========================  ==============================================  =================
    mask                       what is built                                   the value
    =========================  ==============================================  =================
    bool; constant 0s and 1s   ``where(mask, x, stop(x))``                     ``x``, to the bit
    other numbers              ``stop(x) - (stop(mask * x) - mask * x)``       ``x``, if finite
    =========================  ==============================================  =================

    In the second row TensorFlow's arithmetic takes denormal entries for zeros. Raises
    SelectionError for shapes that do not fit, numbers outside [0, 1], and a target without
    entries that can learn; shapes that are not known yet are checked by the run.
    """
    tf = open_runtime()
    x = _floating(tf, target)
    with tf.name_scope(f"{x.op.name}/graphfreeze/"):
        m = _fitting(tf, tf.convert_to_tensor(_binary(tf, mask), name="mask"), x)
        if m.dtype == tf.bool:
            return tf.where_v2(m, x, tf.stop_gradient(x, name="stop"), name="masked")
        product = tf.stop_gradient(tf.cast(m, x.dtype)) * x
        no_value = tf.stop_gradient(product) - product
        return tf.subtract(tf.stop_gradient(x, name="stop"), no_value, name="masked")


def _floating(tf: ModuleType, target: Tensor) -> Tensor:
    if isinstance(target, tf.IndexedSlices | tf.SparseTensor):
        raise _bad_target(type(target).__name__)
    x = tf.convert_to_tensor(target)
    if not (x.dtype.is_floating or x.dtype.is_complex):
        raise _bad_target(f"a tensor of {x.dtype.name}")
    return x


def _binary(tf: ModuleType, mask: Tensor) -> Tensor:
    """Return a mask that holds nothing but 0 and 1 as bool; a tensor passes as it is."""
    if tf.is_tensor(mask):
        return mask
    values: npt.NDArray[Any] = np.asarray(mask)
    if values.dtype.kind not in "buif":
        raise SelectionError(f"a mask is bool or numbers in [0, 1], not {values.dtype}")
    outside = values[~((values >= 0) & (values <= 1))]
    if outside.size:
        raise SelectionError(f"a mask holds numbers in [0, 1], not {outside[0]}; 1 learns")
    return values.astype(np.bool_) if np.isin(values, (0, 1)).all() else values


def _fitting(tf: ModuleType, mask: Tensor, x: Tensor) -> Tensor:
    """Return a mask that the run, too, can only take for one of this shape."""
    try:
        shape = tf.broadcast_static_shape(mask.shape, x.shape)
    except ValueError:
        raise _bad_shape(mask, x) from None
    if not shape.is_compatible_with(x.shape):
        raise _bad_shape(mask, x)
    if mask.shape.is_fully_defined() and x.shape.is_fully_defined():
        return mask
    return tf.broadcast_to(mask, tf.shape(x), name="mask/broadcast")


def _bad_target(what: str) -> SelectionError:
    return SelectionError(f"{what} has no entries that can learn; give a floating, dense tensor")


def _bad_shape(mask: Tensor, x: Tensor) -> SelectionError:
    shapes = f"a mask of shape {_shown(mask.shape)} does not fit {x.name!r} of {_shown(x.shape)}"
    is_of_rows = mask.shape.rank == 1 and mask.shape[0] == x.shape[0]
    column = _shown([mask.shape[0], *[1] * (x.shape.rank - 1)]) if is_of_rows else ""
    wanted = "give a shape that broadcasts to it"
    return SelectionError(f"{shapes}; {f'reshape it to {column}' if is_of_rows else wanted}")


def _shown(shape: Tensor) -> str:
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"
