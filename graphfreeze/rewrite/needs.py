"""What is to be done where the variables are read that are handed to a function."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace

from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.entry_mask import is_held
from graphfreeze.rewrite.mask_kernels import Kernel
from graphfreeze.rewrite.row_factors import has_held_factors
from graphfreeze.selection.choice import Choice
from graphfreeze.selection.resolve import Selection


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
    def is_held(self) -> bool:
        """Tell whether what its masks take is too large for constants."""
        entries, scale = self.choice.entries, self.choice.scale
        has_held_mask = entries is not None and is_held(entries)
        return has_held_mask or (scale is not None and has_held_factors(scale))

    @property
    def key(self) -> Hashable:
        """What equal needs have in common, whatever variable they are of."""
        entries, scale, kernel = self.choice.entries, self.choice.scale, self.kernel
        if entries is None and scale is None:
            return ()
        elements = None if entries is None or entries.elements is None else entries.elements
        return (
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
