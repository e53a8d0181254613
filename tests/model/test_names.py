import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphfreeze.model.names import BadNameError, TensorRef, control, find_ref, parse_ref

REFS = {
    "first output": ("a/b", TensorRef("a/b", 0), "a/b"),
    "first output, written out": ("a:0", TensorRef("a", 0), "a"),
    "another output": ("a:12", TensorRef("a", 12), "a:12"),
    "control edge": ("^a/b", TensorRef("a/b", None), "^a/b"),
    "output of an op in a function": ("a:out:1", TensorRef("a", 1, "out"), "a:out:1"),
    "its first output is not silent": ("a:out:0", TensorRef("a", 0, "out"), "a:out:0"),
}


@pytest.mark.parametrize(("text", "ref", "written"), REFS.values(), ids=REFS)
def test_ref_is_parsed_and_written(text: str, ref: TensorRef, written: str) -> None:
    assert parse_ref(text) == find_ref(text) == ref
    assert str(ref) == written
    assert parse_ref(written) == ref
    assert ref.is_control == text.startswith("^")


BAD = {"no number": "a:b", "no port": "a:", "too many": "a:b:c:0", "a letter's digit": "a:²"}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_bad_name(text: str) -> None:
    with pytest.raises(BadNameError, match="write node or node:port"):
        parse_ref(text)
    assert find_ref(text) is None


def test_tensor_name_has_a_port() -> None:
    assert TensorRef("a").tensor_name == "a:0"
    assert TensorRef("a", 2).tensor_name == "a:2"
    assert control("a") == TensorRef("a", None)


@given(st.text("ab/_.-", min_size=1), st.none() | st.integers(0, 99), st.sampled_from(["", "y"]))
def test_ref_survives_its_text(node: str, port: int | None, output: str) -> None:
    ref = TensorRef(node, port, output if port is not None else "")
    assert parse_ref(str(ref)) == ref
