"""Let chosen variables begin with their initializers, whatever the checkpoint holds."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.model.model import Model
from graphfreeze.model.saver import saved_entries
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import FromInitializer, SetValue


@dataclass(frozen=True)
class StartAnew:
    """Give the initial value to every variable whose key the model does not take.

    ==================================  =============================================
    a variable that is left             begins with what its initializer gives
    parts of one that share its key     all of them do
    a slot or other that is gone        is left out
    ==================================  =============================================
    """

    name = "start_anew"

    def plan(self, draft: Draft) -> Iterator[SetValue]:
        """Yield the edits."""
        excluded = draft.base.source.names.excluded
        saved = saved_entries(draft.graph, draft.saver_ops)
        for variable in draft.variables if excluded else ():
            entry, name = saved.get(variable.name), variable.name
            key = (variable.partition_of or name) if entry is None else entry.key
            if key in excluded:
                yield SetValue(key, FromInitializer(name))

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Accept any draft: what an initializer cannot give is found where it is wanted."""
        return None
