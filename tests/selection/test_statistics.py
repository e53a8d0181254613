"""What becomes of moving averages, shadows and batch norms, given what is frozen."""

import pytest

from graphfreeze.read.sketch import parse_sketch
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import Selection, resolve


def block(
    scope: str, *, gamma: str = "bn/gamma", beta: str = "bn/beta", moving: bool = True
) -> str:
    """Draw a dense layer and a batch norm; gamma and beta can be left out."""
    s = f"{scope}/"
    learned = ["dense/w", *filter(None, (gamma, beta))]
    text = "".join(f"{s}{n} = VariableV2() {{shape: [3]}}\n{s}{n}/read = Identity({s}{n})\n"
                   for n in (*learned, "bn/mean", "bn/var"))  # fmt: skip
    scale, shift = (f"{s}{n}/read" if n else "one" for n in (gamma, beta))
    text += f"{s}h = Mul(x, {s}dense/w/read)\n"
    text += f"{s}bn/norm = FusedBatchNormV3({s}h, {scale}, {shift}, no, no)\n"
    for i, name in enumerate(("mean", "var") if moving else (), 1):
        at = f"{s}bn/{name}"
        text += f"{at}/d = Sub({at}/read, {s}bn/norm:{i})\n{at}/m = Mul({at}/d, rate)\n"
        text += f"{at}/move = AssignSub({at}, {at}/m)\n"
    return text


HEAD = """
x = Placeholder()
rate = Const() {value: 0.1}
one = Const() {value: 1.0, shape: [3]}
no = Const() {value: 0.0, shape: [0]}
w = VariableV2() {shape: [3]}
w/read = Identity(w)
"""
TAIL = "trainable_variables: {0}\nvariables: {0}, a/bn/mean, a/bn/var\n"
A = HEAD + block("a") + TAIL.format("w, a/dense/w, a/bn/gamma, a/bn/beta")
PLAIN = HEAD + block("a", gamma="", beta="") + TAIL.format("w, a/dense/w")
STILL = HEAD + block("a", moving=False) + TAIL.format("w, a/dense/w, a/bn/gamma, a/bn/beta")
BOTH = ("a/bn/gamma", "a/bn/beta")
OF_A = "statistics of a/bn, --batch-norm statistics"


def selected(text: str, plan: FreezePlan) -> Selection:
    model = parse_sketch(text)
    return resolve(plan, model.variables, model.graph)


def told(selection: Selection, *names: str) -> list[tuple[str, str]]:
    return [(c.state, c.rule) for c in selection.choices if c.variable.name in names]


def plan(*freeze: str, **more: object) -> FreezePlan:
    return FreezePlan(freeze=freeze, **more)  # type: ignore[arg-type]


GOES = ("not trainable", "")
# sketch, plan, then mean and variance
CASES = {
    "the scope": (A, plan("a"), ("frozen", "--freeze a")),
    "gamma and beta": (A, plan(*BOTH), ("frozen", OF_A)),
    "gamma alone": (A, plan("a/bn/gamma"), GOES),
    "gamma, and there is no beta": (
        HEAD + block("a", beta="") + TAIL.format("w, a/dense/w, a/bn/gamma"),
        plan("a/bn/gamma"), ("frozen", OF_A)),
    "not what comes before it": (A, plan("a/dense"), GOES),
    "nothing": (A, plan("w"), GOES),
    "neither gamma nor beta": (PLAIN, plan("a/dense"), ("frozen", OF_A)),
    "neither, and the scope learns": (PLAIN, plan("w"), GOES),
    "all but": (A, plan("a", except_=("**/mean", "**/var")), ("not trainable", None)),
    "gamma and beta, all but": (A, plan(*BOTH, except_=("a/bn/mean", "a/bn/var")),
                                ("not trainable", None)),
    "keep": (A, plan("a", batch_norm="keep"), ("updated", "--batch-norm keep")),
    "keep, gamma and beta": (A, plan(*BOTH, batch_norm="keep"), ("updated", "--batch-norm keep")),
    "keep, of what learns": (A, plan("w", batch_norm="keep"), GOES),
    "keep, all but": (A, plan("a", except_=("a/bn/mean", "a/bn/var"), batch_norm="keep"),
                      ("not trainable", None)),
    "inference": (A, plan(*BOTH, batch_norm="inference"),
                  ("frozen", "statistics of a/bn, --batch-norm inference")),
    "train only": (A, FreezePlan(train_only=("w",)), ("frozen", "--train-only w")),
    "rows of gamma": (A, FreezePlan(freeze_rows={"a/bn/gamma": "0", "a/bn/beta": ":"}), GOES),
    "all rows of gamma": (A, FreezePlan(freeze_rows={"a/bn/gamma": ":", "a/bn/beta": ":"}),
                          ("frozen", OF_A)),
    "by name, of a scope that learns": (A, plan("a/bn/mean", "a/bn/var"), ("frozen", None)),
    "bare": ("\n".join(line for line in A.splitlines() if "variables:" not in line), plan(*BOTH),
             ("frozen", OF_A)),
}  # fmt: skip


