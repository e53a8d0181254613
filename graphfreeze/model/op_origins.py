"""Where ops come from that the installed TensorFlow does not have."""

from collections.abc import Iterable

from graphfreeze.model.op_registry import contrib_module, known_to_tf1, load_shipped

# By how their names begin.
_LIBRARIES = {
    "Addons>": "tensorflow_addons",
    "Horovod": "horovod",
    "IO>": "tensorflow_io",
    "NGraph": "ngraph_bridge",
    "Recommenders>": "tensorflow_recommenders",
    "SimpleML": "tensorflow_decision_forests",
    "TFRA>": "tensorflow_recommenders_addons",
    "TFText>": "tensorflow_text",
    "_Mkl": "a TensorFlow built with MKL",
    "_nGraph": "ngraph_bridge",
    "nGraph": "ngraph_bridge",
    **dict.fromkeys(
        ("CaseFoldUTF8", "ConstrainedSequence", "FastWordpiece", "NormalizeUTF8", "RegexSplit"),
        "tensorflow_text",
    ),
    **dict.fromkeys(
        ("Sentencepiece", "UnicodeScriptTokenize", "WhitespaceTokenize", "Wordpiece"),
        "tensorflow_text",
    ),
    **dict.fromkeys(
        ("CreateTRT", "GetCalibrationDataOp", "InitializeTRT", "SerializeTRT", "TRTCalib"),
        "a TensorFlow built with TensorRT",
    ),
    "TRTEngine": "a TensorFlow built with TensorRT",
    "TFLite_": "TensorFlow Lite",
}


def with_origins(ops: Iterable[str]) -> list[str]:
    """Return ops, each once, with what brings them where that is known.

    ``GatherTree`` is told as ``GatherTree (tf.contrib.seq2seq)``."""
    origins = {op: find_origin(op) for op in sorted(set(ops))}
    return [f"{op} ({origin})" if origin else op for op, origin in origins.items()]


def find_origin(op: str) -> str:
    """Return the module or library that brings an op, '' if nothing tells."""
    shipped = load_shipped()
    if known_to_tf1(op):
        return contrib_module(op) or f"TensorFlow {shipped.tf1.version}"
    if op in shipped.tf2.ops:
        return f"TensorFlow {shipped.tf2.version}"
    return next((told for start, told in _LIBRARIES.items() if op.startswith(start)), "")
