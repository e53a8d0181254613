"""What hangs on a saver besides its own ops on the files that it is told."""

from dataclasses import replace

import pytest

from graphfreeze.check.running.saver_run import find_beside
from graphfreeze.check.running.unsafe_ops import find_unsafe
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.schema import SaverDef

SAVER = """\
w = VariableV2() {shape: [2]}
name = Placeholder() {dtype: string, shape: []}
keys = Const() {value: ["w"]}
slices = Const() {value: [""]}
other = Const() {value: "/etc/other"}
up = Const() {value: "/../other"}
part = Const() {value: "_part"}
"""
RESTORE = "r = RestoreV2(name, keys, slices) {dtypes: [float32]}\na = Assign(w, r)\n"
SAVE = "s = SaveV2(name, keys, slices, w)\nsaved = Identity(name, ^s)\n"
END = "restored = NoOp(^a)\n"

# what saves, what restores, then the ops that are refused
CASES = {
    "a plain saver": (SAVE, RESTORE + END, []),
    "in shards": (
        "p = StringJoin(name, part)\ns = SaveV2(p, keys, slices, w)\nq = Pack(p, ^s)\n"
        "m = MergeV2Checkpoints(q, name)\nsaved = Identity(name, ^m)\n",
        RESTORE + END,
        [],
    ),
    "a place of its own": (
        "s = SaveV2(other, keys, slices, w)\nsaved = Identity(name, ^s)\n",
        RESTORE + END,
        ["s"],
    ),
    "a place beside": (
        "p = StringJoin(name, up)\ns = SaveV2(p, keys, slices, w)\nsaved = Identity(name, ^s)\n",
        RESTORE + END,
        ["s"],
    ),
    "a place in front": (
        "p = StringJoin(other, name)\ns = SaveV2(p, keys, slices, w)\nsaved = Identity(name, ^s)\n",
        RESTORE + END,
        ["s"],
    ),
    "a merge to another place": (
        "s = SaveV2(name, keys, slices, w)\nq = Pack(name, ^s)\n"
        "m = MergeV2Checkpoints(q, other)\nsaved = Identity(name, ^m)\n",
        RESTORE + END,
        ["m"],
    ),
    "values from elsewhere": (
        SAVE,
        "r = RestoreV2(other, keys, slices) {dtypes: [float32]}\na = Assign(w, r)\n" + END,
        ["r"],
    ),
    "something that hangs on": (
        SAVE,
        RESTORE + "f = WriteFile(other, part)\nrestored = NoOp(^a, ^f)\n",
        ["f"],
    ),
}


@pytest.mark.parametrize(("save", "restore", "refused"), CASES.values(), ids=CASES)
def test_own_ops_alone_are_exempt(save: str, restore: str, refused: list[str]) -> None:
    told = SaverDef(
        filename_tensor_name="name:0", save_tensor_name="saved:0", restore_op_name="restored"
    )
    model = replace(parse_sketch(SAVER + save + restore), saver=told)
    found = find_unsafe(model.graph, find_beside(model))
    assert [each.node for each in found] == refused


def test_no_saver() -> None:
    assert find_beside(parse_sketch("x = Placeholder()")) == []
