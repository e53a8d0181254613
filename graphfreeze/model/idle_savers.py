"""Find what is left idle of savers when variables go: save ops, shards, whole savers."""

from collections.abc import Collection, Container, Iterator

from google.protobuf.message import DecodeError

from graphfreeze.model.collected import Collections
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import find_ref
from graphfreeze.model.saver import find_saver, save_ops, saved_variable
from graphfreeze.schema import SaverDef

SAVERS_KEY = "savers"


def saver_defs(collections: Collections) -> dict[bytes, SaverDef]:
    """Return the savers that a collection describes by what stands there."""
    entry = collections.get(SAVERS_KEY)
    raws = entry.bytes_list.value if entry is not None else ()
    found = ((bytes(raw), _find_def(bytes(raw))) for raw in raws)
    return {raw: definition for raw, definition in found if definition is not None}


def _find_def(raw: bytes) -> SaverDef | None:
    try:
        return SaverDef.FromString(raw)
    except DecodeError:
        return None


def idle_saves(graph: Graph, gone: Container[str]) -> list[str]:
    """Return the save ops that keep nothing but variables that are gone: TensorFlow allows none."""
    return [
        name
        for name, entries in save_ops(graph).items()
        if entries and all(saved_variable(graph, entry.tensor) in gone for entry in entries)
    ]


def idle_ends(
    graph: Graph, idle: Collection[str], definitions: Collection[SaverDef]
) -> Iterator[str]:
    """Yield what waits for idle save ops alone: the prefix of a shard, both ends of a saver.

    ::

        MergeV2Checkpoints(Pack(Identity(ShardedFilename, ^SaveV2), ...), prefix)
    """
    for name in idle:
        for user in graph.consumers(name):
            takers = graph.consumers(user, data_only=True)
            if graph.op(user) == "Identity" and all(graph.op(taker) == "Pack" for taker in takers):
                yield user
    for definition in definitions:
        saver = find_saver(graph, definition)
        if saver is not None and saver.entries and saver.entries.keys() <= set(idle):
            yield from saver_ends(definition)


def saver_ends(definition: SaverDef) -> list[str]:
    """Return the nodes of a saver that Python runs: what saves, and what restores."""
    names = (str(definition.save_tensor_name), str(definition.restore_op_name))
    return [ref.node for name in names if (ref := find_ref(name)) is not None]
