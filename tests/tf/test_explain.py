"""Compare what explain says of gradients with tf.gradients, on real models and on odd graphs."""

import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from tensorflow.python.framework import function

from graphfreeze import api
from graphfreeze.api import load
from graphfreeze.check.explain.explain_gradient import explain_gradient
from graphfreeze.check.explain.explain_writers import explain_writers
from graphfreeze.errors import TrainError
from graphfreeze.model.attrs import FLOATING
from graphfreeze.model.control_flow import nodes_in_loops
from graphfreeze.model.explain_records import GradientRecord
from graphfreeze.model.model import Model
from graphfreeze.model.names import parse_ref
from graphfreeze.model.unfolding import unfold
from graphfreeze.read.document import parse_document
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.message import meta_graph
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.train import import_draft
from graphfreeze.train.request import TrainRequest

MODELS = Path(__file__).parents[2] / "testdata" / "models"
NAMES = sorted(path.parent.name for path in MODELS.glob("*/model.ckpt.index"))
BUNDLES = ["bert_tiny", "conv_bn", "loop_lookup", "resource_mlp", "text_classifier", "tied_softmax"]
SOURCES = {"bare_graph": "graph.pb", "text_classifier": "model.ckpt"}
Has = dict[str, bool | None]
Tensor = tf.Tensor


@pytest.fixture(autouse=True)
def _v1_control_flow():
    was_on = tf.control_flow_v2_enabled()
    tf.disable_control_flow_v2()
    yield
    if was_on:
        tf.enable_control_flow_v2()


def by_tensorflow(graph: tf.Graph, loss: str, names: Iterable[str]) -> Has:
    """Tell which variables have a gradient, None where tf.gradients raises an error."""
    tensor, xs = graph.get_tensor_by_name(loss), [f"{name}:0" for name in names]
    with graph.as_default():
        try:
            found = tf.gradients(tensor, [graph.get_tensor_by_name(x) for x in xs])
            return {x[:-2]: gradient is not None for x, gradient in zip(xs, found, strict=True)}
        except (LookupError, AttributeError):
            return {x[:-2]: _one(tensor, graph.get_tensor_by_name(x)) for x in xs}


def _one(loss: Tensor, x: Tensor) -> bool | None:
    try:
        return tf.gradients(loss, [x])[0] is not None
    except (LookupError, AttributeError):
        return None


def by_us(model: Model, loss: str, names: Iterable[str]) -> Has:
    records = {name: explain_gradient(model, name, loss=[loss]) for name in names}
    return {name: None if r.status == "refused" else r.has_gradient for name, r in records.items()}


def imported(model: Model) -> tf.Graph:
    with tf.Graph().as_default() as graph:
        if model.meta_graph is None:
            tf.import_graph_def(tf.GraphDef.FromString(model.raw), name="")
        else:
            tf.train.import_meta_graph(tf.MetaGraphDef.FromString(model.raw))
    return graph


def losses_of(model: Model, count: int) -> list[str]:
    """Return a model's loss, and a few floating tensors on the way to it that lie in no loop."""
    unlisted = [f"{name}:0" for name in ("loss", "d_loss", "loss/mul") if name in model.graph]
    own = model.collections["losses"].node_list.value if "losses" in model.collections else unlisted
    near = model.graph.ancestors([own[0].removesuffix(":0")]) - nodes_in_loops(model.graph)
    others = [
        f"{name}:0"
        for name, node in model.graph.nodes.items()
        if name in near
        and model.graph.data_inputs(name)
        and (model.graph.ops.output_types(node, model.graph.functions) or (0,))[0] in FLOATING
    ]
    return [*own[:1], *random.Random(4).sample(others, min(count, len(others)))]


def check_all(model: Model, count: int) -> Has:
    """Compare some of a model's variables for some losses; return it for the first loss."""
    names = [v.name for v in model.variables if v.is_differentiable]
    names = random.Random(4).sample(names, min(len(names), 60))
    losses = losses_of(model, count)
    told = {loss: by_us(model, loss, names) for loss in losses}
    if unfold(model.graph).calls:
        assert told == {loss: by_numbers(model, loss, names) for loss in losses}
    else:
        graph = imported(model)
        assert told == {loss: by_tensorflow(graph, loss, names) for loss in losses}
    return told[losses[0]]


