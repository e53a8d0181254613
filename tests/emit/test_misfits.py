"""What a checkpoint lacks or has otherwise is told in one error, whole."""

from pathlib import Path

import pytest

from graphfreeze.emit.forms import Form
from graphfreeze.emit.misfits import check_held, find_rename
from graphfreeze.emit.recipes import Recipe
from graphfreeze.emit.source import Held
from graphfreeze.errors import EmitError, LoadError
from graphfreeze.rewrite.edits import FromCheckpoint, FromInitializer

W, B = Form("float32", (4, 2)), Form("float32", (2,))
FORMS = {"enc/w": W, "enc/b": B, "head/w": W}


def check(held: dict[str, Form], *, recipes: dict[str, Recipe] | None = None, **more: object):
    check_held(FORMS, recipes or {}, Held(Path("m"), forms=held), Path("g.meta"), **more)


def refused(held: dict[str, Form], **more: object) -> str:
    with pytest.raises(LoadError) as caught:
        check(held, **more)
    return str(caught.value)


def test_all_is_told_in_one_line() -> None:
    held = {"bert/enc/w": W, "bert/enc/b": B, "bert/enc/b/Adam": B, "head/w": B, "step": W}
    assert refused(held, dropped=["step"]) == (
        "m: the checkpoint does not fit the graph: it lacks 2 keys: 'enc/w' (like bert/enc/w), "
        "'enc/b' (like bert/enc/b); has 'head/w' as float32 [2], not float32 [4, 2]; holds for no "
        "variable 2 keys: bert/enc/w, bert/enc/b and 2 keys of an old training; "
        "give --rename bert/enc=enc, --missing initialize, --checkpoint-exclude P, or the "
        "checkpoint of this graph"
    )


def test_every_key_is_listed() -> None:
    forms = {f"layer_{n}/w": W for n in range(300)}
    with pytest.raises(LoadError) as caught:
        check_held(forms, {}, Held(Path("m"), forms={"x": W}), Path("g.meta"))
    assert all(f"'{key}'" in str(caught.value) for key in forms)


def test_what_is_not_taken_is_told_only_where_something_is_lacking() -> None:
    told = refused({"enc/w": W, "enc/b": B, "head/w": B, "other": W})
    assert "other" not in told
    assert "--missing" not in told


def test_types_are_compared() -> None:
    told = refused({**FORMS, "enc/w": Form("float64", (4, 2))})
    assert "it has 'enc/w' as float64 [4, 2], not float32 [4, 2]" in told


def test_edits_take_keys_of_the_checkpoint_or_none() -> None:
    begun = {"head/w": Recipe(FromInitializer("head/w"))}
    check({"enc/w": W, "enc/b": B}, recipes=begun)
    taken = {"head/w": Recipe(FromCheckpoint("old"))}
    assert "lacks 1 key: 'old'" in refused({"enc/w": W, "enc/b": B}, recipes=taken)
    check({"enc/w": W, "enc/b": B, "old": W}, recipes=taken)


def test_no_checkpoint_at_all() -> None:
    with pytest.raises(EmitError, match=r"g.meta: no checkpoint .* values of enc/w, enc/b, head/w"):
        check_held(FORMS, {}, Held(), Path("g.meta"))
    check_held(FORMS, {key: Recipe(FromInitializer(key)) for key in FORMS}, Held(), Path("g.meta"))


RENAMES = {
    "a scope more": (["bert/a/w", "bert/a/b"], ["a/w", "a/b", "c"], ("a", "bert/a")),
    "a scope less": (["a/w", "b"], ["m/a/w", "m/b"], ("m", "")),
    "another scope": (["x/w"], ["y/w"], ("y", "x")),
    "not all of them": (["x/w", "x/v"], ["y/w"], None),
    "nothing lacking": ([], ["y/w"], None),
}


@pytest.mark.parametrize(("lacking", "names", "found"), RENAMES.values(), ids=RENAMES)
def test_a_rename_that_finds_everything(
    lacking: list[str], names: list[str], found: tuple[str, str] | None
) -> None:
    assert find_rename(lacking, names) == found
