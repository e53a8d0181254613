"""What is told of a model and of a freeze: JSON records."""

import msgspec

from graphfreeze.model.function_records import CopiedRecord, FunctionReadRecord
from graphfreeze.model.heads import HeadRecord
from graphfreeze.model.patch_records import PatchRecord
from graphfreeze.model.saved_model_records import AssetRecord, SignatureRecord
from graphfreeze.model.thaw_records import ThawRecord
from graphfreeze.model.training_records import TrainingRecord
from graphfreeze.model.values_record import ValuesRecord

NAME, RECORD, RESERVE = "model", "graphfreeze.json", "graphfreeze.meta"
"""What the files of a bundle are called: its graph and checkpoint, its record, its graph again."""


class ScaleRecord(msgspec.Struct, frozen=True):
    """How many ``rows`` have a factor between 0 and 1 for their gradients, and the extremes."""

    rows: int
    min: float
    max: float


class VariableRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A variable as ``show`` and ``freeze`` tell it.

    ``state`` is frozen, partly frozen, trainable, not reached (trainable, but no gradient of the
    loss reaches it), updated (a moving average of a frozen scope that goes on as asked, and is not
    frozen), not trainable, or slot; ``rule`` is the option that decided. ``shape`` has None for an
    unknown dimension.

    Of what is partly frozen ``frozen_elements`` counts all frozen entries. Together these tell
    which, see ``graphfreeze.model.frozen_mask``: ``frozen_ranges``, half-open intervals of the
    ``frozen_rows`` that are frozen of ``rows``; ``frozen_along``, intervals on other axes (the last
    one has the columns); ``element_mask``, true where frozen.

    ``strategy`` is mask or overlay, and then ``overlay_rows`` names the variable that learns in
    place of the rows. ``kernel`` is how masks are applied, with a reason if it was chosen by itself
    for one. A part of a partitioned variable begins at ``part_offset`` in the whole.
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
    frozen_along: dict[int, list[list[int]]] | None = None
    frozen_elements: int | None = None
    element_mask: str | None = None
    row_scale: ScaleRecord | None = None
    strategy: str | None = None
    overlay_rows: str | None = None
    kernel: str | None = None
    kernel_reason: str = ""
    partition_of: str | None = None
    part_offset: list[int] | None = None


class WordRecord(msgspec.Struct, frozen=True):
    """What the words of an option came to: the rows that they chose, and words without a row."""

    table: str
    option: str
    rows: int
    missing: list[str]


class RowsInitialised(msgspec.Struct, frozen=True):
    """How many rows of a table begin with ``given`` values, and how many were ``added``.

    ``first_added`` is the id of the first new one. ``unknown`` counts the words of the given values
    that the table does not have, ``kept`` the frozen rows of before that were given none, ``drawn``
    the added ones that are frozen at what an initializer draws."""

    table: str
    given: int
    added: int
    unknown: int = 0
    first_added: int | None = None
    kept: int = 0
    drawn: int = 0


class ModelRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A model as ``show`` tells it.

    ``steps`` are the nodes that run a whole step of a training, whatever collections say.
    ``train_op`` is the first of ``train_ops``, ``training`` what it does as far as that is
    recognised; ``nodes_added`` and ``nodes_removed`` are 0, so that
    a program can read this and a FreezeRecord alike. ``tags``, ``signatures``, ``assets`` and
    ``main_op``, which a loader runs when the variables are restored, are of a SavedModel.
    ``can_thaw`` tells of a model without variables whether ``thaw`` finds weights in it.
    ``function_reads`` are where functions read the variables that are told.
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
    training: TrainingRecord | None = None
    steps: list[str] = []
    tags: list[str] = []
    signatures: list[SignatureRecord] = []
    assets: list[AssetRecord] = []
    main_op: str | None = None
    can_thaw: bool = False
    function_reads: list[FunctionReadRecord] = []
    nodes_added: int = 0
    nodes_removed: int = 0


class FreezeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a freeze did, a ``patch`` or a ``thaw``; a bundle keeps it as ``graphfreeze.json``.

    ``nodes_added``, ``nodes_changed`` and ``nodes_removed`` count nodes, ``operations_added``
    counts the new ones by op. ``keys_changed`` have other values, or more rows, than the
    source's checkpoint has. ``newer_ops`` are ops of new nodes that TensorFlow 1.15 lacks.
    ``notes`` are sentences for whoever trains the result. ``merge_op`` writes overlay rows
    back. ``slots_kept`` has the source's key by that of each slot which goes on from it.
    ``checkpoint`` is the prefix of the source's values. ``old_training`` is the one that the source
    had, dropped or kept. ``head`` is the one that was added. ``also`` names the other forms that
    the bundle holds. ``values`` tells what a bundle's checkpoint took of the source's.
    ``table_initializers`` fill the lookup tables, for which ``assets`` are to be fed.

    ``target`` is the TensorFlow that is to run the train_op, ``ops_rewritten`` counts by op what is
    told by older ops for it, ``devices_cleared`` the nodes that were taken off each device.
    ``gradients`` tells by the name of a gradient, or of an op, the Python function that was given
    for it, and ``gradients_ignored`` by node which ones were lost, where the op's own stands in.

    ``loops_recovered`` are the frames of while loops whose contexts were recovered from the nodes,
    ``no_backprop`` those of them that no gradient is to pass. ``batch_norms_inference`` names the
    nodes that normalize by moving averages from now on, ``dropouts_off`` those that drop no more.
    ``copied`` are functions that were copied to stop or mask what they read.

    The fields from ``arguments`` to ``seed`` are what the train_op was asked for; ``no_decay``
    are the patterns of what an optimizer with weight decay leaves out, BERT's if none was given.
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
    keys_changed: list[str] = []
    target: str | None = None
    ops_rewritten: dict[str, int] = {}
    devices_cleared: dict[str, int] = {}
    gradients: dict[str, str] = {}
    gradients_ignored: dict[str, str] = {}
    merge_op: str | None = None
    loops_recovered: list[str] = []
    no_backprop: list[str] = []
    batch_norms_inference: list[str] = []
    dropouts_off: list[str] = []
    copied: CopiedRecord = CopiedRecord()
    words: list[WordRecord] = []
    rows_initialised: list[RowsInitialised] = []
    slots_kept: dict[str, str] = {}
    arguments: dict[str, float | bool] = {}
    schedule: str | None = None
    clip_norm: float | None = None
    lr_scales: dict[str, float] = {}
    no_decay: list[str] = []
    accumulate: int = 1
    skip_nonfinite: bool = False
    seed: int | None = None
    checkpoint: str | None = None
    also: list[str] = []
    patch: PatchRecord | None = None
    old_training: TrainingRecord | None = None
    thaw: ThawRecord | None = None
    head: HeadRecord | None = None
    values: ValuesRecord | None = None
    table_initializers: list[str] = []
    assets: list[AssetRecord] = []
    notes: list[str] = []

    @property
    def is_thaw(self) -> bool:
        """Tell whether constants were thawed, and nothing frozen."""
        return self.thaw is not None

    @property
    def run_ops(self) -> list[str]:
        """What a step runs: the train_op, or the steps of a training that was patched."""
        if self.patch is not None:
            return self.patch.steps
        return [] if self.train_op is None else [self.train_op]