def by_numbers(model: Model, loss: str, names: Sequence[str]) -> Has:
    """Tell which variables have a gradient that is not zero everywhere, whatever branches are run.

    Functions give zeros, not None; their gradients are those of their bodies."""
    request, ends = TrainRequest((loss,), custom_gradients="ignore"), [parse_ref(loss)]
    seeking = {"learning": names, "losses": ends}
    found: Has = dict.fromkeys(names, False)
    with (
        tf.Graph().as_default() as graph,
        import_draft.imported(tf, Draft(model), request, **seeking),
        tf.Session() as session,
    ):
        xs = [graph.get_tensor_by_name(f"{name}:0") for name in names]
        gradients = tf.gradients(graph.get_tensor_by_name(loss), xs)
        told = {
            n: tf.convert_to_tensor(g)
            for n, g in zip(names, gradients, strict=True)
            if g is not None
        }
        tf.train.Saver().restore(session, str(model.source.checkpoint))
        for batch in batches(model.source.path):
            values = session.run(told, batch)
            found |= {name: True for name, value in values.items() if np.any(value)}
    return found


def batches(model: Path) -> Iterator[dict[str, object]]:
    """Yield a model's batch with all that its scalars of integers and bools could choose."""
    file = MODELS / model.parent.name / "feeds.json"
    told = json.loads(file.read_text())["feeds"].items()
    batch = {n: np.array(t["values"], t["dtype"]).reshape(t["shape"]) for n, t in told}
    chosen = [n for n, value in batch.items() if not value.shape and value.dtype.kind in "bi"]
    for choice in product(range(3), repeat=len(chosen)):
        if all(c < 2 or batch[n].dtype.kind == "i" for n, c in zip(chosen, choice, strict=True)):
            yield batch | {n: batch[n].dtype.type(c) for n, c in zip(chosen, choice, strict=True)}


@pytest.mark.parametrize("name", NAMES)
def test_real_models(name: str) -> None:
    model = load(MODELS / name / SOURCES.get(name, ""))
    told = check_all(model, 2 if name == "bert_tiny" else 12)
    assert any(told.values())


@pytest.mark.parametrize("name", BUNDLES)
def test_bundles(name: str, make_bundle: Callable[..., object]) -> None:
    model = load(make_bundle(name).folder)  # type: ignore[attr-defined]
    told = check_all(model, 1 if name == "bert_tiny" else 12)
    assert set(told.values()) == {True, False}
    trained = {v.name for v in model.variables if v.is_trainable} & told.keys()
    assert {v for v in trained if explain_writers(model, v).moves} == {
        v for v in trained if told[v]
    }


FROZEN = {
    "function_calls": FreezePlan(freeze=("shift", "turn"), freeze_rows={"words": "0:5"}),
    "control_flow_v2": FreezePlan(freeze=("tags", "outer"), freeze_rows={"words": "::2"}),
}


@pytest.mark.parametrize(("name", "plan"), FROZEN.items(), ids=FROZEN)
def test_functions_that_are_frozen(name: str, plan: FreezePlan, tmp_path: Path) -> None:
    api.save(api.freeze(load(MODELS / name), plan), tmp_path / name)
    told = check_all(load(tmp_path / name), 2)
    assert {variable for variable, has in told.items() if not has} == set(plan.freeze)


def test_the_loss_of_a_bundle(make_bundle: Callable[..., object]) -> None:
    with pytest.raises(TrainError, match="3 tensors could be the loss"):
        api.explain_gradient(load(MODELS / "conv_bn"), "conv2/kernel")
    told = api.explain_gradient(
        load(make_bundle("conv_bn").folder),  # type: ignore[attr-defined]
        "conv2/kernel",
    )
    assert (len(told.losses), told.has_gradient) == (3, True)


def w() -> tf.Variable:
    return tf.get_variable("w", [3, 3], initializer=tf.ones_initializer())


def table() -> Tensor:
    return tf.get_variable("table", [5, 3], initializer=tf.ones_initializer()) + 0.0


