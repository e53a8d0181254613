"""The record of a patch."""

from collections.abc import Iterable, Iterator

from graphfreeze.errors.base import listed
from graphfreeze.frozen import FrozenModel
from graphfreeze.model.patch_records import PatchRecord, WriterRecord
from graphfreeze.patched import Patched, Written


def patch_record(frozen: FrozenModel) -> PatchRecord | None:
    """Return what became of the training that a graph has, None for a freeze."""
    patch = frozen.patch
    if patch is None:
        return None
    return PatchRecord(
        steps=list(patch.steps),
        is_named=patch.is_named,
        stopped=list(_writers(patch, patch.stopped)),
        kept_to_entries=list(_writers(patch, patch.kept_to_entries)),
        slots_stopped=list(patch.slots.stopped),
        norms=dict(patch.norms.freed),
        needless=patch.count_needless(frozen.draft),
        still_writing=list(_writers(patch, patch.still_writing)),
    )


def patch_notes(frozen: FrozenModel) -> Iterator[str]:
    """Yield what a user of a patched graph has to know."""
    patch = frozen.patch
    if patch is None:
        return
    for name in patch.norms.counted:
        yield f"the clip by the global norm still counts the gradients of all of {name}"
    both = [writer for writer in patch.begun if writer in patch.ends.initializers]
    if both:
        yield f"no longer initialize, for a training step runs them: {listed(both)}"
    if patch.still_writing:
        names = listed([writer for writer, _ in patch.still_writing], most=4)
        why = "of steps that were not named" if patch.is_named else "they store given values"
        yield f"still write what is frozen, when they are run: {names} ({why})"


def _writers(patch: Patched, written: Iterable[Written]) -> Iterator[WriterRecord]:
    graph = patch.before.draft.graph
    for writer, variable in written:
        yield WriterRecord(writer, graph.op(writer), variable.name)
