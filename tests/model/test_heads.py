"""What a head may be, and how it differs from another."""

import msgspec
import pytest

from graphfreeze.errors import HeadError
from graphfreeze.model.heads import Head, HeadRecord

WRONG = {
    "an unknown kind": (("sofmax", "pool", 3), "'sofmax' is no kind of head; did you mean softmax"),
    "no classes": (("softmax", "pool"), "a softmax head needs the number of its classes"),
    "no classes, sigmoid": (("sigmoid", "pool"), "a sigmoid head needs"),
    "one class": (("softmax", "pool", 1), "a head of 1 class; give a whole number from 2 on"),
    "no class": (("regression", "pool", 0), "a head of 0 classes; give a whole number from 1 on"),
    "half a class": (("sigmoid", "pool", 1.5), "a head of 1.5 classes"),
    "a flag": (("sigmoid", "pool", True), "a head of True classes"),
    "no feature": (("sigmoid", "pool", 1, "head", 0), "a head of 0 features"),
    "a name with a blank": (("sigmoid", "pool", 1, "my head"), "'my head' is no name for a head"),
    "no name": (("sigmoid", "pool", 1, ""), "'' is no name"),
    "a name that ends open": (("sigmoid", "pool", 1, "a/"), "'a/' is no name"),
    "a hidden name": (("sigmoid", "pool", 1, "_a"), "'_a' is no name"),
}


@pytest.mark.parametrize(("arguments", "words"), WRONG.values(), ids=WRONG)
def test_wrong(arguments: tuple[object, ...], words: str) -> None:
    with pytest.raises(HeadError) as error:
        Head(*arguments)  # type: ignore[arg-type]
    assert words in str(error.value)


def test_right() -> None:
    assert Head("regression", at="pool:0").width == 1
    assert Head("softmax", at="pool", classes=2, name="a/b.c-d_1").width == 2


RECORD = HeadRecord(
    kind="softmax",
    at="pool:0",
    classes=3,
    features=8,
    name="head",
    tensors={"loss": "head/loss:0"},
    variables=["head/kernel"],
)
OTHERS = {
    "the same": (Head("softmax", "pool", 3), []),
    "the same in full": (Head("softmax", "pool:0", 3, features=8), []),
    "another tensor": (Head("softmax", "pool:1", 3), ["at"]),
    "another task": (Head("sigmoid", "pool", 4), ["kind", "classes"]),
    "all else": (Head("softmax", "pool", 3, "task", 9), ["name", "features"]),
}


@pytest.mark.parametrize(("head", "differing"), OTHERS.values(), ids=OTHERS)
def test_differences(head: Head, differing: list[str]) -> None:
    assert RECORD.differs_in(head) == differing


def test_a_record_is_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(RECORD), type=HeadRecord) == RECORD
    assert RECORD.head == Head("softmax", "pool:0", 3, "head", 8)
