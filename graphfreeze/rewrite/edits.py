"""Edits: what is to be different in a graph, in its collections and in its checkpoint.

A pass yields them and a draft applies them; dry run, report, diff and undo read the same ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from graphfreeze.model.graph import Edge
from graphfreeze.model.names import TensorRef
from graphfreeze.schema import (
    AttrValue,
    CollectionDef,
    FunctionDef,
    NodeDef,
    SaverDef,
    SignatureDef,
)
from graphfreeze.selection.entries import Entries
from graphfreeze.selection.rows import RowSet


@dataclass(frozen=True)
class AddNode:
    """Put a new node into the graph."""

    name: str
    op: str
    inputs: tuple[TensorRef, ...] = ()
    attrs: Mapping[str, AttrValue] = field(default_factory=dict)
    device: str = ""


@dataclass(frozen=True, slots=True)
class Reroute:
    """Let a consumer take another tensor.   a -> c   =>   b -> c"""

    edge: Edge
    to: TensorRef


@dataclass(frozen=True, slots=True)
class ReplaceNode:
    """Put a node in the place of the one of its name."""

    node: NodeDef


@dataclass(frozen=True, slots=True)
class RemoveNode:
    """Take a node away, and the control edges from it; nothing may take its data."""

    name: str


@dataclass(frozen=True, slots=True)
class AddFunction:
    """Put a function into the library."""

    function: FunctionDef


@dataclass(frozen=True, slots=True)
class ReplaceFunction:
    """Put a function in the place of the one of its name."""

    function: FunctionDef


@dataclass(frozen=True, slots=True)
class RemoveFunction:
    """Take a function that was added out of the library again."""

    name: str


@dataclass(frozen=True, slots=True)
class AddGradient:
    """Say which function of the library has the gradient of another one."""

    function: str
    gradient: str


@dataclass(frozen=True, slots=True)
class SetCollection:
    """Let a collection hold other entries; None takes it away."""

    key: str
    value: CollectionDef | None


@dataclass(frozen=True, slots=True)
class SetSaver:
    """Describe another saver."""

    saver: SaverDef


@dataclass(frozen=True, slots=True)
class SetSignature:
    """Say what goes in and what comes out under a name; None takes the name away."""

    key: str
    value: SignatureDef | None


@dataclass(frozen=True, slots=True)
class SetTags:
    """Give the MetaGraph other tags."""

    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FromInitializer:
    """The value that a new variable's own initializer gives it."""

    variable: str


@dataclass(frozen=True, slots=True)
class FromRows:
    """Some rows of what another key is to hold, in rising order."""

    key: str
    rows: RowSet


@dataclass(frozen=True, slots=True)
class FromCheckpoint:
    """What the source's checkpoint has under a key, or some rows of it, in rising order."""

    key: str
    rows: RowSet | None = None


@dataclass(frozen=True, slots=True)
class FromConst:
    """The value of a Const node of the base model, whether the draft still has it or not."""

    node: str


@dataclass(frozen=True, eq=False)
class Inline:
    """An array that is at hand."""

    values: npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Appended:
    """The key's own rows, and behind them those that the initializer of its variable gives.

    ``height`` counts all of them."""

    height: int


@dataclass(frozen=True, eq=False)
class WithRows:
    """The key's own value but for some rows; ``values`` has those, in rising order."""

    rows: RowSet
    values: npt.NDArray[np.generic]


@dataclass(frozen=True, eq=False)
class Reset:
    """The key's own value but for some entries of one variable, which hold a number."""

    variable: str
    entries: Entries
    number: float


Base = FromInitializer | FromRows | FromCheckpoint | FromConst | Inline
Change = Appended | WithRows | Reset
Value = Base | Change


@dataclass(frozen=True, slots=True)
class SetValue:
    """Give a key of the checkpoint another value than the source's checkpoint has, or one at all.

    ``Appended``, ``WithRows`` and ``Reset`` start from what the key has so far, the edits before
    included. With ``if_missing`` the source may have a value, unknown to its saver, and that one
    stays."""

    key: str
    source: Value
    if_missing: bool = False


@dataclass(frozen=True, slots=True)
class DropKey:
    """Stop restoring a key of the source's checkpoint."""

    key: str


NodeEdit = AddNode | Reroute | ReplaceNode | RemoveNode
FunctionEdit = AddFunction | ReplaceFunction | RemoveFunction | AddGradient
GraphEdit = NodeEdit | FunctionEdit | SetCollection | SetSaver | SetSignature | SetTags
ValueEdit = SetValue | DropKey
Edit = GraphEdit | ValueEdit
