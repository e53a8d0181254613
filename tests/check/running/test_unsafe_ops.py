"""Which ops reach outside: found in graphs, in function bodies, and none forgotten."""

import re

import pytest

from graphfreeze.check.running.needed_nodes import find_queue, find_running
from graphfreeze.check.running.unsafe_ops import (
    BOTH,
    PYTHON,
    READS,
    UNKNOWN,
    WRITES,
    Unsafe,
    find_unsafe,
)
from graphfreeze.model.attrs import tensor_proto
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.op_registry import load_shipped
from graphfreeze.model.ops import OpRegistry
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.schema import AttrValue, FunctionDef, NodeDef, types_pb2


def node(name: str, op: str, *inputs: str, **attrs: AttrValue) -> NodeDef:
    return NodeDef(name=name, op=op, input=inputs, attr=attrs)


def text(value: str) -> AttrValue:
    return AttrValue(s=value.encode())


def function(name: str, *nodes: NodeDef) -> FunctionDef:
    body = FunctionDef(node_def=nodes)
    body.signature.name = name
    return body


def graph_of(*nodes: NodeDef, functions: tuple[FunctionDef, ...] = ()) -> Graph:
    return Graph(nodes, {str(f.signature.name): f for f in functions}, OpRegistry())


def found(graph: Graph, *names: str) -> list[tuple[str, str]]:
    return [(each.node, each.reason) for each in find_unsafe(graph, names or graph.nodes)]


SINGLE = {
    "reads a file": (node("r", "ReadFile"), READS),
    "reads records": (node("r", "TFRecordDataset"), READS),
    "of an older TensorFlow": (node("r", "ExperimentalSqlDataset"), READS),
    "of a later version": (node("r", "TFRecordReaderV2"), READS),
    "restores": (node("r", "RestoreV2"), READS),
    "writes a file": (node("r", "WriteFile"), WRITES),
    "saves": (node("r", "SaveV2"), WRITES),
    "merges checkpoints": (node("r", "MergeV2Checkpoints"), WRITES),
    "calls Python": (node("r", "PyFunc"), PYTHON),
    "calls Python, stateless": (node("r", "PyFuncStateless"), PYTHON),
    "prints to a file": (node("r", "PrintV2", output_stream=text("file:///tmp/x")), WRITES),
    "draws by a file": (
        node("r", "FixedUnigramCandidateSampler", vocab_file=text("words.txt")),
        READS,
    ),
    "sends a copy": (node("r", "DebugIdentityV2"), BOTH),
    "is no op that is known": (node("r", "ZeroOut"), UNKNOWN),
    "prints": (node("r", "Print"), None),
    "prints anew": (node("r", "PrintV2", output_stream=text("stderr")), None),
    "draws by numbers": (node("r", "FixedUnigramCandidateSampler", vocab_file=text("")), None),
    "multiplies": (node("r", "MatMul"), None),
    "decodes what was read": (node("r", "DecodeJpeg"), None),
}


@pytest.mark.parametrize(("single", "reason"), SINGLE.values(), ids=SINGLE)
def test_single_op(single: NodeDef, reason: str | None) -> None:
    assert found(graph_of(single)) == ([] if reason is None else [("r", reason)])


def cache(filename: str) -> tuple[NodeDef, NodeDef]:
    value = tensor_proto(0, types_pb2.DT_INT32)
    value.dtype, value.tensor_content = types_pb2.DT_STRING, b""
    value.string_val.append(filename.encode())
    return (
        node("file", "Const", value=AttrValue(tensor=value)),
        node("cache", "CacheDataset", "data", "file"),
    )


@pytest.mark.parametrize(("filename", "reason"), [("", []), ("x", [("cache", BOTH)])])
def test_cache_in_memory_is_safe(filename: str, reason: list[tuple[str, str]]) -> None:
    assert found(graph_of(*cache(filename))) == reason


def test_file_name_that_is_computed_may_be_any() -> None:
    assert found(graph_of(cache("")[1], node("file", "Placeholder"))) == [("cache", BOTH)]


def test_bodies_are_looked_into_as_deep_as_they_call() -> None:
    inner = function("inner", node("r", "ReadFile"))
    mapped = AttrValue(func={"name": "inner"})
    outer = function("outer", node("m", "MapDataset", f=mapped))
    branch = AttrValue(list={"func": [{"name": "outer"}]})
    graph = graph_of(node("c", "Case", branches=branch), functions=(inner, outer))
    assert find_unsafe(graph, ["c"]) == [Unsafe("inner/r", "ReadFile", READS)]


