"""Keep masks of elements and factors of rows that are too large for the graph as variables."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphfreeze.model.model import Model
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, Inline, SetValue
from graphfreeze.rewrite.entry_mask import held_name, is_held
from graphfreeze.rewrite.new_variable import NewVariable, add_variables
from graphfreeze.rewrite.row_factors import factor_type, factors_name, has_held_factors
from graphfreeze.schema import types_pb2
from graphfreeze.selection.resolve import Selection

Values = npt.NDArray[np.generic]


@dataclass(frozen=True)
class HoldMasks:
    """Add a variable for each mask or vector of factors past 1 MiB; a GraphDef takes 2 GB in all.

    ===================================  ========================================
    ``w/graphfreeze/trainable_elements`` bool, true where an element learns
    ``w/graphfreeze/row_scale``          the factors of the rows
    ===================================  ========================================

    They do not learn. Their values lie in the checkpoint; their initializers say that nothing
    learns.
    """

    selection: Selection
    name = "hold_masks"

    @property
    def is_needed(self) -> bool:
        """Tell whether anything is too large for a constant."""
        entries, scales = self.selection.partly.values(), self.selection.scaled.values()
        return any(map(is_held, entries)) or any(map(has_held_factors, scales))

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits."""
        held = list(_held(draft, self.selection))
        yield from add_variables(draft, [variable for variable, _ in held])
        for variable, values in held:
            yield SetValue(variable.name, Inline(values))

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a mask without its variable."""
        for variable, _ in _held(draft, self.selection):
            if variable.name not in draft.graph:
                return f"{variable.name} was not added"
        return None


def _held(draft: Draft, selection: Selection) -> Iterator[tuple[NewVariable, Values]]:
    for variable, entries in selection.partly.items():
        if is_held(entries) and entries.elements is not None:
            live = np.logical_not(entries.elements)
            name = held_name(variable)
            yield _variable(draft, variable, name, live.shape, types_pb2.DT_BOOL), live
    for variable, scale in selection.scaled.items():
        if has_held_factors(scale):
            weights, dtype = scale.weights, factor_type(variable)
            new = _variable(draft, variable, factors_name(variable), weights.shape, dtype)
            is_double = dtype == types_pb2.DT_DOUBLE
            yield new, weights if is_double else weights.astype(np.float32)


def _variable(
    draft: Draft, variable: Variable, name: str, shape: tuple[int, ...], dtype: int
) -> NewVariable:
    device = str(draft.graph.nodes[variable.name].device)
    return NewVariable(name, shape, dtype, variable.kind, device)