def loop(x: Tensor, **options: object) -> Tensor:
    def body(i: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return i + 1, tf.tanh(tf.matmul(y, x))

    return tf.while_loop(lambda i, _: i < 3, body, [0, tf.ones([3, 3])], **options)[1]


def cond(x: Tensor) -> Tensor:
    return tf.cond(tf.placeholder(tf.bool, []), lambda: x * 2.0, lambda: tf.ones([3, 3]))


def chooser(x: Tensor) -> Tensor:
    """The variable decides a branch, and nothing else."""
    return tf.cond(tf.reduce_sum(x) > 0, lambda: tf.ones([2]), lambda: tf.zeros([2]))


def array(x: Tensor) -> Tensor:
    return tf.TensorArray(tf.float32, 3).unstack(x).stack()


def tf_map(x: Tensor) -> Tensor:
    return tf.map_fn(lambda row: row * 2.0, x)


def own_gradient(x: Tensor) -> Tensor:
    with tf.get_default_graph().gradient_override_map({"Floor": "Identity"}):
        return tf.floor(x)


def no_registration(x: Tensor) -> Tensor:
    return tf.raw_ops.AdjustContrastv2(images=x[None], contrast_factor=2.0)


# what is made of w; does w have a gradient, or does tf.gradients raise an error: None
ODD: dict[str, tuple[Callable[[Tensor], Tensor], bool | None]] = {
    "matmul": (lambda x: tf.matmul(x, x), True),
    "argmax": (lambda x: tf.cast(tf.argmax(x, 1), tf.float32), False),
    "floor": (tf.floor, False),
    "round": (tf.round, False),
    "ceil of a sum": (lambda x: tf.ceil(tf.reduce_sum(x)), False),
    "floor beside a way": (lambda x: x - tf.floor(x), True),
    "floor division": (lambda x: tf.floordiv(x, 2.0), False),
    "floor mod": (lambda x: tf.floormod(x, 2.0), True),
    "sign": (tf.sign, True),
    "integer cast": (lambda x: tf.cast(tf.cast(x, tf.int32), tf.float32), False),
    "double cast": (lambda x: tf.cast(tf.cast(x, tf.float64), tf.float32), True),
    "comparison": (lambda x: tf.cast(x > 0, tf.float32), False),
    "one hot by ids": (lambda x: tf.one_hot(tf.cast(x, tf.int32), 4), False),
    "one hot by its values": (lambda x: tf.one_hot([1], 2, on_value=x[0, 0]), False),
    "ids of a gather": (lambda x: tf.gather(table(), tf.cast(x[0], tf.int32)), False),
    "rows of a gather": (lambda x: tf.gather(x, [1, 1]), True),
    "top k values": (lambda x: tf.nn.top_k(x, 2).values, True),
    "top k indices": (lambda x: tf.cast(tf.nn.top_k(x, 2).indices, tf.float32), False),
    "condition of a select": (lambda x: tf.where(x > 0, tf.ones([3, 3]), tf.zeros([3, 3])), False),
    "branch of a select": (lambda x: tf.where(x > 0, x, tf.zeros([3, 3])), True),
    "shape": (lambda x: tf.ones(tf.shape(x)), False),
    "zeros like": (tf.zeros_like, False),
    "stopped": (lambda x: tf.stop_gradient(x) * 2.0, False),
    "stopped on one of two ways": (lambda x: tf.stop_gradient(x) * x, True),
    "prevented": (lambda x: tf.raw_ops.PreventGradient(input=x, message="no"), None),
    "prevented beside a way": (
        lambda x: x + tf.raw_ops.PreventGradient(input=x, message="no"),
        None,
    ),
    "prevented behind a stop": (
        lambda x: x + tf.raw_ops.PreventGradient(input=tf.stop_gradient(x), message="no"),
        None,
    ),
    "prevented before a stop": (
        lambda x: x + tf.stop_gradient(tf.raw_ops.PreventGradient(input=x, message="no")),
        True,
    ),
    "no registered gradient": (no_registration, None),
    "statistics of a batch norm": (
        lambda x: tf.raw_ops.FusedBatchNorm(
            x=tf.ones([2, 2, 2, 3]), scale=[1.0] * 3, offset=[0.0] * 3, mean=x[0], variance=x[1],
            is_training=False,
        ).y,
        False,
    ),
    "scale of a batch norm": (
        lambda x: tf.raw_ops.FusedBatchNorm(
            x=tf.ones([2, 2, 2, 3]), scale=x[0], offset=x[1], mean=[], variance=[]
        ).y,
        True,
    ),
    "mean of a batch norm": (
        lambda x: tf.raw_ops.FusedBatchNorm(
            x=x[None, None], scale=[1.0] * 3, offset=[0.0] * 3, mean=[], variance=[]
        ).batch_mean,
        True,
    ),
    "padding": (lambda x: tf.pad(tf.ones([2]), [[1, 1]], constant_values=x[0, 0]), False),
    "padded": (lambda x: tf.pad(x, [[1, 1], [1, 1]], constant_values=2.0), True),
    "python function": (lambda x: tf.py_func(lambda v: v, [x], tf.float32), False),
    "assigned elsewhere": (lambda x: tf.assign(tf.get_variable("v", [3, 3]), x), False),
    "complex": (lambda x: tf.abs(tf.complex(x, x)), True),
    "sparse": (
        lambda x: tf.sparse.sparse_dense_matmul(tf.SparseTensor([[0, 0]], x[0, :1], [3, 3]), x),
        True,
    ),
    "a cond": (cond, True),
    "a cond's condition": (chooser, False),
    "a loop": (loop, True),
    "a loop without gradients": (lambda x: loop(x, back_prop=False), False),
    "a loop in a cond": (
        lambda x: tf.cond(tf.placeholder(tf.bool, []), lambda: loop(x), lambda: x), True
    ),
    "a cond in a loop": (
        lambda x: tf.while_loop(
            lambda i, _: i < 3, lambda i, y: (i + 1, cond(y) + cond(x)), [0, x]
        )[1],
        True,
    ),
    "a loop's own bound": (
        lambda x: tf.while_loop(lambda y: y < 3.0, lambda y: y + 1.0, [x[0, 0]]), True
    ),
    "a tensor array": (array, True),
    "map_fn": (tf_map, True),
    "an overridden gradient": (own_gradient, True),
    "no way": (lambda _: tf.ones([5, 3]) * table(), False),
    "a way by control edges": (
        lambda x: _after(x, tf.ones([2]) * 2.0),
        False,
    ),
}  # fmt: skip


def _after(x: Tensor, y: Tensor) -> Tensor:
    with tf.control_dependencies([x]):
        return tf.identity(y)


def made(
    build: Callable[[Tensor], Tensor], *, resource: bool, bare: bool
) -> tuple[tf.Graph, bytes]:
    with tf.Graph().as_default() as graph, tf.variable_scope("", use_resource=resource):
        tf.reduce_sum(build(tf.identity(w(), "read")), name="loss")
        meta = tf.train.export_meta_graph()
    if not bare:
        return graph, meta.SerializeToString()
    for key in ("while_context", "cond_context"):
        if key in meta.collection_def:
            del meta.collection_def[key]
    with tf.Graph().as_default() as graph:
        tf.train.import_meta_graph(meta)
    return graph, meta.SerializeToString()


def explained(raw: bytes, name: str = "w") -> GradientRecord:
    return explain_gradient(parse_document(raw, Path("m.meta"), None), name, loss=["loss:0"])


@pytest.mark.parametrize("resource", [False, True], ids=["ref", "resource"])
@pytest.mark.parametrize(("build", "has"), ODD.values(), ids=ODD)
def test_odd_graphs(build: Callable[[Tensor], Tensor], has: bool | None, resource: bool) -> None:
    graph, raw = made(build, resource=resource, bare=False)
    record = explained(raw)
    assert (None if record.status == "refused" else record.has_gradient) == has
    assert by_tensorflow(graph, "loss:0", ["w"]) == {"w": has}


@pytest.mark.parametrize(
    ("name", "has"),
    {"a cond": True, "a cond's condition": False, "a loop": None, "a loop in a cond": None,
     "a tensor array": True, "map_fn": None}.items(),
)  # fmt: skip
def test_without_contexts(name: str, has: bool | None) -> None:
    """TensorFlow refuses loops as they are; told is what it does once their contexts are back."""
    graph, raw = made(ODD[name][0], resource=False, bare=True)
    assert by_tensorflow(graph, "loss:0", ["w"]) == {"w": has}
    frozen = api.freeze(parse_document(raw, Path("m.meta"), None), FreezePlan())
    with tf.Graph().as_default() as graph:
        tf.train.import_meta_graph(meta_graph(frozen.draft))
    assert by_tensorflow(graph, "loss:0", ["w"]) == {"w": ODD[name][1]}
    assert explained(raw).has_gradient == ODD[name][1]


def dense(x: Tensor) -> Tensor:
    return tf.matmul(x, tf.ones([3, 3]))


def called(build: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Build in a function that is called, and captures what it takes."""
    return lambda x: tf.function(lambda: build(x))()


def given(build: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Build in a function whose argument it is."""
    return lambda x: tf.function(build)(tf.identity(x))


def looped(build: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def body(i: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return i + 1, tf.tanh(y + build(x_of[0]))

    x_of: list[Tensor] = []

    def made(x: Tensor) -> Tensor:
        x_of[:] = [x]
        return tf.while_loop(lambda i, _: i < 3, body, [0, tf.ones([3, 3])])[1]

    return made


def branched(
    build: Callable[[Tensor], Tensor], other: Callable[[Tensor], Tensor] = dense
) -> Callable[[Tensor], Tensor]:
    test = tf.placeholder_with_default
    return lambda x: tf.cond(test(True, []), lambda: build(x), lambda: tf.stop_gradient(other(x)))


def cased(build: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    branches = [lambda _: tf.ones([3, 3]), build]
    index = tf.placeholder_with_default
    return lambda x: tf.switch_case(index(1, []), [lambda b=b: b(x) for b in branches])


def bounded(x: Tensor) -> Tensor:
    """The variable decides how often a loop runs, and nothing else."""
    return tf.while_loop(lambda i: i < tf.reduce_sum(x), lambda i: i + 1.0, [tf.constant(0.0)])


def stopped(x: Tensor) -> Tensor:
    return tf.stop_gradient(x) * 2.0


def defined(build: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Build in a function that is an op of its own, as those of TensorFlow 1 are."""
    return function.Defun(tf.float32)(build)


# what functions make of w, and whether its gradient is another one than zero
IN_FUNCTIONS: dict[str, tuple[Callable[[Tensor], Tensor], bool]] = {
    "a call": (called(dense), True),
    "a call that stops it": (called(stopped), False),
    "a call that is given it": (given(dense), True),
    "a call that is given it, and stops it": (given(stopped), False),
    "a call that takes its floor": (given(tf.floor), False),
    "a call in a call": (called(called(dense)), True),
    "a call in a call that stops it": (called(called(stopped)), False),
    "a loop": (looped(dense), True),
    "a loop that stops it": (looped(stopped), False),
    "a loop that it begins": (
        lambda x: tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y * 2.0), [0, x])[1],
        True,
    ),
    "the bound of a loop": (bounded, False),
    "a branch": (branched(dense), True),
    "no branch": (branched(stopped), False),
    "a case": (cased(dense), True),
    "a case that stops it": (cased(stopped), False),
    "a loop in a branch in a call": (called(branched(looped(dense))), True),
    "a call in a loop in a branch": (branched(looped(called(dense))), True),
    "a call that stops it in a loop in a branch": (branched(looped(called(stopped))), False),
    "an op of its own": (defined(dense), True),
    "an op of its own that stops it": (defined(stopped), False),
}  # fmt: skip


@pytest.mark.parametrize(("build", "has"), IN_FUNCTIONS.values(), ids=IN_FUNCTIONS)
def test_functions(build: Callable[[Tensor], Tensor], has: bool) -> None:
    tf.enable_control_flow_v2()
    with tf.Graph().as_default() as graph, tf.variable_scope("", use_resource=True):
        loss = tf.reduce_sum(tf.cast(build(w()), tf.float32) * 0.5, name="loss")
        raw = tf.train.export_meta_graph().SerializeToString()
        (found,) = tf.gradients(loss, [graph.get_tensor_by_name("w:0")])
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            value = 0.0 if found is None else session.run(tf.convert_to_tensor(found))
    record = explained(raw)
    assert record.has_gradient == has == bool(np.any(value))
