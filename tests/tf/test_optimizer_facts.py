"""What the table of optimizers says is so: arguments, slots, what a gradient of zero does."""

import inspect
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.train.make_optimizer import make_optimizer
from graphfreeze.train.optimizers import OPTIMIZERS

HEIGHT, READ, STEPS = 8, [0, 1, 5, 5], 3
NORMAL = np.linspace(-2, 2, HEIGHT * 3, dtype=np.float32).reshape(HEIGHT, 3)
DENORMAL = np.full((HEIGHT, 3), 1e-40, np.float32)
KINDS = {"ref": False, "resource": True}
GRADIENTS = {"dense": True, "sparse": False}
NAMES = list(OPTIMIZERS)
Arguments = Mapping[str, float | bool]
Array = npt.NDArray[np.float32]


@contextmanager
def session() -> Iterator[tf.Session]:
    with tf.Graph().as_default(), tf.Session() as opened:
        yield opened


def slots() -> list[tf.Variable]:
    return [v for v in tf.global_variables() if v.op.name.startswith("w/")]


def moved_rows(
    name: str,
    arguments: Arguments,
    *,
    is_dense: bool,
    is_warm: bool,
    is_resource: bool,
    values: Array = NORMAL,
    gradient: float = 0.0,
) -> list[int]:
    """Take steps with one number for all gradients, and return the rows that hold other bits."""
    kind = {"is_dense": is_dense, "is_warm": is_warm, "is_resource": is_resource}
    after = trained(name, arguments, **kind, values=values, gradient=gradient)
    same = after.view(np.uint32) == values.view(np.uint32)
    return np.flatnonzero(~same.all(axis=1)).tolist()


def trained(
    name: str,
    arguments: Arguments,
    *,
    is_dense: bool,
    is_warm: bool,
    is_resource: bool,
    values: Array = NORMAL,
    gradient: float = 0.0,
    rate: float = 0.1,
    steps: int = STEPS,
) -> Array:
    """Take steps with one number for all gradients, and return what becomes of the values."""
    with session() as opened:
        variable = tf.Variable(values, use_resource=is_resource, name="w")
        step = tf.train.get_or_create_global_step()
        given = tf.fill([HEIGHT, 3], gradient)
        if not is_dense:
            given = tf.IndexedSlices(tf.fill([4, 3], gradient), tf.constant(READ), [HEIGHT, 3])
        optimizer = make_optimizer(tf, name, rate, arguments, step)
        applied = optimizer.apply_gradients([(given, variable)], global_step=step)
        opened.run(tf.global_variables_initializer())
        for slot in slots() if is_warm else []:
            slot.load(np.full(slot.shape, 0.5, np.float32), opened)
        for _ in range(steps):
            opened.run(applied)
        return np.asarray(opened.run(variable))


