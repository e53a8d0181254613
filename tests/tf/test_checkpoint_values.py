"""Values are read bit for bit as TensorFlow reads them, from either format, whole or in slices."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.read.checkpoint_values import CheckpointValues, open_values

VERSIONS = {"V2": tf.train.SaverDef.V2, "V1": tf.train.SaverDef.V1}
PARTITIONERS = {
    "axis 0": tf.fixed_size_partitioner(3, axis=0),
    "axis 1": tf.fixed_size_partitioner(4, axis=1),
    "one part": tf.fixed_size_partitioner(1, axis=0),
}
NAN = np.frombuffer(np.uint32([0x7F800001, 0xFFC00001, 0x80000001]), np.float32)  # one signals
REALS = [0.0, -0.0, 1.5, -2.25, float("inf"), float("-inf"), float("nan"), 6e-8, 1e-40]
NUMBERS: dict[str, tuple[tf.DType, object]] = {
    "float16": (tf.float16, REALS),
    "bfloat16": (tf.bfloat16, REALS),
    "float32": (tf.float32, REALS),
    "NaN that signals": (tf.float32, NAN),
    "float64": (tf.float64, [*REALS, 5e-324]),
    "complex64": (tf.complex64, [1 + 2j, complex(0.0, -0.0), complex("nan+infj")]),
    "complex128": (tf.complex128, [1 + 2j, 5e-324j]),
    "bool": (tf.bool, [True, False, True]),
    "int8": (tf.int8, [-128, -1, 0, 127]),
    "int16": (tf.int16, [-(2**15), -1, 2**15 - 1]),
    "int32": (tf.int32, [-(2**31), -1, 2**31 - 1]),
    "int64": (tf.int64, [-(2**63), -1, 2**63 - 1]),
    "uint8": (tf.uint8, [0, 128, 255]),
    "uint16": (tf.uint16, [0, 2**15, 2**16 - 1]),
    "uint32": (tf.uint32, [0, 2**31, 2**32 - 1]),
    "uint64": (tf.uint64, np.uint64([0, 2**63, 2**64 - 1])),
    "empty": (tf.float32, np.zeros((0, 3))),
    "rows of no width": (tf.float32, np.zeros((3, 0))),
    "scalar": (tf.float32, 3.5),
    "a block of its own": (tf.float32, np.arange(192_000).reshape(3000, 64)),
    "rank 4": (tf.int32, np.arange(120).reshape(2, 3, 4, 5)),
}


def all_of(values: CheckpointValues, key: str) -> np.ndarray:
    chunks = list(values.read_chunks(key))
    if not values.shapes[key]:
        return chunks[0]
    return np.concatenate(chunks) if chunks else np.empty(values.shapes[key])


def restored(prefix: str, types: dict[str, tf.DType]) -> dict[str, np.ndarray]:
    with tf.Graph().as_default(), tf.Session() as session:
        restore = tf.raw_ops.RestoreV2(
            prefix=prefix,
            tensor_names=list(types),
            shape_and_slices=[""] * len(types),
            dtypes=list(types.values()),
        )
        return dict(zip(types, session.run(restore), strict=True))


def check(prefix: Path, pattern: str = "") -> CheckpointValues:
    """Compare all that is in a checkpoint with what TensorFlow reads."""
    values = open_values(prefix)
    reader = tf.train.NewCheckpointReader(f"{prefix}{pattern}")
    shapes = {key: tuple(shape) for key, shape in reader.get_variable_to_shape_map().items()}
    types = reader.get_variable_to_dtype_map()
    assert values.shapes == shapes
    assert values.dtypes == {key: dtype.as_datatype_enum for key, dtype in types.items()}
    for key, wanted in restored(f"{prefix}{pattern}", types).items():
        found = all_of(values, key)
        assert (found.shape, found.tobytes()) == (wanted.shape, wanted.tobytes()), key
        if wanted.size and wanted.ndim:
            rows = np.array([len(wanted) - 1, 0, len(wanted) // 2, 0])
            assert values.read_rows(key, rows).tobytes() == wanted[rows].tobytes()
            middle = list(values.read_chunks(key, start=1, stop=-1))
            assert b"".join(each.tobytes() for each in middle) == wanted[1:-1].tobytes()
    return values


@pytest.mark.parametrize(("dtype", "numbers"), NUMBERS.values(), ids=NUMBERS)
def test_types(dtype: tf.DType, numbers: object, tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        value = tf.constant(np.asarray(numbers).astype(dtype.as_numpy_dtype))
        names = {"tensor_names": ["a/b"], "shape_and_slices": [""], "tensors": [value]}
        session.run(tf.raw_ops.SaveV2(prefix=str(tmp_path / "m"), **names))
    assert check(tmp_path / "m").keys == ("a/b",)


# TensorFlow does not write the others in format V1.
OLD = {k: row for k, row in NUMBERS.items() if k not in ("bfloat16", "uint32", "uint64")}


@pytest.mark.parametrize(("dtype", "numbers"), OLD.values(), ids=OLD)
def test_types_in_v1(dtype: tf.DType, numbers: object, tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        value = tf.constant(np.asarray(numbers).astype(dtype.as_numpy_dtype))
        save = tf.raw_ops.Save(filename=str(tmp_path / "m"), tensor_names=["a/b"], data=[value])
        session.run(save)
    assert check(tmp_path / "m").keys == ("a/b",)


def variables(partitioner: object) -> tf.Operation:
    """Make partitioned and whole variables; return what initializes them."""
    start = {"initializer": tf.random_normal_initializer(seed=1)}
    tf.get_variable("table", [103, 8], **start)
    tf.get_variable("emb", [101, 9], partitioner=partitioner, **start)
    tf.get_variable("scope/cube", [7, 6, 5], partitioner=partitioner, **start)
    tf.get_variable("bias", [5], **start)
    tf.train.get_or_create_global_step()
    return tf.global_variables_initializer()


@pytest.mark.parametrize("is_sharded", [False, True], ids=["one file", "two shards"])
@pytest.mark.parametrize("partitioner", PARTITIONERS.values(), ids=PARTITIONERS)
@pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)
def test_partitioned(version: int, partitioner: object, is_sharded: bool, tmp_path: Path) -> None:
    config = tf.ConfigProto(device_count={"CPU": 2})
    turn = itertools.count()
    with tf.Graph().as_default(), tf.Session(config=config) as session:
        with tf.device(lambda op: f"/cpu:{next(turn) % 2 if 'Variable' in op.type else 0}"):
            session.run(variables(partitioner))
        saver = tf.train.Saver(write_version=version, sharded=is_sharded)
        saver.save(session, str(tmp_path / "m"), write_meta_graph=False)
    is_shards = version == VERSIONS["V1"] and is_sharded
    values = check(tmp_path / "m", "-?????-of-00002" if is_shards else "")
    assert {"table", "emb", "scope/cube", "bias", "global_step"} == set(values.keys)
    assert values.shapes["emb"] == (101, 9)
    assert len(list(tmp_path.glob("m[.-]*-of-00002"))) == 2 * is_sharded


TILES = {
    "a grid": ["5 6 0,2:0,6", "5 6 2,3:0,1", "5 6 2,3:1,5"],
    "a full axis": ["5 6 0,2:-", "5 6 2,3:-"],
    "a pinwheel": ["5 6 0,2:0,4", "5 6 0,3:4,2", "5 6 3,2:2,4", "5 6 2,3:0,2", "5 6 2,1:2,2"],
}


def save_tiles(session: tf.Session, prefix: Path, tiles: Sequence[str], *, is_v1: bool) -> None:
    """Write a matrix of 5 x 6 in slices, under a name that has to be escaped."""
    whole = np.arange(30, dtype=np.float32).reshape(5, 6)
    parts = []
    for tile in tiles:
        axes = [axis.split(",") for axis in tile.split()[-1].split(":")]
        box = [slice(int(a[0]), int(a[0]) + int(a[1])) if a != ["-"] else slice(None) for a in axes]
        parts.append(tf.constant(whole[tuple(box)]))
    names = [b"w\0\xc3\xa9/x"] * len(parts)
    if is_v1:
        save = tf.raw_ops.SaveSlices(
            filename=str(prefix), tensor_names=names, shapes_and_slices=tiles, data=parts
        )
    else:
        save = tf.raw_ops.SaveV2(
            prefix=str(prefix), tensor_names=names, shape_and_slices=tiles, tensors=parts
        )
    session.run(save)


@pytest.mark.parametrize("is_v1", [False, True], ids=["V2", "V1"])
@pytest.mark.parametrize("tiles", TILES.values(), ids=TILES)
def test_slices_along_any_axes(tiles: Sequence[str], is_v1: bool, tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        save_tiles(session, tmp_path / "m", tiles, is_v1=is_v1)
    values = open_values(tmp_path / "m")
    whole = np.arange(30, dtype=np.float32).reshape(5, 6)
    assert values.keys == ("w\0é/x",)
    assert all_of(values, "w\0é/x").tolist() == whole.tolist()
    assert values.read_rows("w\0é/x", np.array([4, 1])).tolist() == whole[[4, 1]].tolist()


def test_merged(tmp_path: Path) -> None:
    table = np.random.default_rng(0).standard_normal((300, 7)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        for number, (start, stop) in enumerate([(0, 100), (100, 101), (101, 300)]):
            save = tf.raw_ops.SaveV2(
                prefix=str(tmp_path / f"part{number}"),
                tensor_names=["emb", f"only{number}"],
                shape_and_slices=[f"300 7 {start},{stop - start}:0,7", ""],
                tensors=[tf.constant(table[start:stop]), tf.constant([number])],
            )
            session.run(save)
        merge = tf.raw_ops.MergeV2Checkpoints(
            checkpoint_prefixes=[str(tmp_path / f"part{number}") for number in range(3)],
            destination_prefix=str(tmp_path / "m"),
        )
        session.run(merge)
    values = check(tmp_path / "m")
    assert all_of(values, "emb").tobytes() == table.tobytes()
    assert len(list(tmp_path.glob("m.data-*"))) == 3


def test_many_keys_in_v1(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        names = [f"scope/key{number}" for number in range(700)]
        data = [tf.constant(np.full(90, number, np.float32)) for number in range(700)]
        save = tf.raw_ops.Save(filename=str(tmp_path / "m"), tensor_names=names, data=data)
        session.run(save)
    assert len(check(tmp_path / "m").keys) == 700
