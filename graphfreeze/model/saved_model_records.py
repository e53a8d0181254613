"""What is told of a SavedModel besides its graph."""

import msgspec


class ArgumentRecord(msgspec.Struct, frozen=True):
    """An input or output of a signature; of a sparse one ``tensor`` has its values.

    ``shape`` has None for an unknown dimension, and is None if the rank is unknown."""

    name: str
    tensor: str
    dtype: str
    shape: list[int | None] | None


class SignatureRecord(msgspec.Struct, frozen=True):
    """A way to call a model; ``method`` is what TensorFlow Serving knows it by, or ''."""

    name: str
    method: str
    inputs: list[ArgumentRecord]
    outputs: list[ArgumentRecord]


class AssetRecord(msgspec.Struct, frozen=True):
    """A file in ``assets``, the tensor to feed with its path, and whether it is there."""

    filename: str
    tensor: str
    is_there: bool
