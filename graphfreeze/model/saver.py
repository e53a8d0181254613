"""The saver in the graph: which ops save and restore, and under which key each tensor is kept."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.model.attrs import find_attr, read_strings
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef, find_ref
from graphfreeze.model.reads import RESTORERS, SAVERS
from graphfreeze.model.variables import REF_OPS, RESOURCE_OPS
from graphfreeze.schema import SaverDef

_FIRST_TENSOR = {"Save": 2, "SaveSlices": 3, "SaveV2": 3}
_SLICES = {"SaveSlices": 2, "SaveV2": 2, "RestoreV2": 2, "RestoreSlice": 2}


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor of a checkpoint: its key, its slice ('' if whole), and what is saved there."""

    key: str
    slice: str
    tensor: TensorRef


@dataclass(frozen=True, slots=True)
class SaverOps:
    """The ops of one saver; ``entries`` are by save op, ``keys`` by restore op and output."""

    definition: SaverDef
    entries: dict[str, tuple[Entry, ...]]
    keys: dict[str, tuple[str, ...]]

    def all_entries(self) -> Iterator[Entry]:
        """Yield what the saver writes, in the order of its ops."""
        for entries in self.entries.values():
            yield from entries


def find_saver(graph: Graph, definition: SaverDef | None) -> SaverOps | None:
    """Return the ops of a saver, None if it has none in the graph."""
    if definition is None:
        return None
    save = find_ref(str(definition.save_tensor_name))
    restore = find_ref(str(definition.restore_op_name))
    if save is None or restore is None or save.node not in graph or restore.node not in graph:
        return None
    above_save, above_restore = graph.ancestors([save.node]), graph.ancestors([restore.node])
    return SaverOps(
        definition,
        {n: e for n, e in save_ops(graph).items() if n in above_save},
        {n: k for n, k in restore_ops(graph).items() if n in above_restore},
    )


def save_ops(graph: Graph) -> dict[str, tuple[Entry, ...]]:
    """Return what every save op of the graph writes, whichever saver it belongs to."""
    return {n: tuple(_entries(graph, n)) for n in graph.nodes if graph.op(n) in SAVERS}


def restore_ops(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Return the keys that every restore op of the graph reads."""
    names = (n for n in graph.nodes if graph.op(n) in RESTORERS)
    return {name: tuple(strings_at(graph, name, 1)) for name in names}


def strings_at(graph: Graph, name: str, slot: int) -> list[str]:
    """Read the constant strings that a node takes."""
    source = graph.nodes.get(graph.data_inputs(name)[slot].node)
    return [] if source is None else read_strings(find_attr(source, "value").tensor)


def slices_at(graph: Graph, name: str) -> list[str]:
    """Read the shapes and slices of a save or restore op."""
    slot = _SLICES.get(graph.op(name))
    count = len(strings_at(graph, name, 1))
    return [""] * count if slot is None else strings_at(graph, name, slot)


def _entries(graph: Graph, name: str) -> Iterator[Entry]:
    tensors = graph.data_inputs(name)[_FIRST_TENSOR[graph.op(name)] :]
    keys, slices = strings_at(graph, name, 1), slices_at(graph, name)
    # Names that are no constants cannot be told: such an op keeps nothing that is known.
    if len(keys) == len(slices) == len(tensors):
        yield from map(Entry, keys, slices, tensors)


def saved_entries(graph: Graph, saver: SaverOps | None) -> dict[str, Entry]:
    """Return the entry of each variable that a saver keeps, by the variable's name."""
    entries = saver.all_entries() if saver is not None else ()
    named = ((saved_variable(graph, entry.tensor), entry) for entry in entries)
    return {name: entry for name, entry in named if name is not None}


def saved_variable(graph: Graph, tensor: TensorRef) -> str | None:
    """Return the variable whose value a saved tensor is, None if it is something else."""
    name = tensor.node
    while graph.op(name) in ("Identity", "ReadVariableOp", "Enter", "RefEnter"):
        name = graph.data_inputs(name)[0].node
    return name if graph.op(name) in REF_OPS | RESOURCE_OPS else None
