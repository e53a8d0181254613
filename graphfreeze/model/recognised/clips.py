"""Tell how gradients are bounded before they are applied."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.model.names import TensorRef
from graphfreeze.model.recognised.walk import ADDS, DIVISIONS, Walk

GLOBAL, NORM, VALUE = "global norm", "norm", "value"
_SUMMING = frozenset(
    {"Mul", "Sum", "Pack", "ConcatV2", "Select", "SelectV2", "Maximum", "Reshape", "ExpandDims"}
)


@dataclass(frozen=True)
class Clip:
    """A bound at a node: its kind, the largest norm or value, the smallest value."""

    node: str
    kind: str
    bound: float | None
    low: float | None = None


def find_clips(walk: Walk) -> Iterator[Clip]:
    """Yield the bounds that gradients pass on their way to a variable.

    ===============================================  ================================
    ``rate = Minimum(1 / norm, 1 / bound) * bound``  tf.clip_by_global_norm
    ``g * bound / Maximum(norm, bound)``             tf.clip_by_norm, or by hand
    ``g * Minimum(bound / norm, 1)``                 by hand
    ``Maximum(Minimum(g, high), low)``               tf.clip_by_value, also ClipByValue
    ===============================================  ================================

    A norm is a root of a sum of squares: global if several gradients, or L2Loss, are summed.
    """
    training = walk.training
    for name in training.graph.nodes:
        is_own = name in training.gradients.decided and name not in training.gradients.protected
        if is_own and name not in walk.behind_slots:
            clip = _clip(walk, TensorRef(name))
            if clip is not None:
                yield clip


def _clip(walk: Walk, ref: TensorRef) -> Clip | None:
    op, inputs = walk.op(ref), walk.inputs(ref)
    if op == "ClipByValue":
        low, high = map(walk.number, inputs[1:])
        return Clip(ref.node, VALUE, high, low)
    if op not in ("Minimum", "Maximum"):
        return None
    first, second = inputs if walk.is_decided(inputs[0]) else inputs[::-1]
    if walk.is_decided(second):
        return None
    above, below = walk.origin(first), walk.origin(second)
    if op == "Maximum" and walk.op(above) == "Minimum":
        highs = [each for each in walk.inputs(above) if not walk.is_decided(each)]
        return Clip(ref.node, VALUE, walk.number(highs[0]), walk.number(below)) if highs else None
    if op == "Maximum":
        kind = _norm_kind(walk, above)
        return None if kind is None else Clip(ref.node, kind, walk.number(below))
    if walk.op(above) not in DIVISIONS:
        return None
    kind = _norm_kind(walk, walk.inputs(above)[1])
    if kind is None:
        return None
    is_inverse = walk.op(below) in DIVISIONS
    bound = walk.inputs(below)[1] if is_inverse else walk.inputs(above)[0]
    return Clip(ref.node, kind, walk.number(bound))


def _norm_kind(walk: Walk, ref: TensorRef) -> str | None:
    """Return whether a tensor is the norm of one gradient or of several; None if it is none."""
    ref = walk.origin(ref)
    if walk.op(ref) in ("Select", "SelectV2"):
        kinds = (_norm_kind(walk, each) for each in walk.inputs(ref)[1:])
        return next((kind for kind in kinds if kind is not None), None)
    if walk.op(ref) != "Sqrt":
        return None
    squares = set(_squares(walk, walk.inputs(ref)[0], frozenset()))
    if not squares:
        return None
    is_global = len(squares) > 1 or any(walk.op(each) == "L2Loss" for each in squares)
    return GLOBAL if is_global else NORM


def _squares(walk: Walk, ref: TensorRef, seen: frozenset[TensorRef]) -> Iterator[TensorRef]:
    """Yield the squares of gradients that are summed in a tensor."""
    ref = walk.origin(ref)
    op, inputs = walk.op(ref), walk.inputs(ref)
    if ref in seen or not walk.is_decided(ref):
        return
    if op in ("L2Loss", "Square") or (op == "Mul" and inputs[0] == inputs[1]):
        yield ref
    elif op in _SUMMING | ADDS:
        for each in inputs:
            yield from _squares(walk, each, seen | {ref})
