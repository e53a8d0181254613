"""Set an old training aside: it stays, and no new step runs it."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from graphfreeze.errors import RewriteError
from graphfreeze.model.collected import node_entries
from graphfreeze.model.main_op import TRAIN_SIGNATURE
from graphfreeze.model.model import Model
from graphfreeze.model.recognised import recognise
from graphfreeze.model.training import OLD_KEY, TRAIN_OP_KEYS, Training
from graphfreeze.model.training_records import TrainingRecord
from graphfreeze.model.updates import UPDATE_OPS, kept_updates
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, SetCollection, SetSignature
from graphfreeze.schema import CollectionDef


@dataclass
class KeepTraining:
    """Leave an old training where it is.

    ===============================  =====================================================
    train_op, saved_model_train_op,  move to ``graphfreeze_old_train_op``
    update_ops that run the old      leave the collection, or a new step would train twice
    training
    all else                         stays: ops, slots with their keys, savers, ready_op
    ===============================  =====================================================

    ``keep`` are tensors that are to be trained. Afterwards ``slots`` names the variables that the
    old training alone moves, ``record`` tells what it is, and ``aside`` has its nodes, which are to
    take values as they were.
    """

    keep: tuple[str, ...] = ()
    name: str = "keep_training"
    slots: set[str] = field(default_factory=set)
    record: TrainingRecord | None = None
    aside: frozenset[str] = frozenset()

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits; raises RewriteError if what a step fetches runs the old training."""
        training = draft.training(self.keep)
        if not training.found:
            return
        writers = {name for name in training.writers if name in training.found}
        self.slots.update(slot.name for slot in (*training.slots, *training.bound))
        self.aside = frozenset(training.found)
        entries = node_entries(draft.collections, UPDATE_OPS)
        left = kept_updates(draft.graph, draft.collections, writers)
        idle = [entry for entry in entries if entry not in left]
        self.record = recognise(training, kept=True, idle=idle)
        _check(training, writers, set(entries))
        if idle:
            yield SetCollection(UPDATE_OPS, _nodes(left) if left else None)
        for key in sorted(TRAIN_OP_KEYS & draft.collections.keys()):
            yield SetCollection(key, None)
        if TRAIN_SIGNATURE in draft.signatures:
            yield SetSignature(TRAIN_SIGNATURE, None)
        yield SetCollection(OLD_KEY, _nodes(training.train_ops))

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a node of the old training that is gone."""
        lost = [name for name in self.aside if name not in draft.graph]
        return f"{min(lost)} of the old training is gone" if lost else None


def _check(training: Training, writers: Collection[str], updates: Collection[str]) -> None:
    """Refuse ends of the model that wait for the training; update_ops can be left out."""
    for name in training.model_ends():
        run = training.graph.ancestors([name]) & set(writers)
        if run and name not in updates:
            raise RewriteError.runs_old_training(name, min(run))


def _nodes(names: list[str]) -> CollectionDef:
    return CollectionDef(node_list=CollectionDef.NodeList(value=names))
