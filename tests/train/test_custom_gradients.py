"""Which nodes ask for a gradient that was a Python function, in the bodies of functions too."""

import pytest

from graphfreeze.errors import TrainError
from graphfreeze.model.names import TensorRef
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.train.custom_gradients import asking, check_names, gradients_of_calls

W = "w = VarHandleOp() {shape: [2]}\nx = Placeholder()\n"
OWN = '{_gradient_op_type: "CustomGradient-7"}'
F = f"w = _Arg() {{T: resource}}\nr = ReadVariableOp(w)\ny = Relu(r) {OWN}\nreturn:y = _Retval(y)"
ASIDE = (
    f"w = _Arg() {{T: resource}}\nr = ReadVariableOp(w)\ny = Relu(r) {OWN}\nreturn:z = _Retval(r)"
)
STOPPED = F.replace("y = Relu(r)", "s = StopGradient(r)\ny = Relu(s)")
OUTER = "w = _Arg() {T: resource}\ny = f(w)\nreturn:y = _Retval(y)"
FUNCTIONS = {"f": F, "aside": ASIDE, "stopped": STOPPED, "outer": OUTER}
CALL = 'Tin: [resource], Tout: [float32], _gradient_op_type: "StatefulPartitionedCall-4"'
KIND = "CustomGradient-7"
CASES = {
    "a body": ("y = f(w)", {"f/y": KIND}),
    "a call": (f"y = StatefulPartitionedCall(w) {{f: f, {CALL}}}", {"f/y": KIND}),
    "a function in a function": (
        f"y = StatefulPartitionedCall(w) {{f: outer, {CALL}}}",
        {"f/y": KIND},
    ),
    "called twice": ("a = f(w)\ny = Add(a, b)\nb = f(w)", {"f/y": KIND}),
    "beside what is returned": ("y = aside(w)", {}),
    "behind a stop": ("y = stopped(w)", {}),
    "not before the loss": ("y = Relu(x)\nz = f(w)", {}),
    "outside": (f"r = ReadVariableOp(w)\ny = Relu(r) {OWN}", {"y": KIND}),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_asking(text: str, expected: dict[str, str]) -> None:
    graph = parse_sketch(W + text, functions=FUNCTIONS).graph
    assert asking(graph, ["w"], [TensorRef("y")]) == expected


def test_functions_with_a_gradient_are_not_looked_into() -> None:
    graph = parse_sketch(f"{W}y = outer(w)", functions=FUNCTIONS).graph
    assert asking(graph, ["w"], [TensorRef("y")], own={"f"}) == {}


def test_what_calls_ask_for() -> None:
    text = f"y = StatefulPartitionedCall(w) {{f: outer, {CALL}}}\nz = Relu(y) {OWN}"
    graph = parse_sketch(W + text, functions=FUNCTIONS).graph
    assert gradients_of_calls(graph) == {"StatefulPartitionedCall-4"}


def test_names_of_bodies_are_known() -> None:
    graph = parse_sketch(f"{W}y = outer(w)", functions=FUNCTIONS).graph
    check_names(graph, [KIND, "Relu"])
    with pytest.raises(TrainError, match="did you mean CustomGradient-7"):
        check_names(graph, ["CustomGradient-8"])
