"""Of what type and shape values are."""

from dataclasses import dataclass

from graphfreeze.emit.boxes import Array
from graphfreeze.errors.base import shape_text
from graphfreeze.model.attrs import dtype_name
from graphfreeze.schema import TensorProto, types_pb2


@dataclass(frozen=True, slots=True)
class Form:
    """The type of an array and its shape, None if that is not known."""

    dtype: str
    shape: tuple[int, ...] | None

    def __str__(self) -> str:
        return f"{self.dtype} {'[?]' if self.shape is None else shape_text(self.shape)}"

    def with_height(self, height: int) -> "Form":
        """Return the same with another number of rows."""
        return Form(self.dtype, None if self.shape is None else (height, *self.shape[1:]))

    def fits(self, other: "Form") -> bool:
        """Tell whether both are alike, as far as is known."""
        is_known = self.shape is not None and other.shape is not None
        return self.dtype == other.dtype and (not is_known or self.shape == other.shape)


def form_of(values: Array) -> Form:
    """Return the form of an array."""
    dtype = "string" if values.dtype.kind in "OSU" else values.dtype.name
    return Form(dtype, values.shape)


def form_of_constant(value: TensorProto) -> Form:
    """Return the form of a constant."""
    return Form(dtype_name(value.dtype), tuple(int(dim.size) for dim in value.tensor_shape.dim))


def stored_form(dtype: int, shape: tuple[int, ...]) -> Form:
    """Return the form of what a checkpoint has, whose type may be one that is not known here."""
    is_known = dtype in types_pb2.DataType.values()
    return Form(dtype_name(dtype) if is_known else f"type {dtype}", shape)
