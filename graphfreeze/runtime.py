"""The one door to TensorFlow's runtime: lazy, version-checked, global switches restored."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Protocol

from graphfreeze.errors import TrainError

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


def missing_ops(names: Iterator[str]) -> list[str]:
    """Return the ops that this TensorFlow does not have."""
    registry = importlib.import_module("tensorflow.python.framework.op_def_registry")
    return sorted({name for name in names if registry.get(name) is None})


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
