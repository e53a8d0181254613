"""Make the optimizers that have a name here."""

from collections.abc import Callable
from types import ModuleType

from graphfreeze.train.adamw import WEIGHT_DECAY, AdamW
from graphfreeze.train.optimizers import OPTIMIZERS, Arguments, OptimizerSpec


def make_optimizer(
    tf: ModuleType,
    name: str,
    learning_rate: object,
    arguments: Arguments,
    global_step: object,
    *,
    is_decayed: Callable[[str], bool] = lambda _: True,
) -> OptimizerSpec:
    """Make an optimizer by its name, with arguments that were checked.

    Its TensorFlow name is ``graphfreeze_<Name>``, so that no slot collides with an old one's.
    The learning rate is a number or a tensor. ``is_decayed`` chooses variables by name for
    ``weight_decay``, where there is one.
    """
    known = OPTIMIZERS[name]
    values: dict[str, object] = {**known.fixed, **arguments, "learning_rate": learning_rate}
    decay = values.pop("weight_decay", WEIGHT_DECAY)
    if known.needs_step:
        values["global_step"] = global_step
    title = known.cls.removesuffix("Optimizer")
    made: OptimizerSpec = getattr(tf.train, known.cls)(**values, name=f"graphfreeze_{title}")
    if known.decays and isinstance(decay, int | float):
        return AdamW(tf, made, learning_rate, float(decay), is_decayed)
    return made
