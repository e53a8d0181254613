"""The saver that a bare GraphDef has in its nodes, where no SaverDef speaks of it.

::

    Const or PlaceholderWithDefault  ->  SaveV2  ->  Identity, which nobody takes
                                     ->  RestoreV2  ->  Assigns  ->  NoOp

With shards there is a ShardedFilename before each SaveV2, and a MergeV2Checkpoints behind them; in
format V1, SaveSlices, a ShardedFilespec is fetched, which names them all
(tensorflow/python/training/saver.py).
"""

from collections.abc import Iterator

from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import RESTORERS, SAVERS
from graphfreeze.model.saver import restore_ops
from graphfreeze.schema import SaverDef

_NAMING = frozenset({"ShardedFilename", "StringJoin", "Identity"})
_FETCHED = ("ShardedFilespec", "Identity")
_GIVEN = frozenset({"Const", "PlaceholderWithDefault", "Placeholder"})


def recover_saver(graph: Graph) -> SaverDef | None:
    """Return the saver in a graph that restores most, None if there is none that is whole."""
    restoring = [name for name in graph.nodes if graph.op(name) in RESTORERS]
    by_file = dict.fromkeys(_filename(graph, name) for name in restoring)
    found = (_saver_of(graph, filename) for filename in by_file if filename is not None)
    savers = [saver for saver in found if saver is not None]
    return max(savers, key=lambda saver: _count_keys(graph, saver), default=None)


def _filename(graph: Graph, name: str) -> TensorRef | None:
    """Return the tensor that names the file which an op saves or restores."""
    seen = set[str]()
    while name not in seen and graph.data_inputs(name):
        seen.add(name)
        ref = graph.data_inputs(name)[0]
        if graph.op(ref.node) in _GIVEN:
            return ref
        name = ref.node if graph.op(ref.node) in _NAMING else name
    return None


def _saver_of(graph: Graph, filename: TensorRef) -> SaverDef | None:
    ops = {n for n in graph.nodes if graph.op(n) in SAVERS | RESTORERS}
    own = {name for name in ops if _filename(graph, name) == filename}
    saves = {name for name in own if graph.op(name) in SAVERS}
    save, restore = _save_end(graph, saves), _restore_end(graph, own - saves)
    if save is None or restore is None:
        return None
    is_old = any(graph.op(name) != "SaveV2" for name in saves)
    above = {graph.op(name) for name in graph.ancestors([save])}
    return SaverDef(
        filename_tensor_name=filename.tensor_name,
        save_tensor_name=f"{save}:0",
        restore_op_name=restore,
        max_to_keep=5,
        sharded=bool(above & {"MergeV2Checkpoints", "ShardedFilename"}),
        keep_checkpoint_every_n_hours=10000.0,
        version=SaverDef.V1 if is_old else SaverDef.V2,
    )


def _save_end(graph: Graph, saves: set[str]) -> str | None:
    """Return the node that Python fetches to save."""
    ends = (n for op in _FETCHED for n in _behind(graph, saves, op) if not graph.edges_from(n))
    return next(ends, None)


def _restore_end(graph: Graph, restores: set[str]) -> str | None:
    """Return the NoOp that restores it all and least besides, if need be one that another has."""
    ends = {name: len(graph.ancestors([name])) for name in _behind(graph, restores, "NoOp")}
    last = [name for name in ends if not graph.edges_from(name)]
    return min(last or ends, key=lambda name: ends[name], default=None)


def _behind(graph: Graph, all_of: set[str], op: str) -> Iterator[str]:
    """Yield the nodes of an op that run after all of some."""
    after = graph.descendants(all_of) if all_of else ()
    for name in graph.nodes:
        if name in after and graph.op(name) == op and all_of <= graph.ancestors([name]):
            yield name


def _count_keys(graph: Graph, saver: SaverDef) -> int:
    above = graph.ancestors([str(saver.restore_op_name)])
    return sum(len(keys) for name, keys in restore_ops(graph).items() if name in above)
