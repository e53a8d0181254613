"""What a file is does not depend on the order of its fields, and strangers are named."""

import io
import itertools
import os
import random
import zipfile
from pathlib import Path

import pytest
from google.protobuf import text_format
from google.protobuf.message import Message

from graphfreeze.errors import LoadError
from graphfreeze.model.sketch import sketch_meta_graph
from graphfreeze.model.wire import BinaryCodec
from graphfreeze.read import load
from graphfreeze.read.kind import StrangerError, find_kind
from graphfreeze.schema import FunctionDefLibrary, GraphDef, MetaGraphDef, NodeDef, SavedModel

MODELS = Path(__file__).parents[2] / "testdata" / "models"
META = sketch_meta_graph(
    "w = VariableV2() {shape: [2]}\nw/read = Identity(w)\nsaver: save\nlosses: w/read:0"
)
META.meta_info_def.tags.append("serve")
META.signature_def["s"].method_name = "m"
META.asset_file_def.add(filename="a.txt").tensor_info.name = "w:0"
FUNCTIONS = FunctionDefLibrary()
FUNCTIONS.function.add().signature.name = "f"
FUNCTIONS.gradient.add(function_name="f", gradient_func="g")
META.graph_def.library.CopyFrom(FUNCTIONS)
META.graph_def.version = 21
SAVED = SavedModel(saved_model_schema_version=1, meta_graphs=[META])
UNVERSIONED = SavedModel(meta_graphs=[META])
WHOLE: dict[str, Message] = {
    "GraphDef": META.graph_def,
    "MetaGraphDef": META,
    "SavedModel": SAVED,
    "a module's SavedModel": UNVERSIONED,
}


def split(message: Message) -> list[bytes]:
    return [piece.raw for piece in BinaryCodec().split(message.SerializeToString(), type(message))]


@pytest.mark.parametrize("name", WHOLE)
def test_the_order_of_fields_means_nothing(name: str) -> None:
    message, pieces = WHOLE[name], split(WHOLE[name])
    chance = random.Random(name)
    orders = itertools.permutations(pieces) if len(pieces) < 4 else [pieces, pieces[::-1]]
    for order in [*orders, *(chance.sample(pieces, len(pieces)) for _ in range(40))]:
        assert find_kind(b"".join(order)).owner is type(message)


def test_each_field_may_be_first() -> None:
    """A MetaGraphDef that begins with a saver or a collection is no GraphDef."""
    for message in (META.graph_def, META):
        pieces = split(message)
        for first in pieces:
            rest = [piece for piece in pieces if piece is not first]
            assert find_kind(b"".join([first, *rest])).owner is type(message)


@pytest.mark.parametrize("folder", ["text_classifier", "bert_tiny", "wide_deep"])
def test_real_files_backwards(folder: str, tmp_path: Path) -> None:
    raw = (MODELS / folder / "model.ckpt.meta").read_bytes()
    pieces = [piece.raw for piece in BinaryCodec().split(raw, MetaGraphDef)]
    (tmp_path / "m.meta").write_bytes(b"".join(pieces[::-1]))
    model, known = load(tmp_path / "m.meta"), load(MODELS / folder / "model.ckpt.meta")
    assert model.source.format == "MetaGraphDef (binary)"
    assert [v.name for v in model.variables] == [v.name for v in known.variables]
    assert model.raw[: len(pieces[-1])] == pieces[-1]


@pytest.mark.parametrize("name", ["GraphDef", "MetaGraphDef", "SavedModel"])
def test_text_in_any_order(name: str) -> None:
    fields = [
        text_format.MessageToString(type(WHOLE[name]).FromString(raw)).encode()
        for raw in split(WHOLE[name])
    ]
    for order in (fields, fields[::-1]):
        assert find_kind(b"".join(order)).label == f"{name} (text)"


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return out.getvalue()


