"""Values of both formats come out as they went in, by rows, whatever the slices."""

import hashlib
import itertools
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import run
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphfreeze.errors import LoadError
from graphfreeze.read import checkpoint_values
from graphfreeze.read.checkpoint_values import CheckpointValues, open_values
from graphfreeze.read.slices import slice_key
from graphfreeze.schema import TensorSliceProto, types_pb2

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "testdata" / "models"
CORPUS = ROOT.parent / "shared" / "corpus"
OLD = (
    CORPUS / "tensorflow+serving/tensorflow_serving/session_bundle/testdata/half_plus_two/00000123"
)
# model, key, shape, type, digest of what TensorFlow reads there
KNOWN = [
    ("bert_tiny", "bert/embeddings/word_embeddings", (300, 16), "f4", "58b72326a8d328ea"),
    ("bare_graph", "table", (50, 8), "f4", "657b4f9241be0217"),
    ("text_classifier", "word_embedding", (1000, 16), "f4", "541f4e4bf0f62c35"),
    ("text_classifier", "global_step", (), "i8", "35be322d094f9d15"),
    ("resource_mlp", "embedding", (500, 8), "f4", "bf30531ef9c85c20"),
    ("conv_bn", "conv1/kernel", (3, 3, 3, 8), "f4", "85b8a5cbc767ed4c"),
]


@pytest.mark.parametrize(("model", "key", "shape", "dtype", "digest"), KNOWN)
def test_models(model: str, key: str, shape: tuple[int, ...], dtype: str, digest: str) -> None:
    values = open_values(MODELS / model / "model.ckpt")
    chunks = list(values.read_chunks(key))
    assert values.shapes[key] == shape
    assert {chunk.dtype for chunk in chunks} == {np.dtype(dtype)}
    raw = b"".join(chunk.tobytes() for chunk in chunks)
    assert hashlib.sha256(raw).hexdigest()[:16] == digest


@pytest.mark.parametrize("folder", [OLD] if OLD.is_dir() else [])
def test_a_real_file_of_format_v1(folder: Path) -> None:
    values = open_values(folder / "export")
    assert values.shapes == {"a": (), "b": ()}
    assert values.dtypes == {"a": types_pb2.DT_FLOAT, "b": types_pb2.DT_FLOAT}
    assert [float(next(values.read_chunks(key))) for key in values.keys] == [0.5, 2.0]


def test_tensorflow_is_not_started() -> None:
    code = (
        "import sys; from pathlib import Path; "
        "from graphfreeze.read.checkpoint_values import open_values as o; "
        f"v = o(Path({str(MODELS / 'bare_graph' / 'model.ckpt')!r})); "
        "next(v.read_chunks('table')); sys.exit('tensorflow' in sys.modules)"
    )
    assert run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


# start and length on each axis, None for all of it; what TensorFlow 2.21 wrote
KEYS = {
    "two axes": ("t", [(3, 2), (0, 2)], b"\0t\0\1\1\2\x83\x82\x80\x82"),
    "all of an axis": ("a\0é", [None, (63, 8192)], b"\0a\0\xff\xc3\xa9\0\1\1\2\x80\x7f\xbf\xe0 \0"),
    "two bytes": ("w", [(8192, 2), (64, 1)], b"\0w\0\1\1\2\xe0 \0\x82\xc0@\x81"),
    "scalar": ("s", [], b"\0s\0\1\0"),
}


@pytest.mark.parametrize(("name", "extents", "key"), KEYS.values(), ids=KEYS)
def test_keys_of_slices(name: str, extents: list[tuple[int, int] | None], key: bytes) -> None:
    proto = TensorSliceProto()
    for extent in extents:
        each = proto.extent.add()
        if extent is not None:
            each.start, each.length = extent
    assert slice_key(name, proto) == key


