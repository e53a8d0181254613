"""Stop the gradient of the frozen entries of variables that otherwise learn."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from graphfreeze.model.model import Model
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit
from graphfreeze.rewrite.mask_kernels import Kernel
from graphfreeze.rewrite.masks import Masks
from graphfreeze.rewrite.twins import list_twins
from graphfreeze.selection.resolve import Selection


@dataclass(frozen=True)
class MaskRows:
    """Let only the trainable entries of a variable have a gradient, and scale those of its rows.

    =========================================  =================================================
    reader                                     is masked
    =========================================  =================================================
    Gather, GatherV2, ResourceGather (axes,    behind the lookup, by its ids: a step costs what
    batch_dims), GatherNd, ResourceGatherNd,   the batch costs
    Slice and StridedSlice of constant bounds
    any other                                  at the value that it takes, for all such readers;
                                               outside of the loop that the value enters
    =========================================  =================================================

    Identity, Cast, Switch and Enter only pass a table on. A mask that a variable holds enters
    loops as the table does. ``kernels`` has those of
    ``rewrite.mask_kernels`` by variable, multiply where it has none.
    """

    selection: Selection
    kernels: Mapping[str, Kernel] = field(default_factory=dict)
    name = "mask_rows"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits; raises RewriteError for a reader that no mask fits."""
        masks = Masks(draft.graph, self.selection, self.kernels)
        yield from masks.plan()
        yield from list_twins(draft.collections, *(way.twins for way in masks.brought.values()))

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a reader that gets entries unmasked."""
        return Masks(draft.graph, self.selection, self.kernels).find_missing()