@pytest.mark.parametrize(("text", "plan", "expected"), CASES.values(), ids=CASES)
def test_statistics(text: str, plan: FreezePlan, expected: tuple[str, str | None]) -> None:
    state, rule = expected
    for name in ("a/bn/mean", "a/bn/var"):
        ((found, why),) = told(selected(text, plan), name)
        assert (found, why if rule is not None else None) == (state, rule)


def test_what_goes_on_is_not_frozen_and_named() -> None:
    selection = selected(A, plan("a", batch_norm="keep"))
    assert [v.name for v in selection.frozen] == ["a/dense/w", "a/bn/gamma", "a/bn/beta"]
    assert [v.name for v in selection.trained] == ["w"]
    names = "a/bn/mean, a/bn/var"
    assert selection.notes == (
        f"--batch-norm keep: moving averages go on and are not frozen: {names}",
    )


DEBIAS = """
b = VariableV2() {shape: [3]}
n = VariableV2() {shape: []}
d = Sub(b, a/bn/norm:1)
dm = Mul(d, rate)
b/move = AssignSub(b, dm)
n/move = AssignAdd(n, one1)
one1 = Const() {value: 1.0}
power = Pow(rate, n/move)
share = Sub(one1, power)
unbiased = RealDiv(b/move, share)
a/bn/mean/move = Assign(a/bn/mean, unbiased)
"""


@pytest.mark.parametrize(("option", "state"), [("statistics", "frozen"), ("keep", "updated")])
def test_what_helps_an_average_goes_with_it(option: str, state: str) -> None:
    text = A.replace("a/bn/mean/move = AssignSub(a/bn/mean, a/bn/mean/m)\n", DEBIAS)
    selection = selected(text.replace("a/bn/var\n", "a/bn/var, b, n\n"),
                         plan(*BOTH, batch_norm=option))  # fmt: skip
    assert {each for each, _ in told(selection, "a/bn/mean", "a/bn/var", "b", "n")} == {state}


ELSEWHERE = """
a/noise/ema = VariableV2() {shape: [3]}
a/noise/d = Sub(a/noise/ema, x)
a/noise/m = Mul(a/noise/d, rate)
a/noise/move = AssignSub(a/noise/ema, a/noise/m)
"""


@pytest.mark.parametrize(("frozen", "state"), [("a", "frozen"), ("a/dense", "not trainable")])
def test_an_average_of_anything_goes_by_its_scope(frozen: str, state: str) -> None:
    text = A.replace("a/bn/var\n", "a/bn/var, a/noise/ema\n") + ELSEWHERE
    selection = selected(text, plan(f"{frozen}/**", except_=()))
    assert told(selection, "a/noise/ema")[0][0] == state


