"""The nodes of a head: a dense layer, the placeholder of its labels, loss and measure.

    features -> [batch, n] -> x kernel + bias -> logits -> probabilities -> accuracy
                                  labels ----------+-> loss, a mean

Every op and attribute is one of TensorFlow 1.4's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from graphfreeze.model.attrs import shape_proto, type_attr
from graphfreeze.model.heads import REGRESSION, SIGMOID, SOFTMAX, Head
from graphfreeze.model.names import TensorRef
from graphfreeze.rewrite.builder import Builder
from graphfreeze.rewrite.edits import AddNode
from graphfreeze.rewrite.new_variable import NewVariable
from graphfreeze.schema import AttrValue, types_pb2

_FLOAT, _BOOL = int(types_pb2.DT_FLOAT), int(types_pb2.DT_BOOL)
_INT32, _INT64 = int(types_pb2.DT_INT32), int(types_pb2.DT_INT64)
_SHORT = (types_pb2.DT_HALF, types_pb2.DT_BFLOAT16)


class _Scope(Builder):
    """Builds nodes that are named ``<where>/<role>``."""

    def name(self, role: str) -> str:
        """Return the name of a node by its role."""
        return f"{self.where}/{self.scope}{role}"


@dataclass(frozen=True)
class Inlet:
    """What a head stands on: a tensor of ``features`` numbers for each example.

    It has to be flattened unless it ``is_flat``. Variables are ``kind``, ref or resource, on a
    device of their own."""

    tensor: TensorRef
    dtype: int
    features: int
    is_flat: bool
    kind: str
    device: str
    variable_device: str


class HeadNodes:
    """A head that is built: ``nodes``, ``variables``, and its ``tensors`` by what they are."""

    def __init__(self, head: Head, inlet: Inlet) -> None:
        """Build it."""
        self.head, self.inlet = head, inlet
        self.tensors: dict[str, TensorRef] = {}
        self._build: Builder = _Scope(head.name, inlet.device)
        self._dtype = _FLOAT if inlet.dtype in _SHORT else inlet.dtype
        self._variables_at = replace(self._build, device=inlet.variable_device)
        self.kernel = self._variable("kernel", (inlet.features, head.width), self._glorot())
        self.bias = self._variable("bias", (head.width,), None)
        outputs = self._dense(self._features())
        loss, measure = {
            SOFTMAX: self._softmax,
            SIGMOID: self._sigmoid,
            REGRESSION: self._regression,
        }[head.kind](outputs)
        self.tensors["loss"] = self._mean("loss", loss)
        name = "error" if head.kind == REGRESSION else "accuracy"
        self.tensors[name] = self._mean(name, measure)

    @property
    def nodes(self) -> Sequence[AddNode]:
        """All nodes but those of the variables."""
        return self._build.edits

    @property
    def variables(self) -> tuple[NewVariable, NewVariable]:
        """The variables, which learn."""
        return self.kernel, self.bias

    def _variable(
        self, role: str, shape: tuple[int, ...], initial: TensorRef | None
    ) -> NewVariable:
        inlet, name = self.inlet, self._build.name(role)
        place = inlet.variable_device
        return NewVariable(name, shape, self._dtype, inlet.kind, place, True, initial)

    def _glorot(self) -> TensorRef:
        """Draw the kernel as tf.layers.dense does, by the number of its inputs and outputs."""
        build, dtype = self._variables_at.within("kernel/initial"), self._dtype
        inputs, outputs = self.inlet.features, self.head.width
        limit = (6 / (inputs + outputs)) ** 0.5
        shape = build.const("shape", [inputs, outputs], _INT32)
        drawn = build.add("uniform", "RandomUniform", [shape], {"dtype": dtype, "T": _INT32})
        width = build.const("width", 2 * limit, dtype)
        wide = build.add("wide", "Mul", [drawn, width], {"T": dtype})
        return build.add("value", "Add", [wide, build.const("low", -limit, dtype)], {"T": dtype})

    def _features(self) -> TensorRef:
        """Flatten what is there, one row an example; the result may be fed instead."""
        build, inlet, found = self._build, self.inlet, self.inlet.tensor
        if inlet.dtype != self._dtype:
            found = build.add("cast", "Cast", [found], {"SrcT": inlet.dtype, "DstT": self._dtype})
        if not inlet.is_flat:
            shape = build.const("flat/shape", [-1, inlet.features], _INT32)
            types = {"T": self._dtype, "Tshape": _INT32}
            found = build.add("flat", "Reshape", [found, shape], types)
        width = (None, inlet.features)
        return self._fed("features", "PlaceholderWithDefault", self._dtype, width, [found])

    def _dense(self, features: TensorRef) -> TensorRef:
        dtype = {"T": self._dtype}
        both = {"transpose_a": False, "transpose_b": False, **dtype}
        product = self._build.add("product", "MatMul", [features, self.kernel.read], both)
        role = "predictions" if self.head.kind == REGRESSION else "logits"
        self.tensors[role] = out = self._build.add(
            role, "BiasAdd", [product, self.bias.read], dtype
        )
        return out

    def _softmax(self, logits: TensorRef) -> tuple[TensorRef, TensorRef]:
        build, dtype = self._build, self._dtype
        chances = self._probabilities("Softmax", logits)
        labels = self._fed("labels", "Placeholder", _INT64, (None,))
        types = {"T": dtype, "Tlabels": _INT64}
        op = "SparseSoftmaxCrossEntropyWithLogits"
        loss = build.add("cross_entropy", op, [logits, labels], types)
        axis = build.const("best/axis", 1, _INT32)
        best = build.add("best", "ArgMax", [chances, axis], {"T": dtype, "Tidx": _INT32})
        return loss, self._as_numbers(build.add("right", "Equal", [best, labels], {"T": _INT64}))

    def _sigmoid(self, logits: TensorRef) -> tuple[TensorRef, TensorRef]:
        build, dtype, kind = self._build, self._dtype, {"T": self._dtype}
        chances = self._probabilities("Sigmoid", logits)
        labels = self._fed("labels", "Placeholder", dtype, (None, self.head.width))
        loss = self._cross_entropy(self._build.within("cross_entropy"), logits, labels)
        half = build.const("half", 0.5, dtype)
        told = [
            build.add(role, "Greater", [each, half], kind)
            for role, each in (("chosen", chances), ("meant", labels))
        ]
        return loss, self._as_numbers(build.add("right", "Equal", told, {"T": _BOOL}))

    def _cross_entropy(self, build: Builder, x: TensorRef, z: TensorRef) -> TensorRef:
        """Return max(x, 0) - x * z + log(1 + exp(-|x|)), by selections as TensorFlow's own.

        At 0 a maximum and an absolute value would have another gradient."""
        kind = {"T": self._dtype}
        zeros = build.add("zeros", "ZerosLike", [x], kind)
        positive = build.add("positive", "GreaterEqual", [x, zeros], kind)
        above = build.add("above", "Select", [positive, x, zeros], kind)
        minus = build.add("minus", "Neg", [x], kind)
        below = build.add("below", "Select", [positive, minus, x], kind)
        linear = build.add("linear", "Sub", [above, build.add("meant", "Mul", [x, z], kind)], kind)
        curved = build.add("log", "Log1p", [build.add("exp", "Exp", [below], kind)], kind)
        return build.add("value", "Add", [linear, curved], kind)

    def _regression(self, outputs: TensorRef) -> tuple[TensorRef, TensorRef]:
        build, kind = self._build, {"T": self._dtype}
        labels = self._fed("labels", "Placeholder", self._dtype, (None, self.head.width))
        squares = build.add("squares", "SquaredDifference", [outputs, labels], kind)
        apart = build.add("apart", "Sub", [outputs, labels], kind)
        return squares, build.add("distances", "Abs", [apart], kind)

    def _probabilities(self, op: str, logits: TensorRef) -> TensorRef:
        chances = self._build.add("probabilities", op, [logits], {"T": self._dtype})
        self.tensors["probabilities"] = chances
        return chances

    def _as_numbers(self, right: TensorRef) -> TensorRef:
        """Return 1 for what is true, 0 for what is not."""
        return self._build.add("counted", "Cast", [right], {"SrcT": _BOOL, "DstT": _FLOAT})

    def _mean(self, role: str, values: TensorRef) -> TensorRef:
        """Return the mean of all there is: of examples, or of examples and classes."""
        is_vector = self.head.kind == SOFTMAX
        axes = self._build.const(f"{role}/axes", [0] if is_vector else [0, 1], _INT32)
        dtype = _FLOAT if role == "accuracy" else self._dtype
        types = {"T": dtype, "Tidx": _INT32, "keep_dims": False}
        return self._build.add(role, "Mean", [values, axes], types)

    def _fed(
        self,
        role: str,
        op: str,
        dtype: int,
        shape: Sequence[int | None],
        inputs: Sequence[TensorRef] = (),
    ) -> TensorRef:
        """Add what can be fed, and remember it."""
        attrs = {"dtype": type_attr(dtype), "shape": AttrValue(shape=shape_proto(shape))}
        name = self._build.name(role)
        self._build.edits.append(AddNode(name, op, tuple(inputs), attrs, self.inlet.device))
        self.tensors[role] = TensorRef(name)
        return TensorRef(name)
