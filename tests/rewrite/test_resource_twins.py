"""Every op that takes a variable's ref in TensorFlow 1.15, and its twin for a handle."""

from graphfreeze.model.op_registry import load_shipped
from graphfreeze.model.refs import REF_PASSING
from graphfreeze.rewrite.resource_twins import find_twin
from graphfreeze.schema import OpDef, types_pb2

OPS = load_shipped().tf1.ops
NOT_OF_VARIABLES = (
    "Barrier",
    "Queue",
    "Reader",
    "LookupTable",
    "InitializeTable",
    "Stack",
    "TensorArray",
)
NOT_OF_VARIABLES += ("Accumulator", "SparseAccumulator", "DestroyTemporaryVariable", "ObtainNext")
WITHOUT = {"DebugGradientRefIdentity", "NegTrain", "RefSelect", "ScatterAddNdim", "SdcaShrinkL1"}
WITHOUT |= {"ZeroInitializer"}


def writers() -> dict[str, OpDef]:
    every = {n: op for n, op in OPS.items() if any(arg.is_ref for arg in op.input_arg)}
    return {n: op for n, op in every.items() if not n.startswith(NOT_OF_VARIABLES)}


def names(op: OpDef, *, handle: str) -> list[str]:
    return [handle if arg.name in ("ref", "resource") else str(arg.name) for arg in op.input_arg]


def test_each_has_a_twin_but_for_a_few() -> None:
    assert {n for n in writers() if find_twin(n) is None} == WITHOUT


def test_twins_take_the_same_in_the_same_order() -> None:
    for name, op in writers().items():
        twin = find_twin(name)
        if twin is not None and name not in REF_PASSING:
            made = OPS[twin]
            assert names(op, handle="it") == names(made, handle="it"), name
            for old, new in zip(op.input_arg, made.input_arg, strict=True):
                is_handle = new.type == types_pb2.DT_RESOURCE
                assert is_handle == old.is_ref, name
            # What a twin needs and has no default is what the old op says.
            needed = {str(a.name) for a in made.attr if not a.HasField("default_value")}
            assert needed - {"dtype"} <= {str(a.name) for a in op.attr}, name
            assert [arg.is_ref for arg in made.output_arg] in ([], [False]), name


def test_a_writer_yields_nothing_but_a_count() -> None:
    twins = {find_twin(n) for n in writers() if n not in REF_PASSING} - {None, "VarIsInitializedOp"}
    assert {twin for twin in twins if OPS[twin].output_arg} == {"ResourceCountUpTo"}
