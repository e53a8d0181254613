"""The index is read as TensorFlow reads it, and damage is told."""

import os
from pathlib import Path

import pytest
import tensorflow.compat.v1 as tf

from graphfreeze.errors import LoadError
from graphfreeze.read.checkpoint_index import read_index
from graphfreeze.read.snappy import decompress

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "testdata" / "models"
CORPUS = ROOT.parent / "shared" / "corpus"
INDEXES = {
    str(path.relative_to(root)): path
    for root in (MODELS, CORPUS)
    for path in sorted(root.rglob("*.index"))
}
SHARD = "data-00000-of-00001"


def copied(index: Path, to: Path) -> Path:
    """Copy an index beside empty data files that seem long enough; return the prefix."""
    (to / "m.index").write_bytes(index.read_bytes())
    for shard in (SHARD, "data-00000-of-00002", "data-00001-of-00002"):
        (to / f"m.{shard}").touch()
        os.truncate(to / f"m.{shard}", 1 << 40)
    return to / "m"


def read_by_tensorflow(prefix: Path) -> dict[str, tuple[int, ...]]:
    reader = tf.train.NewCheckpointReader(str(prefix))
    return {key: tuple(shape) for key, shape in reader.get_variable_to_shape_map().items()}


@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES)
def test_shapes_are_those_that_tensorflow_reads(index: Path, tmp_path: Path) -> None:
    prefix = copied(index, tmp_path)
    assert read_index(prefix).shapes == read_by_tensorflow(prefix)


def save(prefix: Path, **values: tuple[str, object]) -> None:
    """Write a checkpoint; each value comes with its slice, '' for a whole."""
    with tf.Graph().as_default(), tf.Session() as session:
        write = tf.raw_ops.SaveV2(
            prefix=str(prefix),
            tensor_names=[name.rstrip("_") for name in values],
            shape_and_slices=[where for where, _ in values.values()],
            tensors=[tf.constant(value) for _, value in values.values()],
        )
        session.run(write)


def test_slices_and_many_keys(tmp_path: Path) -> None:
    keys = {f"scope/key{number}": ("", [1.0, 2.0]) for number in range(500)}
    parts = {"t": ("5 2 0,3:0,2", [[1.0, 2.0]] * 3), "t_": ("5 2 3,2:0,2", [[1.0, 2.0]] * 2)}
    save(tmp_path / "m", **keys, **parts, word=("", "text"), step=("", 7))
    found = read_index(tmp_path / "m")
    assert found.shapes == read_by_tensorflow(tmp_path / "m")
    assert (found.shapes["t"], found.shapes["step"]) == ((5, 2), ())
    assert found.shards == (tmp_path / f"m.{SHARD}",)


def damaged(raw: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "short": b"short",
        "cut off": raw[:-100],
        "cut off, with its end": raw[:-100] + raw[-48:],
        "a footer alone": raw[-48:],
        "handles that lead out of the file": raw[:-48] + b"\xff\x7f" * 20 + raw[-8:],
        "of zeros": bytes(len(raw) - 48) + raw[-48:],
        "of ones": b"\xff" * (len(raw) - 48) + raw[-48:],
    }


RAW = (MODELS / "resource_mlp" / "model.ckpt.index").read_bytes()


@pytest.mark.parametrize("raw", damaged(RAW).values(), ids=damaged(RAW))
def test_damaged_index(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.index").write_bytes(raw)
    with pytest.raises(LoadError, match=r"the checkpoint cannot be read \(m\.index is damaged"):
        read_index(tmp_path / "m")


def test_any_cut_is_told(tmp_path: Path) -> None:
    for end in range(0, len(RAW), 7):
        (tmp_path / "m.index").write_bytes(RAW[:end] + RAW[-48:])
        with pytest.raises(LoadError):
            read_index(tmp_path / "m")


def test_data_file_is_missing_or_cut_off(tmp_path: Path) -> None:
    save(tmp_path / "m", a=("", [1.0, 2.0]), b=("", [3.0]))
    shard = tmp_path / f"m.{SHARD}"
    os.truncate(shard, 11)
    with pytest.raises(LoadError, match=f"data file m.{SHARD} has 11 bytes of 12; copy all"):
        read_index(tmp_path / "m")
    shard.unlink()
    with pytest.raises(LoadError, match=f"data file m.{SHARD} is missing"):
        read_index(tmp_path / "m")


# compressed, the data
SNAPPY = {
    "nothing": (b"\0", b""),
    "a literal": (b"\3\x08abc", b"abc"),
    "a long literal": (b"\x64\xf0\x63" + b"x" * 100, b"x" * 100),
    "a longer literal": (b"\xac\x02\xf4\x2b\x01" + b"x" * 300, b"x" * 300),
    "a near copy that runs into itself": (b"\7\4ab\x05\2", b"abababa"),
    "a copy with two bytes of offset": (b"\5\x08abc\x06\3\0", b"abcab"),
    "a copy with four bytes of offset": (b"\5\x08abc\x07\3\0\0\0", b"abcab"),
    "a near copy with a high offset": (
        b"\xb0\x02\xf4\x2b\x01" + b"y" + b"x" * 299 + b"\x21\x2c",
        b"y" + b"x" * 299 + b"yxxx",
    ),
}


@pytest.mark.parametrize(("raw", "data"), SNAPPY.values(), ids=SNAPPY)
def test_snappy(raw: bytes, data: bytes) -> None:
    assert decompress(raw) == data


@pytest.mark.parametrize("raw", [b"\4\x08abc", b"\5\x08abc\x06\4\0", b"\5\x08abc\x06\0\0"])
def test_damaged_snappy(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"another size|before the beginning"):
        decompress(raw)
