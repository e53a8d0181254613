"""Graphs as a few lines of text, for tests, documents and errors.

::

    w = VariableV2() {shape: [4, 2]}            # float32, if nothing says otherwise
    w/read = Identity(w)                        # T is inferred from w
    y = MatMul(x, w/read) {transpose_b: true}
    z = NoOp(^y) @ /device:CPU:0                # a control input; a device
    ids = Const() {value: [1, 2]}               # int32; floats are float32
    trainable_variables: w                      # a collection of variables
    losses: y:0                                 # a collection of tensors or operations
    saver: save                                 # the SaverDef of scope save

Attributes that inputs decide are left out. A VariableDef has initializer ``w/Assign`` and snapshot
``w/read`` (``w/Read/ReadVariableOp`` for a VarHandleOp).
"""

import re
from collections.abc import Iterator, Mapping

from graphfreeze.model.graph import Graph
from graphfreeze.model.infer import TypeOf, infer_attrs
from graphfreeze.model.names import TensorRef, parse_ref
from graphfreeze.model.ops import OpRegistry, OpTypeError
from graphfreeze.model.sketch_values import (
    Value,
    format_attr,
    format_tensor,
    make_attr,
    make_tensor,
    parse_attrs,
)
from graphfreeze.schema import (
    AttrValue,
    CollectionDef,
    MetaGraphDef,
    NodeDef,
    OpDef,
    SaverDef,
    VariableDef,
    types_pb2,
)

_NODE = re.compile(r"(\S+)\s*=\s*([\w>]+)\((.*?)\)\s*(\{.*\})?\s*(?:@\s*(\S+))?")
_COLLECTION = re.compile(r"([^\s=]+):\s+(.+)")
_COMMENT = re.compile(r"""("(?:[^"\\]|\\.)*")|(?:^|\s)#.*""")
_OF_VARIABLES = frozenset(
    {"variables", "global_step"}
    | {f"{kind}_variables" for kind in ("trainable", "local", "model", "metric", "moving_average")}
    | {"trainable_resource_variables"}
)
_PASSING = frozenset({"Identity", "Enter", "Switch", "Exit"})
_OPS = OpRegistry()
_PRODUCER = 134


class SketchError(ValueError):
    """A line that is no sketch."""

    @classmethod
    def at(cls, number: int, line: str, reason: str) -> "SketchError":
        """Name the line, counted from 1, and what is wrong with it."""
        return cls(f"line {number}, {line!r}: {reason}")


def sketch_meta_graph(
    text: str, *, collections: Mapping[str, CollectionDef] | None = None
) -> MetaGraphDef:
    """Read a sketch; ``collections`` are added to its own. Raises SketchError."""
    meta = MetaGraphDef()
    meta.meta_info_def.tensorflow_version = "1.15.5"
    meta.graph_def.versions.producer = _PRODUCER
    lines: dict[str, str] = {}
    for number, whole in enumerate(text.splitlines(), 1):
        line = _COMMENT.sub(lambda match: match.group(1) or "", whole).strip()
        try:
            if node := _NODE.fullmatch(line):
                meta.graph_def.node.append(_node(*node.groups(default="")))
            elif entry := _COLLECTION.fullmatch(line):
                lines[entry.group(1)] = entry.group(2)
            elif line:
                raise ValueError("write 'name = Op(inputs) {attrs}' or 'collection: names'")
        except ValueError as error:
            raise SketchError.at(number, line, str(error)) from error
    _Inference({str(node.name): node for node in meta.graph_def.node}).run()
    _add_collections(meta, lines)
    for key, value in (collections or {}).items():
        meta.collection_def[key].CopyFrom(value)
    return meta


def _node(name: str, op: str, inputs: str, attrs: str, device: str) -> NodeDef:
    refs = [str(parse_ref(each.strip())) for each in inputs.split(",") if each.strip()]
    node = NodeDef(name=name, op=op, input=refs, device=device)
    values = parse_attrs(attrs) if attrs else {}
    if op == "Const":
        _set_const(node, values)
    definition = _OPS.find(op)
    kinds = {attr.name: str(attr.type) for attr in definition.attr} if definition else {}
    for key, value in values.items():
        node.attr[key].CopyFrom(make_attr(value, kinds.get(key, "")))
    return node


def _set_const(node: NodeDef, values: dict[str, Value]) -> None:
    dtype, shape = values.pop("dtype", ""), values.pop("shape", None)
    tensor = make_tensor(values.pop("value", 0.0), str(dtype), shape)
    node.attr["dtype"].type = tensor.dtype
    node.attr["value"].tensor.CopyFrom(tensor)


class _Inference:
    """Fills in the attributes of nodes, each after those that it takes; loops are cut."""

    def __init__(self, nodes: Mapping[str, NodeDef]) -> None:
        self.nodes = nodes
        self.done: dict[str, bool] = {}
        self.ports: dict[str, int] = {}
        for node in nodes.values():
            for ref in map(parse_ref, node.input):
                self.ports[ref.node] = max(self.ports.get(ref.node, 0), ref.port or 0)

    def run(self) -> None:
        for name in self.nodes:
            self._fill(name)

    def _fill(self, name: str) -> None:
        if name in self.done or name not in self.nodes:
            return
        self.done[name] = False
        node = self.nodes[name]
        definition = _OPS.find(str(node.op))
        refs = [parse_ref(each) for each in node.input]
        for ref in refs:
            self._fill(ref.node)
        if definition is not None:
            count = self.ports.get(name, 0) + 1
            for key, value in _inferred(node, definition, self.nodes, self._type, count).items():
                if key not in node.attr:
                    node.attr[key].CopyFrom(value)
        self.done[name] = True

    def _type(self, ref: TensorRef) -> int | None:
        return _type_at(self.nodes[ref.node], ref.port or 0) if self.done.get(ref.node) else None


