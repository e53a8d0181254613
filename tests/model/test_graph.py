import pytest

from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef, control, parse_ref
from graphfreeze.model.ops import OpTypeError
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.schema import NodeDef, types_pb2

TEXT = """
x = Placeholder() {dtype: int64}
s = Split(axis, x) {num_split: 3}
axis = Const() {value: 0}
a = Add(s:1, s:2)
b = Add(a, a)
c = Identity(s, ^b)
d = NoOp(^c)
"""


@pytest.fixture
def graph() -> Graph:
    return parse_sketch(TEXT).graph


def refs(text: str) -> tuple[TensorRef, ...]:
    return tuple(map(parse_ref, text.split()))


def test_nodes_keep_their_order(graph: Graph) -> None:
    assert list(graph.nodes) == ["x", "s", "axis", "a", "b", "c", "d"]
    assert "a" in graph
    assert "q" not in graph
    assert (graph.op("a"), graph.op("q")) == ("Add", "")


INPUTS = {
    "ports": ("a", "s:1 s:2", "s:1 s:2"),
    "control": ("c", "s ^b", "s"),
    "none": ("x", "", ""),
}


@pytest.mark.parametrize(("name", "inputs", "data"), INPUTS.values(), ids=INPUTS)
def test_inputs(graph: Graph, name: str, inputs: str, data: str) -> None:
    assert graph.inputs(name) == refs(inputs)
    assert graph.data_inputs(name) == refs(data)
    assert all(graph.ref_at(Edge(name, i)) == ref for i, ref in enumerate(refs(inputs)))


CONSUMERS = {
    "by several outputs": ("s", "a c", "a c"),
    "twice by one": ("a", "b", "b"),
    "control only": ("b", "c", ""),
    "nobody": ("d", "", ""),
    "no such node": ("q", "", ""),
}


@pytest.mark.parametrize(("name", "consumers", "data"), CONSUMERS.values(), ids=CONSUMERS)
def test_consumers(graph: Graph, name: str, consumers: str, data: str) -> None:
    assert graph.consumers(name) == consumers.split()
    assert graph.consumers(name, data_only=True) == data.split()


def test_edges_of_one_output(graph: Graph) -> None:
    assert graph.edges_of(TensorRef("s", 1)) == (Edge("a", 0),)
    assert graph.edges_of(TensorRef("a")) == (Edge("b", 0), Edge("b", 1))
    assert graph.edges_of(control("b")) == (Edge("c", 1),)
    assert len(graph.edges_from("s")) == 3


CLOSURES = {
    "up": ("ancestors", "a", "a s axis x"),
    "up over control edges": ("ancestors", "d", "a axis b c d s x"),
    "down": ("descendants", "b", "b c d"),
    "no such node": ("ancestors", "q", ""),
}


@pytest.mark.parametrize(("verb", "name", "found"), CLOSURES.values(), ids=CLOSURES)
def test_closures(graph: Graph, verb: str, name: str, found: str) -> None:
    assert getattr(graph, verb)([name]) == set(found.split())


def test_closure_of_a_loop() -> None:
    loop = "e = Enter(x)\nm = Merge(e, n)\nn = NextIteration(m)\nx = Placeholder()"
    assert parse_sketch(loop).graph.ancestors(["n"]) == {"n", "m", "e", "x"}


def test_dtype(graph: Graph) -> None:
    assert graph.dtype(TensorRef("s", 2)) == types_pb2.DT_INT64
    assert graph.dtype(TensorRef("axis")) == types_pb2.DT_INT32


def test_put_rewires_and_keeps_the_place(graph: Graph) -> None:
    graph.put(NodeDef(name="b", op="Identity", input=["s:1", "^x"]))
    assert list(graph.nodes) == ["x", "s", "axis", "a", "b", "c", "d"]
    assert graph.consumers("a") == []
    assert graph.consumers("x") == ["s", "b"]
    assert graph.edges_of(TensorRef("s", 1)) == (Edge("a", 0), Edge("b", 0))


def test_drop_leaves_consumers_dangling(graph: Graph) -> None:
    graph.drop("a")
    assert list(graph.dangling()) == ["b takes a, which is not in the graph"] * 2
    assert graph.consumers("s") == ["c"]
    graph.put(NodeDef(name="a", op="NoOp"))
    assert list(graph.dangling()) == []
    assert graph.consumers("a") == ["b"]


def test_copy_is_independent(graph: Graph) -> None:
    twin = graph.copy()
    twin.drop("d")
    twin.put(NodeDef(name="e", op="NoOp", input=["^x"]))
    assert "d" in graph
    assert graph.consumers("x") == ["s"]
    assert graph.consumers("c") == ["d"]
    assert twin.consumers("x") == ["s", "e"]


UNKNOWN = """
x = Placeholder() {shape: [4]}
table = VariableV2() {shape: [4, 2]}
ids = Zebra(x)
rows = Gather(table, ids:1) {Tindices: int64}
own = Zebra(x) {T: float16, N: 2}
two = Zebra(x) {T: float16, Tout: float32}
last = Zebra(x)
y = Neg(last:2)
waited = Zebra(x)
z = NoOp(^waited)
"""
# what its consumers take, or its only type; how many outputs are spoken of
GUESSES = {
    "by a consumer": ("ids:1", types_pb2.DT_INT64, 2),
    "by its own type": ("own", types_pb2.DT_HALF, 0),
    "by a consumer of another output": ("last:2", types_pb2.DT_FLOAT, 3),
    "not by two types": ("two", None, 0),
    "not at all": ("last", None, 3),
    "not by who waits": ("waited", None, 0),
}


@pytest.mark.parametrize(("name", "dtype", "count"), GUESSES.values(), ids=GUESSES)
def test_ops_that_nobody_knows(name: str, dtype: int | None, count: int) -> None:
    graph, ref = parse_sketch(UNKNOWN).graph, parse_ref(name)
    assert graph.count_outputs(ref.node) == count
    if dtype is None:
        with pytest.raises(OpTypeError, match="op 'Zebra' is no function of the model"):
            graph.dtype(ref)
    else:
        assert graph.dtype(ref) == dtype


def test_hints_count_outputs() -> None:
    node = NodeDef(name="n", op="Zebra")
    node.attr["_output_shapes"].list.shape.add()
    node.attr["_output_shapes"].list.shape.add()
    graph = parse_sketch(UNKNOWN).graph
    graph.put(node)
    assert graph.count_outputs("n") == 2
