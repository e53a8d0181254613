"""Let a step that is made anew go on counting."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.model.model import Model
from graphfreeze.read.former import Former
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import FromCheckpoint, SetValue
from graphfreeze.schema import types_pb2


@dataclass(frozen=True)
class KeepCounts:
    """Go on with the counters that a former freeze added, such as the global step.

    Those that the original has are in the checkpoint as they are."""

    former: Former
    name = "keep_counts"

    def plan(self, draft: Draft) -> Iterator[SetValue]:
        """Yield the values."""
        for key, former in self._counters(draft).items():
            yield SetValue(key, FromCheckpoint(former))

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a counter that would begin anew."""
        edits = [edit for edit in draft.value_edits if isinstance(edit, SetValue)]
        goes_on = {edit.key for edit in edits if isinstance(edit.source, FromCheckpoint)}
        left = sorted(self._counters(draft).keys() - goes_on)
        return f"{left[0]} would begin anew" if left else None

    def _counters(self, draft: Draft) -> dict[str, str]:
        """Return the former key of each new counter, by its key."""
        keys, former = draft.saved_keys(), self.former
        new = [v for v in draft.variables if v.name in keys and v.name in former.made]
        counters = (v for v in new if v.shape == () and v.dtype == types_pb2.DT_INT64)
        return {keys[v.name]: former.keys[v.name] for v in counters if v.name in former.keys}