def test_function_that_is_called_by_its_name() -> None:
    body = function("f", node("r", "EagerPyFunc"), node("again", "f"))
    assert found(graph_of(node("call", "f"), functions=(body,))) == [("f/r", PYTHON)]


def test_function_that_nobody_calls_is_none() -> None:
    assert found(graph_of(node("a", "NoOp"), functions=(function("f", node("r", "PyFunc")),))) == []


RUNS = """
names = Const() {value: 1}
read = ReadFile(names)
x = Placeholder() {dtype: string, shape: []}
decoded = DecodeRaw(read) {out_type: float32}
w = VariableV2() {shape: [2]}
loss = Add(decoded, w)
other = Identity(w)
"""


def test_only_what_runs_counts() -> None:
    graph = parse_sketch(RUNS).graph
    assert found(graph, *find_running(graph, ["other"]).nodes) == []
    assert found(graph, *find_running(graph, ["loss"]).nodes) == [("read", READS)]
    fed = find_running(graph, ["loss"], [TensorRef("decoded")])
    assert fed.nodes == {"loss", "w"}


def test_tables_and_iterators_are_started() -> None:
    text = (
        "t = HashTableV2()\nk = Const() {value: [1]}\nv = Const() {value: [1]}\n"
        "fill = InitializeTableV2(t, k, v)\nfile = InitializeTableFromTextFileV2(u, k)\n"
        "u = HashTableV2()\nd = Const() {value: 1}\ny = LookupTableFindV2(t, k, d)\n"
        "i = IteratorV2()\nmake = MakeIterator(data, i)\ndata = RangeDataset(d, d, d)\n"
        "next = IteratorGetNext(i)\nz = NoOp(^y, ^next)"
    )
    running = find_running(parse_sketch(text).graph, ["z"])
    assert running.starts == ("fill", "make")
    assert {"fill", "make", "data", "v"} <= running.nodes
    assert not {"file", "u"} & running.nodes


def test_queue_that_nobody_fills() -> None:
    graph = graph_of(node("q", "FIFOQueueV2"), node("batch", "QueueDequeueManyV2", "q"))
    assert find_queue(graph, ["q", "batch"]) == "batch"
    filled = graph_of(*graph.nodes.values(), node("fill", "QueueEnqueueV2", "q", "x"))
    assert find_queue(filled, ["q", "batch", "fill"]) is None
    assert find_queue(filled, ["q", "batch"]) == "batch"


# Arguments and attributes that may name a place outside.
_PLACE = re.compile(
    r"file|filename|path|prefix|address|url|uri|host|dir|chunk|shard|memory_region|tensor_names|"
    r"project_id|end_point|output_stream|(?<!stamp_)token|dataset_id"
)
_HARMLESS = (
    *("Cudnn", "Xla", "_Xla", "TPU", "_TPU", "LoadTPU", "RetrieveTPU", "TensorArray", "CTC"),
    *("ShardedFile", "ShardDataset", "AutoShard", "RiscSort", "StringSplit", "GatherTree"),
    *("BoostedTrees", "SetStats", "ExperimentalSetStats", "MultiDevice", "UpdateTaskId"),
    *("_FusedQuantized", "_MklNative", "_QuantizedMatMul"),
)


def _names_a_place(op: str) -> bool:
    shipped = load_shipped()
    definition = shipped.tf1.ops.get(op) or shipped.tf2.ops[op]
    arguments = [str(arg.name) for arg in definition.input_arg]
    arguments += [str(a.name) for a in definition.attr if a.type in ("string", "list(string)")]
    return any(_PLACE.search(argument) for argument in arguments)


def test_no_op_that_names_a_place_is_forgotten() -> None:
    shipped = load_shipped()
    left = []
    for op in sorted({*shipped.tf1.ops, *shipped.tf2.ops}):
        empty = node("file", "Placeholder")
        single = node("n", op, "a", "file", output_stream=text("file://x"))
        if _names_a_place(op) and not find_unsafe(graph_of(single, empty), ["n"]):
            left.append(op)
    assert [op for op in left if not op.startswith(_HARMLESS)] == []