# sketch, plan, the batch norms that infer, and what is said
INFERRED = {
    "by gamma and beta": (A, plan(*BOTH), ("a/bn/norm",), ()),
    "by name": (A, plan("a/bn/mean", "a/bn/var", "w"), ("a/bn/norm",), ()),
    "not of what learns": (A, plan("w"), (), ()),
    "not if an average goes on": (A, plan("a", except_=("a/bn/mean",)), (), ()),
    "no average": (STILL, plan("a"), (), (
        "the batch norm a/bn/norm still uses the statistics of its batch: its moving averages were "
        "not found",)),
    "no average, of what learns": (STILL, plan("w"), (), ()),
    "an average of something unknown": (
        A.replace("a/bn/var\n", "a/bn/var, a/noise/ema\n") + ELSEWHERE, plan("a"), ("a/bn/norm",), (
            "--batch-norm inference: whatever takes these moving averages is no known batch norm, "
            "and stays as it is: a/noise/ema",)),
}  # fmt: skip


@pytest.mark.parametrize(("text", "asked", "nodes", "notes"), INFERRED.values(), ids=INFERRED)
def test_inference(
    text: str, asked: FreezePlan, nodes: tuple[str, ...], notes: tuple[str, ...]
) -> None:
    more = {"except_": asked.except_, "batch_norm": "inference"}
    selection = selected(text, plan(*asked.freeze, **more))
    assert (selection.batch_norms, selection.notes) == (nodes, notes)
    assert selected(text, asked).batch_norms == ()


SHADOW = """
t = VariableV2() {shape: [6, 3]}
t/read = Identity(t)
y = Mul(t/read, w/read)
t/ema = VariableV2() {shape: [6, 3]}
t/ema/d = Sub(t/ema, t/read)
t/ema/m = Mul(t/ema/d, rate)
t/ema/move = AssignSub(t/ema, t/ema/m)
trainable_variables: t, w
variables: t, w, t/ema
"""
ROWS = {"t": "0:2"}
FOLLOWED = {
    "wholly": (plan("re:t"), "frozen", ""),
    "wholly, whatever batch norms do": (plan("re:t", batch_norm="keep"), "frozen", ""),
    "not at all": (plan("w"), "not trainable", ""),
    "some rows": (FreezePlan(freeze_rows=ROWS), "partly frozen", ""),
    "some rows, under an overlay": (
        FreezePlan(freeze_rows=ROWS, row_strategy="overlay"), "not trainable",
        "t/ema goes on to average t, frozen entries included"),
    "all but": (plan("re:t", except_=("t/ema",)), "not trainable", ""),
}  # fmt: skip


@pytest.mark.parametrize(("asked", "state", "note"), FOLLOWED.values(), ids=FOLLOWED)
def test_shadow(asked: FreezePlan, state: str, note: str) -> None:
    selection = selected(HEAD + SHADOW, asked)
    ((found, rule),) = told(selection, "t/ema")
    assert (found, selection.notes) == (state, (note,) if note else ())
    assert (rule == "shadow of t") == (state in ("frozen", "partly frozen"))
    shadow = next(v for v in selection.partly if v.name == "t/ema") if "partly" in state else None
    assert shadow is None or selection.partly[shadow].rows.count == 2
    assert "t/ema" not in [v.name for v in selection.trained]


DROPS = """
shape = Const() {value: [3]}
half = Const() {value: 0.5}
two = Const() {value: 2.0}
"""


def dropout(scope: str) -> str:
    s = f"{scope}/drop/"
    return (
        f"{s}u = RandomUniform(shape) {{dtype: float32}}\n{s}test = GreaterEqual({s}u, half)\n"
        f"{s}s = Mul(x, two)\n{s}mask = Cast({s}test) {{DstT: float32}}\n"
        f"{s}y = Mul({s}s, {s}mask)\n"
    )


