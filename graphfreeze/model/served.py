"""What a model is used for: its outputs, and what has to be fed for them."""

import re
from collections.abc import Collection, Container, Iterable

from graphfreeze.model.collected import Collections, node_entries
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef, parse_ref
from graphfreeze.model.ops import OpTypeError
from graphfreeze.model.reads import RESTORERS, SAVERS, is_write
from graphfreeze.model.variables import REF_OPS, RESOURCE_OPS
from graphfreeze.schema import types_pb2

_YIELDING = re.compile(r"Placeholder(V2)?|\w*IteratorGetNext\w*|\w*QueueDequeue\w*")
_TALKING = re.compile(
    r"preds?|predict(ed|ions?)?|probs?|probabilit(y|ies)|softmax|sigmoid|logits?|logistic"
    r"|outputs?|scores?|(str_)?class(es)?|class_ids?"
)
_JUDGING = re.compile(r"loss|accuracy|metric|regulariz", re.IGNORECASE)
_OF_SHAPES = frozenset({"Shape", "ShapeN", "Size", "Rank"})
_NO_VALUES = frozenset({types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT})


def find_inputs(
    graph: Graph, outputs: Iterable[TensorRef], *, given: Collection[TensorRef] = ()
) -> list[TensorRef]:
    """Return what tensors are computed of besides those that are ``given``, in GraphDef order.

    These are placeholders without a default, and what iterators and queues yield."""
    found: set[TensorRef] = set()
    seen = set(given)
    todo = list(outputs)
    while todo:
        ref = todo.pop()
        if ref in seen or ref.node not in graph:
            continue
        seen.add(ref)
        if _YIELDING.fullmatch(graph.op(ref.node)):
            found |= set() if ref.is_control else {ref}
        else:
            todo.extend(graph.inputs(ref.node))
    places = {name: at for at, name in enumerate(graph.nodes)}
    return sorted(found, key=lambda ref: (places[ref.node], ref.port or 0))


def find_defaults(graph: Graph, outputs: Iterable[TensorRef]) -> list[str]:
    """Return the placeholders with a default that outputs need, such as a rate of dropout."""
    needed = graph.ancestors(ref.node for ref in outputs)
    return [n for n in graph.nodes if n in needed and graph.op(n) == "PlaceholderWithDefault"]


def find_outputs(graph: Graph, collections: Collections) -> tuple[list[TensorRef], bool]:
    """Return the tensors that may be the outputs, and whether that leaves no doubt.

    It leaves none if there is one, or if some have the names that outputs have."""
    judged = _judged(graph, collections)
    found = _ends(graph, judged) or _ends(graph, frozenset())
    for place in (-1, -2):
        named = [ref for ref in found if _TALKING.fullmatch(_word(ref, place))]
        if named:
            return named, True
    return found, len(found) == 1


def _word(ref: TensorRef, place: int) -> str:
    """Return the last scope of a name, or the one before, without the end of ``softmax_1``."""
    parts = ["", *ref.node.split("/")]
    return re.sub(r"_\d+$", "", parts[place]).lower()


def _judged(graph: Graph, collections: Collections) -> set[str]:
    """Return what is computed of labels too: of all that a loss is computed of, and losses."""
    losses = [parse_ref(name).node for name in node_entries(collections, "losses")]
    fed = find_inputs(graph, map(TensorRef, losses))
    takers = ([edge.consumer for edge in graph.edges_of(ref)] for ref in fed)
    after = [graph.descendants(names, data_only=True) for names in takers]
    return graph.descendants(losses) | (set.intersection(*after) if after else set())


def _ends(graph: Graph, judged: Container[str]) -> list[TensorRef]:
    """Return tensors that inputs decide, and nobody takes but what is judged by labels."""
    inputs = [name for name in graph.nodes if _YIELDING.fullmatch(graph.op(name))]
    known = [name for name in graph.nodes if graph.op(name) in REF_OPS | RESOURCE_OPS]
    fed = graph.descendants(inputs, data_only=True)
    fed &= graph.descendants(known, data_only=True) if known else fed
    names = (name for name in graph.nodes if name in fed and name not in judged)
    ends = (name for name in names if _is_end(graph, name, judged))
    return [ref for name in ends for ref in _tensors(graph, name)]


def _is_end(graph: Graph, name: str, judged: Container[str]) -> bool:
    op = graph.op(name)
    is_none = op in SAVERS | RESTORERS | _OF_SHAPES or "Summary" in op or "Assert" in op
    if is_none or is_write(graph, name) or _JUDGING.search(name):
        return False
    takers = graph.consumers(name, data_only=True)
    return all(taker in judged or "Summary" in graph.op(taker) for taker in takers)


def _tensors(graph: Graph, name: str) -> list[TensorRef]:
    """Return the outputs of a node that a session can fetch, none if its op is not known."""
    try:
        types = graph.ops.output_types(graph.nodes[name], graph.functions)
    except OpTypeError:
        return []
    return [TensorRef(name, port) for port, each in enumerate(types) if each not in _NO_VALUES]
