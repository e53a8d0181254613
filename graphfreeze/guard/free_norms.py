"""Let a clip by the global norm count the gradients of what learns alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from graphfreeze.model.clipped import Clipped
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef
from graphfreeze.model.norms import Term, find_clipped, find_norms
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.builder import Builder
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, ReplaceNode
from graphfreeze.rewrite.entry_mask import mask_of_ids, trainable_mask
from graphfreeze.rewrite.steps import Step
from graphfreeze.rewrite.stopped import Stopped
from graphfreeze.schema import NodeDef
from graphfreeze.selection.resolve import Selection


@dataclass
class FreeNorms:
    """Take frozen gradients out of the norms that gradients are clipped by.

    =====================================  ===================================================
    the gradient is of                     its square in the sum becomes
    =====================================  ===================================================
    a wholly frozen variable               0, so that nobody computes it any more
    a partly frozen one                    that of ``Select(mask, gradient, 0)``
    =====================================  ===================================================

    It goes before any writer is changed: what a gradient is of is told by the writers that it leads
    to once it is clipped. Afterwards ``freed`` has the count of such gradients by norm, and
    ``counted`` the partly frozen variables whose frozen entries still count, for no mask fits.
    """

    selection: Selection
    step: Step
    name: str = "free_norms"
    freed: dict[str, int] = field(default_factory=dict)
    counted: list[str] = field(default_factory=list)

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits."""
        self.freed, self.counted = {}, []
        stopped, done = Stopped(draft, self.selection, self.step), set[Edge]()
        for norm in find_norms(draft.graph):
            behind = draft.graph.descendants([norm.node], data_only=True)
            squares: dict[Edge, TensorRef] = {}
            for term in (term for term in norm.terms if term.edge not in done):
                clipped = Clipped(draft.graph).follow(find_clipped(draft.graph, behind, term))
                build = Builder(term.square, str(draft.graph.nodes[term.square].device))
                square = self._find_square(stopped, clipped, term, build)
                if square is not None:
                    yield from build.edits
                    squares[term.edge] = square
                done.add(term.edge)
            if squares:
                self.freed[norm.node] = len(squares)
                yield from _rewired(draft.graph, squares)

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a norm that lost a term."""
        terms = {norm.node: [t.edge for t in norm.terms] for norm in find_norms(base.graph)}
        for norm in self.freed:
            for edge in terms[norm]:
                if draft.graph.ref_at(edge).node not in draft.graph:
                    return f"{norm} takes a gradient that is gone"
        return None

    def _find_square(
        self, stopped: Stopped, clipped: Clipped, term: Term, build: Builder
    ) -> TensorRef | None:
        """Add what takes the place of a square in the sum, and return it; None if it stays."""
        graph, taking = stopped.draft.graph, clipped.writers
        about = {name for writer in taking for name in stopped.owners.served(writer)}
        frozen = {variable.name for variable in self.selection.frozen}
        if term.square in stopped.looped:  # a constant would not run along with the loop
            chosen = frozen | {variable.name for variable in self.selection.partly}
            self.counted += sorted(about & chosen)
            return None
        gated = stopped.writers.keys() | stopped.slot_writers.keys()
        if about and about <= frozen and taking <= gated:
            return build.const("frozen", 0, graph.dtype(TensorRef(term.square)))
        partly = (variable for variable in self.selection.partly if about == {variable.name})
        variable = next(partly, None)
        return None if variable is None else self._find_masked(variable, clipped, term, build)

    def _find_masked(
        self, variable: Variable, clipped: Clipped, term: Term, build: Builder
    ) -> TensorRef | None:
        """Square only what learns, where it can be told which entries those are."""
        graph, entries = clipped.graph, self.selection.partly[variable]
        ids = list(clipped.ids)
        if len(ids) > 1 or not clipped.is_plain or graph.op(term.square) != "L2Loss":
            self.counted.append(variable.name)
            return None
        if ids:
            mask = mask_of_ids(build, entries, variable, ids[0], graph.dtype(ids[0]))
        else:
            mask = trainable_mask(build, entries, variable)
        types = {"T": variable.dtype}
        zero = build.const("zero", 0, variable.dtype)
        learning = build.add("learning", "SelectV2", (mask, term.gradient, zero), types)
        return build.add("square", "L2Loss", (learning,), types)


def _rewired(graph: Graph, squares: Mapping[Edge, TensorRef]) -> Iterator[ReplaceNode]:
    """Yield the sums with other terms: each once, for it may have hundreds."""
    for name in dict.fromkeys(edge.consumer for edge in squares):
        refs = enumerate(graph.inputs(name))
        twin = NodeDef()
        twin.CopyFrom(graph.nodes[name])
        twin.ClearField("input")
        twin.input.extend(str(squares.get(Edge(name, slot), ref)) for slot, ref in refs)
        yield ReplaceNode(twin)
