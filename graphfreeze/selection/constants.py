"""Which constants become variables: those that look like weights, or those that patterns name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from graphfreeze.errors import SelectionError, ThawError
from graphfreeze.model.collected import node_refs
from graphfreeze.model.constants import NUMBERS, Constant
from graphfreeze.model.model import Model
from graphfreeze.model.names import find_ref
from graphfreeze.model.reads import is_ref_edge
from graphfreeze.model.weights import Left, Weight, Weights, quantized_ops
from graphfreeze.selection.pattern import parse_pattern

NAMED = "are asked for by name, and a resource has a handle there"
UNNAMED = "are not named"
KINDS = ("ref", "resource")


@dataclass(frozen=True)
class Thawing:
    """The constants that become variables, and of which kind; those that stay, and why."""

    weights: tuple[Weight, ...]
    left: tuple[Left, ...]
    kind: str
    patterns: tuple[str, ...] = ()


def choose_constants(model: Model, patterns: Sequence[str], kind: str) -> Thawing:
    """Return which constants become variables of a kind, ``ref`` or ``resource``.

    Without patterns those that look like weights. A pattern takes the floating arrays that it
    matches; a constant named in full is taken whatever it holds. Raises ThawError, and
    SelectionError for text that is no pattern."""
    if isinstance(patterns, str):
        raise SelectionError.not_a_list(patterns, option="constants")
    known = Weights(model.graph)
    weights, left = known.sort()
    if patterns:
        named = _named(patterns, known.constants)
        weights = [known.describe(constant) for constant in named.values()]
        reasons = {each.constant.name: each.reason for each in left}
        rest = (each for each in known.constants if each.name not in named)
        left = [Left(each, reasons.get(each.name, UNNAMED)) for each in rest]
    else:
        _check_ops(model)
        named_outside = _asked_for(model) if kind == "resource" else {}
        left += [Left(w.constant, NAMED) for w in weights if w.constant.name in named_outside]
        weights = [w for w in weights if w.constant.name not in named_outside]
        if not weights:
            path, number = model.source.path, len(model.variables)
            floating = _floating_arrays(known.constants)
            raise ThawError.nothing_to_thaw(path, variables=number, constants=floating)
    for each in weights:
        _check(model, known, each.constant, kind)
    return Thawing(tuple(weights), tuple(left), kind, tuple(patterns))


def _named(patterns: Sequence[str], constants: Sequence[Constant]) -> dict[str, Constant]:
    """Return the constants that patterns take, in the order of the graph."""
    by_name, taken = {each.name: each for each in constants}, set[str]()
    arrays = _floating_arrays(constants)
    for text in patterns:
        whole = text.removesuffix(":0")
        pattern = parse_pattern(text)
        matched = [name for name in arrays if pattern.matches(name)]
        matched += [whole] if whole in by_name else []
        if not matched:
            raise ThawError.no_constant(text, [*arrays, *by_name])
        taken.update(matched)
    return {name: constant for name, constant in by_name.items() if name in taken}


def _floating_arrays(constants: Sequence[Constant]) -> list[str]:
    """Return the names of the constants that a pattern takes."""
    return [each.name for each in constants if each.is_floating and each.elements > 1]


def _check_ops(model: Model) -> None:
    """Refuse a graph that computes with quantized weights; raises ThawError."""
    if quantized := quantized_ops(model.graph):
        raise ThawError.quantized(model.source.path, quantized)


def _check(model: Model, known: Weights, constant: Constant, kind: str) -> None:
    """Refuse a constant that cannot be a variable; raises ThawError."""
    name, graph = constant.name, model.graph
    if constant.dtype not in NUMBERS:
        raise ThawError.not_numbers(name, constant.type_name)
    if known.is_inside(name):
        raise ThawError.inside(name)
    if kind == "resource":
        for edge in graph.edges_from(name):
            if is_ref_edge(graph, edge):
                raise ThawError.is_written(name, f"{graph.op(edge.consumer)} {edge.consumer}")
        if (where := _asked_for(model).get(name)) is not None:
            raise ThawError.is_named(name, where)


def _asked_for(model: Model) -> Mapping[str, str]:
    """Return by node what asks for the value of its first output by name."""
    return dict(_askers(model))


def _askers(model: Model) -> Iterator[tuple[str, str]]:
    for key, signature in sorted(model.header.signature_def.items()):
        for info in (*signature.inputs.values(), *signature.outputs.values()):
            if (ref := find_ref(str(info.name))) is not None:
                yield ref.node, f"signature {key!r}"
    for key, ref in node_refs(model.collections):
        yield ref.node, f"collection {key!r}"
