"""Describe the v1 loops and conds of a graph that has no contexts, so that gradients pass them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from graphfreeze.errors import RewriteError
from graphfreeze.model.control_flow import CONTEXTS
from graphfreeze.model.model import Model
from graphfreeze.model.nesting import Path
from graphfreeze.model.undescribed import (
    RecoveredContexts,
    Undescribed,
    count_branches,
    find_undescribed,
)
from graphfreeze.rewrite.context_messages import make_context
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, SetCollection
from graphfreeze.schema import CollectionDef, WhileContextDef


@dataclass
class RecoverContexts:
    """Recover the contexts of all loops and branches of a graph that has none.

    Where a graph has some, loops without one get theirs, and what holds a loop or a branch without
    one is described anew. ``no_backprop`` names the frames of loops that no gradient is to pass:
    which were made so no node tells. ``recovered`` is what was described."""

    no_backprop: tuple[str, ...] = ()
    recovered: RecoveredContexts = field(default_factory=RecoveredContexts, init=False)
    name: str = field(default="recover_contexts", init=False)

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits, none if all is described; raises RewriteError for an unknown frame."""
        found = find_undescribed(draft.graph, draft.collections)
        frames = tuple(loop.frame for loop in found.loops())
        for frame in self.no_backprop:
            if frame not in frames:
                raise RewriteError.no_such_frame(frame, frames)
        closed, branches = self.no_backprop, count_branches(found.regions)
        within = tuple(loop.frame for loop in found.loops() if loop.is_within(closed))
        self.recovered = RecoveredContexts(frames, branches, closed, within, found.misfits)
        made = [make_context(each, self._told(found)) for each in found.regions]
        anew = {each.path for each in found.regions}
        for key, kind in CONTEXTS.items():
            old = [(raw, path) for each, raw, path in found.told.tops if each == key]
            kept = [raw for raw, path in old if path not in anew]
            new = [each for each in made if isinstance(each, kind)]
            raws = [*kept, *(each.SerializeToString(deterministic=True) for each in new)]
            if new or len(kept) < len(old):
                entries = CollectionDef.BytesList(value=raws)
                yield SetCollection(key, CollectionDef(bytes_list=entries) if raws else None)

    def _told(self, found: Undescribed) -> dict[Path, WhileContextDef]:
        """Return what no node tells of loops, by their paths."""
        known = {str(loop.context_name): loop for _, loop in found.told.loops()}
        known |= {frame: WhileContextDef(back_prop=False) for frame in self.no_backprop}
        return {loop.path: known[loop.frame] for loop in found.loops() if loop.frame in known}

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for what is still not described."""
        left = find_undescribed(draft.graph, draft.collections).regions
        return next((f"{each.path[-1]} has no context" for each in left), None)
