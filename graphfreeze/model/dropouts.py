"""Dropouts, found by structure: a product with a random mask, scaled by what the mask keeps."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from graphfreeze.model.attrs import read_numbers
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.origins import passed_from
from graphfreeze.model.unfolded import Unfolded
from graphfreeze.schema import TensorProto, types_pb2

RANDOM = frozenset(
    {
        *("RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2"),
        *("StatefulUniform", "RandomStandardNormal", "TruncatedNormal"),
    }
)
_SELECTS = frozenset({"Select", "SelectV2"})
_SHAPING = frozenset({"Reshape", "ExpandDims", "BroadcastTo"})
_SPREAD = frozenset({"Add", "AddV2", "Sub", "Mul"})  # a uniform number's own range
_DIVISIONS = frozenset({"RealDiv", "Div"})
_SAME = 0.01  # relative: bfloat16 has eight bits
_ABOVE = frozenset({"GreaterEqual", "Greater"})
_BELOW = frozenset({"LessEqual", "Less"})
_DEPTH = 8
_WIDE = frozenset({types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE})
_NARROW = frozenset({types_pb2.DT_HALF, types_pb2.DT_BFLOAT16})


@dataclass(frozen=True, slots=True)
class Dropout:
    """A dropout: ``node`` gives what is left of ``input``; ``drawn`` is what draws the mask."""

    node: str
    input: TensorRef
    drawn: str


@dataclass(frozen=True, slots=True)
class _Mask:
    """True or 1 where an input is kept; ``level`` is the share kept, or dropped."""

    level: TensorRef
    is_kept: bool
    drawn: str


def find_dropouts(graph: Graph) -> list[Dropout]:
    """Return the dropouts of a graph in its order; ``u`` is a uniform random tensor.

    =========================================  ================================================
    ``x / keep * floor(keep + u)``             TensorFlow up to 1.12, DropoutWrapper
    ``x * scale * cast(u >= rate)``            1.13 to 1.15, tf.layers, Keras, tf.contrib.layers
    ``select(u >= rate, x * scale, 0)``        2.x
    the same with ``u < keep``, or ``x / ..``  by hand, Bernoulli
    =========================================  ================================================

    ``scale`` has to be 1 / keep: of equal constants, or computed from the same tensor. Noise of
    any shape. Within branches and loops too; ``dropouts_in_functions`` has those of bodies.
    """
    finder = _Finder(graph)
    return [found for name in graph.nodes for found in finder.look_at(name)]


def dropouts_in_functions(told: Unfolded) -> list[Dropout]:
    """Return the dropouts in bodies of functions, by the names of the unfolded graph."""
    return [
        Dropout(
            f"{prefix}{each.node}",
            TensorRef(f"{prefix}{each.input.node}", each.input.port),
            f"{prefix}{each.drawn}",
        )
        for prefix, body in told.bodies.items()
        for each in find_dropouts(body)
    ]


@dataclass
class _Finder:
    graph: Graph
    uniforms: dict[TensorRef, str] = field(default_factory=dict)

    def look_at(self, name: str) -> Iterator[Dropout]:
        """Yield the dropout that ends in a node."""
        op = self.graph.op(name)
        if op == "Mul":
            first, second = self.graph.data_inputs(name)
            pairs = [(first, self._mask(second)), (second, self._mask(first))]
        elif op in _SELECTS:
            test, kept, other = self.graph.data_inputs(name)
            pairs = [(kept, self._test(test) if self._is_zero(other) else None)]
        else:
            return
        for scaled, mask in pairs:
            given = None if mask is None else self._unscaled(scaled, mask)
            if mask is not None and given is not None:
                yield Dropout(name, given, mask.drawn)
                return

    def _mask(self, ref: TensorRef) -> _Mask | None:
        """Return the mask that a tensor of zeros and ones is."""
        *_, last = passed_from(self.graph, ref)
        if self.graph.op(last.node) != "Floor":
            return self._test(last)
        (total,) = self.graph.data_inputs(last.node)
        if self.graph.op(total.node) not in ("Add", "AddV2"):
            return None
        first, second = self.graph.data_inputs(total.node)
        for level, noise in ((first, second), (second, first)):
            if drawn := self._uniform(noise):
                return _Mask(level, is_kept=True, drawn=drawn)
        return None

    def _test(self, ref: TensorRef) -> _Mask | None:
        *_, last = passed_from(self.graph, ref)
        op = self.graph.op(last.node)
        if op not in _ABOVE | _BELOW:
            return None
        first, second = self.graph.data_inputs(last.node)
        if drawn := self._uniform(first):
            return _Mask(second, is_kept=op in _BELOW, drawn=drawn)
        if drawn := self._uniform(second):
            return _Mask(first, is_kept=op in _ABOVE, drawn=drawn)
        return None

    def _uniform(self, ref: TensorRef) -> str:
        """Return the node that draws a tensor of random numbers, '' if it is none."""
        if ref not in self.uniforms:
            self.uniforms[ref] = self._drawn(ref, _DEPTH)
        return self.uniforms[ref]

    def _drawn(self, ref: TensorRef, depth: int) -> str:
        *_, last = passed_from(self.graph, ref)
        op = self.graph.op(last.node)
        if "Uniform" in op and op in RANDOM:
            return last.node
        inputs = self.graph.data_inputs(last.node) if op in _SHAPING | _SPREAD and depth else ()
        kept = inputs[:1] if op in _SHAPING else inputs
        return next(filter(None, (self._drawn(each, depth - 1) for each in kept)), "")

    def _unscaled(self, scaled: TensorRef, mask: _Mask) -> TensorRef | None:
        """Return x of ``x / keep`` or ``x * scale``."""
        op = self.graph.op(scaled.node)
        if op not in _DIVISIONS | {"Mul"}:
            return None
        first, second = self.graph.data_inputs(scaled.node)
        pairs = [(first, second), (second, first)][: 1 if op in _DIVISIONS else 2]
        is_inverse = op == "Mul"
        fit = (x for x, factor in pairs if self._fits(factor, mask, is_inverse=is_inverse))
        return next(fit, None)

    def _fits(self, factor: TensorRef, mask: _Mask, *, is_inverse: bool) -> bool:
        """Tell whether a factor is the share kept, or one by it."""
        number, level = self._number(factor), self._number(mask.level)
        if number is None or level is None:
            return bool(self._leaves(factor) & self._leaves(mask.level))
        kept = level if mask.is_kept else 1 - level
        return abs((1 / number if is_inverse and number else number) - kept) <= _SAME * kept

    def _number(self, ref: TensorRef, depth: int = _DEPTH) -> float | None:
        """Return the number that constants come to."""
        *_, last = passed_from(self.graph, ref)
        node = self.graph.nodes[last.node]
        if node.op == "Const":
            return _scalar(node.attr["value"].tensor)
        if node.op not in _DIVISIONS | {"Sub", "Reciprocal"} or not depth:
            return None
        numbers = [self._number(each, depth - 1) for each in self.graph.data_inputs(last.node)]
        return _computed(str(node.op), [n for n in numbers if n is not None])

    def _is_zero(self, ref: TensorRef) -> bool:
        *_, last = passed_from(self.graph, ref)
        return self.graph.op(last.node) == "ZerosLike" or self._number(last) == 0

    def _leaves(self, ref: TensorRef, depth: int = _DEPTH) -> set[TensorRef]:
        """Return what a share or its scale is computed from, constants left out."""
        *_, last = passed_from(self.graph, ref)
        op = self.graph.op(last.node)
        if op == "Const":
            return set()
        if op not in _DIVISIONS | {"Sub", "Reciprocal"} or not depth:
            return {last}
        inputs = self.graph.data_inputs(last.node)
        return {leaf for each in inputs for leaf in self._leaves(each, depth - 1)}


def _scalar(tensor: TensorProto) -> float | None:
    """Return the one number of a constant of floats."""
    if tensor.tensor_shape.dim or tensor.dtype not in _NARROW | _WIDE:
        return None
    if tensor.dtype in _WIDE:
        return float(read_numbers(tensor)[0])
    bits = bytes(tensor.tensor_content) or struct.pack("<H", *(tensor.half_val[:1] or [0]))
    if tensor.dtype == types_pb2.DT_HALF:
        return float(struct.unpack("<e", bits)[0])
    return float(struct.unpack("<f", b"\0\0" + bits)[0])


def _computed(op: str, numbers: list[float]) -> float | None:
    match op, numbers:
        case "Sub", [first, second]:
            return first - second
        case "RealDiv" | "Div", [first, second] if second:
            return first / second
        case "Reciprocal", [number] if number:
            return 1 / number
    return None
