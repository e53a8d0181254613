"""What is told of an export: JSON records."""

import msgspec

from graphfreeze.model.heads import HeadRecord
from graphfreeze.model.training_records import TrainingRecord


class ServedRecord(msgspec.Struct, frozen=True):
    """A signature: tensors by the names of inputs and outputs; ``guessed`` if nobody named them."""

    inputs: dict[str, str]
    outputs: dict[str, str]
    guessed: bool = False


class ExportRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What an export wrote.

    ``source`` is the graph that it was made from, ``form`` the format of ``out``. ``checkpoint`` is
    the prefix of the values, None if none are written; ``trained`` is false if it is the one that a
    bundle was written with, None where nothing tells. ``kind`` is ref, resource, or both.
    ``parameters`` counts those of all ``variables``.

    ``merged`` counts the rows by table that learned in an overlay, ``grown`` has the new heights,
    ``head`` is what was laid on the model.
    ``nodes_removed``, ``nodes_added`` and ``nodes_changed`` are against the original, ``training``
    is what it had of one. ``tags`` and ``signatures`` are of a SavedModel, ``left_out`` has the
    tags of MetaGraphs that it lost; ``outputs`` are of a frozen graph.
    """

    graphfreeze: str
    source: str
    format: str
    out: str
    form: str
    checkpoint: str | None
    trained: bool | None
    variables: int
    parameters: int
    kind: str
    nodes: int
    nodes_added: int
    nodes_changed: int
    nodes_removed: int
    training: TrainingRecord | None = None
    merged: dict[str, int] = {}
    grown: dict[str, int] = {}
    head: HeadRecord | None = None
    tags: list[str] = []
    signatures: dict[str, ServedRecord] = {}
    left_out: list[str] = []
    outputs: list[str] = []
    notes: list[str] = []
