"""Tell what a file is that is no graph, and what to do then."""

import re
import zipfile
from io import BytesIO

from graphfreeze.model.wire import LENGTH_DELIMITED, VARINT, begun_fields

HEAD = 1 << 12
"""How many of a file's first bytes tell what it is, but for a zip archive."""
_KERAS = "load it with Keras in TensorFlow 1.15, and save it with tf.train.Saver"
_PACKED = "unpack it first"
_SOURCE = "take the model that it was made of"
# By what stands at a place in the file.
_MAGICS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89HDF", f"a Keras H5 file; {_KERAS}"),
    (4, b"TFL3", f"a TFLite model, whose variables are gone; {_SOURCE}"),
    (4, b"ORTM", f"an ONNX Runtime model, whose variables are gone; {_SOURCE}"),
    (0, b"ftrt", f"a TensorRT engine, whose variables are gone; {_SOURCE}"),
    (0, b"\x1f\x8b", f"gzip data; {_PACKED}, with gunzip or 'tar xzf'"),
    (0, b"BZh", f"bzip2 data; {_PACKED}, with bunzip2 or 'tar xjf'"),
    (0, b"\xfd7zXZ\0", f"xz data; {_PACKED}, with unxz or 'tar xJf'"),
    (0, b"\x28\xb5\x2f\xfd", f"zstd data; {_PACKED}"),
    (0, b"7z\xbc\xaf\x27\x1c", f"a 7z archive; {_PACKED}"),
    (0, b"Rar!", f"a rar archive; {_PACKED}"),
    (257, b"ustar", f"a tar archive; {_PACKED}"),
    (0, b"\x93NUMPY", "an array of NumPy; give the graph"),
    (0, b"\x89PNG", "a picture"),
    (0, b"\xff\xd8\xff", "a picture"),
    (0, b"\xef\xbb\xbf", "text behind a byte-order mark; save it as UTF-8 without"),
    (0, b"\xff\xfe", "text in UTF-16; save it as UTF-8"),
    (0, b"version https://git-lfs", "a pointer of Git LFS; fetch the file with 'git lfs pull'"),
)
# By how a text begins, blanks apart and in small letters.
_TEXTS: tuple[tuple[bytes, str], ...] = (
    (b"<!doctype html", "a web page, not what was to be downloaded; download it again"),
    (b"<html", "a web page, not what was to be downloaded; download it again"),
    (b"<?xml", "XML"),
    (b"{", f"JSON, as of TensorFlow.js or of a Keras model; {_SOURCE}"),
    (b"model_checkpoint_path", "what a folder's 'checkpoint' file holds; give the folder"),
    (b"all_model_checkpoint_paths", "what a folder's 'checkpoint' file holds; give the folder"),
    (b"item", "a map of labels; give the graph that it belongs to"),
    (b"function {", "a library of functions without a graph; give the graph that calls them"),
    (b"ir_version", f"an ONNX model; {_SOURCE}"),
    (b"format:", "what says that a folder is a TF-Hub module; give the folder"),
)
_ZIPPED = (
    (re.compile(r"(.*/)?data\.pkl"), "a PyTorch file; graphfreeze reads models of TensorFlow 1"),
    (re.compile(r"config\.json|model\.weights\.h5"), f"a Keras archive (.keras); {_KERAS}"),
    (re.compile(r"(.*/)?(.*\.meta|saved_model\.pb(txt)?)"), f"a zip archive of a model; {_PACKED}"),
)
_DATA_FILE = re.compile(r"(.+)\.data-\d{5}-of-\d{5}")
_NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1f]")  # a node of 123 bytes begins "\n{", say
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_EVENT = b"brain.Event:"
_KERAS_NODE, _KERAS_CLASS = re.compile(rb"\n[\x80-\xff]*[\x00-\x7f]\x1a\x04root"), b"_tf_keras_"
_MODULE_DEF = b"\x08\x03"  # FORMAT_V3
_ONNX_GRAPH, _CORE_ML = 7, 200  # numbers of fields; Core ML's models have one from there on


def find_stranger(raw: bytes) -> str | None:
    """Say what a file is, by its content and the first thing to do; None if it may be a graph."""
    head = raw[:HEAD]
    if head.startswith(b"PK\x03\x04"):
        return _zipped(raw)
    for place, magic, told in _MAGICS:
        if head.startswith(magic, place):
            return told
    if _PICKLE.match(head):
        return "a Python pickle, as PyTorch writes; graphfreeze reads models of TensorFlow 1"
    if _EVENT in head[:64]:
        return "a log of TensorBoard; give the .meta of the checkpoint"
    start = b"" if _NO_TEXT.search(head) else head.lstrip().lower()
    return next((told for text, told in _TEXTS if start.startswith(text)), _by_fields(raw))


def find_stranger_by_name(name: str) -> str | None:
    """Say what a file without any mark of its own is."""
    data = _DATA_FILE.fullmatch(name)
    if data is None:
        return None
    return f"a data file of the checkpoint {data[1]}; give that prefix, or its .meta"


def _zipped(raw: bytes) -> str:
    """Say what is in a zip archive, as far as all of it is there."""
    try:
        with zipfile.ZipFile(BytesIO(raw)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        names = []
    for pattern, told in _ZIPPED:
        if any(pattern.fullmatch(name) for name in names):
            return told
    return f"a zip archive; {_PACKED}"


def _by_fields(raw: bytes) -> str | None:
    """Say which other protobuf message a file is.

    ONNX's ModelProto, Core ML's Model, ModuleDef, FingerprintDef and SavedMetadata all have a
    first field that a graph might have as well."""
    if _KERAS_NODE.match(raw) and _KERAS_CLASS in raw[:HEAD]:
        return "what Keras keeps beside a SavedModel of TensorFlow 2; give the SavedModel"
    if not raw.startswith(b"\x08"):
        return None
    wires = {field.number: field.wire_type for field in begun_fields(raw)}
    if raw.startswith(_MODULE_DEF) and wires.keys() <= {1, 2}:
        return _TEXTS[-1][1]
    if wires.get(2) == VARINT:
        return "a fingerprint, which lies beside a SavedModel of TensorFlow 2; give the SavedModel"
    if wires.get(_ONNX_GRAPH) == LENGTH_DELIMITED:
        return f"an ONNX model, whose variables are gone; {_SOURCE}"
    if max(wires, default=0) >= _CORE_ML:
        return f"a Core ML model, whose variables are gone; {_SOURCE}"
    return None
