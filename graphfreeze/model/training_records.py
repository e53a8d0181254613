"""What is told of a training that a graph holds: JSON records."""

import msgspec


class RateRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Where a learning rate comes from.

    ``source`` is constant, variable, placeholder, schedule (computed from a step), computed (from
    anything else) or unknown (the update tells none). ``value`` is that of a constant. ``schedule``
    names what was recognised of one, in the order warm-up, then how it goes on: polynomial, linear,
    exponential, cosine, piecewise constant, inverse time, inverse square root, power; [] if
    nothing was. ``inputs`` are the variables and placeholders that it is computed from."""

    source: str
    value: float | None = None
    schedule: list[str] = []
    inputs: list[str] = []


class ClipRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A bound of gradients: ``kind`` is global norm, norm (of each gradient) or value.

    ``bound`` is the largest norm or value, ``low`` the smallest value, None where no constant says
    so. ``variables`` counts those whose gradients it bounds."""

    kind: str
    bound: float | None
    low: float | None = None
    variables: int


class OptimizerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What updates some variables; parts of one variable count once.

    ``name`` is that of TensorFlow's ops (Adam, Momentum, GradientDescent, CenteredRMSProp ...),
    hand-written where slots and a gradient make a plain assignment, or '' where nothing is
    recognised. ``slots`` counts those of all ``variables``, without what they share, such as beta
    powers; ``decayed`` counts the variables whose own value, scaled, is in their update."""

    name: str
    variables: int
    slots: int
    learning_rate: RateRecord
    clips: list[ClipRecord] = []
    decayed: int = 0


class TrainingRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A training that a graph holds, or held.

    ``nodes`` counts what only served it, ``slots`` the variables among that, beta powers included;
    ``averages`` counts variables whose moving averages it moves. ``train_ops`` are the names by
    which it was run, as collections tell them. ``kept`` says that it is still there; then
    ``idle_updates`` are the update_ops that run it, and that a new step leaves alone."""

    optimizers: list[OptimizerRecord]
    averages: int
    nodes: int
    slots: int
    train_ops: list[str] = []
    kept: bool = False
    idle_updates: list[str] = []
