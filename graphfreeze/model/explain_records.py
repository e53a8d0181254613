"""What is told of a variable's gradient and of its writers: JSON records of ``explain``."""

import msgspec

GRADIENT, ZERO, CUT, REFUSED = "gradient", "zero", "cut", "refused"
DISCONNECTED, UNKNOWN, NO_NUMBERS = "disconnected", "unknown", "no numbers"


class StepRecord(msgspec.Struct, frozen=True):
    """A node on a path, and its op."""

    name: str
    op: str


class CutRecord(msgspec.Struct, frozen=True):
    """An op that lets no gradient through, and why.

    ``path`` leads from the variable to it, ``onward`` from it to a loss, without a gradient.
    """

    name: str
    op: str
    reason: str
    path: list[StepRecord]
    onward: list[StepRecord]


class GradientRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a variable has a gradient of the ``losses``, and why.

    ``has_gradient`` is None if that cannot be told. ``status`` is gradient; zero (it is there, and
    zero everywhere); cut; refused (tf.gradients raises an error); disconnected (no data leads to a
    loss); unknown (an op that nobody knows lies between); or no numbers (the variable's type has
    no gradient). ``path`` leads from the variable to a loss, the shortest with a gradient. ``cuts``
    are the first of ``cut_count`` ops that cut it, nearest to the variable first.

    ``leads_to`` tells where a disconnected variable's value goes. ``state`` and ``rule`` are what
    the bundle's record says of it.
    """

    variable: str
    losses: list[str]
    has_gradient: bool | None
    status: str
    trainable: bool
    path: list[StepRecord] = []
    cuts: list[CutRecord] = []
    cut_count: int = 0
    leads_to: list[str] = []
    state: str = ""
    rule: str = ""
    notes: list[str] = []


class ReachRecord(msgspec.Struct, frozen=True):
    """The shortest ``path`` by which a train op runs a writer: it waits for, or takes, the next."""

    train_op: str
    path: list[StepRecord]


class WriterRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An op that writes a variable.

    ``kind`` is optimizer update, moving average, initializer, restore, counter, row update, assign,
    function call, or unknown op. ``reached`` are the train ops that run it, ``others`` ops that run
    it besides, such as an init op. ``guarded`` writers write trainable entries only.
    """

    name: str
    op: str
    kind: str
    guarded: bool
    reached: list[ReachRecord] = []
    others: list[str] = []


class WritersRecord(msgspec.Struct, frozen=True, kw_only=True):
    """All writers of a variable, and which of them the ``train_ops`` run.

    ``state`` and ``rule`` are what the bundle's record says of the variable."""

    variable: str
    train_ops: list[str]
    moves: bool
    writers: list[WriterRecord]
    state: str = ""
    rule: str = ""
    notes: list[str] = []
