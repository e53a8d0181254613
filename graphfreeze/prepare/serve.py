"""Make a MetaGraph one that is served."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.model.collected import node_entries
from graphfreeze.model.main_op import MAIN_KEYS, find_main_op
from graphfreeze.model.model import Model
from graphfreeze.model.names import control, parse_ref
from graphfreeze.model.signatures import served_signatures, tensor_infos, tensors_in
from graphfreeze.rewrite.builder import MARK
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import AddNode, Edit, SetCollection, SetSignature, SetTags
from graphfreeze.schema import CollectionDef, SignatureDef
from graphfreeze.selection.served import Served

_METHOD = "tensorflow/serving/predict"
_MAIN_OP = f"{MARK}/main_op"


@dataclass(frozen=True)
class Serve:
    """Give a MetaGraph what a server looks for.

    ==================  =======================================================================
    tags                those that are wanted
    signature           one for ``served``, beside those that are there
    main op             the one that is there; else one that initializes the lookup tables and
                        local variables which outputs of signatures need, if there are any
    ==================  =======================================================================
    """

    served: Served | None
    tags: tuple[str, ...]
    name = "serve"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits."""
        yield SetTags(self.tags)
        signatures = list(served_signatures(draft.signatures))
        if self.served is not None:
            graph, served = draft.graph, self.served
            signature = SignatureDef(
                inputs=tensor_infos(graph, served.inputs),
                outputs=tensor_infos(graph, served.outputs),
                method_name=_METHOD,
            )
            signatures.append(signature)
            yield SetSignature(served.name, signature)
        if find_main_op(draft.base.header, draft.collections) is None:
            yield from _main_op(draft, _starters(draft, signatures))

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a signature that names what is not there."""
        for signature in served_signatures(draft.signatures):
            for ref in (*tensors_in(signature.inputs), *tensors_in(signature.outputs)):
                if ref.node not in draft.graph:
                    return f"a signature names {ref.tensor_name}, which is gone"
        return None


def _starters(draft: Draft, signatures: list[SignatureDef]) -> list[str]:
    """Return what initializes the tables and local variables that signatures need."""
    graph = draft.graph
    fed = {ref.node for each in signatures for ref in tensors_in(each.inputs)}
    needed = graph.ancestors(
        (ref.node for each in signatures for ref in tensors_in(each.outputs)), without=fed
    )
    tables = {name for name in needed if "HashTable" in graph.op(name)}
    listed = [parse_ref(name).node for name in node_entries(draft.collections, "table_initializer")]
    found = [name for name in listed if not tables.isdisjoint(graph.ancestors([name]))]
    local = [v.definition for v in draft.variables if v.is_local and v.name in needed]
    found += [str(each.initializer_name) for each in local if each is not None]
    return list(dict.fromkeys(name for name in found if name in graph))


def _main_op(draft: Draft, starters: list[str]) -> Iterator[Edit]:
    """Yield the collection that names what starts the model, and a group if that is several."""
    if not starters:
        return
    name = starters[0]
    if len(starters) > 1:
        name = _MAIN_OP
        yield AddNode(name, "NoOp", tuple(map(control, starters)))
    yield SetCollection(MAIN_KEYS[0], CollectionDef(node_list=CollectionDef.NodeList(value=[name])))
