"""What a user asks for."""

from collections.abc import Mapping
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from graphfreeze.errors import SelectionError

Numbers = str | npt.NDArray[np.generic]
_LISTS = ("freeze", "except_", "train_only", "stop_gradient")
_FREEZING = (
    "freeze_rows",
    "train_rows",
    "freeze_columns",
    "freeze_elements",
    "row_scale",
    "freeze_words",
    "train_words",
)
_BY_TABLE = (*_FREEZING, "vocab", "vectors", "add_words")

CHOICES: Mapping[str, tuple[str, ...]] = {
    "missing_words": ("error", "ignore"),
    "partition": ("", "mod", "div"),
    "row_strategy": ("mask", "overlay"),
    "mask_kernel": ("auto", "multiply", "select"),
    "batch_norm": ("statistics", "inference", "keep"),
    "dropout": ("keep", "off"),
}


class FreezePlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which parts of a model stop learning.

    Patterns are read by ``graphfreeze.selection.pattern``, rows by ``graphfreeze.selection.rows``.
    They apply in this order: ``train_only`` freezes whatever it does not match, ``freeze`` freezes
    more, ``except_`` takes variables out again. What is given by table decides for that table
    whatever the patterns say; a partitioned one goes by the name of the whole, and its rows are
    those of the whole as it is saved:

    * ``freeze_rows``, ``train_rows`` (all others are frozen) and ``freeze_columns`` (places of the
      last axis) are texts such as ``0:1000,1012,-5:``;
    * ``freeze_elements`` are masks, true where frozen, that broadcast to the table, and
      ``row_scale`` are factors in [0, 1] of the gradient of each row (0 freezes it): arrays, or
      paths of ``.npy`` files;
    * ``vocab`` are paths of vocabularies; ``freeze_words`` and ``train_words`` paths of lists of
      words whose ids are in them, ``add_words`` of words that get new rows. ``vectors`` are paths
      of values by word. ``partition`` tells how ids are spread over parts where the graph does
      not, ``missing_words`` what to do about words that no vocabulary has.

    True, frozen and False, trainable, mean the same everywhere. ``row_strategy`` and
    ``mask_kernel`` say how rows are kept: see ``graphfreeze.forward``. ``batch_norm`` says what
    becomes of the batch norms of frozen scopes: their moving averages stop (``statistics``), they
    use these besides (``inference``), or the averages go on, not frozen (``keep``); see
    ``graphfreeze.selection.statistics``. ``dropout`` turns it ``off`` in frozen scopes. A bare text
    for a tuple, and rows that are no mapping, raise SelectionError.
    """

    freeze: tuple[str, ...] = ()
    except_: tuple[str, ...] = msgspec.field(default=(), name="except")
    train_only: tuple[str, ...] = ()
    stop_gradient: tuple[str, ...] = ()
    freeze_rows: dict[str, str] = msgspec.field(default_factory=dict)
    train_rows: dict[str, str] = msgspec.field(default_factory=dict)
    freeze_columns: dict[str, str] = msgspec.field(default_factory=dict)
    freeze_elements: dict[str, Numbers] = msgspec.field(default_factory=dict)
    row_scale: dict[str, Numbers] = msgspec.field(default_factory=dict)
    vocab: dict[str, str] = msgspec.field(default_factory=dict)
    freeze_words: dict[str, str] = msgspec.field(default_factory=dict)
    train_words: dict[str, str] = msgspec.field(default_factory=dict)
    vectors: dict[str, str] = msgspec.field(default_factory=dict)
    add_words: dict[str, str] = msgspec.field(default_factory=dict)
    missing_words: Literal["error", "ignore"] = "error"
    partition: Literal["", "mod", "div"] = ""
    row_strategy: Literal["mask", "overlay"] = "mask"
    mask_kernel: Literal["auto", "multiply", "select"] = "auto"
    batch_norm: Literal["statistics", "inference", "keep"] = "statistics"
    dropout: Literal["keep", "off"] = "keep"

    def __post_init__(self) -> None:
        for option in _LISTS:
            if isinstance(text := getattr(self, option), str):
                raise SelectionError.not_a_list(text, option=option)
        for option in _BY_TABLE:
            if not isinstance(value := getattr(self, option), Mapping):
                raise SelectionError.not_a_mapping(option, value)
        for option, allowed in CHOICES.items():
            if (value := getattr(self, option)) not in allowed:
                raise SelectionError.unknown_choice(option, value, allowed)

    @property
    def names_variables(self) -> bool:
        """Tell whether it names variables, whatever is to become of them."""
        return bool(self.freeze or self.train_only or self.except_) or any(
            getattr(self, option) for option in _FREEZING
        )

    @property
    def asks_to_freeze(self) -> bool:
        """Tell whether it names a part of a model that is to stop learning."""
        return any(getattr(self, option) for option in (*_LISTS, *_FREEZING))
