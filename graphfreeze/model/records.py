"""What is told of a model and of a freeze: JSON records."""

import msgspec


class VariableRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A variable as ``show`` and ``freeze`` tell it.

    ``state`` is frozen, partly frozen, trainable, not reached (trainable, but no gradient of the
    loss reaches it), not trainable, or slot; ``rule`` is the option that decided. ``shape`` has
    None for an unknown dimension. ``frozen_rows`` counts the frozen of ``rows`` rows,
    ``frozen_ranges`` are their half-open intervals.
    """

    name: str
    kind: str
    dtype: str
    shape: list[int | None] | None
    parameters: int | None
    state: str
    rule: str = ""
    frozen_rows: int | None = None
    rows: int | None = None
    frozen_ranges: list[list[int]] | None = None


class ModelRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A model as ``show`` tells it.

    ``train_op`` is the first of ``train_ops``; ``nodes_added`` and ``nodes_removed`` are 0, so that
    a program can read this and a FreezeRecord alike.
    """

    path: str
    format: str
    nodes: int
    producer: int
    tensorflow: str
    checkpoint: str | None
    losses: list[str]
    train_ops: list[str]
    train_op: str | None
    variables: list[VariableRecord]
    nodes_added: int = 0
    nodes_removed: int = 0


class FreezeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a freeze did; a bundle keeps it as ``graphfreeze.json``.

    ``nodes_added``, ``nodes_changed`` and ``nodes_removed`` count nodes, ``operations_added``
    counts the new ones by op. ``newer_ops`` are ops of new nodes that TensorFlow 1.15 lacks.
    """

    graphfreeze: str
    source: str
    source_sha256: str
    format: str
    nodes: int
    producer: int
    variables: list[VariableRecord]
    stopped_tensors: list[str]
    nodes_added: int
    nodes_changed: int
    nodes_removed: int
    operations_added: dict[str, int]
    keys_added: list[str]
    keys_dropped: list[str]
    train_op: str | None
    losses: list[str]
    optimizer: str | None
    learning_rate: float | None
    global_step: str | None
    newer_ops: list[str]
