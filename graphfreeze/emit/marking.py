"""Tell in a graph that graphfreeze wrote it, and how that is undone."""

import json
from typing import Protocol

import msgspec

from graphfreeze.model.manifest import Manifest
from graphfreeze.rewrite.builder import MARK
from graphfreeze.rewrite.edits import SetCollection
from graphfreeze.schema import CollectionDef


class Record(Protocol):
    """What was done, a msgspec struct: ``graphfreeze`` is the version that did it."""

    @property
    def graphfreeze(self) -> str:
        """The version of graphfreeze."""

    @property
    def is_thaw(self) -> bool:
        """Tell whether constants were thawed, and nothing frozen."""


def with_manifest(record: Record, manifest: Manifest) -> dict[str, object]:
    """Return a record as JSON tells it, and the manifest behind its fields."""
    fields: dict[str, object] = msgspec.to_builtins(record)
    return {**fields, "manifest": msgspec.to_builtins(manifest)}


def mark(entry: dict[str, object]) -> SetCollection:
    """Return the collection that tells that a graph was frozen; ASCII survives TensorFlow."""
    raw = json.dumps(entry, separators=(",", ":")).encode("ascii")
    return SetCollection(MARK, CollectionDef(bytes_list=CollectionDef.BytesList(value=[raw])))
