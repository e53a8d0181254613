"""What a user asks for."""

import msgspec


class FreezePlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which parts of a model stop learning.

    Patterns are read by ``graphfreeze.selection.pattern``, rows by ``graphfreeze.selection.rows``.
    They apply in this order: ``train_only`` freezes whatever it does not match, ``freeze`` freezes
    more, ``except_`` takes variables out again; ``freeze_rows`` and ``train_rows`` decide for their
    table whatever the patterns say. True, frozen and False, trainable, mean the same everywhere.
    """

    freeze: tuple[str, ...] = ()
    except_: tuple[str, ...] = msgspec.field(default=(), name="except")
    train_only: tuple[str, ...] = ()
    stop_gradient: tuple[str, ...] = ()
    freeze_rows: dict[str, str] = msgspec.field(default_factory=dict)
    train_rows: dict[str, str] = msgspec.field(default_factory=dict)