@pytest.mark.parametrize("is_resource", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("is_dense", GRADIENTS.values(), ids=GRADIENTS)
@pytest.mark.parametrize("is_warm", [False, True], ids=["fresh slots", "other slots"])
@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_of_zero(name: str, is_warm: bool, is_dense: bool, is_resource: bool) -> None:
    known = OPTIMIZERS[name]
    kind = f"{'dense' if is_dense else 'sparse'}{'_warm' if is_warm else ''}"
    rows = moved_rows(name, {}, is_dense=is_dense, is_warm=is_warm, is_resource=is_resource)
    assert bool(rows) == getattr(known.zero, kind)
    others = set(rows) - set(READ)
    assert not others or is_dense or known.moves_all_rows
    if known.moves_all_rows and is_warm and not is_dense:
        assert others


BY = [(name, by) for name, known in OPTIMIZERS.items() for by in known.zero.by]


@pytest.mark.parametrize("is_dense", GRADIENTS.values(), ids=GRADIENTS)
@pytest.mark.parametrize(("name", "by"), BY)
def test_what_moves_besides(name: str, by: str, is_dense: bool) -> None:
    for is_resource in KINDS.values():
        kind = {"is_dense": is_dense, "is_warm": True, "is_resource": is_resource}
        assert moved_rows(name, {by: 0.1}, **kind)
        assert not moved_rows(name, {by: 0.0}, **kind)


@pytest.mark.parametrize("is_warm", [False, True], ids=["fresh slots", "other slots"])
def test_adamw_without_decay_is_adam(is_warm: bool) -> None:
    zero = OPTIMIZERS["adam"].zero
    kind = {"is_dense": True, "is_warm": is_warm, "is_resource": False}
    expected = zero.dense_warm if is_warm else zero.dense
    assert bool(moved_rows("adamw", {"weight_decay": 0.0}, **kind)) == expected


@pytest.mark.parametrize("name", NAMES)
def test_denormals_move_under_each(name: str) -> None:
    kind = {"is_dense": True, "is_warm": False, "is_resource": False}
    assert moved_rows(name, {}, values=DENORMAL, **kind)


@pytest.mark.parametrize("is_resource", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_which_rows_a_sparse_step_writes(name: str, is_resource: bool) -> None:
    known = OPTIMIZERS[name]
    kind = {"is_dense": False, "is_warm": True, "is_resource": is_resource}
    rows = moved_rows(name, {}, gradient=0.3, **kind)
    assert set(READ) <= set(rows)
    assert bool(set(rows) - set(READ)) == known.moves_all_rows


@pytest.mark.parametrize("is_resource", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("is_dense", GRADIENTS.values(), ids=GRADIENTS)
@pytest.mark.parametrize("name", NAMES)
def test_a_rate_of_zero(name: str, is_dense: bool, is_resource: bool) -> None:
    kind = {"is_dense": is_dense, "is_warm": False, "is_resource": is_resource}
    try:
        after = trained(name, {}, **kind, gradient=0.3, rate=0.0, steps=1)
        is_bad = not np.isfinite(after).all()
    except tf.errors.InvalidArgumentError:
        is_bad = True
    assert is_bad == OPTIMIZERS[name].divides_by_rate


@pytest.mark.parametrize("name", NAMES)
def test_slots(name: str) -> None:
    with tf.Graph().as_default():
        variable = tf.Variable(NORMAL, name="w")
        step = tf.train.get_or_create_global_step()
        optimizer = make_optimizer(tf, name, 0.1, {}, step)
        optimizer.apply_gradients([(tf.zeros([HEIGHT, 3]), variable)], global_step=step)
        assert [slot.shape.as_list() for slot in slots()] == [[HEIGHT, 3]] * OPTIMIZERS[name].slots


@pytest.mark.parametrize("name", NAMES)
def test_arguments_are_those_of_the_class(name: str) -> None:
    known = OPTIMIZERS[name]
    taken = inspect.signature(getattr(tf.train, known.cls)).parameters
    own = {"weight_decay"} if known.decays else set()
    assert known.arguments.keys() - own <= taken.keys()
    left = taken.keys() - known.arguments.keys() - known.fixed.keys() - own
    rest = {"learning_rate", "use_locking", "name", "global_step", "use_nesterov", "centered"}
    later = {"beta", "accum_name", "linear_name", "use_own_namescope_for_non_slot_vars"}
    assert left <= rest | later  # these are none of the step, or 1.15 lacks them
    for key, value in known.fixed.items():
        assert key not in known.arguments or known.arguments[key].holds(value)


@pytest.mark.parametrize("name", NAMES)
def test_ends_of_ranges_can_be_trained_with(name: str) -> None:
    """Take a step with each argument at the end of its range, or close to it."""
    kind = {"is_dense": True, "is_warm": False, "is_resource": False, "gradient": 0.3}
    for key, allowed in OPTIMIZERS[name].arguments.items():
        low = allowed.low if allowed.has_low else allowed.low + 1e-3
        high = {1: 0.999, math.inf: 2.0}.get(allowed.high, 0.0)
        for end in (low, high):
            if np.isfinite(end):
                assert allowed.holds(end), key
                assert moved_rows(name, {key: float(end)}, **kind), key
