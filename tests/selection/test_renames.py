"""Renames are rows of keys and what they become."""

import pytest

from graphfreeze.errors import GraphfreezeError
from graphfreeze.model.key_names import KeyNames, names_of
from graphfreeze.selection.renames import find_names
from graphfreeze.selection.value_plan import ValuePlan

KEYS = ["bert/w", "bert/w/Adam", "bert_x/w", "layer_10/w", "a/b/gamma", "gamma", "module", "bn/g_3"]
FOUND: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "a scope": (
        {"bert": "model/bert"},
        {"bert/w": "model/bert/w", "bert/w/Adam": "model/bert/w/Adam"},
    ),
    "a variable and its slots": (
        {"bert/w": "v"},
        {"bert/w": "v", "bert/w/Adam": "v/Adam"},
    ),
    "a star": ({"layer_*": "stack/layer_*"}, {"layer_10/w": "stack/layer_10/w"}),
    "two stars": ({"layer_*/*": "*/x_*"}, {"layer_10/w": "10/x_w"}),
    "any scopes": ({"**/gamma": "**/scale"}, {"a/b/gamma": "a/b/scale", "gamma": "scale"}),
    "any scopes below": ({"a/**": "z/y/**"}, {"a/b/gamma": "z/y/b/gamma"}),
    "what is in a scope": ({"bn/": "c/"}, {"bn/g_3": "c/g_3"}),
    "a scope added": ({"": "m"}, {key: f"m/{key}" for key in KEYS}),
    "a scope stripped": ({"bert": ""}, {"bert/w": "w", "bert/w/Adam": "w/Adam"}),
    "an expression": ({r"re:(.*)/g_(\d)": r"\2/\1"}, {"bn/g_3": "3/bn"}),
    "the last holds": (
        {"": "m", "gamma": "gamma", "module": "n"},
        {**{key: f"m/{key}" for key in KEYS}, "gamma": "gamma", "module": "n"},
    ),
    "names that change places": ({"gamma": "module", "module": "gamma"}, {
        "gamma": "module", "module": "gamma",
    }),
}  # fmt: skip


@pytest.mark.parametrize(("renames", "names"), FOUND.values(), ids=FOUND)
def test_names(renames: dict[str, str], names: dict[str, str]) -> None:
    assert find_names(renames, KEYS) == names


REFUSED = {
    "nothing like it": ({"berd": "x"}, "rename 'berd=x' matches no key .* did you mean bert"),
    "two keys, one name": ({"gamma": "module"}, "'gamma' and 'module' .* would both be 'module'"),
    "two scopes, one name": ({"bert/w": "w", "bert_x": ""}, "would both be 'w'"),
    "another star": ({"layer_*": "x"}, r"NEW must have the '\*' and '\*\*' of OLD"),
    "another order": ({"*/b/**": "**/*"}, r"NEW must have the '\*'"),
    "a choice for a name": ({"bert": "x_{1,2}"}, "NEW is a name"),
    "a star in braces": ({"{a*,b*}": "*/*"}, "within braces"),
    "no group": ({"re:gamma": r"\1"}, "NEW: invalid group"),
    "empty": ({"": ""}, "OLD and NEW are both empty"),
    "no pattern": ({"re:(": "x"}, "not a regular expression"),
}


@pytest.mark.parametrize(("renames", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(renames: dict[str, str], message: str) -> None:
    with pytest.raises(GraphfreezeError, match=message):
        find_names(renames, KEYS)


def test_a_key_goes_by_its_new_name_alone() -> None:
    names = names_of({"a": "b", "b": "c"}).excluding(["d"])
    assert names.by_name({"a": 1, "b": 2, "d": 3, "e": 4}) == {"b": 1, "c": 2, "e": 4}
    assert [names.key(name) for name in ("b", "c", "e")] == ["a", "b", "e"]
    assert names.hidden == {"a", "d"}
    assert KeyNames().by_name({"a": 1}) == {"a": 1}


PLANS = [{"checkpoint_exclude": "head"}, {"missing": "zero"}, {"rename": "a=b"}]


@pytest.mark.parametrize("fields", PLANS)
def test_bad_plans(fields: dict[str, str]) -> None:
    with pytest.raises(GraphfreezeError):
        ValuePlan(**fields)
