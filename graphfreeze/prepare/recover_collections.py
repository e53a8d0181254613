"""Give a bare GraphDef the collections and the saver that a MetaGraph has."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.model.graph import Graph
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import plain_reads, writers
from graphfreeze.model.training import Training
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.builder import Builder
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, SetCollection
from graphfreeze.rewrite.fresh_saver import fresh_saver
from graphfreeze.rewrite.saver_edits import restore_name
from graphfreeze.rewrite.slices import new_entry
from graphfreeze.schema import CollectionDef, VariableDef

_INIT_OP = "init_op"


@dataclass(frozen=True)
class RecoverCollections:
    """Recover from the ops what no collection says.

    =====================  ========================================================
    variables              every variable op, with the initializer found in the graph
    trainable_variables    the floating ones but averages and the like
    init_op                the NoOp that runs all initializers, if there is one
    saver                  the one in the nodes, else one under ``graphfreeze/save``
                           whose keys are the names of variables
    =====================  ========================================================

    ``graphfreeze.model.untrained`` says what does not learn.

    A variable without an initializer is initialized by its restore op: from the checkpoint.
    """

    name = "recover_collections"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits, none if some collection describes variables."""
        if any(variable.definition is not None for variable in draft.variables):
            return
        if not draft.variables:
            return
        is_new = draft.saver_ops is None
        if is_new:
            yield from fresh_saver(draft.graph, [new_entry(v) for v in draft.variables])
        header = draft.base.header
        training = Training(draft.graph, draft.collections, draft.variables, header)
        described = {}
        for variable in draft.variables:
            builder = Builder(variable.name, str(draft.graph.nodes[variable.name].device))
            restoring = _find_restoring(draft, variable) or restore_name(variable)
            described[variable.name] = _describe(training, variable, builder, restoring)
            yield from builder.edits
        yield _collection("variables", list(described.values()))
        able = (v for v in draft.variables if v.is_trainable and v.name not in draft.graph.aside)
        trainable = [described[v.name] for v in able]
        if trainable:
            yield _collection("trainable_variables", trainable)
        yield from _init_op(draft)

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a variable that is still not described."""
        left = [v.name for v in draft.variables if v.definition is None]
        return f"{left[0]} is in no collection" if left and not base.variables else None


def _init_op(draft: Draft) -> Iterator[SetCollection]:
    recovered = draft.base.recovered
    name = None if recovered is None else recovered.init_op
    if name is not None and name in draft.graph and _INIT_OP not in draft.collections:
        yield SetCollection(_INIT_OP, CollectionDef(node_list=CollectionDef.NodeList(value=[name])))


def _collection(key: str, definitions: list[VariableDef]) -> SetCollection:
    raws = [definition.SerializeToString() for definition in definitions]
    return SetCollection(key, CollectionDef(bytes_list=CollectionDef.BytesList(value=raws)))


def _find_restoring(draft: Draft, variable: Variable) -> str | None:
    """Return the op by which the saver that there is gives a variable its value."""
    graph, saver = draft.graph, draft.saver_ops
    restored = graph.descendants(saver.keys, data_only=True) if saver is not None else set()
    return next((name for name in writers(graph, variable) if name in restored), None)


def _describe(
    training: Training, variable: Variable, builder: Builder, restoring: str
) -> VariableDef:
    read = _read(training.graph, variable, builder)
    initial = training.find_initializer(variable)
    value = training.graph.data_inputs(initial)[1] if initial else None
    return VariableDef(
        variable_name=f"{variable.name}:0",
        initializer_name=initial or restoring,
        snapshot_name=read.tensor_name,
        initial_value_name="" if value is None else value.tensor_name,
        trainable=variable.is_trainable,
        is_resource=variable.kind == "resource",
    )


def _read(graph: Graph, variable: Variable, builder: Builder) -> TensorRef:
    """Return a read of the variable, a new one if the graph has none outside of loops."""
    found = plain_reads(graph, variable)
    if found:
        return found[0]
    handle, dtype = (TensorRef(variable.name),), variable.dtype
    if variable.kind == "resource":
        return builder.add("read", "ReadVariableOp", handle, {"dtype": dtype})
    return builder.add("read", "Identity", handle, {"T": dtype})