ONNX = b"\x08\x07\x12\x07pytorch\x1a\x031.9:\x0e\n\x0c\n\x01x\x12\x01y\x22\x04ReluB\x02\x10\x0b"
STRANGERS = {
    "Keras H5": (b"\x89HDF\r\n\x1a\n....", "a Keras H5 file; load it with Keras"),
    "Keras 3": (zipped("metadata.json", "config.json", "model.weights.h5"), "a Keras archive"),
    "Keras beside a SavedModel": (
        b"\n\x14\x1a\x04root*\x0c_tf_keras_net", "what Keras keeps beside a SavedModel"),
    "PyTorch": (zipped("m/data.pkl", "m/version"), "a PyTorch file; graphfreeze reads models"),
    "PyTorch of old": (b"\x80\x02\x8a\nl\xfc\x9cF", "a Python pickle, as PyTorch writes"),
    "a zipped model": (zipped("export/saved_model.pb"), "a zip archive of a model; unpack it"),
    "another zip": (zipped("readme.txt"), "a zip archive; unpack it first"),
    "half a zip": (zipped("config.json")[:40], "a zip archive; unpack it first"),
    "TFLite": (b"\x1c\x00\x00\x00TFL3....", "a TFLite model, whose variables are gone; take the"),
    "TensorRT": (b"ftrt\0\0\0\0", "a TensorRT engine, whose variables are gone"),
    "ONNX": (ONNX, "an ONNX model, whose variables are gone"),
    "Core ML": (b"\x08\x01\x12\x00\xa2\x1f\x00", "a Core ML model, whose variables are gone"),
    "gzip": (b"\x1f\x8b\x08....", "gzip data; unpack it first, with gunzip"),
    "bzip2": (b"BZh91AY&SY", "bzip2 data; unpack it first"),
    "xz": (b"\xfd7zXZ\0\0", "xz data; unpack it first"),
    "zstd": (b"\x28\xb5\x2f\xfd\x04", "zstd data; unpack it first"),
    "tar": (b"model.meta".ljust(257, b"\0") + b"ustar\0", "a tar archive; unpack it first"),
    "NumPy": (b"\x93NUMPY\x01\0", "an array of NumPy"),
    "a picture": (b"\x89PNG\r\n\x1a\n", "a picture"),
    "a module's mark": (b"\x08\x03", "what says that a folder is a TF-Hub module; give the folder"),
    "a module's mark, features": (b"\x08\x03\x12\x01a", "a folder is a TF-Hub module; give the"),
    "a module's mark in text": (b"format: FORMAT_V3\n", "a folder is a TF-Hub module; give the"),
    "a fingerprint": (b"\x08\xff\x01\x10\x07\x18\x09", "a fingerprint, which lies beside"),
    "a log": (b"\x18" + b"\0" * 11 + b"\x09....1\x1a\x0dbrain.Event:2", "a log of TensorBoard"),
    "functions": (FUNCTIONS.SerializeToString(), "a library of functions; give the graph that"),
    "functions in text": (b"function {\n}", "a library of functions without a graph"),
    "a state": (b'model_checkpoint_path: "m"', "what a folder's 'checkpoint' file holds; give"),
    "labels": (b"item {\n  id: 1\n}", "a map of labels"),
    "JSON": (b'{"node": 1}', "JSON, as of TensorFlow.js or of a Keras model"),
    "a web page": (b"\n<!DOCTYPE html><html>", "a web page, not what was to be downloaded"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS; fetch"),
    "UTF-16": ("node {".encode("utf-16"), "text in UTF-16; save it as UTF-8"),
    "a byte-order mark": (b"\xef\xbb\xbfnode {", "text behind a byte-order mark"),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "told"), STRANGERS.values(), ids=STRANGERS)
def test_strangers_are_named(raw: bytes, told: str) -> None:
    with pytest.raises(StrangerError) as caught:
        find_kind(raw)
    assert told in str(caught.value)


def test_a_graph_that_begins_as_json_does() -> None:
    """The length of the first node may be a brace."""
    first = NodeDef(name="x", op="Placeholder")
    first.input.append("y" * (123 - first.ByteSize() - 2))
    raw = GraphDef(node=[first]).SerializeToString()
    assert raw.lstrip().startswith(b"{")
    assert find_kind(raw).owner is GraphDef


def test_a_data_file(tmp_path: Path) -> None:
    shard = tmp_path / "variables.data-00000-of-00001"
    shard.write_bytes(random.Random(0).randbytes(400))
    with pytest.raises(
        LoadError, match="no graph but a data file of the checkpoint variables; give that"
    ):
        load(shard)


def test_a_saved_model_of_tensorflow_2(tmp_path: Path) -> None:
    saved = SavedModel()
    saved.CopyFrom(SAVED)
    saved.meta_graphs[0].object_graph_def.nodes.add().user_object.identifier = "_generic"
    for name, raw in (
        ("saved_model.pb", saved.SerializeToString()),
        ("saved_model.pbtxt", text_format.MessageToString(saved).encode()),
    ):
        folder = tmp_path / name[-3:]
        folder.mkdir()
        (folder / name).write_bytes(raw)
        with pytest.raises(LoadError, match="a SavedModel of TensorFlow 2, of objects and func"):
            load(folder)


def test_more_than_two_gibibytes(tmp_path: Path) -> None:
    """It is not read, but for what says what else it may be."""
    for name, head, told in (
        ("m.pb", GraphDef().SerializeToString(), "m.pb: 2,147,483,648 bytes, and TensorFlow"),
        ("m.h5", b"\x89HDF\r\n", "no graph but a Keras H5 file"),
    ):
        (tmp_path / name).write_bytes(head)
        os.truncate(tmp_path / name, 1 << 31)  # sparse: takes no room
        with pytest.raises(LoadError, match=told):
            load(tmp_path / name)
