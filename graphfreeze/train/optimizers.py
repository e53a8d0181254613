"""The optimizers that have a name here: those of ``tf.compat.v1.train``."""

import inspect
import math
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
    rate: float | None = None
    needs_step: bool = False


OPTIMIZERS: Mapping[str, _Known] = MappingProxyType(
    {
        "sgd": _Known("GradientDescentOptimizer"),
        "momentum": _Known("MomentumOptimizer", {"momentum": 0.9}),
        "nesterov": _Known("MomentumOptimizer", {"momentum": 0.9, "use_nesterov": True}),
        "adam": _Known("AdamOptimizer", rate=0.001),
        "adagrad": _Known("AdagradOptimizer"),
        "adagrad_da": _Known("AdagradDAOptimizer", needs_step=True),
        "adadelta": _Known("AdadeltaOptimizer", rate=0.001),
        "rmsprop": _Known("RMSPropOptimizer"),
        "centered_rmsprop": _Known("RMSPropOptimizer", {"centered": True}),
        "ftrl": _Known("FtrlOptimizer"),
        "proximal_sgd": _Known("ProximalGradientDescentOptimizer"),
        "proximal_adagrad": _Known("ProximalAdagradOptimizer"),
    }
)


def resolve_rate(name: str, learning_rate: float | None) -> float:
    """Return the learning rate that a named optimizer gets: this one, else its own default.

    Raises TrainError for an unknown name, a missing rate, and one that is no positive number."""
    if name not in OPTIMIZERS:
        raise TrainError.unknown_optimizer(name, OPTIMIZERS)
    rate = OPTIMIZERS[name].rate if learning_rate is None else learning_rate
    if rate is None:
        raise TrainError.no_learning_rate(name)
    if not (rate > 0 and math.isfinite(rate)):
        raise TrainError.bad_learning_rate(rate)
    return rate


def make_optimizer(
    tf: ModuleType,
    name: str,
    learning_rate: float,
    arguments: Arguments,
    global_step: object,
) -> OptimizerSpec:
    """Make an optimizer by its name; raises TrainError for an argument it does not take.

    Its TensorFlow name is ``graphfreeze_<Name>``, so that no slot collides with an old one's.
    """
    known = OPTIMIZERS[name]
    cls = getattr(tf.train, known.cls)
    parameters = inspect.signature(cls).parameters
    unknown = arguments.keys() - parameters.keys()
    if unknown:
        offered = sorted(parameters.keys() - {"name", "learning_rate", "global_step"})
        raise TrainError.unknown_argument(name, sorted(unknown)[0], offered)
    values: dict[str, object] = {**known.fixed, **arguments, "learning_rate": learning_rate}
    if known.needs_step:
        values["global_step"] = global_step
    title = known.cls.removesuffix("Optimizer")
    optimizer: OptimizerSpec = cls(**values, name=f"graphfreeze_{title}")
    return optimizer
