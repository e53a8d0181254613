"""Attribute values as short text, as sketches have them: ``float32``, ``[4, ?]``, ``"loc:@w"``.

What a text means is decided by the kind that the op's definition gives the attribute; an
attribute without a definition is taken for what it looks like.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Union

import numpy as np

from graphfreeze.model.attrs import count_elements, dtype_name, parse_shape, shape_proto
from graphfreeze.schema import AttrValue, TensorProto, TensorShapeProto, types_pb2

Value = Union["list[Value]", int, float, str, "Word", None]

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")
    | (?P<float>-?(?:\d+\.\d*(?:e[-+]?\d+)?|\d+e[-+]?\d+|inf\b|nan\b)) | (?P<int>-?\d+)
    | (?P<word>\.\.\.|\w[\w./>-]*) | (?P<mark>[][{},:?]))""",
    re.VERBOSE,
)
_DTYPES = {dtype_name(number): number for number in types_pb2.DataType.values()}
_LIST_FIELDS = {
    "string": "s", "int": "i", "float": "f", "bool": "b",
    "type": "type", "shape": "shape", "tensor": "tensor", "func": "func",
}  # fmt: skip
_TENSOR_FIELDS = {
    "float32": "float_val", "float64": "double_val", "float16": "half_val", "int64": "int64_val",
    "string": "string_val", "bool": "bool_val",
}  # fmt: skip
_LEFT_OUT = "..."
_MOST_ELEMENTS = 16


class Word(str):
    """Text without quotes: a type, the name of a function, true, false."""

    __slots__ = ()


def parse_attrs(text: str) -> dict[str, Value]:
    """Read ``{key: value, ...}``; raises ValueError."""
    tokens = list(_tokens(text))
    found: dict[str, Value] = {}
    while len(tokens) > 1 and tokens.pop(0) in ("{", ","):
        if tokens[0] == "}":
            break
        key, colon = tokens.pop(0), tokens.pop(0)
        if not isinstance(key, Word) or colon != ":":
            raise ValueError(f"write {{key: value}}, not {text!r}")
        found[key] = _take(tokens)
    if tokens != ["}"]:
        raise ValueError(f"write {{key: value}}, not {text!r}")
    return found


class _Mark(str):
    __slots__ = ()


def _tokens(text: str) -> Iterator[Value]:
    at, text = 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"cannot read {text[at:]!r}")
        at, token = match.end(), str(match.group(match.lastgroup or 0)).strip()
        match match.lastgroup:
            case "string":
                yield token[1:-1].encode().decode("unicode_escape")
            case "float":
                yield float(token)
            case "int":
                yield int(token)
            case "word":
                yield {"true": True, "false": False}.get(token, Word(token))
            case _:
                yield _Mark(token)


def _take(tokens: list[Value]) -> Value:
    """Take a value off the front of the tokens."""
    token = tokens.pop(0)
    if token != "[" or not isinstance(token, _Mark):
        if isinstance(token, _Mark) and token != "?":
            raise ValueError(f"a value is missing before {str(token)!r}")
        return None if isinstance(token, _Mark) else token
    items: list[Value] = []
    while tokens and tokens[0] != "]":
        items.append(_take(tokens))
        if tokens and tokens[0] == ",":
            tokens.pop(0)
    if not tokens:
        raise ValueError("a bracket is open")
    tokens.pop(0)
    return items


def make_attr(value: Value, kind: str) -> AttrValue:
    """Make an attribute of a kind that OpDef knows (``list(type)``); '' guesses by the value."""
    kind = kind or _guess(value)
    if not kind.startswith("list("):
        return AttrValue(**{_LIST_FIELDS[kind]: _scalar(value, kind)})
    inner = kind[5:-1]
    items = [_scalar(each, inner) for each in _listed(value)]
    return AttrValue(list=AttrValue.ListValue(**{_LIST_FIELDS[inner]: items}))


def _listed(value: Value) -> "list[Value]":
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is no list")
    return value


def _guess(value: Value) -> str:
    match value:
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float"
        case Word():
            return "type" if value in _DTYPES else "func"
        case str():
            return "string"
        case [first, *_]:
            return f"list({_guess(first)})"
    return "list(int)"


def _scalar(value: Value, kind: str) -> object:
    """Return what a field of AttrValue takes."""
    match kind, value:
        case "type", Word() if value in _DTYPES:
            return _DTYPES[value]
        case "shape", Word("unknown"):
            return TensorShapeProto(unknown_rank=True)
        case "shape", list():
            return shape_proto([None if size is None else int(str(size)) for size in value])
        case "string", str():
            return value.encode("latin-1")
        case "func", str():
            return {"name": str(value)}
        case "tensor", _:
            return make_tensor(value, "", None)
        case (("int" | "float" | "bool"), (int() | float())):
            return value
    raise ValueError(f"{value!r} is no {kind}")


