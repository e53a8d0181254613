"""Attributes that need not be written down: a node's inputs and consumers decide them."""

from collections.abc import Callable, Sequence

from graphfreeze.model.names import TensorRef
from graphfreeze.schema import AttrValue, OpDef, types_pb2

TypeOf = Callable[[TensorRef], int | None]


def infer_attrs(
    definition: OpDef,
    inputs: Sequence[TensorRef],
    *,
    type_of: TypeOf,
    default: int = types_pb2.DT_FLOAT,
    outputs: int = 1,
) -> dict[str, AttrValue]:
    """Return the types and counts that an op's definition leaves to its inputs.

    ``type_of`` tells a tensor's type, None if it is not known. Types that no input decides are
    ``default``, unless the definition has one; lists that only outputs have are ``outputs`` long.
    """
    found: dict[str, AttrValue] = {}
    for arg, refs in _spread(definition, [ref for ref in inputs if not ref.is_control]):
        types = [type_of(ref) for ref in refs]
        known = next((dtype for dtype in types if dtype is not None), None)
        if arg.number_attr:
            found[arg.number_attr] = AttrValue(i=len(refs))
        if arg.type_list_attr:
            listed = [default if dtype is None else dtype for dtype in types]
            found[arg.type_list_attr] = _type_list(listed)
        elif arg.type_attr and known is not None:
            found.setdefault(arg.type_attr, AttrValue(type=known))
    open_attrs = {a.name for a in definition.attr if not a.HasField("default_value")} - set(found)
    for arg in (*definition.input_arg, *definition.output_arg):
        if arg.number_attr in open_attrs:
            found.setdefault(arg.number_attr, AttrValue(i=outputs))
        if arg.type_list_attr in open_attrs:
            found.setdefault(arg.type_list_attr, _type_list([default] * outputs))
    types_left = (a.name for a in definition.attr if a.type == "type" and a.name in open_attrs)
    for name in types_left:
        found.setdefault(name, AttrValue(type=default))
    return found


def _type_list(types: Sequence[int]) -> AttrValue:
    return AttrValue(list=AttrValue.ListValue(type=types))


def _spread(definition: OpDef, refs: list[TensorRef]) -> list[tuple[OpDef.ArgDef, list[TensorRef]]]:
    """Share the inputs out to the arguments; those of open length get equal parts."""
    args = list(definition.input_arg)
    is_open = [bool(arg.number_attr or arg.type_list_attr) for arg in args]
    share, rest = divmod(max(0, len(refs) - is_open.count(False)), is_open.count(True) or 1)
    if rest:
        return [(arg, []) for arg in args]
    spread, at = [], 0
    for arg, many in zip(args, is_open, strict=True):
        size = share if many else 1
        spread.append((arg, refs[at : at + size]))
        at += size
    return spread
