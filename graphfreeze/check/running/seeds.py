"""Give random ops seeds, so that two graphs that hold the same ops draw the same numbers."""

import zlib
from collections.abc import Iterable, Mapping

from graphfreeze.model.attrs import tensor_proto
from graphfreeze.schema import GraphDef, NodeDef, types_pb2

_LARGEST = 0x7FFFFFFF
_SEEDS = ("seed", "seed2")
# Data sets take their seeds as tensors, by default constants that are 0: a new seed each time.
_SEEDED_DATASETS = {
    "ShuffleDataset": (2, 3),
    "ShuffleDatasetV3": (2, 3),
    "ShuffleAndRepeatDataset": (2, 3),
    "ShuffleAndRepeatDatasetV2": (2, 3),
    "RandomDataset": (0, 1),
    "RandomDatasetV2": (0, 1),
    "SamplingDataset": (2, 3),
}


def set_seeds(graph: GraphDef, seed: int) -> None:
    """Seed, in place, every op that has none of its own; by name, in function bodies too."""
    _seed_nodes(graph.node, "", seed)
    for function in graph.library.function:
        _seed_nodes(function.node_def, f"{function.signature.name}/", seed)


def _seed_nodes(nodes: Iterable[NodeDef], prefix: str, seed: int) -> None:
    by_name = {str(node.name): node for node in nodes}
    for name, node in by_name.items():
        is_random = all(key in node.attr for key in _SEEDS)
        if is_random and not any(node.attr[key].i for key in _SEEDS):
            node.attr["seed"].i, node.attr["seed2"].i = seed + 1, _number_of(prefix + name)
        for slot in _SEEDED_DATASETS.get(str(node.op), ()):
            _seed_constant(by_name, str(node.input[slot]), seed)


def _seed_constant(nodes: Mapping[str, NodeDef], text: str, seed: int) -> None:
    source = nodes.get(text.partition(":")[0])
    if source is None or source.op != "Const":
        return
    tensor = source.attr["value"].tensor
    is_zero = tensor.dtype == types_pb2.DT_INT64 and not tensor.tensor_content.strip(b"\0")
    if is_zero and not any(tensor.int64_val):
        tensor.CopyFrom(tensor_proto(seed + 1, types_pb2.DT_INT64))


def _number_of(name: str) -> int:
    return zlib.crc32(name.encode()) & _LARGEST or 1
