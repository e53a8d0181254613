import pytest

from graphfreeze.errors import SelectionError
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.schema import CollectionDef, VariableDef
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import Selection, resolve

MODEL = """
table = VariableV2() {shape: [10, 4]}
enc/layer_1/w = VariableV2() {shape: [4, 4]}
enc/layer_1/b = VarHandleOp() {shape: [4]}
enc/layer_10/w = VariableV2() {shape: [4, 4]}
head/w = VariableV2() {shape: [4, 2]}
scalar = VariableV2() {shape: []}
bn/moving_mean = VariableV2() {shape: [4]}
step = VariableV2() {dtype: int64, shape: []}
count = VariableV2() {shape: []}
head/w/Adam = VariableV2() {shape: [4, 2]}
y = Split(axis, x) {num_split: 3}
x = Placeholder()
axis = Const() {value: 0}
variables: table, enc/layer_1/w, enc/layer_1/b, enc/layer_10/w, head/w, scalar, bn/moving_mean, \
step, head/w/Adam
trainable_variables: table, enc/layer_1/w, enc/layer_1/b, enc/layer_10/w, head/w, scalar
local_variables: count
"""
LETTERS = {"frozen": "F", "partly frozen": "p", "trainable": "t", "not trainable": "-", "slot": "s"}


def selected(plan: FreezePlan) -> Selection:
    model = parse_sketch(MODEL)
    return resolve(plan, model.variables, model.graph, slots=("head/w/Adam",))


def states(plan: FreezePlan) -> str:
    """Return a letter a variable, in the order of the model."""
    return "".join(LETTERS[choice.state] for choice in selected(plan).choices)


# plan, then table, enc/layer_1/w and b, enc/layer_10/w, head/w, scalar, then those not trainable
STATES = {
    "none": (FreezePlan(), "tttttt---s"),
    "all but one": (FreezePlan(freeze=("**",), except_=("head",)), "FFFFtFF--s"),
    "one variable": (FreezePlan(freeze=("head/w",)), "ttttFt---s"),
    "a scope": (FreezePlan(freeze=("enc",)), "tFFFtt---s"),
    "layer_1 is not layer_10": (FreezePlan(freeze=("enc/layer_1",)), "tFFttt---s"),
    "two patterns": (FreezePlan(freeze=("table", "**/w")), "FFtFFt---s"),
    "twice the same": (FreezePlan(freeze=("table", "table")), "Fttttt---s"),
    "but one": (FreezePlan(freeze=("enc",), except_=("enc/layer_10",)), "tFFttt---s"),
    "the order of patterns does not matter": (
        FreezePlan(freeze=("enc/layer_10", "enc"), except_=("**/b", "enc/layer_1/b")),
        "tFtFtt---s",
    ),
    "train only": (FreezePlan(train_only=("head",)), "FFFFtFF--s"),
    "train only two": (FreezePlan(train_only=("head", "scalar")), "FFFFttF--s"),
    "train only, then freeze": (FreezePlan(train_only=("enc",), freeze=("**/b",)), "FtFtFFF--s"),
    "train only, then except": (FreezePlan(train_only=("head",), except_=("table",)),
                                "tFFFtFF--s"),
    "all three": (
        FreezePlan(train_only=("enc",), freeze=("enc/layer_1",), except_=("**/b",)), "FFttFFF--s"
    ),
    "moving averages can be frozen": (FreezePlan(freeze=("bn",)), "ttttttF--s"),
    "and left as they are": (FreezePlan(freeze=("**",), except_=("head", "bn")), "FFFFtF---s"),
    "some rows": (FreezePlan(freeze_rows={"table": "0:3"}), "pttttt---s"),
    "all rows": (FreezePlan(freeze_rows={"table": ":"}), "Fttttt---s"),
    "all rows of what never learns": (
        FreezePlan(freeze_rows={"bn/moving_mean": ":"}), "ttttttF--s"
    ),
    "no row left to freeze": (
        FreezePlan(freeze=("head",), train_rows={"table": ":"}), "ttttFt---s"
    ),
    "rows override freeze": (FreezePlan(freeze=("**",), train_rows={"table": "3"}), "pFFFFFF--s"),
    "rows override except": (
        FreezePlan(freeze=("**",), except_=("table",), freeze_rows={"table": "3"}), "pFFFFFF--s"
    ),
    "rows override train only": (
        FreezePlan(train_only=("table",), freeze_rows={"table": ":"}, except_=("head",)),
        "FFFFtFF--s",
    ),
    "rows of two tables": (FreezePlan(freeze_rows={"table": "0", "head/w": "1"}), "ptttpt---s"),
    "a pattern for one table": (FreezePlan(freeze_rows={"head/*": "1"}), "ttttpt---s"),
    "a tensor": (FreezePlan(stop_gradient=("x",)), "tttttt---s"),
}  # fmt: skip


