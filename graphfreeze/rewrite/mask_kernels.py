"""How a mask is applied: values stay as they are, and gradients pass where the mask is true.

==========  ================================================  ==================================
kernel      value                                             is ``x`` to the bit
==========  ================================================  ==================================
multiply    ``m * x + stop_gradient((1 - m) * x)``            for finite x that is not denormal
select      ``select(m, x, stop_gradient(x))``                always
scaled      ``stop_gradient(x) - (stop_gradient(f x) - f x)`` for finite x that is not denormal;
                                                              always with the kernel select
==========  ================================================  ==================================

``m`` is a bool, ``f`` holds factors of the gradient.
"""

from dataclasses import dataclass

from graphfreeze.model.names import TensorRef
from graphfreeze.rewrite.builder import Builder
from graphfreeze.schema import types_pb2

BOOL = types_pb2.DT_BOOL
_INTEGERS = {  # of the same size
    types_pb2.DT_HALF: types_pb2.DT_INT16,
    types_pb2.DT_BFLOAT16: types_pb2.DT_INT16,
    types_pb2.DT_FLOAT: types_pb2.DT_INT32,
    types_pb2.DT_DOUBLE: types_pb2.DT_INT64,
}
MULTIPLY, SELECT = "multiply", "select"


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel, and why it was chosen by itself."""

    name: str
    reason: str = ""


def masked(build: Builder, x: TensorRef, test: TensorRef, dtype: int, *, kernel: str) -> TensorRef:
    """Return ``x`` with a gradient only where ``test`` is true; that broadcasts to it."""
    if kernel == SELECT:
        stop = build.add("stop", "StopGradient", (x,), {"T": dtype})
        return build.add("masked", "SelectV2", (test, x, stop), {"T": dtype})
    mask = build.add("mask", "Cast", (test,), {"SrcT": BOOL, "DstT": dtype})
    one = build.const("one_mask", 1, dtype)
    live = build.add("trainable", "Mul", (mask, x), {"T": dtype})
    rest = build.add("rest", "Sub", (one, mask), {"T": dtype})
    still = build.add("frozen", "Mul", (rest, x), {"T": dtype})
    stop = build.add("stop", "StopGradient", (still,), {"T": dtype})
    return build.add("masked", "Add", (live, stop), {"T": dtype})


def scaled(
    build: Builder, x: TensorRef, factors: TensorRef, dtype: int, *, kernel: str
) -> TensorRef:
    """Return ``x`` with its gradient times ``factors``, which broadcast to it.

    The kernel select keeps values that arithmetic would change: their gradient is stopped."""
    part = build.add("part", "Mul", (factors, x), {"T": dtype})
    still = build.add("stop_part", "StopGradient", (part,), {"T": dtype})
    # 0 - x would turn -0.0 into 0.0; x - 0 keeps it.
    nothing = build.add("no_value", "Sub", (still, part), {"T": dtype})
    stop = build.add("stop_scaled", "StopGradient", (x,), {"T": dtype})
    result = build.add("scaled", "Sub", (stop, nothing), {"T": dtype})
    if kernel != SELECT:
        return result
    # By their bits: to compare a denormal number with 0.0 finds them equal.
    integer = _INTEGERS[dtype]
    types = {"T": dtype, "type": integer}
    given, found = (
        build.add(f"{role}_bits", "Bitcast", (ref,), types)
        for role, ref in (("value", x), ("scaled", result))
    )
    same = build.add("is_same", "Equal", (given, found), {"T": integer})
    return build.add("scaled_or_stopped", "SelectV2", (same, result, stop), {"T": dtype})
