"""Let variables that a checkpoint lacks begin with their initializers."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.model.model import Model
from graphfreeze.model.saver import saved_variable
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Change, FromInitializer, SetValue


@dataclass(frozen=True)
class InitializeMissing:
    """Give every key of the saver an initial value, for want of one in the checkpoint.

    Keys that get a whole value by another edit keep that one."""

    name = "initialize_missing"

    def plan(self, draft: Draft) -> Iterator[SetValue]:
        """Yield the edits."""
        saver = draft.saver_ops
        edits = [edit for edit in draft.value_edits if isinstance(edit, SetValue)]
        given = {edit.key for edit in edits if not isinstance(edit.source, Change)}
        begun = {e.source.variable for e in edits if isinstance(e.source, FromInitializer)}
        for entry in saver.all_entries() if saver is not None else ():
            name = saved_variable(draft.graph, entry.tensor)
            if name is not None and name not in begun and entry.key not in given:
                yield SetValue(entry.key, FromInitializer(name), if_missing=True)

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a saved variable that no edit speaks of."""
        left = [edit.key for edit in self.plan(draft)]
        return f"{left[0]} has no value" if left else None
