"""What a user asks for."""

from collections.abc import Mapping

import msgspec

from graphfreeze.errors import SelectionError


class FreezePlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which parts of a model stop learning.

    Patterns are read by ``graphfreeze.selection.pattern``, rows by ``graphfreeze.selection.rows``.
    They apply in this order: ``train_only`` freezes whatever it does not match, ``freeze`` freezes
    more, ``except_`` takes variables out again; ``freeze_rows`` and ``train_rows`` decide for their
    table whatever the patterns say. True, frozen and False, trainable, mean the same everywhere.
    A bare text for a tuple, and rows that are no mapping, raise SelectionError.
    """

    freeze: tuple[str, ...] = ()
    except_: tuple[str, ...] = msgspec.field(default=(), name="except")
    train_only: tuple[str, ...] = ()
    stop_gradient: tuple[str, ...] = ()
    freeze_rows: dict[str, str] = msgspec.field(default_factory=dict)
    train_rows: dict[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        for option in ("freeze", "except_", "train_only", "stop_gradient"):
            if isinstance(text := getattr(self, option), str):
                raise SelectionError.not_a_list(text, option=option)
        for option in ("freeze_rows", "train_rows"):
            if not isinstance(value := getattr(self, option), Mapping):
                raise SelectionError.not_a_mapping(option, value)
