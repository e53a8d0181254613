"""What is to be done where the variables are read that are handed to a function."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace

from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.entry_mask import held_name, is_held
from graphfreeze.rewrite.grown_calls import Led
from graphfreeze.rewrite.mask_kernels import Kernel
from graphfreeze.rewrite.overlay import rows_name
from graphfreeze.rewrite.row_factors import factor_type, factors_name, has_held_factors
from graphfreeze.schema import types_pb2
from graphfreeze.selection.choice import Choice
from graphfreeze.selection.resolve import Selection

_ROWS = "graphfreeze_rows"
_ELEMENTS, _FACTORS = "graphfreeze_trainable_elements", "graphfreeze_row_scale"


@dataclass(frozen=True, slots=True)
class Need:
    """What is to be done at the readers of a variable: by its choice, with a kernel for masks.

    ``owner`` is the variable's own name."""

    choice: Choice
    kernel: Kernel | None = None
    owner: str = ""

    @property
    def variable(self) -> Variable:
        """The variable, by the name that it has in the graph or body that is looked at."""
        return self.choice.variable

    def named(self, name: str) -> "Need":
        """Return the same for the variable under another name."""
        return replace(
            self, choice=replace(self.choice, variable=replace(self.variable, name=name))
        )

    @property
    def led(self) -> list[Led]:
        """What its overlay or masks take that is no constant, where the variable has its name."""
        variable, entries, scale = self.variable, self.choice.entries, self.choice.scale
        found = []
        if self.choice.overlay:
            found.append(Led(rows_name(variable), _ROWS, types_pb2.DT_RESOURCE, ()))
        if entries is not None and is_held(entries):
            node = f"{held_name(variable)}/read"
            found.append(Led(node, _ELEMENTS, types_pb2.DT_BOOL, entries.shape))
        if scale is not None and has_held_factors(scale):
            node, shape = f"{factors_name(variable)}/read", scale.weights.shape
            found.append(Led(node, _FACTORS, factor_type(variable), shape))
        return found

    @property
    def key(self) -> Hashable:
        """What equal needs have in common, whatever variable they are of."""
        entries, scale, kernel = self.choice.entries, self.choice.scale, self.kernel
        if entries is None and scale is None:
            return self.choice.state
        elements = None if entries is None or entries.elements is None else entries.elements
        return (
            self.choice.state,
            (self.variable.shape, self.variable.dtype, None if kernel is None else kernel.name),
            () if entries is None else tuple(sorted(entries.along.items())),
            None if elements is None else elements.tobytes(),
            None if scale is None else scale.weights.tobytes(),
        )


def needs_of(selection: Selection, kernels: Mapping[str, Kernel]) -> list[Need]:
    """Return what a selection asks for of each resource variable; others enter no function."""
    chosen = {*selection.frozen, *selection.partly, *selection.scaled}
    return [
        Need(choice, kernels.get(choice.variable.name), choice.variable.name)
        for choice in selection.choices
        if choice.variable in chosen and choice.variable.kind == "resource"
    ]


def selection_of(needs: Iterable[Need]) -> tuple[Selection, dict[str, Kernel]]:
    """Return needs as a selection of their variables, and its kernels."""
    listed = list(needs)
    kernels = {need.variable.name: need.kernel for need in listed if need.kernel is not None}
    return Selection(tuple(need.choice for need in listed), ()), kernels
