"""Which tensors are the inputs and outputs of what is exported."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count

from graphfreeze.errors import ExportError, SelectionError
from graphfreeze.model.collected import Collections
from graphfreeze.model.graph import Graph
from graphfreeze.model.heads import HeadRecord
from graphfreeze.model.main_op import OP_SIGNATURES
from graphfreeze.model.names import TensorRef, find_ref
from graphfreeze.model.ops import OpTypeError
from graphfreeze.model.served import find_inputs, find_outputs
from graphfreeze.model.signatures import Signatures, tensors_in

DEFAULT = "serving_default"
_OF_HEADS = ("probabilities", "logits", "predictions")
Tensors = Mapping[str, TensorRef]
Candidates = Callable[[], list[TensorRef]]


@dataclass(frozen=True)
class Served:
    """What a model is used by: inputs and outputs by their names in a signature.

    ``is_guessed`` tells that the graph was asked for them, and no user or signature."""

    name: str
    inputs: Tensors
    outputs: Tensors
    is_guessed: bool


@dataclass(frozen=True)
class Asked:
    """What a user says of a signature: its name, and tensors as ``NAME=TENSOR`` or ``TENSOR``.

    A bare text for the tensors raises SelectionError."""

    name: str | None = None
    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()

    def __post_init__(self) -> None:
        for option, texts in (("inputs", self.inputs), ("outputs", self.outputs)):
            if isinstance(texts, str):
                raise SelectionError.not_a_list(texts, option=option)

    @property
    def tensors(self) -> list[str]:
        """The names of all tensors."""
        return [text.rpartition("=")[2] for text in (*self.inputs, *self.outputs)]


def of_head(asked: Asked, head: HeadRecord | None, signatures: Signatures) -> Asked:
    """Return what is asked for, by default what a head gives.

    It is ``serving_default``, or goes by the head's name beside the one that is there."""
    if head is None or asked.outputs or asked.name is not None:
        return asked
    name = head.name if DEFAULT in signatures else DEFAULT
    outputs = (f"{role}={head.tensors[role]}" for role in _OF_HEADS if role in head.tensors)
    return Asked(name, asked.inputs, tuple(outputs))


def choose_outputs(
    asked: Asked, graph: Graph, collections: Collections, signatures: Signatures
) -> tuple[list[TensorRef], bool]:
    """Return the outputs of a model, and whether they were guessed.

    They are those that a user names, else those of the signature that is named, ``serving_default``
    or the only one, else what the graph leaves no doubt about. Raises ExportError."""
    if asked.outputs:
        return list(_outputs(asked, graph, collections).values()), False
    name = _find_signature(asked.name, signatures)
    if name is not None:
        _check(graph, {name: signatures[name]})
        return list(dict.fromkeys(tensors_in(signatures[name].outputs))), False
    found, is_sure = find_outputs(graph, collections)
    if not is_sure:
        raise ExportError.no_outputs([ref.tensor_name for ref in found])
    return found, True


def choose_served(
    asked: Asked, graph: Graph, collections: Collections, signatures: Signatures
) -> Served | None:
    """Return the signature that a model is to get, None if those that it has will do.

    Raises ExportError where outputs are not known, or need what is no input, and for a signature of
    what is not there."""
    _check(graph, signatures)
    is_asked = bool(asked.inputs or asked.outputs)
    if not is_asked and _find_signature(asked.name, signatures) is not None:
        return None
    if asked.outputs:
        outputs, is_guessed = _outputs(asked, graph, collections), False
    else:
        refs, is_guessed = choose_outputs(asked, graph, collections, signatures)
        outputs = _named(refs)
    needed = partial(find_inputs, graph, outputs.values())
    inputs = _parse(asked.inputs, graph, needed, role="input")
    left = find_inputs(graph, outputs.values(), given=inputs.values())
    if inputs and left:
        raise ExportError.unfed(
            [ref.tensor_name for ref in left], [ref.tensor_name for ref in outputs.values()]
        )
    return Served(asked.name or DEFAULT, inputs or _named(left), outputs, is_guessed)


def _check(graph: Graph, signatures: Signatures) -> None:
    """Refuse signatures of tensors that the graph does not have; raises ExportError."""
    for key, signature in signatures.items():
        refs = (*tensors_in(signature.inputs), *tensors_in(signature.outputs))
        for ref in refs if key not in OP_SIGNATURES else ():
            if ref.node not in graph:
                raise ExportError.broken_signature(key, ref.tensor_name)


def _find_signature(name: str | None, signatures: Signatures) -> str | None:
    """Return the signature that is meant, None if there is none; raises ExportError."""
    known = [key for key in signatures if key not in OP_SIGNATURES]
    if name is not None and name not in known and known:
        raise ExportError.no_such_signature(name, sorted(known))
    for each in (name, DEFAULT):
        if each in known:
            return each
    return known[0] if len(known) == 1 else None


def _outputs(asked: Asked, graph: Graph, collections: Collections) -> dict[str, TensorRef]:
    """Return the outputs that a user names; raises ExportError."""

    def candidates() -> list[TensorRef]:
        return find_outputs(graph, collections)[0]

    return _parse(asked.outputs, graph, candidates, role="output")


def _parse(
    texts: Sequence[str], graph: Graph, candidates: Candidates, *, role: str
) -> dict[str, TensorRef]:
    """Return tensors by name; raises ExportError for one that is not there or not told apart.

    ``candidates`` are those to name where one is not there."""
    found = {text: find_ref(text.rpartition("=")[2]) for text in texts}
    refs = {text: ref for text, ref in found.items() if ref is not None and _is_there(graph, ref)}
    for text in texts:
        if text not in refs:
            near = (ref.tensor_name for ref in candidates())
            name = text.rpartition("=")[2]
            raise ExportError.unknown_tensor(name, graph.nodes, near, role=role)
    plain = {ref: name for name, ref in _named(list(refs.values())).items()}
    named: dict[str, TensorRef] = {}
    for text, ref in refs.items():
        name = text.rpartition("=")[0] or plain[ref]
        if named.setdefault(name, ref) != ref:
            raise ExportError.named_twice(name, [named[name].tensor_name, ref.tensor_name])
    return named


def _is_there(graph: Graph, ref: TensorRef) -> bool:
    if ref.is_control or ref.output or ref.node not in graph:
        return False
    try:
        return (ref.port or 0) < len(graph.ops.output_types(graph.nodes[ref.node], graph.functions))
    except OpTypeError:
        return True


def _named(refs: Sequence[TensorRef]) -> dict[str, TensorRef]:
    """Name tensors by the last scope of theirs, or by all of them where that is not enough."""
    short = [_identifier(ref, ref.node.rpartition("/")[2]) for ref in refs]
    names = short if len(set(short)) == len(short) else [_identifier(ref, ref.node) for ref in refs]
    named: dict[str, TensorRef] = {}
    for name, ref in zip(names, refs, strict=True):
        free = (f"{name}_{number}" if number else name for number in count())
        named[next(each for each in free if each not in named)] = ref
    return named


def _identifier(ref: TensorRef, name: str) -> str:
    return re.sub(r"\W", "_", f"{name}_{ref.port}" if ref.port else name)
