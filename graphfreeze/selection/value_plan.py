"""Which values the variables of a bundle begin with."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from graphfreeze.errors import LoadError, SelectionError

MISSING = ("error", "initialize")


class ValuePlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of a checkpoint a model takes, and what begins anew.

    ``rename`` maps names of the checkpoint to those of the graph's saver, see
    ``graphfreeze.selection.renames``. Variables that a pattern in ``checkpoint_exclude`` matches
    begin with their initializers whatever the checkpoint holds; with ``missing="initialize"`` so do
    those that it lacks. ``compact`` leaves out of the bundle's checkpoint what nothing restores.
    A bare text for the patterns raises SelectionError, renames that are no mapping LoadError."""

    rename: dict[str, str] = msgspec.field(default_factory=dict)
    checkpoint_exclude: tuple[str, ...] = ()
    missing: Literal["error", "initialize"] = "error"
    compact: bool = False

    def __post_init__(self) -> None:
        option = "checkpoint_exclude"
        if isinstance(text := getattr(self, option), str):
            raise SelectionError.not_a_list(text, option=option)
        if not isinstance(self.rename, Mapping):
            raise LoadError.bad_rename(repr(self.rename), "renames are a mapping, OLD to NEW")
        if self.missing not in MISSING:
            raise SelectionError.unknown_choice("missing", self.missing, MISSING)