STAY = "--dropout off: {} of {} dropouts lie in no frozen scope and stay"
# scopes with a dropout, what is frozen, then what is off, and what is said
OFF = {
    "in a frozen scope": (["a"], ("a",), ["a/drop/y"], ""),
    "in a scope within": (["a/bn/inner"], BOTH, ["a/bn/inner/drop/y"], ""),
    "in a partly frozen scope": (["a"], BOTH, [], STAY.format(1, 1)),
    "in a scope that learns": (["a"], ("w",), [], STAY.format(1, 1)),
    "around all scopes": (["z"], ("a",), [], STAY.format(1, 1)),
    "one of two": (["a/dense", "a/bn"], ("a/dense",), ["a/dense/drop/y"], STAY.format(1, 2)),
}


@pytest.mark.parametrize(("scopes", "frozen", "off", "note"), OFF.values(), ids=OFF)
def test_dropouts(scopes: list[str], frozen: tuple[str, ...], off: list[str], note: str) -> None:
    text = A + DROPS + "".join(map(dropout, scopes))
    selection = selected(text, plan(*frozen, dropout="off"))
    assert (list(selection.dropouts), selection.notes) == (off, (note,) if note else ())
    assert selected(text, plan(*frozen)).dropouts == ()


DROPS_IN = """x = _Arg()
shape = Const() {value: [2, 3]}
half = Const() {value: 0.5}
two = Const() {value: 2.0}
"""
# a body's scope, the call, then the dropout that is off, if one is
OFF_IN_FUNCTIONS = {
    "by the call's scope": ("", "a/dense/c", "a/dense/c > drop/y"),
    "by the body's scope": ("a/dense/", "c", "c > a/dense/drop/y"),
    "in another scope": ("", "a/bn/c", ""),
    "the body's before the call's": ("a/bn/", "a/dense/c", ""),
}


@pytest.mark.parametrize(("scope", "call", "off"), OFF_IN_FUNCTIONS.values(), ids=OFF_IN_FUNCTIONS)
def test_dropouts_in_functions(scope: str, call: str, off: str) -> None:
    body = DROPS_IN + dropout(f"{scope}d").replace(f"{scope}d/drop", f"{scope}drop")
    text = f"{A}{DROPS}{call} = PartitionedCall(x) {{Tout: [float32], f: f}}"
    functions = {"f": f"{body}return:y = _Retval({scope}drop/y)"}
    model = parse_sketch(text, functions=functions)
    asked = plan("a/dense", dropout="off")
    selection = resolve(asked, model.variables, model.graph, saver=model.saver_ops)
    assert selection.dropouts == ((off,) if off else ())
    assert selection.notes == (() if off else (STAY.format(1, 1),))


NORM = """x = _Arg()
g = _Arg()
n = FusedBatchNorm(x, g, g, g, g) {is_training: %s}
return:y = _Retval(n)"""


@pytest.mark.parametrize(
    ("training", "call", "option", "is_told"),
    [("true", "a/dense/c", "inference", True), ("false", "a/dense/c", "inference", False),
     ("true", "a/bn/c", "inference", False), ("true", "a/dense/c", "statistics", False)],
)  # fmt: skip
def test_batch_norms_in_functions(training: str, call: str, option: str, is_told: bool) -> None:
    text = f"{A}{DROPS}{call} = PartitionedCall(x, x) {{Tout: [float32], f: f}}"
    model = parse_sketch(text, functions={"f": NORM % training})
    selection = resolve(plan("a/dense", batch_norm=option), model.variables, model.graph)
    note = f"the batch norm {call} > n still uses the statistics of its batch: it is in a function"
    assert (note in selection.notes) == is_told


def test_what_else_draws_in_a_frozen_scope_is_said() -> None:
    text = A + DROPS + dropout("a") + "a/n = RandomStandardNormal(shape) {dtype: float32}\n"
    text += (
        "a/i = TruncatedNormal(shape) {dtype: float32}\na/dense/w/Assign = Assign(a/dense/w, a/i)\n"
    )
    selection = selected(text + "out = Mul(a/n, x)", plan("a", dropout="off"))
    assert selection.dropouts == ("a/drop/y",)
    assert selection.notes == (
        "--dropout off: in frozen scopes these still draw, for no known dropout: a/n",
    )
