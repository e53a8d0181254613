"""Libraries of ops, for the stages that do not open the door to TensorFlow themselves."""

from collections.abc import Sequence

from graphfreeze.errors import PathLike
from graphfreeze.runtime import load_op_libraries


def load_libraries(paths: Sequence[PathLike]) -> None:
    """Load libraries of ops into the process; without any TensorFlow is not started.

    Raises LoadError."""
    load_op_libraries(paths)