TYPES = {
    "f2": types_pb2.DT_HALF,
    "f4": types_pb2.DT_FLOAT,
    "f8": types_pb2.DT_DOUBLE,
    "c8": types_pb2.DT_COMPLEX64,
    "c16": types_pb2.DT_COMPLEX128,
    "?": types_pb2.DT_BOOL,
    "i1": types_pb2.DT_INT8,
    "i4": types_pb2.DT_INT32,
    "i8": types_pb2.DT_INT64,
    "u2": types_pb2.DT_UINT16,
}


def random_array(dtype: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    if np.dtype(dtype).kind in "fc":
        return draw.standard_normal(shape).astype(dtype)
    return draw.integers(0, 2 if dtype == "?" else 120, shape).astype(dtype)


@st.composite
def tilings(draw: st.DrawFn) -> tuple[tuple[int, ...], list[tuple[slice, ...]]]:
    """Draw a shape, and boxes that cover it; no boxes for a whole."""
    shape = tuple(draw(st.lists(st.integers(0, 7), max_size=3)))
    axes = []
    for size in shape:
        cuts = sorted(draw(st.sets(st.integers(1, max(1, size - 1)), max_size=3)))
        ends = [0, *(cut for cut in cuts if cut < size), size]
        pieces = [slice(a, b) for a, b in itertools.pairwise(ends)]
        axes.append([slice(None)] if len(pieces) == 1 else pieces)
    boxes = list(itertools.product(*axes))
    return shape, draw(st.permutations(boxes)) if len(boxes) > 1 else []


@given(
    tiling=tilings(),
    dtype=st.sampled_from(sorted(TYPES)),
    version=st.sampled_from(["v1", "v2"]),
    shards=st.integers(1, 3),
    packs=st.booleans(),
    chunk=st.sampled_from([1, 24, 100, 1 << 22]),
    ends=st.tuples(st.integers(-8, 8), st.none() | st.integers(-8, 8)),
    places=st.lists(st.integers(0, 100), max_size=8),
)
@settings(max_examples=300, deadline=None)
def test_any_slices(
    writer, tensor, tiling, dtype, version, shards, packs, chunk, ends, places
) -> None:
    shape, boxes = tiling
    array = random_array(dtype, shape, seed=len(boxes))
    tensors = {
        "a/first": tensor(np.float32([1, 2])),
        "emb": tensor(array, TYPES[dtype], boxes),
        "zz": tensor(np.float32(3)),
    }
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint_values, "_CHUNK", chunk)
        patch.setattr(checkpoint_values, "_GAP", chunk)
        prefix = Path(folder) / "m"
        getattr(writer, version)(prefix, tensors, shards=shards, packs=packs)
        values = open_values(prefix)
        assert values.shapes == {"a/first": (2,), "emb": shape, "zz": ()}
        assert values.dtypes["emb"] == TYPES[dtype]
        assert next(values.read_chunks("zz")) == 3
        chunks = list(values.read_chunks("emb", start=ends[0], stop=ends[1]))
        if not shape:
            assert [each.tobytes() for each in chunks] == [array.tobytes()]
            return
        wanted = array[slice(*ends)]
        assert np.concatenate([wanted[:0], *chunks]).tobytes() == wanted.tobytes()
        row = max(1, array[:1].nbytes)
        assert all(each.dtype == array.dtype for each in chunks)
        assert all(1 <= len(each) <= max(1, chunk // row) for each in chunks if array.size)
        rows = np.array([place % shape[0] for place in places if shape[0]], np.int64)
        assert values.read_rows("emb", rows).tobytes() == array[rows].tobytes()


def test_bits_are_kept_in_v1(writer, tensor, tmp_path: Path) -> None:
    """A float that is made a Python number on the way loses that a NaN signals."""
    bits = np.uint32([0x7F800001, 0xFFC00001, 0x80000001, 0x80000000])
    files = writer.v1_files({"w": tensor(np.zeros(4, np.float32))}, 1)
    key = next(key for key in files[0] if key)
    raw = files[0][key].SerializeToString()
    assert raw.count(bytes(16)) == 1
    writer.table(tmp_path / "m", {**files[0], key: raw.replace(bytes(16), bits.tobytes())})
    found = next(open_values(tmp_path / "m").read_chunks("w"))
    assert found.view(np.uint32).tolist() == bits.tolist()


def test_chunks_are_bounded_and_few(writer, tensor, tmp_path: Path) -> None:
    table = np.arange(300_000 * 8, dtype=np.float32).reshape(-1, 8)
    writer.v2(tmp_path / "m", {"emb": tensor(table)})
    chunks = list(open_values(tmp_path / "m").read_chunks("emb", start=1))
    assert [len(each) for each in chunks] == [131_072, 131_072, 37_855]
    assert np.concatenate(chunks).tobytes() == table[1:].tobytes()


def test_far_rows_are_read_alone(writer, tensor, tmp_path: Path, monkeypatch) -> None:
    table = np.arange(300_000 * 8, dtype=np.float32).reshape(-1, 8)
    writer.v2(tmp_path / "m", {"emb": tensor(table)})
    seen: list[tuple[int, int | None]] = []
    read = CheckpointValues.read_chunks

    def spy(self, key: str, *, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        seen.append((start, stop))
        return read(self, key, start=start, stop=stop)

    monkeypatch.setattr(CheckpointValues, "read_chunks", spy)
    rows = np.array([299_999, 5, 1000, 5])
    assert open_values(tmp_path / "m").read_rows("emb", rows).tolist() == table[rows].tolist()
    assert seen == [(5, 1001), (299_999, 300_000)]


@pytest.mark.parametrize(("key", "place"), [("emb", 3), ("emb", -1), ("step", 0)])
def test_rows_that_are_none(key: str, place: int, writer, tensor, tmp_path: Path) -> None:
    writer.v2(tmp_path / "m", {"emb": tensor(np.float32([1, 2, 3])), "step": tensor(np.float32(1))})
    with pytest.raises(IndexError, match=f"'{key}' has "):
        open_values(tmp_path / "m").read_rows(key, np.array([0, place]))


def test_what_has_no_numbers(writer, tensor, tmp_path: Path) -> None:
    tensors = {
        "words": tensor(np.zeros(3, "u1"), types_pb2.DT_STRING),
        "new": tensor(np.zeros(3, "u1"), 99),
        "deep": tensor(np.zeros(1, np.float32)),
    }
    messages, data = writer.v2_files(tensors, 1)
    for _ in range(32):
        messages[b"deep"].shape.dim.add(size=1)
    writer.table(tmp_path / "m.index", messages)
    writer.data(tmp_path / "m", data)
    values = open_values(tmp_path / "m")
    told = {"words": "DT_STRING is no", "new": "type 99 is no type", "deep": "it has 33 dimensions"}
    for key, message in told.items():
        with pytest.raises(LoadError, match=f"values of '{key}' cannot be read .{message}"):
            next(values.read_chunks(key))
    with pytest.raises(LoadError, match="holds no 'word'; did you mean words"):
        next(values.read_chunks("word"))


def test_prefixes(writer, tensor, tmp_path: Path) -> None:
    tensors = {"emb": tensor(np.zeros((4, 2), np.float32), boxes=[(slice(0, 2), slice(None))] * 2)}
    with pytest.raises(LoadError, match="no checkpoint here"):
        open_values(tmp_path / "m")
    writer.v1(tmp_path / "m", tensors, shards=2)
    shutil.copy(tmp_path / "m-00000-of-00002", tmp_path / "m-00000-of-00003")
    with pytest.raises(LoadError, match="files of several checkpoints"):
        open_values(tmp_path / "m")
    (tmp_path / "m-00000-of-00003").unlink()
    (tmp_path / "m-00001-of-00002").unlink()
    with pytest.raises(LoadError, match="data file m-00001-of-00002 is missing"):
        open_values(tmp_path / "m")
