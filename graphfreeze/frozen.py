"""A model on its way: what was chosen, what was edited so far, and what a report tells of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphfreeze.errors import LoadError
from graphfreeze.guard.pin_rows import PinRows
from graphfreeze.model.calls import check_functions
from graphfreeze.model.heads import HeadRecord
from graphfreeze.model.model import Model
from graphfreeze.model.training_records import TrainingRecord
from graphfreeze.model.undescribed import RecoveredContexts
from graphfreeze.model.values_record import ValuesRecord
from graphfreeze.patched import Patched
from graphfreeze.prepare.grow_tables import GrowTables
from graphfreeze.read.former import Former
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.mask_kernels import Kernel
from graphfreeze.selection.constants import Thawing
from graphfreeze.selection.resolve import Selection
from graphfreeze.selection.row_values import RowValues
from graphfreeze.train.keep_slots import KeepSlots
from graphfreeze.train.retarget import Retarget
from graphfreeze.train.train_op import TrainOp


@dataclass
class FrozenModel:
    """A model whose selection is frozen: the draft, what was chosen, and the train_op if any.

    ``kernels`` say by variable how masks are applied, ``values`` which rows begin with given
    values, ``grown`` which tables have new rows, ``slots`` which of the train_op's go on from old
    ones, ``pins`` which variables are put back after what cannot be guarded, ``retarget`` which
    TensorFlow is to run it. ``former`` is the freeze that was undone to make this one, ``patch``
    what became of the model's own training if that was patched instead, ``old`` tells of the
    training that went or was kept, ``devices`` counts the nodes that were taken off each,
    ``contexts`` are those of loops and branches that had none, ``thaw`` tells which constants
    became variables where nothing was frozen but that was done, ``head`` is the one that was
    added, ``taken`` what a bundle takes of the checkpoint, once it is complete."""

    draft: Draft
    selection: Selection
    kernels: Mapping[str, Kernel] = field(default_factory=dict)
    values: tuple[RowValues, ...] = ()
    grown: GrowTables = field(default_factory=lambda: GrowTables({}))
    train: TrainOp | None = None
    slots: KeepSlots | None = None
    pins: PinRows | None = None
    retarget: Retarget | None = None
    former: Former | None = None
    patch: Patched | None = None
    old: TrainingRecord | None = None
    devices: Mapping[str, int] = field(default_factory=dict)
    contexts: RecoveredContexts = field(default_factory=RecoveredContexts)
    thaw: Thawing | None = None
    head: HeadRecord | None = None
    taken: ValuesRecord | None = None

    @property
    def head_loss(self) -> tuple[str, ...]:
        """The loss of the head, if one was added."""
        return () if self.head is None else (self.head.tensors["loss"],)


def check_loaded(model: Model | FrozenModel) -> None:
    """Refuse a model that is on its way already, or lacks a function; raises LoadError."""
    if isinstance(model, FrozenModel):
        raise LoadError.not_saved()
    check_functions(model.graph, model.source.path)
