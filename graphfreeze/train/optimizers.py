"""The optimizers that have a name here, and what is known of each.

Each is a class of ``tf.compat.v1.train``, whose arguments may be in the ranges below. Whether a
gradient of zero leaves a value as it is, ``tests/tf/test_optimizer_facts.py`` measures, in
TensorFlow 2 and in 1.15.5:

=================  ===========  ===========  ===========  ===========  ===========================
optimizer          dense,       dense,       sparse,      sparse,      moves it besides if
                   fresh slots  other slots  fresh slots  other slots
=================  ===========  ===========  ===========  ===========  ===========================
sgd                keeps        keeps        keeps        keeps
momentum           keeps        moves        keeps        moves
nesterov           keeps        moves        keeps        moves
adam               keeps        moves        keeps        moves, all
adamw              moves        moves        moves, all   moves, all   (keeps as adam does where
                                                                       weight_decay is 0)
adagrad            keeps        keeps        keeps        keeps
adagrad_da         moves        moves        moves        moves
adadelta           keeps        keeps        keeps        keeps
rmsprop            keeps        keeps        keeps        keeps        momentum > 0: other slots
centered_rmsprop   keeps        keeps        keeps        keeps        momentum > 0: other slots
ftrl               moves        moves        moves        moves
proximal_sgd       keeps        keeps        keeps        keeps        l1, l2 > 0
proximal_adagrad   keeps        keeps        keeps        keeps        l1, l2 > 0
=================  ===========  ===========  ===========  ===========  ===========================

"Keeps" is said of normal numbers: a denormal moves under each of them, for a CPU may flush it in
``var -= 0``. "All" rows move, not only those that a batch looks up. So no mask of gradients keeps
a value by itself: the guard does not rely on any of this, it keeps the writer away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from graphfreeze.errors import TrainError
from graphfreeze.train.ranges import FROM_ZERO, POSITIVE, SHARE, TO_ZERO, Range

Arguments = Mapping[str, float | bool]


class OptimizerSpec(Protocol):
    """What a train_op needs of an optimizer object; all of ``tf.compat.v1.train`` have it."""

    def apply_gradients(
        self, grads_and_vars: Sequence[tuple[object, object]], global_step: object = None
    ) -> object:
        """Return the operation that applies gradients."""


_PENALTIES = {"l1_regularization_strength": FROM_ZERO, "l2_regularization_strength": FROM_ZERO}
_PROPORTIONAL = {"initial_accumulator_value": POSITIVE, **_PENALTIES}
_ADAM = {"beta1": SHARE, "beta2": SHARE, "epsilon": POSITIVE}
_RMSPROP = {"decay": SHARE, "momentum": SHARE, "epsilon": POSITIVE}


@dataclass(frozen=True, slots=True)
class ZeroGradient:
    """Whether a gradient of zero moves a normal number, with default arguments.

    ``by`` names arguments by which it does besides if they are positive."""

    dense: bool = False
    dense_warm: bool = False
    sparse: bool = False
    sparse_warm: bool = False
    by: tuple[str, ...] = ()


KEEPS, WARM_MOVES = ZeroGradient(), ZeroGradient(dense_warm=True, sparse_warm=True)
MOVES = ZeroGradient(dense=True, dense_warm=True, sparse=True, sparse_warm=True)


@dataclass(frozen=True, slots=True)
class Known:
    """A class of ``tf.compat.v1.train``, and what its name here stands for.

    ``arguments`` are those that can be given, ``fixed`` those that the name gives. It has ``slots``
    of a variable's shape. A step ``is_linear`` in the gradient; a sparse one writes only the rows
    that it is given, unless it ``moves_all_rows``. One that ``divides_by_rate`` refuses a rate of
    0, or makes NaN of it."""

    cls: str
    slots: int
    zero: ZeroGradient
    arguments: Mapping[str, Range] = field(default_factory=dict)
    fixed: Arguments = field(default_factory=dict)
    rate: float | None = None
    needs_step: bool = False
    decays: bool = False
    is_linear: bool = False
    moves_all_rows: bool = False
    divides_by_rate: bool = False


_MOMENTUM = {"momentum": 0.9}
_BY_MOMENTUM = ZeroGradient(by=("momentum",))
_BY_PENALTIES = ZeroGradient(by=tuple(_PENALTIES))
_DECAY = {"weight_decay": FROM_ZERO}
OPTIMIZERS: Mapping[str, Known] = MappingProxyType(
    {
        "sgd": Known("GradientDescentOptimizer", 0, KEEPS, is_linear=True),
        "momentum": Known(
            "MomentumOptimizer", 1, WARM_MOVES, {"momentum": SHARE}, _MOMENTUM, is_linear=True
        ),
        "nesterov": Known(
            "MomentumOptimizer",
            1,
            WARM_MOVES,
            {"momentum": SHARE},
            {**_MOMENTUM, "use_nesterov": True},
            is_linear=True,
        ),
        "adam": Known("AdamOptimizer", 2, WARM_MOVES, _ADAM, rate=0.001, moves_all_rows=True),
        "adamw": Known(
            "AdamOptimizer",
            2,
            MOVES,
            _ADAM | _DECAY,
            rate=0.001,
            decays=True,
            moves_all_rows=True,
        ),
        "adagrad": Known("AdagradOptimizer", 1, KEEPS, {"initial_accumulator_value": POSITIVE}),
        "adagrad_da": Known(
            "AdagradDAOptimizer",
            2,
            MOVES,
            {"initial_gradient_squared_accumulator_value": POSITIVE, **_PENALTIES},
            needs_step=True,
        ),
        "adadelta": Known(
            "AdadeltaOptimizer", 2, KEEPS, {"rho": SHARE, "epsilon": POSITIVE}, rate=0.001
        ),
        "rmsprop": Known("RMSPropOptimizer", 2, _BY_MOMENTUM, _RMSPROP),
        "centered_rmsprop": Known(
            "RMSPropOptimizer", 3, _BY_MOMENTUM, _RMSPROP, {"centered": True}
        ),
        "ftrl": Known(
            "FtrlOptimizer",
            2,
            MOVES,
            {
                "learning_rate_power": TO_ZERO,
                "initial_accumulator_value": FROM_ZERO,
                **_PENALTIES,
                "l2_shrinkage_regularization_strength": FROM_ZERO,
            },
            divides_by_rate=True,
        ),
        "proximal_sgd": Known(
            "ProximalGradientDescentOptimizer", 0, _BY_PENALTIES, _PENALTIES, is_linear=True
        ),
        "proximal_adagrad": Known(
            "ProximalAdagradOptimizer", 1, _BY_PENALTIES, _PROPORTIONAL, divides_by_rate=True
        ),
    }
)


def known_by(name: str) -> Known | None:
    """Return what is known of an optimizer by its name here or that of its class."""
    named = (known for known in OPTIMIZERS.values() if known.cls == name)
    return OPTIMIZERS.get(name) or next(named, None)


def resolve_rate(name: str, learning_rate: float | None) -> float:
    """Return the learning rate that a named optimizer gets: this one, else its own default.

    Raises TrainError for an unknown name, a missing rate, and one that is no positive number."""
    if name not in OPTIMIZERS:
        raise TrainError.unknown_optimizer(name, OPTIMIZERS)
    rate = OPTIMIZERS[name].rate if learning_rate is None else learning_rate
    if rate is None:
        raise TrainError.no_learning_rate(name)
    if not POSITIVE.holds(rate):
        raise TrainError.bad_learning_rate(rate)
    return float(rate)


def check_arguments(name: str, arguments: Arguments) -> None:
    """Look for an argument that a named optimizer does not take, or not so; raises TrainError."""
    known = OPTIMIZERS[name].arguments
    for key, value in arguments.items():
        if key not in known:
            raise TrainError.unknown_argument(name, key, sorted(known))
        if not known[key].holds(value):
            raise TrainError.bad_number(key, value, wanted=known[key].text)
