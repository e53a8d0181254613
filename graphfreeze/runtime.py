"""The one door to TensorFlow's runtime: lazy, version-checked, global switches restored."""

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from graphfreeze.errors import LoadError, PathLike, TrainError

_OLDEST = (2, 16)


def open_runtime() -> ModuleType:
    """Import TensorFlow if that has not been done, and return ``tensorflow.compat.v1``."""
    compat = importlib.import_module("tensorflow.compat.v1")
    version = tuple(int(part) for part in str(compat.__version__).split(".")[:2])
    if version < _OLDEST:
        raise TrainError.old_runtime(str(compat.__version__), needed="2.16")
    return compat


@contextmanager
def building(*, resource_variables: bool = False) -> Iterator[ModuleType]:
    """Yield ``tensorflow.compat.v1`` with a new graph to build in.

    Control flow v2 is off, because gradients through imported v1 loops die otherwise;
    ``resource_variables`` says which kind a new variable is. The switches of the user's process
    are set back at the end.
    """
    tf = open_runtime()
    v2_control, resources = tf.control_flow_v2_enabled(), tf.resource_variables_enabled()
    verbosity = tf.logging.get_verbosity()
    tf.logging.set_verbosity(tf.logging.ERROR)
    try:
        tf.disable_control_flow_v2()
        _switch(tf, "resource_variables", resource_variables)
        with tf.Graph().as_default():
            yield tf
    finally:
        _switch(tf, "control_flow_v2", v2_control)
        _switch(tf, "resource_variables", resources)
        tf.logging.set_verbosity(verbosity)


def _switch(tf: ModuleType, name: str, on: bool) -> None:
    getattr(tf, f"enable_{name}" if on else f"disable_{name}")()


def internals(name: str) -> Any:
    """Return a module of ``tensorflow.python``, for what the public ones do not offer."""
    return importlib.import_module(f"tensorflow.python.{name}")


def missing_ops(names: Iterable[str]) -> list[str]:
    """Return the ops that this TensorFlow does not have."""
    registry = internals("framework.op_def_registry")
    return sorted({name for name in names if registry.get(name) is None})


def load_op_libraries(paths: Sequence[PathLike]) -> None:
    """Load libraries of ops into the process, for as long as it lives; raises LoadError."""
    for path in paths:
        file = Path(path).resolve()
        if not file.is_file():
            beside = [each.name for each in file.parent.glob("*.so")]
            raise LoadError.no_such_file(path, beside=beside)
        tf = open_runtime()
        try:
            tf.load_op_library(str(file))
        except (tf.errors.OpError, OSError, RuntimeError) as error:
            raise LoadError.bad_op_library(path, str(error)) from error


Gradient = Callable[..., object]


def has_gradient(name: str) -> bool:
    """Tell whether this process has a gradient of that name."""
    try:
        _gradients().lookup(name)
    except LookupError:
        return False
    return True


def own_gradient(op: Any, *gradients: object) -> object:
    """Return the gradients of an op's inputs as its type has them, whatever it asks for."""
    return _gradients().lookup(op.type)(op, *gradients)


@contextmanager
def registered(gradients: Mapping[str, Gradient]) -> Iterator[None]:
    """Give names these gradients; what they were before they are at the end again."""
    tf, entries = open_runtime(), _gradients()._registry
    before = {name: entries.pop(name) for name in gradients if name in entries}
    try:
        for name, function in gradients.items():
            tf.RegisterGradient(name)(function)
        yield
    finally:
        for name in gradients:
            entries.pop(name, None)
        entries.update(before)


def _gradients() -> Any:
    return internals("framework.ops").gradient_registry


class Session(Protocol):
    """What the stages use of ``tf.compat.v1.Session``."""

    def run(self, fetches: object, feed_dict: object = None) -> Any:
        """Run a graph and return what was fetched."""

    def __enter__(self) -> "Session": ...

    def __exit__(self, *error: object) -> None: ...


def session(tf: ModuleType) -> Session:
    """Return a session on the default graph that takes any device for one that is not here."""
    opened: Session = tf.Session(config=tf.ConfigProto(allow_soft_placement=True))
    return opened
