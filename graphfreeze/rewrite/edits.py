"""Edits: what is to be different in a graph, in its collections and in its checkpoint.

A pass yields them and a draft applies them; dry run, report, diff and undo read the same ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphfreeze.model.graph import Edge
from graphfreeze.model.names import TensorRef
from graphfreeze.schema import AttrValue, CollectionDef, FunctionDef, NodeDef, SaverDef


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
class SetCollection:
    """Let a collection hold other entries; None takes it away."""

    key: str
    value: CollectionDef | None


@dataclass(frozen=True, slots=True)
class SetSaver:
    """Describe another saver."""

    saver: SaverDef


@dataclass(frozen=True, slots=True)
class FromInitializer:
    """The value that a new variable's own initializer gives it."""

    variable: str


@dataclass(frozen=True, slots=True)
class SetValue:
    """Give a key of the checkpoint a value that the source's checkpoint does not have.

    With ``if_missing`` it may have it, unknown to its saver, and that value stays."""

    key: str
    source: FromInitializer
    if_missing: bool = False


@dataclass(frozen=True, slots=True)
class DropKey:
    """Stop restoring a key of the source's checkpoint."""

    key: str


GraphEdit = AddNode | Reroute | ReplaceNode | RemoveNode | AddFunction | SetCollection | SetSaver
ValueEdit = SetValue | DropKey
Edit = GraphEdit | ValueEdit
