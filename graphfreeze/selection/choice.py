"""What becomes of a variable."""

from dataclasses import dataclass

from graphfreeze.model.variables import Variable
from graphfreeze.selection.entries import Entries
from graphfreeze.selection.entry_arrays import Scale

FROZEN, PARTLY, TRAINABLE = "frozen", "partly frozen", "trainable"
OTHER, SLOT, UPDATED = "not trainable", "slot", "updated"


@dataclass(frozen=True, slots=True)
class Choice:
    """What becomes of a variable, and by which rule.

    ``entries`` are the frozen ones if only some are, ``scale`` has factors for the gradients of
    the rows, ``overlay`` says that frozen rows are kept by laying the others over them."""

    variable: Variable
    state: str
    rule: str = ""
    entries: Entries | None = None
    scale: Scale | None = None
    overlay: bool = False
