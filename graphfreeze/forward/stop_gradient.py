"""Cut gradients with StopGradient."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.model.model import Model
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit
from graphfreeze.rewrite.stops import Stops
from graphfreeze.selection.resolve import Selection


@dataclass(frozen=True)
class StopGradient:
    """Cut the gradient of wholly frozen variables and at named tensors.

    ========================  ============================================
    before                    after
    ========================  ============================================
    ``read -> y``             ``read -> stop -> y``
    ``ResourceGather -> y``   ``ResourceGather -> stop -> y``
    ``tensor -> y``           ``tensor -> stop -> y``
    ``^read``, saver, writer  as before
    ========================  ============================================
    """

    selection: Selection
    name = "stop_gradient"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits; raises SelectionError for a tensor that nothing takes on."""
        yield from Stops(draft.graph, self.selection).plan()

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a consumer that still takes a raw value."""
        return Stops(draft.graph, self.selection).find_missing()
