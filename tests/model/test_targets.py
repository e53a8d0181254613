import pytest

from graphfreeze.errors import TrainError
from graphfreeze.model.model import Model
from graphfreeze.model.op_registry import contrib_module, known_to_any, load_shipped
from graphfreeze.model.targets import choose_target, find_unfit, is_old_writer
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.schema import AttrValue, NodeDef, types_pb2

T, HALF = AttrValue(type=types_pb2.DT_FLOAT), AttrValue(type=types_pb2.DT_HALF)
YES, EMPTY = AttrValue(b=True), AttrValue(list=AttrValue.ListValue())


def written(version: str, producer: int) -> Model:
    model = parse_sketch("a = NoOp()")
    model.header.meta_info_def.tensorflow_version = version
    model.header.graph_def.versions.producer = producer
    return model


# version, producer, the target, whether it is older than 1.15
WRITERS = {
    "1.15": ("1.15.5", 134, "1.15", False),
    "1.4": ("1.4.0", 24, "1.15", True),
    "2": ("2.4.1", 561, "2", False),
    "a head": ("0.12.head", 15, "1.15", True),
    "a GraphDef that says nothing": ("", 0, "1.15", False),
    "a GraphDef of 1": ("", 26, "1.15", True),
    "a GraphDef of 2": ("", 440, "2", False),
}


@pytest.mark.parametrize(("version", "producer", "target", "is_old"), WRITERS.values(), ids=WRITERS)
def test_default_target(version: str, producer: int, target: str, is_old: bool) -> None:
    model = written(version, producer)
    assert choose_target(None, model) == target
    assert is_old_writer(model) is is_old


def test_chosen_target() -> None:
    model = written("2.4.1", 561)
    assert choose_target("1.15", model) == "1.15"
    with pytest.raises(TrainError, match=r"no target '1\.14'; choose from 1\.15, 2"):
        choose_target("1.14", model)


def node(op: str, **attrs: AttrValue) -> NodeDef:
    return NodeDef(name="n", op=op, attr=attrs)


UNFIT = {
    "all known": (node("MatMul", T=T, transpose_a=YES), None),
    "a hint": (node("MatMul", T=T, grad_a=YES), None),
    "a default": (node("MaxPool", T=T, explicit_paddings=EMPTY), None),
    "a meaning": (
        node("GatherNd", Tparams=T, bad_indices_policy=AttrValue(s=b"IGNORE")),
        "attribute bad_indices_policy of op GatherNd",
    ),
    "underscores": (node("Identity", T=T, _has_manual_control_dependencies=YES), None),
    "an op of 2": (node("MatrixDiagV3", T=T), "op MatrixDiagV3"),
    "no op at all": (node("ZeroOut"), "op ZeroOut"),
    "another type": (
        node("SparseSegmentSqrtNGrad", T=HALF),
        "type of attribute T of op SparseSegmentSqrtNGrad",
    ),
    "another value": (
        node("Conv2D", T=T, padding=AttrValue(s=b"NONE")),
        "value of attribute padding of op Conv2D",
    ),
}


@pytest.mark.parametrize(("each", "told"), UNFIT.values(), ids=UNFIT)
def test_find_unfit(each: NodeDef, told: str | None) -> None:
    assert find_unfit(each) == told


ORIGINS = {
    "GatherTree": "tf.contrib.seq2seq",
    "Resampler": "tf.contrib.resampler",
    "BucketizeWithInputBoundaries": "tf.contrib.boosted_trees",
    "MatMul": "",
    "ZeroOut": "",
}


@pytest.mark.parametrize(("op", "module"), ORIGINS.items(), ids=ORIGINS)
def test_contrib_module(op: str, module: str) -> None:
    assert contrib_module(op) == module


def test_ops_that_1_4_lacks() -> None:
    new = load_shipped().since_1_4
    lacking = {"AddV2", "SelectV2", "BatchMatMulV2", "ResourceGatherNd", "ResourceScatterUpdate"}
    assert lacking <= new
    assert not {"Add", "Select", "BatchMatMul", "ResourceGather", "GatherV2", "Gather"} & new
    assert new <= load_shipped().tf1.ops.keys()


@pytest.mark.parametrize(
    ("op", "known"), {"MatMul": True, "MatrixDiagV3": True, "ZeroOut": False}.items()
)
def test_known_to_any(op: str, known: bool) -> None:
    assert known_to_any(op) is known
