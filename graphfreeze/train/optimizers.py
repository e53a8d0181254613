"""The optimizers that have a name here: those of ``tf.compat.v1.train``."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType, ModuleType
from typing import Protocol

from graphfreeze.errors import TrainError

Arguments = Mapping[str, float | bool]


class OptimizerSpec(Protocol):
    """What a train_op needs of an optimizer object; all of ``tf.compat.v1.train`` have it."""

    def apply_gradients(
        self, grads_and_vars: Sequence[tuple[object, object]], global_step: object = None
    ) -> object:
        """Return the operation that applies gradients."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A class of ``tf.compat.v1.train`` and the arguments that its name here stands for."""

    cls: str
    fixed: Arguments = field(default_factory=dict)
    needs_step: bool = False


OPTIMIZERS: Mapping[str, _Known] = MappingProxyType(
    {
        "sgd": _Known("GradientDescentOptimizer"),
        "momentum": _Known("MomentumOptimizer", {"momentum": 0.9}),
        "nesterov": _Known("MomentumOptimizer", {"momentum": 0.9, "use_nesterov": True}),
        "adam": _Known("AdamOptimizer"),
        "adagrad": _Known("AdagradOptimizer"),
        "adagrad_da": _Known("AdagradDAOptimizer", needs_step=True),
        "adadelta": _Known("AdadeltaOptimizer"),
        "rmsprop": _Known("RMSPropOptimizer"),
        "centered_rmsprop": _Known("RMSPropOptimizer", {"centered": True}),
        "ftrl": _Known("FtrlOptimizer"),
        "proximal_sgd": _Known("ProximalGradientDescentOptimizer"),
        "proximal_adagrad": _Known("ProximalAdagradOptimizer"),
    }
)


def check_optimizer(name: str) -> None:
    """Refuse a name that stands for no optimizer; raises TrainError."""
    if name not in OPTIMIZERS:
        raise TrainError.unknown_optimizer(name, OPTIMIZERS)


def make_optimizer(
    tf: ModuleType,
    name: str,
    learning_rate: float | None,
    arguments: Arguments,
    global_step: object,
) -> OptimizerSpec:
    """Make an optimizer by its name; raises TrainError.

    Its TensorFlow name is ``graphfreeze_<Name>``, so that no slot collides with an old one's.
    """
    check_optimizer(name)
    known = OPTIMIZERS[name]
    cls = getattr(tf.train, known.cls)
    parameters = inspect.signature(cls).parameters
    unknown = arguments.keys() - parameters.keys()
    if unknown:
        offered = sorted(parameters.keys() - {"name", "learning_rate", "global_step"})
        raise TrainError.unknown_argument(name, sorted(unknown)[0], offered)
    values: dict[str, object] = {**known.fixed, **arguments}
    if learning_rate is not None:
        values["learning_rate"] = learning_rate
    elif parameters["learning_rate"].default is inspect.Parameter.empty:
        raise TrainError.no_learning_rate(name)
    if known.needs_step:
        values["global_step"] = global_step
    title = known.cls.removesuffix("Optimizer")
    optimizer: OptimizerSpec = cls(**values, name=f"graphfreeze_{title}")
    return optimizer
