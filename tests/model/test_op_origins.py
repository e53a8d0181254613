import pytest

from graphfreeze.model.op_origins import find_origin, with_origins

ORIGINS = {
    "an op of tf.contrib": ("GatherTree", "tf.contrib.seq2seq"),
    "another": ("BucketizeWithInputBoundaries", "tf.contrib.boosted_trees"),
    "an op of 1.15 alone": ("_MklSub", "TensorFlow 1.15.5"),
    "an op of 2": ("MatrixDiagV3", "TensorFlow 2.21.0"),
    "a library's own prefix": ("Addons>Resampler", "tensorflow_addons"),
    "a library that had none": ("SentencepieceOp", "tensorflow_text"),
    "horovod": ("HorovodAllreduce", "horovod"),
    "ngraph": ("NGraphVariable", "ngraph_bridge"),
    "its clusters": ("_nGraphEncapsulate", "ngraph_bridge"),
    "nobody's": ("ZeroOut", ""),
}


@pytest.mark.parametrize(("op", "origin"), ORIGINS.values(), ids=ORIGINS)
def test_origin(op: str, origin: str) -> None:
    assert find_origin(op) == origin


def test_each_op_is_told_once_and_in_order() -> None:
    told = ["GatherTree (tf.contrib.seq2seq)", "Zebra"]
    assert with_origins(["Zebra", "GatherTree", "Zebra"]) == told
