"""What show tells of functions that read variables, and a freeze of functions that it copied."""

from pathlib import Path

import msgspec

import graphfreeze
from graphfreeze.model.function_records import CopiedRecord, FunctionReadRecord
from graphfreeze.report.freeze_text import freeze_lines
from graphfreeze.report.function_record import function_reads
from graphfreeze.report.show_text import show_lines

MODEL = Path(__file__).parents[2] / "testdata" / "models" / "control_flow_v2"
TAGS = [
    ("StatefulPartitionedCall_1 > ResourceGather", "ResourceGather"),
    ("choice/indexed_case[2] > embedding_lookup", "ResourceGather"),
    ("outside[body] > inside[body] > cond[then_branch] > embedding_lookup", "ResourceGather"),
]


def test_show_tells_what_functions_read() -> None:
    model = graphfreeze.load(MODEL)
    reads = [FunctionReadRecord("tags", node, op) for node, op in TAGS]
    record = graphfreeze.show(model, scope=["tags"])
    assert record.function_reads == reads
    assert len(graphfreeze.show(model).function_reads) == 15
    lines = [" ".join(line.plain.split()) for line in show_lines(record)]
    at = lines.index("read by functions at op")
    assert lines[at + 1 :] == [f"tags {node} {op}" for node, op in TAGS]


def test_many_are_told_if_all_is_to_be() -> None:
    record = graphfreeze.show(graphfreeze.load(MODEL))
    many = record.function_reads * 2
    record = msgspec.structs.replace(record, function_reads=many)
    told = [[line.plain for line in show_lines(record, verbose=all_)] for all_ in (False, True)]
    assert told[0][-1] == "and 10 more; --verbose tells all"
    assert len(told[1]) - len(told[0]) == 9


def test_a_model_without_functions_tells_none() -> None:
    model = graphfreeze.load(MODEL.with_name("resource_mlp"))
    assert list(function_reads(model, [v.name for v in model.variables])) == []


def test_a_freeze_tells_which_functions_it_copied() -> None:
    plan = graphfreeze.FreezePlan(freeze=("tags",))
    record = graphfreeze.report(graphfreeze.freeze(graphfreeze.load(MODEL), plan))
    copied = record.copied
    assert copied.operations == {"StopGradient": 3}
    assert all(name == f"{source}__graphfreeze_1" for name, source in copied.functions.items())
    lines = [" ".join(line.plain.split()) for line in freeze_lines(record, None)]
    count = len(copied.functions)
    at = lines.index(f"functions {count} copied for what is frozen; the model keeps its own")
    assert lines[at + 1] == "new ops StopGradient 3"


def test_functions_that_a_train_op_brings_are_counted() -> None:
    plan = graphfreeze.FreezePlan(freeze=("tags",))
    record = graphfreeze.report(graphfreeze.freeze(graphfreeze.load(MODEL), plan))
    for functions, told in (({}, ""), ({"f__graphfreeze_1": "f"}, "1 copied for what is frozen, ")):
        changed = msgspec.structs.replace(record, copied=CopiedRecord(functions, {}, 1200))
        lines = [" ".join(line.plain.split()) for line in freeze_lines(changed, None)]
        line = f"functions {told}1,200 added by the train_op; the model keeps its own"
        assert line in lines


def test_a_freeze_without_functions_tells_none() -> None:
    model = graphfreeze.load(MODEL.with_name("resource_mlp"))
    frozen = graphfreeze.freeze(model, graphfreeze.FreezePlan(freeze=("hidden",)))
    assert graphfreeze.report(frozen).copied == CopiedRecord()
