"""Partly frozen tables behind every reader: the same forward bits, gradients only where it learns.

All readers stand in one graph, each with a table of its own; it is built once for each kind of
variable, and frozen once for each way to freeze. A table is read at two places at most where its
gradient is compared to the bit: a mask may change the order in which three are added.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow.compat.v1 as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from graphfreeze.api import freeze, load, save
from graphfreeze.errors import RewriteError
from graphfreeze.model.partitions import find_strategies, stored_rows
from graphfreeze.model.tables import Table, find_tables
from graphfreeze.selection.plan import FreezePlan

Array = npt.NDArray[np.generic]
Mask = npt.NDArray[np.bool_]
Read = Callable[[tf.Variable], tf.Tensor]
VECTOR, MATRIX, CUBE = (40,), (40, 4), (20, 3, 4)
IDS = np.array([[0, 3, 3], [11, 39, 5]])
BATCHES = np.array([[0, 3], [1, 1], [2, 0], [3, 2]] * 10)
POINTS = {
    1: [[[0], [3]], [[3], [5]]],
    2: [[[0, 1], [3, 2]], [[3, 2], [5, 0]]],
    3: [[[0, 1, 3], [3, 2, 0]], [[3, 2, 0], [5, 0, 2]]],
}
QUIET = tf.ConfigProto()
QUIET.graph_options.rewrite_options.disable_meta_optimizer = True


@dataclass(frozen=True)
class Reader:
    """A table and what reads it; ``places`` counts where, ``kinds`` has those that it can read."""

    shape: tuple[int, ...]
    read: Read
    kinds: tuple[str, ...] = ("ref", "resource")
    places: int = 1
    dtype: type = np.float32
    rounding: float = 2e-6  # casts and factors are float32
    is_scaled: bool = True

    def fits(self, way: str) -> bool:
        return self.is_scaled or "factors" not in way


def fed(values: npt.ArrayLike, dtype: type = np.int32) -> tf.Tensor:
    """Return a tensor that no optimizer folds."""
    return tf.placeholder_with_default(np.asarray(values, dtype), np.shape(values))


def gather(ids: npt.ArrayLike, dtype: type = np.int32, **settings: int) -> Read:
    return lambda table: tf.gather(table, fed(ids, dtype), **settings)


def gather_read(ids: npt.ArrayLike, **settings: int) -> Read:
    return lambda table: tf.gather(tf.identity(table), fed(ids), **settings)


def points(count: int, dtype: type = np.int32) -> Read:
    return lambda table: tf.gather_nd(tf.identity(table), fed(POINTS[count], dtype))


def points_of_handle(values: npt.ArrayLike, dtype: type = np.int32) -> Read:
    return lambda table: tf.gather_nd(table, fed(values, dtype))


def lookup_of_nothing(table: tf.Variable) -> tf.Tensor:
    nothing = tf.boolean_mask(fed([3, 5]), fed([False, False], np.bool_))
    return tf.concat([tf.nn.embedding_lookup(table, ids) for ids in (nothing, fed([0, 3]))], axis=0)


def lookup(ids: npt.ArrayLike, dtype: type = np.int32) -> Read:
    return lambda table: tf.nn.embedding_lookup(table, fed(ids, dtype))


def batch_gather(table: tf.Variable) -> tf.Tensor:
    """Gather as no function of TensorFlow does it, which has no gradient for it either."""
    taken = tf.raw_ops.ResourceGather(
        resource=table.handle, indices=fed(BATCHES), dtype=tf.float32, batch_dims=1
    )
    return tf.stop_gradient(taken) + tf.reduce_sum(tf.gather(table, [3, 5]))


def sparse_ids(dtype: type = np.int64) -> tf.SparseTensor:
    indices = fed([[0, 0], [0, 1], [1, 0], [3, 0], [3, 2]], np.int64)
    return tf.SparseTensor(indices, fed([3, 0, 11, 3, 3], dtype), fed([4, 3], np.int64))


def sparse(combiner: str, *, weighted: bool = False, safe: bool = False) -> Read:
    def read(table: tf.Variable) -> tf.Tensor:
        ids = sparse_ids()
        weights = None
        if weighted:
            weights = tf.SparseTensor(ids.indices, fed([0.5, 2, 1, 3, 0.25], np.float32), [4, 3])
        function = tf.nn.safe_embedding_lookup_sparse if safe else tf.nn.embedding_lookup_sparse
        return function(table, ids, weights, combiner=combiner)

    return read


def sliced(*key: object) -> Read:
    return lambda table: tf.identity(table)[key]


def slice_op(begin: npt.ArrayLike, size: npt.ArrayLike) -> Read:
    return lambda table: tf.slice(tf.identity(table), begin, size)


def fed_slice(table: tf.Variable) -> tf.Tensor:
    return tf.slice(tf.identity(table), fed([2, 1]), fed([5, -1]))


def fed_strided_slice(table: tf.Variable) -> tf.Tensor:
    return tf.identity(table)[fed(1) : fed(9) : 2, fed(0)]


def tied_softmax(table: tf.Variable) -> tf.Tensor:
    rows = tf.reshape(tf.nn.embedding_lookup(table, fed(IDS)), [-1, 4])
    return tf.matmul(rows, table, transpose_b=True)


def product(table: tf.Variable) -> tf.Tensor:
    return tf.matmul(fed(np.linspace(-1, 1, 200).reshape(5, 40), np.float32), table)


def two_lookups(table: tf.Variable) -> tf.Tensor:
    more = tf.nn.embedding_lookup(table, fed([[1, 3, 3], [8, 0, 2]], np.int64))
    return tf.nn.embedding_lookup(table, fed(IDS)) * more


def four_readers(table: tf.Variable) -> tf.Tensor:
    return two_lookups(table) * tf.norm(table) + tf.nn.l2_loss(table)


def rows_and_columns(table: tf.Variable) -> tf.Tensor:
    return tf.gather(tf.gather(table, fed(IDS[0])), fed([3, 0]), axis=1)


def through_casts(dtype: tf.DType) -> Read:
    return lambda table: tf.gather(tf.cast(tf.identity(table), dtype), fed(IDS))


def dense_through_casts(dtype: tf.DType) -> Read:
    return lambda table: tf.tanh(tf.cast(table, dtype))


def half_of_a_lookup(table: tf.Variable) -> tf.Tensor:
    return tf.cast(tf.nn.embedding_lookup(table, fed(IDS)), tf.float16)


def in_both_branches(table: tf.Variable) -> tf.Tensor:
    return tf.cond(
        fed(True, np.bool_),
        lambda: tf.nn.embedding_lookup(table, fed(IDS)),
        lambda: tf.gather(table, fed(IDS[::-1])) * 2,
    )


def dense_in_a_branch(table: tf.Variable) -> tf.Tensor:
    return tf.cond(fed(False, np.bool_), lambda: tf.zeros(MATRIX), lambda: tf.tanh(table))


def chosen_by_a_branch(table: tf.Variable) -> tf.Tensor:
    return tf.cond(fed(True, np.bool_), lambda: tf.identity(table), lambda: tf.zeros(MATRIX))


def looped(step: Callable[[tf.Tensor], tf.Tensor], count: int = 4) -> tf.Tensor:
    """Add up what the steps give."""
    start = tf.zeros(step(tf.constant(0)).shape)
    body = lambda i, x: (i + 1, x * 0.5 + step(i))  # noqa: E731
    return tf.while_loop(lambda i, _: i < fed(count), body, (0, start))[1]


def looked_up_in_a_loop(table: tf.Variable) -> tf.Tensor:
    ids = fed([[0, 3], [3, 11], [7, 7], [2, 0]])
    return looped(lambda i: tf.nn.embedding_lookup(table, ids[i]))


def read_enters_a_loop(table: tf.Variable) -> tf.Tensor:
    read = tf.identity(table)
    return looped(lambda i: tf.gather(read, i * 3))


def columns_in_a_loop(table: tf.Variable) -> tf.Tensor:
    read = tf.identity(table)
    return looped(lambda i: tf.gather(read, [i, 0, i], axis=1))


def points_in_a_loop(table: tf.Variable) -> tf.Tensor:
    read = tf.identity(table)
    return looped(lambda i: tf.gather_nd(read, [[i * 3, i], [i, 0]]))


def ref_enters_a_loop(table: tf.Variable) -> tf.Tensor:
    return looped(lambda i: tf.gather(tf.identity(table._ref()), [i * 3, i]))


def ref_read_in_a_loop(table: tf.Variable) -> tf.Tensor:
    return looped(lambda i: tf.tanh(tf.identity(table._ref())) * tf.cast(i, tf.float32))


def dense_in_a_loop(table: tf.Variable) -> tf.Tensor:
    return looped(lambda i: tf.tanh(table) * tf.cast(i, tf.float32))


def nested_loops(table: tf.Variable) -> tf.Tensor:
    read = tf.identity(table)  # TensorFlow's own gradient of ResourceGather fails there
    return looped(lambda i: looped(lambda j: tf.gather(read, [i, j * 3]), 3), 3)


def dense_in_nested_loops(table: tf.Variable) -> tf.Tensor:
    return looped(lambda _: looped(lambda j: table * tf.cast(j, tf.float32), 3), 2)


def branch_in_a_loop(table: tf.Variable) -> tf.Tensor:
    def step(i: tf.Tensor) -> tf.Tensor:
        one, other = (lambda: tf.nn.embedding_lookup(table, [i, 3])), (lambda: tf.zeros([2, 4]))
        return tf.cond(tf.equal(i % 2, 0), one, other)

    return looped(step)


def loop_in_a_branch(table: tf.Variable) -> tf.Tensor:
    return tf.cond(
        fed(True, np.bool_), lambda: looked_up_in_a_loop(table), lambda: tf.zeros([2, 4])
    )


def loop_begins_with_it(table: tf.Variable) -> tf.Tensor:
    step = lambda i, x: (i + 1, tf.tanh(x))  # noqa: E731
    return tf.while_loop(lambda i, _: i < fed(3), step, (0, tf.identity(table)))[1]


RESOURCE, REF, HALF = ("resource",), ("ref",), 2e-3  # what follows a read is tried on refs alone
READERS = {
    "Gather": Reader(
        MATRIX, lambda t: tf.raw_ops.Gather(params=tf.identity(t), indices=fed(IDS))
    ),
    "GatherV2": Reader(MATRIX, gather_read(IDS)),
    "gather of a variable": Reader(MATRIX, gather(IDS)),
    "gather, int64": Reader(MATRIX, gather(IDS, np.int64)),
    "gather columns": Reader(MATRIX, gather([2, 0, 3, 3], axis=1)),
    "gather columns, ids of rank 2": Reader(MATRIX, gather([[2, 0], [3, 3]], axis=-1)),
    "gather one column": Reader(MATRIX, gather(2, axis=1)),
    "gather along the middle of a cube": Reader(CUBE, gather([[2, 0], [1, 1]], axis=1)),
    "gather along the middle, from behind": Reader(CUBE, gather(2, np.int64, axis=-2)),
    "gather along the end of a cube": Reader(CUBE, gather([3, 0, 3], axis=2)),
    "gather rows of a cube": Reader(CUBE, gather_read([[3, 0, 3], [1, 5, 2]])),
    "batches": Reader(MATRIX, gather(BATCHES, axis=1, batch_dims=1)),
    "batches of a cube": Reader(CUBE, gather(BATCHES[:20] % 3, axis=1, batch_dims=1)),
    "batches over an inner axis": Reader(CUBE, gather(BATCHES[:20], axis=2, batch_dims=1)),
    "batches over an inner axis, ids of rank 1": Reader(
        CUBE, gather(BATCHES[:20, 0], np.int64, axis=-1, batch_dims=1)
    ),
    "batches of batches": Reader(
        CUBE, gather(np.arange(120).reshape(20, 3, 2) % 4, axis=2, batch_dims=2)
    ),
    "batches of batches, counted from behind": Reader(
        CUBE, gather(np.arange(120).reshape(20, 3, 2) % 4, axis=-1, batch_dims=-1)
    ),
    "ResourceGather by batches": Reader(MATRIX, batch_gather, RESOURCE, is_scaled=False),
    "GatherNd of rows": Reader(MATRIX, points(1), REF),
    "GatherNd of elements": Reader(MATRIX, points(2, np.int64), REF),
    "GatherNd of rows of a cube": Reader(CUBE, points(1, np.int64), REF),
    "GatherNd of vectors of a cube": Reader(CUBE, points(2), REF),
    "GatherNd of elements of a cube": Reader(CUBE, points(3), REF),
    "GatherNd at one point": Reader(CUBE, points_of_handle([[3, 2]])),
    "GatherNd of a vector": Reader(VECTOR, points_of_handle([[3], [0], [3]], np.int64)),
    "ResourceGatherNd of rows": Reader(MATRIX, points_of_handle(POINTS[1]), RESOURCE),
    "ResourceGatherNd of vectors": Reader(CUBE, points_of_handle(POINTS[2], np.int64), RESOURCE),
    "lookup of one id": Reader(MATRIX, lookup(3)),
    "lookup, ids of rank 1": Reader(MATRIX, lookup([3, 3, 0], np.int64)),
    "lookup, ids of rank 2": Reader(MATRIX, lookup(IDS)),
    "lookup, ids of rank 3": Reader(CUBE, lookup([[[3, 0]], [[5, 3]]])),
    "lookup in a vector": Reader(VECTOR, lookup(IDS, np.int64)),
    "lookup of nothing": Reader(MATRIX, lookup_of_nothing, places=2),
    **{
        f"{'safe ' if safe else ''}sparse lookup, {combiner}{', weighted' if weighted else ''}":
        Reader(MATRIX, sparse(combiner, weighted=weighted, safe=safe))
        for combiner in ("sum", "mean", "sqrtn") for weighted in (0, 1) for safe in (0, 1)
    },
    "Slice": Reader(MATRIX, slice_op([2, 1], [5, -1]), REF),
    "Slice of a vector": Reader(VECTOR, slice_op([5], [4]), REF),
    "Slice by bounds that are fed": Reader(MATRIX, fed_slice),
    "StridedSlice": Reader(MATRIX, sliced(slice(1, 9, 2)), REF),
    "StridedSlice by bounds that are fed": Reader(MATRIX, fed_strided_slice),
    "slice backwards": Reader(MATRIX, sliced(slice(-2, None, -3), slice(None, None, -1)), REF),
    "one row": Reader(MATRIX, sliced(3), REF),
    "one row from behind": Reader(CUBE, sliced(-12, slice(1, 3)), REF),
    "one column": Reader(MATRIX, sliced(slice(None), 0), REF),
    "one element": Reader(MATRIX, sliced(3, -4), REF),
    "columns by slice": Reader(CUBE, sliced(slice(None), 1, slice(0, 2)), REF),
    "slice of nothing": Reader(
        MATRIX,
        lambda t: tf.concat([tf.identity(t)[5:2], tf.identity(t)[2:5:-1], tf.identity(t)[:4]], 0),
        places=3,
    ),
    "slice past the end": Reader(MATRIX, sliced(slice(8, 40), slice(-9, 3)), REF),
    "slice with an ellipsis": Reader(CUBE, sliced(..., 0), REF),
    "slice with a new axis": Reader(CUBE, sliced(slice(2, 4), tf.newaxis, 1), REF),
    "tied softmax": Reader(MATRIX, tied_softmax, places=2),
    "MatMul": Reader(MATRIX, product),
    "L2 loss": Reader(MATRIX, tf.nn.l2_loss),
    "norm": Reader(CUBE, lambda t: tf.norm(t, axis=1)),
    "two lookups": Reader(MATRIX, two_lookups, places=2),
    "four readers": Reader(MATRIX, four_readers, places=4),
    "rows, then columns": Reader(MATRIX, rows_and_columns),
    "float16 computes": Reader(MATRIX, through_casts(tf.float16), rounding=HALF),
    "float64 computes": Reader(MATRIX, through_casts(tf.float64)),
    "float16 computes on all": Reader(MATRIX, dense_through_casts(tf.float16), rounding=HALF),
    "float64 computes on all": Reader(CUBE, dense_through_casts(tf.float64)),
    "float16 behind a lookup": Reader(MATRIX, half_of_a_lookup, rounding=HALF),
    "lookup in float64": Reader(MATRIX, lookup(IDS), dtype=np.float64),
    "lookup in float16": Reader(MATRIX, lookup(IDS), dtype=np.float16, rounding=HALF),
    "all of a float64": Reader(CUBE, tf.tanh, dtype=np.float64),
    "lookups in both branches": Reader(MATRIX, in_both_branches, places=2),
    "dense in a branch": Reader(MATRIX, dense_in_a_branch),
    "table chosen by a branch": Reader(MATRIX, chosen_by_a_branch),
    "lookup in a loop": Reader(MATRIX, looked_up_in_a_loop, places=2),
    "lookup in a read that enters a loop": Reader(MATRIX, read_enters_a_loop, places=2),
    "columns in a loop": Reader(MATRIX, columns_in_a_loop, places=2),
    "points in a loop": Reader(MATRIX, points_in_a_loop, places=2),
    "lookup in a ref that enters a loop": Reader(MATRIX, ref_enters_a_loop, REF, places=2),
    "dense reader of a ref in a loop": Reader(MATRIX, ref_read_in_a_loop, REF, places=2),
    "dense reader in a loop": Reader(MATRIX, dense_in_a_loop, places=2),
    "lookup in nested loops": Reader(MATRIX, nested_loops, places=4),
    "dense reader in nested loops": Reader(MATRIX, dense_in_nested_loops, places=4),
    "branch in a loop": Reader(MATRIX, branch_in_a_loop, places=2),
    "loop in a branch": Reader(MATRIX, loop_in_a_branch, places=2),
    "loop that begins with the table": Reader(CUBE, loop_begins_with_it),
}  # fmt: skip


@dataclass(frozen=True)
class Way:
    """What is frozen of a table: options by its name, the mask, and factors of its gradient."""

    options: dict[str, object]
    mask: Mask
    factors: Array


def rows(text: str) -> Callable[[tuple[int, ...]], Way]:
    def make(shape: tuple[int, ...]) -> Way:
        return Way({"freeze_rows": text}, placed(text, shape, 0), np.ones(shape))

    return make


def columns(text: str) -> Callable[[tuple[int, ...]], Way]:
    """Freeze columns, none of a vector."""

    def make(shape: tuple[int, ...]) -> Way:
        if len(shape) == 1:
            return Way({}, np.zeros(shape, np.bool_), np.ones(shape))
        mask = placed(text, shape, len(shape) - 1)
        return Way({"freeze_columns": text}, mask, np.ones(shape))

    return make


def placed(text: str, shape: tuple[int, ...], axis: int) -> Mask:
    """Return a mask of the places of an axis that a text lists."""
    places = np.zeros(shape[axis], np.bool_)
    for piece in text.split(","):
        numbers = [int(n) if n else None for n in piece.split(":")]
        places[slice(*numbers) if ":" in piece else numbers[0]] = True
    sizes = [size if a == axis else 1 for a, size in enumerate(shape)]
    return np.broadcast_to(places.reshape(sizes), shape)


def elements(shape: tuple[int, ...]) -> Way:
    mask = np.random.default_rng(3).random(shape) < 0.5
    return Way({"freeze_elements": mask}, mask, np.ones(shape))


def scale(shape: tuple[int, ...]) -> Way:
    weights = np.random.default_rng(4).choice([0, 0.1, 0.5, 1], shape[0])
    factors = np.broadcast_to(weights.reshape(-1, *[1] * (len(shape) - 1)), shape)
    return Way({"row_scale": weights}, factors == 0, factors)


def both(*makes: Callable[[tuple[int, ...]], Way]) -> Callable[[tuple[int, ...]], Way]:
    def make(shape: tuple[int, ...]) -> Way:
        ways = [each(shape) for each in makes]
        options = {key: value for way in ways for key, value in way.options.items()}
        mask = np.logical_or.reduce([way.mask for way in ways])
        return Way(options, mask, np.prod([way.factors for way in ways], axis=0))

    return make


WAYS = {
    "intervals of rows, and columns": both(rows(":2,12:"), columns("1,-1")),
    "scattered rows": rows("::2,5"),
    "elements": elements,
    "factors and columns": both(scale, columns("2")),
}
KINDS = ("ref", "resource")
UNUSUAL = np.array([0x7FC12345, 0xFFC00001, 0x7F800000, 0xFF800000, 1, 0x80000000, 0x807FFFFF, 0])


def values(shape: tuple[int, ...], dtype: type, *, unusual: bool) -> Array:
    if not unusual:
        return np.random.default_rng(1).standard_normal(shape).astype(dtype)
    bits = np.resize(UNUSUAL.astype(np.uint32), np.prod(shape) - 1)  # out of step with the rows
    return np.resize(np.append(bits, bits[0]), shape).view(np.float32).astype(dtype)


def readers_of(kind: str, *, unusual: bool) -> dict[str, Reader]:
    """Return the readers of a kind of variable; loops, which take their time, of usual values."""
    of_kind = {name: reader for name, reader in READERS.items() if kind in reader.kinds}
    return {name: of_kind[name] for name in of_kind if not (unusual and "loop" in name)}


def slug(name: str) -> str:
    return name.replace(",", "").replace(" ", "_")


def write_graph(build: Callable[[], None], path: Path) -> None:
    """Write a graph as a TensorFlow 1 script would, with control flow of version 1."""
    with tf.Graph().as_default():
        tf.disable_control_flow_v2()
        try:
            build()
            tf.train.export_meta_graph(str(path))
        finally:
            tf.enable_control_flow_v2()


@dataclass(frozen=True)
class Result:
    """Values by the name of a reader, dense gradients by the name of a variable."""

    outs: dict[str, Array]
    gradients: dict[str, Array]


def evaluate(
    path: Path,
    outs: list[str],
    *,
    restore: bool = False,
    batch: Mapping[str, Array] = MappingProxyType({}),
) -> Result:
    """Return values, and the gradient of their sum, each with a factor of its own."""
    with tf.Graph().as_default() as graph, tf.Session(config=QUIET) as session:
        tf.disable_control_flow_v2()
        saver = tf.train.import_meta_graph(str(path))
        every = tf.trainable_variables()
        if restore:
            (saver or tf.train.Saver()).restore(session, str(path.with_suffix("")))
        else:
            session.run(tf.global_variables_initializer())
        tensors = [graph.get_tensor_by_name(f"{name}:0") for name in outs]
        values = session.run(tensors, batch)
        factors = [np.sin(1 + np.arange(v.size)).reshape(v.shape).astype(v.dtype) for v in values]
        gradients = zip(every, tf.gradients(tensors, every, factors), strict=True)
        tf.enable_control_flow_v2()
        found = {v.op.name: tf.convert_to_tensor(g) for v, g in gradients if g is not None}
        return Result(dict(zip(outs, values, strict=True)), session.run(found, batch))


@cache
def source(kind: str, *, unusual: bool) -> tuple[TemporaryDirectory, Path, Result]:
    """Write the graph of all readers, and evaluate it."""

    def build() -> None:
        for name, reader in readers_of(kind, unusual=unusual).items():
            start = values(reader.shape, reader.dtype, unusual=unusual)
            is_resource = kind == "resource"
            table = tf.get_variable(
                f"table/{slug(name)}", initializer=start, use_resource=is_resource
            )
            tf.identity(reader.read(table), name=f"of/{slug(name)}")

    folder = TemporaryDirectory()
    path = Path(folder.name, "in.meta")
    write_graph(build, path)
    return (
        folder,
        path,
        evaluate(path, [f"of/{slug(name)}" for name in readers_of(kind, unusual=unusual)]),
    )


def plan_of(chosen: dict[str, Way], kernel: str) -> FreezePlan:
    """Return what to ask for, given the ways by the names of readers."""
    options: dict[str, dict[str, object]] = {}
    for name, way in chosen.items():
        for option, value in way.options.items():
            options.setdefault(option, {})[f"table/{slug(name)}"] = value
    return FreezePlan(mask_kernel=kernel, **options)


@cache
def frozen(kind: str, way: str, kernel: str, *, unusual: bool) -> Result:
    """Freeze all tables, and evaluate the result."""
    folder, path, _ = source(kind, unusual=unusual)
    readers = readers_of(kind, unusual=unusual)
    fitting = {name: each for name, each in readers.items() if each.fits(way)}
    plan = plan_of({name: WAYS[way](each.shape) for name, each in fitting.items()}, kernel)
    names = [f"of/{slug(name)}" for name in readers]
    out = Path(folder.name, f"{slug(way)}_{kernel}.meta")
    save(freeze(load(path), plan, keep=names), out)
    return evaluate(out, names)


def check(old: Result, new: Result, table: str, way: Way, *, exact: bool, rounding: float) -> None:
    """Compare gradients: none where frozen, the same elsewhere but for factors."""
    before = old.gradients[table]
    after = new.gradients.get(table, np.zeros_like(before))
    assert not np.any(after[way.mask])
    live = ~way.mask
    wanted = before[live] * way.factors[live].astype(before.dtype)
    if exact and np.all(way.factors[live] == 1):
        assert after[live].tobytes() == wanted.tobytes()
    else:
        np.testing.assert_allclose(after[live], wanted, rtol=rounding, atol=rounding)


def check_parts(old: Result, new: Result, table: Table, way: Way, *, exact: bool) -> None:
    """Compare the gradients of the parts of a table with what is frozen of the whole."""
    for part in table.parts:
        shape = tuple(size or 0 for size in part.variable.shape or ())
        where = tuple(slice(o, o + n) for o, n in zip(part.offset, shape, strict=True))
        piece = Way({}, way.mask[where], way.factors[where])
        check(old, new, part.variable.name, piece, exact=exact, rounding=2e-6)


CASES = [(name, kind) for name, reader in READERS.items() for kind in reader.kinds]


@pytest.mark.parametrize(
    ("name", "kind", "way"),
    [(name, kind, way) for name, kind in CASES for way in WAYS if READERS[name].fits(way)],
)
def test_readers(name: str, kind: str, way: str) -> None:
    reader, table = READERS[name], slug(name)
    old, new = source(kind, unusual=False)[-1], frozen(kind, way, "multiply", unusual=False)
    assert new.outs[f"of/{table}"].tobytes() == old.outs[f"of/{table}"].tobytes()
    chosen, is_exact = WAYS[way](reader.shape), reader.places < 3
    check(old, new, f"table/{table}", chosen, exact=is_exact, rounding=reader.rounding)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_each_reader_learns_and_is_frozen(name: str, kind: str) -> None:
    gradient = source(kind, unusual=False)[-1].gradients[f"table/{slug(name)}"]
    masks = [way(READERS[name].shape).mask for way in WAYS.values()]
    assert any(np.any(gradient[mask]) for mask in masks)
    assert any(np.any(gradient[~mask]) for mask in masks)


UNUSUAL_WAYS = {"ref": "factors and columns", "resource": "elements"}


@pytest.mark.parametrize(("name", "kind"), [case for case in CASES if "loop" not in case[0]])
def test_unusual_values(name: str, kind: str) -> None:
    """Take NaN, infinite, denormal numbers and -0.0 through a mask."""
    way = UNUSUAL_WAYS[kind]
    old, new = source(kind, unusual=True)[-1], frozen(kind, way, "select", unusual=True)
    assert new.outs[f"of/{slug(name)}"].tobytes() == old.outs[f"of/{slug(name)}"].tobytes()
    before, after = (each.gradients[f"table/{slug(name)}"] for each in (old, new))
    chosen = WAYS[way](READERS[name].shape)
    assert not np.any(after[chosen.mask])
    whole = ~chosen.mask & (chosen.factors == 1)
    if way == "elements":
        np.testing.assert_array_equal(after[whole], before[whole])


# a partitioner, the shape of the whole, what reads it
Whole = tuple[Callable[..., object], tuple[int, ...], Callable[[object], tf.Tensor]]
THREE, ALONG_1 = tf.fixed_size_partitioner(3), tf.fixed_size_partitioner(3, axis=1)
EVERY_ID = np.arange(11)[::-1]


def parts_by(strategy: str) -> Callable[[object], tf.Tensor]:
    return lambda table: tf.nn.embedding_lookup(table, fed(EVERY_ID), strategy)


def sparse_parts_by(strategy: str) -> Callable[[object], tf.Tensor]:
    def read(table: object) -> tf.Tensor:
        ids = tf.SparseTensor(sparse_ids().indices, fed([3, 0, 10, 3, 7], np.int64), [4, 3])
        settings = {"sp_weights": None, "partition_strategy": strategy, "combiner": "mean"}
        safe = tf.nn.safe_embedding_lookup_sparse(table, ids, None, "sum", partition_strategy="div")
        return tf.nn.embedding_lookup_sparse(table, ids, **settings)[:2] * safe[:2]

    return read


def both_ways(table: object) -> tf.Tensor:
    rows = tf.nn.embedding_lookup(table, fed(EVERY_ID), "mod")
    return tf.matmul(rows, tf.convert_to_tensor(table), transpose_b=True)


PARTITIONED: dict[str, Whole] = {
    "mod": (THREE, (11, 4), parts_by("mod")),
    "div": (THREE, (11, 4), parts_by("div")),
    "div, even": (THREE, (12, 4), parts_by("div")),
    "mod, a cube": (THREE, (11, 2, 3), parts_by("mod")),
    "mod, a vector": (THREE, (11,), parts_by("mod")),
    "sparse": (THREE, (11, 4), sparse_parts_by("div")),
    "both ways": (THREE, (11, 4), both_ways),
    "as a whole": (THREE, (11, 4), lambda table: tf.tanh(tf.convert_to_tensor(table))),
    "columns in parts": (ALONG_1, (11, 7), lambda t: tf.gather(tf.convert_to_tensor(t), [3, 10])),
    "one part": (tf.fixed_size_partitioner(1), (11, 4), parts_by("mod")),
}


def partitioned(name: str, start: Array, partitioner: object, *, is_resource: bool) -> object:
    """Return a partitioned variable with given values."""

    def initial(shape: tuple[int, ...], dtype: object, partition_info: object) -> Array:
        offset = partition_info.var_offset
        return start[tuple(slice(o, o + n) for o, n in zip(offset, shape, strict=True))]

    settings = {"partitioner": partitioner, "use_resource": is_resource}
    return tf.get_variable(name, start.shape, initializer=initial, **settings)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
def test_partitioned_tables(way: str, kind: str, tmp_path: Path) -> None:
    def build() -> None:
        for name, (partitioner, shape, read) in PARTITIONED.items():
            start, is_resource = values(shape, np.float32, unusual=False), kind == "resource"
            table = partitioned(f"table/{slug(name)}", start, partitioner, is_resource=is_resource)
            tf.identity(read(table), name=f"of/{slug(name)}")

    chosen = {name: WAYS[way](shape) for name, (_, shape, _) in PARTITIONED.items()}
    if way.startswith("intervals"):  # the first part is frozen whole
        chosen = {name: rows(":4,9")(shape) for name, (_, shape, _) in PARTITIONED.items()}
    write_graph(build, tmp_path / "in.meta")
    names = [f"of/{slug(name)}" for name in PARTITIONED]
    model = freeze(load(tmp_path / "in.meta"), plan_of(chosen, "multiply"), keep=names)
    save(model, tmp_path / "out.meta")
    old, new = evaluate(tmp_path / "in.meta", names), evaluate(tmp_path / "out.meta", names)
    assert all(new.outs[name].tobytes() == old.outs[name].tobytes() for name in names)
    tables = {table.name: table for table in model.selection.tables}
    for name, each in chosen.items():
        check_parts(old, new, tables[f"table/{slug(name)}"], each, exact=True)


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("strategy", ["mod", "div"])
@pytest.mark.parametrize("kind", KINDS)
def test_stored_row_of_each_id(kind: str, strategy: str, count: int, tmp_path: Path) -> None:
    """Look up every id in tables that hold the numbers of their rows."""
    heights = range(count, 3 * count + 1)

    def build() -> None:
        for height in heights:
            start = np.arange(height, dtype=np.float32)[:, None]
            settings = {"is_resource": kind == "resource"}
            splits = tf.fixed_size_partitioner(count)
            table = partitioned(f"table_{height}", start, splits, **settings)
            ids = fed(np.arange(height), np.int64)
            tf.identity(tf.nn.embedding_lookup(table, ids, strategy), name=f"of_{height}")

    write_graph(build, tmp_path / "in.meta")
    stored = evaluate(tmp_path / "in.meta", [f"of_{height}" for height in heights]).outs
    model = load(tmp_path / "in.meta")
    for height, table in zip(heights, find_tables(model.graph, model.variables, None), strict=True):
        assert set(find_strategies(model.graph, table).values()) == {strategy}
        found = stored_rows(table, np.arange(height), strategy)
        assert found.tolist() == stored[f"of_{height}"].ravel().tolist()


def test_cast_that_makes_numbers_infinite(tmp_path: Path) -> None:
    def build() -> None:
        table = tf.get_variable("table", initializer=np.full(MATRIX, 1e5, np.float32))
        tf.identity(tf.gather(tf.cast(tf.identity(table), tf.float16), fed(IDS)), name="out")

    write_graph(build, tmp_path / "in.meta")
    plan = FreezePlan(freeze_rows={"table": "3"}, mask_kernel="multiply")
    save(freeze(load(tmp_path / "in.meta"), plan, keep=["out"]), tmp_path / "out.meta")
    old, new = (evaluate(tmp_path / name, ["out"]) for name in ("in.meta", "out.meta"))
    assert np.all(np.isinf(old.outs["out"]))
    assert new.outs["out"].tobytes() == old.outs["out"].tobytes()


def dense_and_by_points(table: tf.Variable) -> tf.Tensor:
    few = tf.gather_nd(tf.identity(table), [[0, 1], [3, 0]])
    return tf.concat([tf.reduce_sum(tf.tanh(table), axis=1), few, tf.gather(table, 5)], axis=0)


def in_a_loop(table: tf.Variable) -> tf.Tensor:
    read = tf.identity(table)
    return looped(lambda i: tf.gather(read, [i, 0, i]))


LARGE = {
    "elements": ((1100, 1000), dense_and_by_points, elements),
    "elements, looked up in a loop": ((1100, 1000), in_a_loop, elements),
    "elements, looked up on what enters a loop": ((1100, 1000), looked_up_in_a_loop, elements),
    "factors": ((140_000, 2), dense_and_by_points, scale),
    "factors, looked up in a loop": ((140_000, 2), in_a_loop, scale),
}


@pytest.mark.parametrize("kernel", ["multiply", "select"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("shape", "read", "way"), LARGE.values(), ids=LARGE)
def test_masks_past_a_constant_lie_in_the_checkpoint(
    shape: tuple[int, ...],
    read: Read,
    way: Callable[[tuple[int, ...]], Way],
    kind: str,
    kernel: str,
    tmp_path: Path,
) -> None:
    def build() -> None:
        start = tf.random_uniform_initializer(-1, 1)
        table = tf.get_variable("table", shape, tf.float32, start, use_resource=kind == "resource")
        tf.identity(read(table), name="out")
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            tf.train.Saver().save(session, str(tmp_path / "in"), write_meta_graph=False)

    write_graph(build, tmp_path / "in.meta")
    chosen = way(shape)
    plan = FreezePlan(
        mask_kernel=kernel, **{key: {"table": value} for key, value in chosen.options.items()}
    )
    save(freeze(load(tmp_path / "in.meta"), plan, keep=["out"]), tmp_path / "out")
    assert (tmp_path / "out" / "model.meta").stat().st_size < 1 << 19
    old = evaluate(tmp_path / "in.meta", ["out"], restore=True)
    new = evaluate(tmp_path / "out" / "model.meta", ["out"], restore=True)
    assert new.outs["out"].tobytes() == old.outs["out"].tobytes()
    check(old, new, "table", chosen, exact=True, rounding=2e-6)
    assert set(new.gradients) == {"table"}


def test_factors_that_fit_no_lookup(tmp_path: Path) -> None:
    def build() -> None:
        start = np.ones(MATRIX, np.float32)
        tf.identity(batch_gather(tf.get_variable("table", initializer=start, use_resource=True)))

    write_graph(build, tmp_path / "in.meta")
    plan = FreezePlan(row_scale={"table": np.full(40, 0.5)})
    with pytest.raises(RewriteError, match="with op ResourceGather, which cannot be masked"):
        freeze(load(tmp_path / "in.meta"), plan)


MODELS = Path(__file__).parents[2] / "testdata" / "models"
MODEL_PLANS: dict[str, tuple[str, dict[str, dict[str, object]]]] = {
    "rows of a tied softmax": (
        "tied_softmax",
        {"freeze_rows": {"embedding": ":300,411"}, "train_rows": {"softmax_bias": "::3"}},
    ),
    "columns of a tied softmax": ("tied_softmax", {"freeze_columns": {"embedding": "0,5:9"}}),
    "elements of a tied softmax": ("tied_softmax", {"freeze_elements": {"embedding": None}}),
    "rows of NCE weights": (
        "nce",
        {"freeze_rows": {"nce_weights": "::2", "nce_biases": "::2", "embeddings": "3:77,240"}},
    ),
    "columns of NCE weights": (
        "nce", {"freeze_columns": {"nce_weights": "-3:", "embeddings": "::5"}}
    ),
    "rows by mod": ("partitioned_mod", {"freeze_rows": {"table": "0:30,50::2"}}),
    "columns by mod": ("partitioned_mod", {"freeze_columns": {"table": "1,-1"}}),
    "rows by div": ("partitioned_div", {"freeze_rows": {"table": "0:26,50::2"}}),
    "elements by div": ("partitioned_div", {"freeze_elements": {"table": None}}),
    "rows read in a loop": (
        "loop_lookup", {"freeze_rows": {"table": ":30", "resource_table": "::2,7"}}
    ),
    "columns read in a loop": (
        "loop_lookup", {"freeze_columns": {"table": "2:4", "resource_table": "0,-1"}}
    ),
    "elements read in a loop": (
        "loop_lookup", {"freeze_elements": {"table": None, "resource_table": None}}
    ),
}  # fmt: skip


def mask_of(options: dict[str, dict[str, object]], table: str, shape: tuple[int, ...]) -> Mask:
    """Return what is frozen of a table by what a plan's options say."""
    if "freeze_rows" in options and table in options["freeze_rows"]:
        return placed(str(options["freeze_rows"][table]), shape, 0)
    if table in options.get("train_rows", {}):
        return ~placed(str(options["train_rows"][table]), shape, 0)
    if table in options.get("freeze_columns", {}):
        return placed(str(options["freeze_columns"][table]), shape, len(shape) - 1)
    is_chosen = table in options.get("freeze_elements", {})
    return elements(shape).mask if is_chosen else np.zeros(shape, np.bool_)


