"""Stop and mask what functions read of the variables that are handed to them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from graphfreeze.model.model import Model
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.copies import copy_edits
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit
from graphfreeze.rewrite.handed import check_shared, find_missing
from graphfreeze.rewrite.mask_kernels import Kernel
from graphfreeze.rewrite.needs import Need, needs_of
from graphfreeze.rewrite.specialise import Specialised
from graphfreeze.selection.resolve import Selection


@dataclass(frozen=True)
class FreezeFunctions:
    """Let calls that take a resource variable name copies of their functions that freeze it.

    =====================================  ======================================================
    before                                 after
    =====================================  ======================================================
    ``y = PartitionedCall(x, w) {f: f}``,  ``y = PartitionedCall(x, w) {f: f__graphfreeze_1}``,
    f reads its second argument            that stops or masks what it reads
    a While, an If or a Case               the same for all of their functions, if one needs it
    a call inside of a body                in the copy, for what that is handed
    one more call with equal needs         names the same copy
    functions that only write, or save     as before
    =====================================  ======================================================

    Values that enter functions are stopped and masked outside.
    """

    selection: Selection
    kernels: Mapping[str, Kernel] = field(default_factory=dict)
    name = "freeze_functions"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits; raises RewriteError for a reader that no mask fits."""
        copies = Specialised(draft.graph.functions)
        calls = list(copies.calls(draft.graph, self._needs))
        check_shared(draft.graph, self._needs, _resources(draft))
        yield from copy_edits(draft, copies, calls)

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a reader in a function that takes what it should not."""
        return find_missing(draft.graph, self._needs)

    @property
    def _needs(self) -> list[Need]:
        return needs_of(self.selection, self.kernels)


def _resources(draft: Draft) -> list[Variable]:
    return [each for each in draft.variables if each.kind == "resource"]
