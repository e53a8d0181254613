"""What does not fit into one message is refused before any value is read."""

import pytest

from graphfreeze.emit.frozen import check_size
from graphfreeze.errors import ExportError
from graphfreeze.model.names import TensorRef
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.rewrite.draft import Draft

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