def read_batch(name: str) -> tuple[str, dict[str, Array]]:
    """Return the loss of a model of testdata, and what to feed."""
    document = json.loads((MODELS / name / "feeds.json").read_text())
    feeds = document["feeds"].items()
    arrays = {key: np.array(f["values"], f["dtype"]).reshape(f["shape"]) for key, f in feeds}
    return document["loss"].removesuffix(":0"), arrays


@pytest.mark.parametrize("kernel", ["multiply", "select"])
@pytest.mark.parametrize(("name", "options"), MODEL_PLANS.values(), ids=MODEL_PLANS)
def test_models_of_tensorflow_1(
    name: str, options: dict[str, dict[str, object]], kernel: str, tmp_path: Path
) -> None:
    model = load(MODELS / name)
    tables = {t.name: t for t in find_tables(model.graph, model.variables, None)}
    for key, value in options.get("freeze_elements", {}).items():
        shape = tuple(size or 0 for size in tables[key].shape or ())
        options["freeze_elements"][key] = elements(shape).mask if value is None else value
    loss, batch = read_batch(name)
    out = tmp_path / "out" / "model.meta"
    save(freeze(model, FreezePlan(mask_kernel=kernel, **options)), tmp_path / "out")
    old = evaluate(model.source.path, [loss], restore=True, batch=batch)
    new = evaluate(out, [loss], restore=True, batch=batch)
    assert new.outs[loss].tobytes() == old.outs[loss].tobytes()
    for table in tables.values():
        shape = tuple(size or 0 for size in table.shape or ())
        way = Way({}, mask_of(options, table.name, shape), np.ones(shape))
        check_parts(old, new, table, way, exact=name != "loop_lookup")


