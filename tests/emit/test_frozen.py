"""What does not fit into one message is refused; what TensorFlow lays outside loops is mended."""

import pytest

from graphfreeze.emit.frozen import check_size
from graphfreeze.errors import ExportError
from graphfreeze.model.names import TensorRef
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.valued_nodes import hang_axes

MODEL = """\
x = Placeholder() {shape: [?, 1024]}
large = VariableV2() {shape: [1024, 524288]}
large/read = Identity(large)
small = VariableV2() {shape: [1024, 2]}
small/read = Identity(small)
many = MatMul(x, large/read)
few = MatMul(x, small/read)
"""


def test_two_gigabytes_of_variables() -> None:
    draft = Draft(parse_sketch(MODEL))
    with pytest.raises(ExportError, match="2,147,483,648 bytes of values do not fit into a frozen"):
        check_size(draft, [TensorRef("many")])
    check_size(draft, [TensorRef("few")])  # the others are cut off


LOOKUPS = """\
ids = Const() {value: [1]}
table = Const() {value: [1.0, 2.0]}
in/table = Enter(table) {frame_name: "loop"}
in/ids = Enter(ids) {frame_name: "loop"}
axis = Const() {value: 0}
rows = GatherV2(in/table, in/ids, axis)
own/axis = Const(^in/ids) {value: 0}
own/rows = GatherV2(in/table, in/ids, own/axis)
outside/axis = Const() {value: 0}
outside/rows = GatherV2(table, ids, outside/axis)
"""


def test_an_axis_runs_where_its_lookup_does() -> None:
    graph = parse_sketch(LOOKUPS).graph
    hang_axes(graph)
    waits = {name: list(node.input) for name, node in graph.nodes.items() if "axis" in name}
    assert waits == {"axis": ["^in/ids"], "own/axis": ["^in/ids"], "outside/axis": []}