@pytest.mark.parametrize(("plan", "letters"), STATES.values(), ids=STATES)
def test_states(plan: FreezePlan, letters: str) -> None:
    assert states(plan) == letters


def test_each_variable_is_in_one_list() -> None:
    plan = FreezePlan(freeze=("enc",), freeze_rows={"table": "0:3"})
    selection = selected(plan)
    assert [v.name for v in selection.frozen] == [
        "enc/layer_1/w",
        "enc/layer_1/b",
        "enc/layer_10/w",
    ]
    assert [v.name for v in selection.partly] == ["table"]
    assert [v.name for v in selection.trained] == ["table", "head/w", "scalar"]


# plan, then the frozen rows of the table and the rule
ROWS = {
    "freeze": (FreezePlan(freeze_rows={"table": "0:3,-1"}), [[0, 3], [9, 10]],
               "--freeze-rows table"),
    "train": (FreezePlan(train_rows={"table": "0:3,-1"}), [[3, 9]], "--train-rows table"),
    "both": (
        FreezePlan(freeze_rows={"table": "0:3"}, train_rows={"table": "3:5"}),
        [[0, 3]],
        "--freeze-rows table --train-rows table",
    ),
    "over a scope": (
        FreezePlan(freeze=("table",), train_rows={"table": "5:"}), [[0, 5]], "--train-rows table"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("plan", "rows", "rule"), ROWS.values(), ids=ROWS)
def test_frozen_rows(plan: FreezePlan, rows: list[list[int]], rule: str) -> None:
    choice = selected(plan).choices[0]
    assert choice.entries is not None
    assert choice.entries.rows is not None
    assert choice.entries.rows.intervals.tolist() == rows
    assert choice.rule == rule


RULES = {
    "untouched": (FreezePlan(freeze=("enc",)), "head/w", ""),
    "freeze": (FreezePlan(freeze=("enc",)), "enc/layer_1/w", "--freeze enc"),
    "the last pattern": (
        FreezePlan(freeze=("enc", "enc/layer_1")),
        "enc/layer_1/w",
        "--freeze enc/layer_1",
    ),
    "except": (FreezePlan(freeze=("enc",), except_=("**/b",)), "enc/layer_1/b", "--except **/b"),
    "train only": (
        FreezePlan(train_only=("head", "enc")), "table", "--train-only head enc"
    ),
    "freeze over train only": (
        FreezePlan(train_only=("enc",), freeze=("**/b",)), "enc/layer_1/b", "--freeze **/b"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("plan", "name", "rule"), RULES.values(), ids=RULES)
def test_rule_that_decided(plan: FreezePlan, name: str, rule: str) -> None:
    assert {c.variable.name: c.rule for c in selected(plan).choices}[name] == rule


TENSORS = {
    "a node": ("x", ["x"]),
    "with its port": ("x:0", ["x"]),
    "another port": ("y:2", ["y:2"]),
}


@pytest.mark.parametrize(("name", "refs"), TENSORS.values(), ids=TENSORS)
def test_tensors(name: str, refs: list[str]) -> None:
    assert [str(ref) for ref in selected(FreezePlan(stop_gradient=(name,))).tensors] == refs


NOTHING = "matches no variable"
ERRORS = {
    "nothing matched": (FreezePlan(freeze=("enc/layer_2",)), "'enc/layer_2' matches no variable;"
                        " did you mean enc/layer_1"),
    "one of two": (FreezePlan(freeze=("enc", "foo")), f"'foo' {NOTHING}; list names with"),
    "except": (
        FreezePlan(freeze=("enc",), except_=("hed",)), f"'hed' {NOTHING}; did you mean head"
    ),
    "train only": (FreezePlan(train_only=("tabel",)), f"'tabel' {NOTHING}; did you mean table"),
    "rows": (FreezePlan(freeze_rows={"tabel": "1"}), f"'tabel' {NOTHING}; did you mean table"),
    "a slot": (FreezePlan(freeze=("head/w/Adam",)), f"'head/w/Adam' {NOTHING}"),
    "an integer": (FreezePlan(freeze=("step",)), f"'step' {NOTHING}"),
    "a local variable": (FreezePlan(freeze=("count",)), f"'count' {NOTHING}"),
    "a bad pattern": (FreezePlan(freeze=("enc[",)), "bad pattern 'enc['"),
    "everything": (FreezePlan(freeze=("**",)), "all 6 variables are frozen, nothing can learn"),
    "everything, row by row": (
        FreezePlan(train_only=("table",), freeze_rows={"table": ":"}), "all 6 variables are frozen"
    ),
    "nothing is left": (
        FreezePlan(freeze=("enc",), except_=("enc",)), "nothing is left to freeze"
    ),
    "nothing but rows that learn": (FreezePlan(train_rows={"table": ":"}), "nothing is left"),
    "both frozen and trained": (
        FreezePlan(freeze_rows={"table": "0:5"}, train_rows={"table": "3:"}),
        "rows 3:5 of 'table' are both frozen and trained",
    ),
    "both by two patterns": (
        FreezePlan(freeze_rows={"table": "0:5"}, train_rows={"tab*": "4"}),
        "rows 4:5 of 'table' are both frozen and trained",
    ),
    "rows out of range": (
        FreezePlan(freeze_rows={"table": "8:11"}), "rows '8:11' lie outside 'table', which has 10"
    ),
    "rows of several": (FreezePlan(freeze_rows={"enc/layer_1": "1"}),
                        "'enc/layer_1' matches 2 variables where one is needed"),
    "rows of a scalar": (FreezePlan(freeze_rows={"scalar": "0"}), "'scalar' has shape"),
    "rows that are to learn of what never learns": (
        FreezePlan(freeze=("enc",), train_rows={"bn/moving_mean": ":"}),
        "'bn/moving_mean' is not trainable",
    ),
    "rows of what never learns": (FreezePlan(freeze_rows={"bn/moving_mean": "1"}),
                                  "'bn/moving_mean' is not trainable"),
    "no such tensor": (FreezePlan(stop_gradient=("z",)), "the graph has no tensor 'z'"),
    "no such port": (FreezePlan(stop_gradient=("y:3",)), "no tensor 'y:3'; did you mean y:"),
    "an operation, not a tensor": (FreezePlan(stop_gradient=("^x",)), "no tensor '^x'"),
    "a variable": (FreezePlan(stop_gradient=("table:0",)),
                   "'table:0' is a variable; freeze it with --freeze table"),
    "a resource": (FreezePlan(stop_gradient=("enc/layer_1/b",)), "'enc/layer_1/b' is a variable"),
    "no name at all": (FreezePlan(stop_gradient=("x:0:1:2",)), "no tensor 'x:0:1:2'"),
}  # fmt: skip


@pytest.mark.parametrize(("plan", "message"), ERRORS.values(), ids=ERRORS)
def test_error(plan: FreezePlan, message: str) -> None:
    with pytest.raises(SelectionError) as caught:
        selected(plan)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_rows_of_a_table_of_unknown_height() -> None:
    model = parse_sketch("w = VariableV2() {shape: [?, 4]}\nv = VariableV2() {shape: [2]}")
    with pytest.raises(SelectionError, match="'w' has shape"):
        resolve(FreezePlan(freeze_rows={"w": "0"}), model.variables, model.graph)


def test_rows_of_a_part() -> None:
    part = VariableDef(variable_name="w:0", initializer_name="w/Assign", trainable=True)
    part.save_slice_info_def.full_name = "whole"
    raws = [part.SerializeToString()]
    entry = CollectionDef(bytes_list=CollectionDef.BytesList(value=raws))
    text = "w = VariableV2() {shape: [4, 2]}\nv = VariableV2() {shape: [2]}"
    model = parse_sketch(text, collections={"trainable_variables": entry})
    with pytest.raises(SelectionError, match="one part of the partitioned variable 'whole'"):
        resolve(FreezePlan(freeze_rows={"w": "0"}), model.variables, model.graph)


def test_without_collections_every_floating_variable_is_trainable() -> None:
    model = parse_sketch("w = VariableV2() {shape: [4]}\nn = VariableV2() {dtype: int32}")
    selection = resolve(FreezePlan(), model.variables, model.graph)
    assert [choice.state for choice in selection.choices] == ["trainable", "not trainable"]


@pytest.mark.parametrize("name", ["w", "w:0"])
@pytest.mark.parametrize("option", ["freeze_rows", "train_rows"])
def test_rows_of_a_name_that_is_a_scope_too(option: str, name: str) -> None:
    lines = [f"{n} = VariableV2() {{shape: [4, 2]}}" for n in ("w", "w/bias", "w/average")]
    model = parse_sketch("\n".join(lines))
    plan = FreezePlan(**{option: {name: "0:3"}})  # type: ignore[arg-type]
    selection = resolve(plan, model.variables, model.graph)
    assert [variable.name for variable in selection.partly] == ["w"]


def test_complex_variables_are_frozen_whole() -> None:
    text = "w = VariableV2() {dtype: complex64, shape: [4]}\nv = VariableV2() {shape: [4]}"
    model = parse_sketch(text)
    selection = resolve(FreezePlan(freeze=("w",)), model.variables, model.graph)
    assert [choice.state for choice in selection.choices] == ["frozen", "trainable"]
    for option in ("freeze_rows", "train_rows"):
        with pytest.raises(SelectionError, match="rows of 'w', which is complex64, cannot be"):
            resolve(FreezePlan(**{option: {"w": "0"}}), model.variables, model.graph)  # type: ignore[arg-type]


@pytest.mark.parametrize("option", ["freeze", "except_", "train_only", "stop_gradient"])
def test_a_bare_text_is_no_list(option: str) -> None:
    with pytest.raises(SelectionError, match=rf"{option}='hid' is one text.*write \('hid',\)"):
        FreezePlan(**{option: "hid"})  # type: ignore[arg-type]


@pytest.mark.parametrize("rows", ["table=0:3", ("table", "0:3"), None])
@pytest.mark.parametrize("option", ["freeze_rows", "train_rows"])
def test_rows_that_are_no_mapping(option: str, rows: object) -> None:
    with pytest.raises(SelectionError, match=f"{option}=.* is no mapping of tables to rows"):
        FreezePlan(**{option: rows})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [{"freeze": ("x",)}, {"train_only": ("x",)}, {"freeze_rows": {"x": "1"}}],
    ids=["freeze", "train_only", "freeze_rows"],
)
def test_a_graph_without_variables(options: dict[str, object]) -> None:
    bare = parse_sketch("w = Const() {value: [1.0, 2.0]}\ny = Neg(w)")
    with pytest.raises(SelectionError, match="no variables to choose, and no constants that are"):
        resolve(FreezePlan(**options), bare.variables, bare.graph)
    text = "x = Placeholder() {shape: [?, 2]}\nw = Const() {shape: [2, 2]}\ny = MatMul(x, w)"
    model = parse_sketch(text)
    with pytest.raises(SelectionError, match=r"no variables to choose, .* 'graphfreeze thaw'"):
        resolve(FreezePlan(**options), model.variables, model.graph)
    assert resolve(FreezePlan(stop_gradient=("y:0",)), model.variables, model.graph).tensors
