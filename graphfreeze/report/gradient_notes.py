"""What became of gradients that were Python functions."""

from collections.abc import Iterator, Mapping

from graphfreeze.errors.base import listed
from graphfreeze.train.custom_gradients import Gradient


def gradient_notes(
    given: Mapping[str, str | Gradient], ignored: Mapping[str, str]
) -> Iterator[str]:
    """Yield which functions were taken, and which gradients were ignored."""
    for name, function in given.items():
        yield f"--gradient: that of {name} is {function_name(function)}"
    if ignored:
        told = listed([f"{node} ({kind})" for node, kind in ignored.items()], most=5)
        yield f"--custom-gradients ignore: their ops' own gradients stand in at {told}"


def function_name(given: str | Gradient) -> str:
    """Return where a function is: ``module:function``."""
    if isinstance(given, str):
        return given
    return f"{given.__module__}:{getattr(given, '__qualname__', type(given).__name__)}"
