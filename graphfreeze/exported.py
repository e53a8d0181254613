"""A model on its way out: what was taken back of its training, and what is kept of that."""

from collections.abc import Iterable
from dataclasses import dataclass

from graphfreeze.model.heads import HeadRecord
from graphfreeze.model.names import TensorRef
from graphfreeze.model.signatures import Signatures
from graphfreeze.model.training_records import TrainingRecord
from graphfreeze.prepare.grow_tables import GrowTables
from graphfreeze.read.trained import Trained
from graphfreeze.rewrite.draft import Draft
from graphfreeze.schema import MetaGraphDef, NodeDef
from graphfreeze.selection.row_values import RowValues
from graphfreeze.selection.served import Served


@dataclass
class Exported:
    """The draft that is written, and what a report tells of it.

    ``merged`` are the rows that learned in overlays, ``grown`` tells which tables have more rows
    than the original, ``head`` was laid on it, ``old`` is the training that it had. ``served`` is a
    signature that was made, ``tags`` are of a SavedModel, ``left_out`` those of MetaGraphs that it
    lost; ``outputs`` are what a frozen graph is cut to. Where the source has one for serving
    beside the one that was trained, that one, ``twin``, is taken."""

    draft: Draft
    trained: Trained
    old: TrainingRecord | None
    merged: tuple[RowValues, ...]
    grown: GrowTables
    head: HeadRecord | None = None
    served: Served | None = None
    outputs: tuple[TensorRef, ...] = ()
    has_guessed_outputs: bool = False
    is_rewritten: bool = False
    tags: tuple[str, ...] = ()
    twin: MetaGraphDef | None = None
    left_out: tuple[tuple[str, ...], ...] = ()

    @property
    def has_more(self) -> bool:
        """Tell whether the graph is another than the original's, training aside."""
        return bool(self.grown.grown) or self.head is not None or self.is_rewritten

    @property
    def signatures(self) -> Signatures:
        """What a SavedModel serves."""
        return self.draft.signatures if self.twin is None else self.twin.signature_def

    @property
    def nodes(self) -> Iterable[NodeDef]:
        """The nodes of what is written."""
        return self.draft.graph.nodes.values() if self.twin is None else self.twin.graph_def.node