def make_tensor(value: Value, dtype: str, shape: Value) -> TensorProto:
    """Make a tensor; a ``shape`` lets a single value stand for all elements.

    Without a type ints are int32, floats are float32, and so is an empty list."""
    flat = list(_flat(value))
    if _LEFT_OUT in flat:
        raise ValueError("the value was left out")
    dtype = dtype or {"int": "int32", "bool": "bool", "str": "string"}.get(
        type(flat[0]).__name__ if flat else "", "float32"
    )
    dims = _dims(value) if shape is None else [int(str(size)) for size in _listed(shape)]
    tensor = TensorProto(dtype=_DTYPES[dtype], tensor_shape=shape_proto(dims))
    if dtype == "string":
        flat = [str(each).encode("latin-1") for each in flat]  # type: ignore[misc]
    elif dtype == "float16":
        flat = [int(each) for each in np.array(flat, np.float16).view(np.uint16)]
    getattr(tensor, _TENSOR_FIELDS.get(dtype, "int_val")).extend(flat)
    return tensor


def _flat(value: Value) -> Iterator[Value]:
    if not isinstance(value, list):
        yield value
        return
    for each in value:
        yield from _flat(each)


def _dims(value: Value) -> list[int]:
    dims: list[int] = []
    while isinstance(value, list):
        dims.append(len(value))
        value = value[0] if value else None
    return dims


def format_attr(attr: AttrValue) -> str:
    """Write an attribute; the inverse of ``make_attr``."""
    kind = attr.WhichOneof("value")
    if kind != "list":
        return _format(str(kind), getattr(attr, kind) if kind else None)
    fields = [(field.name, values) for field, values in attr.list.ListFields()]
    name, values = fields[0] if fields else ("i", ())
    return f"[{', '.join(_format(name, each) for each in values)}]"


def _format(kind: str, value: object) -> str:
    match kind:
        case "type":
            return dtype_name(value)  # type: ignore[arg-type]
        case "shape":
            return _format_shape(parse_shape(value))
        case "tensor":
            return format_tensor(value)["value"]
        case "func":
            return str(value.name)  # type: ignore[attr-defined]
        case "s":
            return _quote(bytes(value))  # type: ignore[call-overload]
        case "b":
            return str(value).lower()
        case "f":
            return str(np.float32(value))  # type: ignore[arg-type]
    return str(value)


def _quote(raw: bytes) -> str:
    text = raw.decode("latin-1").encode("unicode_escape").decode()
    return '"' + text.replace('"', '\\"') + '"'


def _format_shape(shape: "Sequence[int | None] | None") -> str:
    if shape is None:
        return "unknown"
    return f"[{', '.join('?' if size is None else str(size) for size in shape)}]"


def format_tensor(tensor: TensorProto) -> dict[str, str]:
    """Return the attributes that write a Const's tensor; many different values are left out."""
    dtype, shape = dtype_name(tensor.dtype), parse_shape(tensor.tensor_shape)
    values = _elements(tensor, dtype)
    count = count_elements(shape) or 0
    described = {"dtype": dtype} if dtype not in ("int32", "float32", "string", "bool") else {}
    if shape is None or (len(values) != count and len(values) != 1) or count > _MOST_ELEMENTS:
        splat = values[0] if len(values) == 1 else _LEFT_OUT
        if splat == _LEFT_OUT:
            described = {"dtype": dtype}
        return described | {"shape": _format_shape(shape), "value": splat}
    if len(values) == 1 and count > 1:
        return described | {"shape": _format_shape(shape), "value": values[0]}
    if not count:
        return {"dtype": dtype, "shape": _format_shape(shape), "value": "[]"}
    return described | {"value": _nested(values, list(shape))}


def _nested(values: list[str], shape: "list[int | None]") -> str:
    if not shape:
        return values[0]
    step = len(values) // (shape[0] or 1)
    rows = [values[at : at + step] for at in range(0, len(values), step)]
    return f"[{', '.join(_nested(row, shape[1:]) for row in rows)}]"


def _elements(tensor: TensorProto, dtype: str) -> list[str]:
    """Return a tensor's values as text; fewer than its elements if the last one is repeated."""
    if dtype == "string":
        return [_quote(bytes(each)) for each in tensor.string_val]
    if dtype == "bfloat16" or not hasattr(np, dtype if dtype != "bool" else "bool_"):
        return []
    field = getattr(tensor, _TENSOR_FIELDS.get(dtype, "int_val"))
    if tensor.tensor_content:
        array = np.frombuffer(tensor.tensor_content, dtype)
    elif dtype == "float16":
        array = np.array(field, np.uint16).view(np.float16)
    else:
        array = np.array(field, dtype)
    return [str(each).lower() for each in array]