def _type_at(node: NodeDef, port: int) -> int | None:
    try:
        types = _OPS.find_output_types(node) or ()
    except OpTypeError:
        return None
    return types[port] if port < len(types) else None


def _inferred(
    node: NodeDef, definition: OpDef, nodes: Mapping[str, NodeDef], type_of: TypeOf, count: int
) -> dict[str, AttrValue]:
    refs = [parse_ref(each) for each in node.input]
    default = _handle_type(refs, nodes)
    return infer_attrs(definition, refs, type_of=type_of, default=default, outputs=count)


def _handle_type(refs: list[TensorRef], nodes: Mapping[str, NodeDef]) -> int:
    """Return the type of the resource variable that comes first, float32 if there is none."""
    seen = set[str]()
    while refs and refs[0].node in nodes and refs[0].node not in seen:
        node = nodes[refs[0].node]
        seen.add(str(node.name))
        if node.op == "VarHandleOp" and "dtype" in node.attr:
            return int(node.attr["dtype"].type)
        refs = [parse_ref(each) for each in node.input] if node.op in _PASSING else []
    return int(types_pb2.DT_FLOAT)


def _add_collections(meta: MetaGraphDef, lines: Mapping[str, str]) -> None:
    ops = {str(node.name): str(node.op) for node in meta.graph_def.node}
    trainable = {n for key in lines if key.startswith("trainable_") for n in _names(lines[key])}
    for key, line in lines.items():
        if key == "saver":
            meta.saver_def.CopyFrom(_saver(line))
        elif key in _OF_VARIABLES:
            entries = [_definition(n, ops.get(n, ""), n in trainable) for n in _names(line)]
            raws = [entry.SerializeToString(deterministic=True) for entry in entries]
            meta.collection_def[key].bytes_list.value.extend(raws)
        else:
            meta.collection_def[key].node_list.value.extend(_names(line))


def _names(line: str) -> list[str]:
    return [name.strip() for name in line.split(",")]


def _definition(name: str, op: str, is_trainable: bool) -> VariableDef:
    is_resource = op == "VarHandleOp"
    return VariableDef(
        variable_name=f"{name}:0",
        initializer_name=f"{name}/Assign",
        snapshot_name=f"{name}/Read/ReadVariableOp:0" if is_resource else f"{name}/read:0",
        is_resource=is_resource,
        trainable=is_trainable,
    )


def _saver(scope: str) -> SaverDef:
    return SaverDef(
        filename_tensor_name=f"{scope}/Const:0",
        save_tensor_name=f"{scope}/control_dependency:0",
        restore_op_name=f"{scope}/restore_all",
        max_to_keep=5,
        keep_checkpoint_every_n_hours=10000.0,
        version=SaverDef.V2,
    )


def format_node(node: NodeDef) -> str:
    """Write a node as a line, without ``_output_shapes``, defaults, and what its inputs decide."""
    definition = _OPS.find(str(node.op))
    given = definition.input_arg if definition is not None else ()
    decided = {n for a in given for n in (a.type_attr, a.number_attr, a.type_list_attr) if n}
    return _line(node, decided)


def format_sketch(graph: Graph) -> str:
    """Write a graph's nodes so that ``sketch_meta_graph`` reads them again, defaults left out.

    Large constants, functions and collections are left out."""
    nodes = graph.nodes
    return "".join(f"{_line(node, _decided(graph, node))}\n" for node in nodes.values())


def _decided(graph: Graph, node: NodeDef) -> set[str]:
    definition = _OPS.find(str(node.op))
    if definition is None:
        return set()
    edges = graph.edges_from(str(node.name))
    count = 1 + max((graph.ref_at(edge).port or 0 for edge in edges), default=0)
    nodes = graph.nodes

    def type_of(ref: TensorRef) -> int | None:
        return _type_at(nodes[ref.node], ref.port or 0) if ref.node in nodes else None

    inferred = _inferred(node, definition, nodes, type_of, count)
    return {key for key, value in inferred.items() if key in node.attr and node.attr[key] == value}


def _line(node: NodeDef, decided: set[str]) -> str:
    attrs = ", ".join(f"{key}: {value}" for key, value in _shown(node, decided))
    line = f"{node.name} = {node.op}({', '.join(node.input)})"
    line += f" {{{attrs}}}" if attrs else ""
    return f"{line} @ {node.device}" if node.device else line


def _shown(node: NodeDef, decided: set[str]) -> Iterator[tuple[str, str]]:
    is_const = node.op == "Const" and "value" in node.attr
    if is_const:
        yield from format_tensor(node.attr["value"].tensor).items()
    for key in sorted(node.attr):
        is_told = key == "_output_shapes" or (is_const and key in ("dtype", "value"))
        if not (key in decided or is_told or _OPS.is_default(node, key)):
            yield key, format_attr(node.attr[key])
