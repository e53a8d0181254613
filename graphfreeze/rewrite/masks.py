"""Mask the readers of variables that are frozen in part, and scale the gradients of rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from graphfreeze.model.control_flow import nodes_in_loops
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef, control
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.bring_in import BringIn
from graphfreeze.rewrite.builder import MARK, Builder
from graphfreeze.rewrite.edits import NodeEdit, Reroute
from graphfreeze.rewrite.lookups import Lookup
from graphfreeze.rewrite.mask_kernels import MULTIPLY, SELECT, Kernel, masked, scaled
from graphfreeze.rewrite.place_mask import place_mask
from graphfreeze.rewrite.row_factors import is_scaled_behind, row_factors
from graphfreeze.rewrite.table_readers import Place, Readers
from graphfreeze.selection.resolve import Selection


@dataclass(frozen=True)
class Masks:
    """The masks that a graph needs for what is chosen of it: a model's, or a function's body.

    ``kernels`` has those of ``rewrite.mask_kernels`` by variable, multiply where it has none.
    ``brought`` has afterwards what masks take from outside of loops and branches."""

    graph: Graph
    selection: Selection
    kernels: Mapping[str, Kernel]
    brought: dict[TensorRef, BringIn] = field(default_factory=dict)

    def plan(self) -> Iterator[NodeEdit]:
        """Yield the edits; raises RewriteError for a reader that no mask fits."""
        variables = self._variables()
        looped = nodes_in_loops(self.graph) if variables else set()
        for variable in variables:
            for place, edges in self._places(variable).items():
                is_looped = place.tensor.node in looped
                build = self._builder(variable, place, is_looped=is_looped)
                result = self._masked(build, variable, place)
                yield from build.edits
                yield from (Reroute(edge, result) for edge in edges)
        for way in self.brought.values():
            yield from way.edits

    def find_missing(self) -> str | None:
        """Say which reader gets entries unmasked, if any."""
        for variable in self._variables():
            for place, edges in self._places(variable).items():
                for edge in edges:
                    if not edge.consumer.startswith(f"{place.tensor.node}/{MARK}/"):
                        return f"{edge.consumer} takes rows of {variable.name} past their mask"
        return None

    def _variables(self) -> list[Variable]:
        return list(dict.fromkeys([*self.selection.partly, *self.selection.scaled]))

    def _places(self, variable: Variable) -> dict[Place, list[Edge]]:
        accepts = is_scaled_behind if variable in self.selection.scaled else _is_any
        return Readers(self.graph, variable, accepts).find_places()

    def _kernel(self, variable: Variable) -> str:
        kernel = self.kernels.get(variable.name)
        return MULTIPLY if kernel is None else kernel.name

    def _masked(self, build: Builder, variable: Variable, place: Place) -> TensorRef:
        """Build the mask of one place and return the masked tensor."""
        graph, value = self.graph, place.tensor
        dtype = graph.dtype(value)
        # A cast may have made inf of a number.
        kernel = self._kernel(variable) if dtype == variable.dtype else SELECT
        entries = self.selection.partly.get(variable)
        scale = self.selection.scaled.get(variable)
        if entries is not None:
            test = place_mask(build, graph, place, entries, variable)
            value = masked(build, value, test, dtype, kernel=kernel)
        if scale is not None:
            factors = row_factors(build, graph, place, scale, variable)
            value = scaled(build, value, factors, dtype, kernel=kernel)
        return value

    def _builder(self, variable: Variable, place: Place, *, is_looped: bool) -> Builder:
        """Return a builder whose nodes run along with a place."""
        tensor = place.tensor
        own = str(self.graph.nodes[tensor.node].device)
        device = own or str(self.graph.nodes[variable.name].device)

        def bring_in(source: TensorRef, dtype: int) -> TensorRef:
            role = source.node.split(f"/{MARK}/")[-1].removesuffix("/read")
            way = BringIn(self.graph, variable, source, dtype, role)
            return self.brought.setdefault(source, way).beside(tensor)

        anchor = control(tensor.node) if is_looped else None
        scope = f"port_{tensor.port}/" if tensor.port else ""
        return Builder(tensor.node, device, anchor=anchor, scope=scope, bring_in=bring_in)


def _is_any(_: Lookup) -> bool:
    return True