TYPES = [np.float16, np.float32, np.float64, tf.bfloat16.as_numpy_dtype]
SMALL = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)


@st.composite
def drawn_gathers(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[str, Read]:
    batch_dims = draw(st.integers(0, min(2, len(shape) - 1)))
    axis = draw(st.integers(batch_dims, len(shape) - 1))
    more = draw(st.lists(st.integers(1, 3), max_size=3 - batch_dims))
    if batch_dims and not more:
        more = [1]
    ids = draw(
        arrays(np.int64, (*shape[:batch_dims], *more), elements=st.integers(0, shape[axis] - 1))
    )
    dtype = draw(st.sampled_from([np.int32, np.int64]))
    given = axis - len(shape) if draw(st.booleans()) else axis
    settings = {"axis": given, "batch_dims": batch_dims}
    return f"gather {ids.tolist()} {settings}", gather(ids, dtype, **settings)


@st.composite
def drawn_points(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[str, Read]:
    count = draw(st.integers(1, len(shape)))
    size = draw(st.lists(st.integers(1, 3), min_size=1, max_size=2))
    columns = [draw(arrays(np.int32, size, elements=st.integers(0, n - 1))) for n in shape[:count]]
    where = np.stack(columns, axis=-1)
    return f"points {where.tolist()}", points_of_handle(
        where, draw(st.sampled_from([np.int32, np.int64]))
    )


@st.composite
def drawn_slices(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[str, Read]:
    count = draw(st.integers(1, len(shape)))
    pieces: list[object] = []
    for size in shape[:count]:
        bound, step = st.none() | st.integers(-size, size), st.sampled_from([None, 1, 2, -1, -2])
        pieces.append(draw(st.integers(-size, size - 1) | st.builds(slice, bound, bound, step)))
    more = draw(st.sampled_from(["", "new axis", "ellipsis"]))
    if more == "new axis":
        pieces.insert(draw(st.integers(0, count)), tf.newaxis)
    pieces += [...] * (more == "ellipsis")
    return f"slice {pieces}", sliced(*pieces)


@st.composite
def drawn_dense(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[str, Read]:
    readers: dict[str, Read] = {
        "tanh": tf.tanh,
        "sum": tf.reduce_sum,
        "cast": lambda table: tf.cast(table, tf.float32) * 3,
        "transpose": tf.transpose,
        "lookup": lookup([0, shape[0] - 1, 0]),
        "cast, then lookup": lambda table: tf.gather(tf.cast(table, tf.float64), [0, 0]),
    }
    name = draw(st.sampled_from(sorted(readers)))
    return name, readers[name]


@st.composite
def drawn_ways(draw: st.DrawFn, shape: tuple[int, ...]) -> Way:
    """Freeze rows, columns, elements, or scale rows: something, but never nothing."""
    kind = draw(st.sampled_from(["rows", "columns", "elements", "broadcast", "factors"]))
    if kind == "factors":
        weights = draw(arrays(np.float32, shape[0], elements=st.sampled_from([0, 0.25, 0.3, 1])))
        assume(np.any(weights < 1))
        factors = np.broadcast_to(weights.reshape(-1, *[1] * (len(shape) - 1)), shape)
        return Way({"row_scale": weights}, factors == 0, factors)
    sizes = {
        "rows": (shape[0], *[1] * (len(shape) - 1)),
        "columns": (*[1] * (len(shape) - 1), shape[-1]),
        "elements": shape,
        "broadcast": shape[draw(st.integers(0, len(shape) - 1)) :],
    }
    given = draw(arrays(np.bool_, sizes[kind]))
    assume(np.any(given))
    mask = np.broadcast_to(given, shape)
    if kind in ("elements", "broadcast") or (kind == "columns" and len(shape) == 1):
        return Way({"freeze_elements": given}, mask, np.ones(shape))
    places = ",".join(map(str, np.flatnonzero(given)))
    return Way({f"freeze_{kind}": places}, mask, np.ones(shape))


@dataclass(frozen=True)
class Drawn:
    """A table, a reader of it, and what is frozen."""

    start: Array
    kind: str
    told: str
    read: Read = field(repr=False)
    way: Way
    kernel: str


@st.composite
def drawn_cases(draw: st.DrawFn) -> Drawn:
    shape, dtype = draw(SMALL), draw(st.sampled_from(TYPES))
    start = draw(arrays(np.int16, shape, elements=st.integers(-99, 99))).astype(dtype) / dtype(7)
    readers = drawn_gathers(shape), drawn_points(shape), drawn_slices(shape), drawn_dense(shape)
    told, read = draw(st.one_of(*readers))
    kernels, kinds = st.sampled_from(["multiply", "select"]), st.sampled_from(KINDS)
    return Drawn(start, draw(kinds), told, read, draw(drawn_ways(shape)), draw(kernels))


@settings(max_examples=60, deadline=None)
@given(drawn_cases())
def test_drawn_cases(case: Drawn) -> None:
    def build() -> None:
        is_resource = case.kind == "resource"
        table = tf.get_variable("table", initializer=case.start, use_resource=is_resource)
        tf.get_variable("other", [])
        tf.identity(case.read(table), name="out")

    with TemporaryDirectory() as folder:
        source, out = Path(folder, "in.meta"), Path(folder, "out.meta")
        write_graph(build, source)
        options = {key: {"table": value} for key, value in case.way.options.items()}
        plan = FreezePlan(mask_kernel=case.kernel, **options)
        save(freeze(load(source), plan, keep=["out"]), out)
        old, new = evaluate(source, ["out"]), evaluate(out, ["out"])
    assert new.outs["out"].tobytes() == old.outs["out"].tobytes()
    rounding = {2: 2e-2, 4: 2e-6, 8: 2e-6}[case.start.dtype.itemsize]
    check(old, new, "table", case.way, exact=True, rounding=rounding)
