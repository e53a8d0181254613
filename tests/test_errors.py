"""Check that each known failure is told in one line, and told well."""

import inspect
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphfreeze import errors
from graphfreeze.errors import (
    CheckError,
    EmitError,
    ExportError,
    GraphfreezeError,
    GrowError,
    HeadError,
    LoadError,
    PatchError,
    RewriteError,
    SelectionError,
    ThawError,
    TrainError,
    UndoError,
    WordError,
)

NAMES = ["encoder/layer_1/kernel", "encoder/layer_10/kernel", "decoder/bias"]

CASES: dict[str, tuple[GraphfreezeError, str]] = {
    "LoadError.no_such_file": (
        LoadError.no_such_file("in/modle.meta", beside=["model.meta", "checkpoint"]),
        "in/modle.meta: no such file or folder; did you mean model.meta?",
    ),
    "LoadError.unreadable": (
        LoadError.unreadable("m.pb", "denied"),
        "m.pb: cannot be read (denied); name a file, or check its permissions",
    ),
    "LoadError.bad_op_library": (
        LoadError.bad_op_library("in/ops.so", "undefined symbol: _ZN10"),
        "in/ops.so: no library of ops that this TensorFlow can load (undefined symbol: _ZN10);",
    ),
    "LoadError.not_a_graph": (
        LoadError.not_a_graph(Path("in/m.pb"), "wire type 7\nat byte 3"),
        "in/m.pb: not a graph (wire type 7 at byte 3); give",
    ),
    "LoadError.truncated": (
        LoadError.truncated("m.pb", "the field at byte 90 is cut off", size=4096),
        "m.pb: truncated or damaged (4,096 bytes; the field at byte 90 is cut off)",
    ),
    "LoadError.something_else": (
        LoadError.something_else("in/m.pb", "a picture"),
        "in/m.pb: no graph but a picture",
    ),
    "LoadError.too_large": (
        LoadError.too_large("m.pb", 3 << 30),
        "m.pb: 3,221,225,472 bytes, and TensorFlow reads no graph of 2 GiB or more; save the",
    ),
    "LoadError.of_tensorflow_2": (
        LoadError.of_tensorflow_2("in/saved_model.pb"),
        "in/saved_model.pb: a SavedModel of TensorFlow 2, of objects and functions where a graph",
    ),
    "LoadError.checkpoint_gone": (
        LoadError.checkpoint_gone("in/checkpoint", "/far/m-3", others=["in/m-2", "in/m-1"]),
        "in/checkpoint: names /far/m-3, no such file there or beside it; there is in/m-2, in/m-1:",
    ),
    "LoadError.no_checkpoint_state": (
        LoadError.no_checkpoint_state("in"),
        "in: a folder without a 'checkpoint' file or saved_model.pb",
    ),
    "LoadError.bad_checkpoint_state": (
        LoadError.bad_checkpoint_state("in/checkpoint"),
        "in/checkpoint: names no model_checkpoint_path",
    ),
    "LoadError.bad_checkpoint": (
        LoadError.bad_checkpoint("in/m", "Data loss:\nblock checksum mismatch"),
        "in/m: the checkpoint cannot be read (Data loss: block checksum mismatch)",
    ),
    "LoadError.bad_constant": (
        LoadError.bad_constant("w", "too few\n bytes", path="m.pb"),
        "m.pb: the value of 'w' cannot be read (too few bytes); leave it a constant",
    ),
    "LoadError.unreadable_values": (
        LoadError.unreadable_values("words", "DT_STRING is no type of numbers", prefix="in/m"),
        "in/m: the values of 'words' cannot be read (DT_STRING is no type of numbers); leave",
    ),
    "LoadError.does_not_fit": (
        LoadError.does_not_fit("in/m", lacking={"a/w": ["x/a/w"], "b": []}, others=[]),
        "in/m: the checkpoint does not fit the graph: it lacks 2 keys: 'a/w' (like x/a/w), 'b'; "
        "give --rename OLD=NEW, --missing initialize, or the checkpoint of this graph",
    ),
    "LoadError.no_checkpoint": (LoadError.no_checkpoint("in"), "in: no checkpoint here"),
    "LoadError.no_meta": (LoadError.no_meta("in/m"), "no in/m.meta beside the checkpoint"),
    "LoadError.no_shard": (
        LoadError.no_shard("in/m", "m.data-00001-of-00002"),
        "in/m: its data file m.data-00001-of-00002 is missing",
    ),
    "LoadError.short_shard": (
        LoadError.short_shard("in/m", "m.data-00000-of-00001", size=1000, needed=4096),
        "in/m: its data file m.data-00000-of-00001 has 1,000 bytes of 4,096; copy all files",
    ),
    "LoadError.no_such_key": (
        LoadError.no_such_key("decoder/bais", NAMES, prefix="in/m"),
        "in/m: the checkpoint holds no 'decoder/bais'; did you mean decoder/bias?",
    ),
    "LoadError.no_such_tags": (
        LoadError.no_such_tags("in", ["train"], known=[["serve"], ["serve", "tpu"], []]),
        "are of none of its 3 graphs; choose from --tags serve, --tags serve,tpu, --tags ''",
    ),
    "LoadError.not_saved": (
        LoadError.not_saved(),
        "this model was changed and is not saved yet; write it with graphfreeze.save(model, OUT), "
        "and take graphfreeze.load(OUT)",
    ),
    "LoadError.already_frozen": (
        LoadError.already_frozen("in"),
        "in: already a graphfreeze bundle; freeze it anew with --refreeze, take back what was done",
    ),
    "UndoError.nothing_to_undo": (
        UndoError.nothing_to_undo("in/model-5.meta", "in"),
        "in/model-5.meta: nothing to undo, graphfreeze did not write it; it lies in a bundle: give",
    ),
    "UndoError.bad_mark": (
        UndoError.bad_mark("in/m.meta", "it has 2 entries"),
        "in/m.meta: its 'graphfreeze' collection cannot be read (it has 2 entries); give the file",
    ),
    "UndoError.no_record": (
        UndoError.no_record("in/model.meta", "in/graphfreeze.json"),
        "in/model.meta: in/graphfreeze.json is not there, which says how to undo it; copy all",
    ),
    "UndoError.record_changed": (
        UndoError.record_changed("in/graphfreeze.json"),
        "in/graphfreeze.json: was changed, the graph was written with another one; copy all files",
    ),
    "UndoError.no_manifest": (
        UndoError.no_manifest("in/model.meta", "0.0.9"),
        "in/model.meta: graphfreeze 0.0.9 wrote it without a manifest to undo it by; start again",
    ),
    "UndoError.bad_manifest": (
        UndoError.bad_manifest("in/model.meta", "'7' is no piece"),
        "in/model.meta: its manifest is damaged ('7' is no piece); copy the bundle",
    ),
    "UndoError.written_anew": (
        UndoError.written_anew("in/model-5.meta", "in/model.meta"),
        "TensorFlow exports a graph anew when it saves; give in/model.meta",
    ),
    "UndoError.other_suffix": (
        UndoError.other_suffix("out.pb", "m.pbtxt", "GraphDef (text)"),
        "out.pb: the original is m.pbtxt, a GraphDef (text); give OUT the suffix .pbtxt",
    ),
    "UndoError.not_trained": (
        UndoError.not_trained("in", "in/model"),
        "give one with --checkpoint, or in/model for the values it began with",
    ),
    "UndoError.rows_were_added": (
        UndoError.rows_were_added(["emb", "bias"], "in/model.meta"),
        "in/model.meta: rows were added to emb, bias when this was frozen; give the same words",
    ),
    "UndoError.keys_missing": (
        UndoError.keys_missing("in/model-5", ["w/Adam"]),
        "in/model-5: the checkpoint holds no w/Adam, for the bundle was written without; leave out",
    ),
    "CheckError.no_record": (
        CheckError.no_record("in/m.meta"),
        "in/m.meta: no graphfreeze.json here, so nothing says what is frozen; give a bundle",
    ),
    "SelectionError.no_variables": (
        SelectionError.no_variables(has_weights=True),
        "the graph has no variables to choose, its weights are constants; make them variables",
    ),
    "SelectionError.nothing_matched": (
        SelectionError.nothing_matched("encodr/layer_1", NAMES),
        "pattern 'encodr/layer_1' matches no variable; did you mean encoder/layer_1, ",
    ),
    "SelectionError.bad_pattern": (
        SelectionError.bad_pattern("a[", "'[' has no partner"),
        "bad pattern 'a[': '[' has no partner",
    ),
    "LoadError.bad_rename": (
        LoadError.bad_rename("a=b*", "NEW must have"),
        "bad rename 'a=b*': NEW must have; write OLD=NEW",
    ),
    "LoadError.rename_matches_nothing": (
        LoadError.rename_matches_nothing("berd=x", "berd", ["bert/w"]),
        "rename 'berd=x' matches no key of the checkpoint; did you mean bert",
    ),
    "LoadError.rename_collides": (
        LoadError.rename_collides("w", ["w", "v"]),
        "'w' and 'v' of the checkpoint would both be 'w'; give one of them another name",
    ),
    "LoadError.nothing_to_rename": (
        LoadError.nothing_to_rename("m.pb"),
        "m.pb: has no checkpoint to rename keys of; give one",
    ),
    "SelectionError.not_a_list": (
        SelectionError.not_a_list("hid", option="freeze"),
        "freeze='hid' is one text where a list is needed; write ('hid',)",
    ),
    "SelectionError.not_a_mapping": (
        SelectionError.not_a_mapping("freeze_rows", "emb=0:3"),
        "freeze_rows='emb=0:3' is no mapping of tables to rows; write {'embedding': '0:1000'}",
    ),
    "SelectionError.several_matched": (
        SelectionError.several_matched("**", [f"w{number}" for number in range(1008)]),
        "'**' matches 1008 variables where one is needed: w0, w1, w2, w3, w4, w5, w6, w7 and 1,000",
    ),
    "SelectionError.bad_rows": (
        SelectionError.bad_rows("1\n2", "no row", variable="emb"),
        "bad rows '1\\n2' for 'emb': no row",
    ),
    "SelectionError.rows_out_of_range": (
        SelectionError.rows_out_of_range("5:11", 10, variable="emb"),
        "rows '5:11' lie outside 'emb', which has 10 rows; they run from 0 to 9",
    ),
    "SelectionError.no_row_selected": (
        SelectionError.no_row_selected("5:5", 1000, variable="emb"),
        "rows '5:5' select none of 'emb', which has 1,000 rows",
    ),
    "SelectionError.no_rows_to_choose": (
        SelectionError.no_rows_to_choose("step", []),
        "variable 'step' has shape [], no table of rows",
    ),
    "SelectionError.no_columns": (
        SelectionError.no_columns("bias", [5]),
        "variable 'bias' has shape [5], without columns; choose its entries with --freeze-rows",
    ),
    "SelectionError.bad_array": (
        SelectionError.bad_array(
            "m.npy", "it is no .npy", variable="emb", option="freeze-elements"
        ),
        "m.npy: no array for --freeze-elements emb (it is no .npy); write one with numpy.save",
    ),
    "SelectionError.mask_not_bool": (
        SelectionError.mask_not_bool("m.npy", variable="emb", dtype="int64"),
        "m.npy: the mask for 'emb' is int64 and must be bool, True for what is frozen; convert it",
    ),
    "SelectionError.mask_shape": (
        SelectionError.mask_shape("m.npy", (4, 2), (5, 2), variable="emb"),
        "m.npy: the mask has shape [4, 2], which does not broadcast to [5, 2] of 'emb'; save",
    ),
    "SelectionError.scale_shape": (
        SelectionError.scale_shape("w.npy", (4,), 5, variable="emb"),
        "w.npy: the factors have shape [4], and 'emb' needs one a row, [5]",
    ),
    "SelectionError.scale_not_numbers": (
        SelectionError.scale_not_numbers("w.npy", variable="emb", dtype="complex64"),
        "w.npy: factors for 'emb' must be numbers in [0, 1], not complex64",
    ),
    "SelectionError.scale_outside": (
        SelectionError.scale_outside("w.npy", 3, 1.5, variable="emb"),
        "w.npy: the factor of row 3 of 'emb' is 1.5; factors lie in [0, 1], where 0 freezes a row",
    ),
    "SelectionError.overlay_of_entries": (
        SelectionError.overlay_of_entries("emb"),
        "--row-strategy overlay keeps whole rows, and columns, elements or factors are chosen",
    ),
    "SelectionError.no_vocabulary": (
        SelectionError.no_vocabulary("emb"),
        "words of 'emb' need its vocabulary; add --vocab emb=vocab.txt",
    ),
    "SelectionError.given_twice": (
        SelectionError.given_twice("row-scale", "emb"),
        "--row-scale is given twice for 'emb'; leave one out",
    ),
    "SelectionError.long_vocabulary": (
        SelectionError.long_vocabulary("v.txt", 1200, 1000, variable="emb"),
        "v.txt: has 1,200 ids, and 'emb' has 1,000 rows; is it the vocabulary of another table?",
    ),
    "SelectionError.doubtful_partition": (
        SelectionError.doubtful_partition("emb", {"a/Gather": "mod", "b/Gather": ""}),
        "which ids the parts of 'emb' hold cannot be told, its lookups do not agree: a/Gather",
    ),
    "SelectionError.other_partition": (
        SelectionError.other_partition("emb", {"a/Gather": "mod"}, given="div"),
        "--partition div, but the lookups of 'emb' spread ids by mod: a/Gather; leave the option",
    ),
    "SelectionError.unknown_choice": (
        SelectionError.unknown_choice("partition", "modulo", ["", "mod", "div"]),
        "partition='modulo' is none of '', 'mod', 'div'",
    ),
    "SelectionError.frozen_and_trained": (
        SelectionError.frozen_and_trained("emb", "rows 3:5"),
        "rows 3:5 of 'emb' are both frozen and trained",
    ),
    "SelectionError.nothing_frozen": (SelectionError.nothing_frozen(), "nothing is left to freeze"),
    "SelectionError.everything_frozen": (
        SelectionError.everything_frozen(1200),
        "all 1,200 variables are frozen",
    ),
    "SelectionError.nothing_behind": (
        SelectionError.nothing_behind("loss:0"),
        "nothing takes the tensor 'loss:0' on to a loss, so no gradient can be stopped there",
    ),
    "SelectionError.unknown_tensor": (
        SelectionError.unknown_tensor("encoder/ouptut:0", ["encoder/output:0"]),
        "no tensor 'encoder/ouptut:0'; did you mean encoder/output:0?",
    ),
    "SelectionError.tensor_is_variable": (
        SelectionError.tensor_is_variable("encoder/w:0", "encoder/w"),
        "'encoder/w:0' is a variable; freeze it with --freeze encoder/w",
    ),
    "RewriteError.unmaskable_reader": (
        RewriteError.unmaskable_reader("emb", "top/Sort", op="Sort"),
        "node 'top/Sort' reads 'emb' with op Sort, which cannot be masked",
    ),
    "SelectionError.rows_of_a_part": (
        SelectionError.rows_of_a_part("emb/part_0", "emb"),
        "'emb/part_0' is one part of the partitioned variable 'emb'",
    ),
    "SelectionError.rows_not_trainable": (
        SelectionError.rows_not_trainable("bn/moving_mean"),
        "'bn/moving_mean' is not trainable, so no row of it learns",
    ),
    "SelectionError.rows_of_complex": (
        SelectionError.rows_of_complex("w", dtype="complex64"),
        "rows of 'w', which is complex64, cannot be chosen; freeze it whole",
    ),
    "RewriteError.reader_in_loop": (
        RewriteError.reader_in_loop("emb", "while/Gather"),
        "node 'while/Gather' reads 'emb' inside a while loop",
    ),
    "RewriteError.in_function": (
        RewriteError.in_function("node 'q' is odd", "body", argument="h", variable="emb"),
        "in function 'body', where 'emb' is 'h': node 'q' is odd",
    ),
    "RewriteError.moving_handle": (
        RewriteError.moving_handle("emb", "decoder/while"),
        "loop 'decoder/while' hands 'emb' on in the place of another variable, so no copy of its",
    ),
    "RewriteError.recursive_function": (
        RewriteError.recursive_function("emb", "body"),
        "function 'body' calls itself and hands 'emb' on, so no copy of it can stop or mask",
    ),
    "RewriteError.overlaid_in_old_loop": (
        RewriteError.overlaid_in_old_loop("decoder/while"),
        "loop 'decoder/while' was saved with what its gradients keep, behind which the rows of an "
        "overlay would have none; freeze rows with --row-strategy mask",
    ),
    "PatchError.not_for_patch": (
        PatchError.not_for_patch("row_strategy", "an overlay is a new variable"),
        "--row-strategy: an overlay is a new variable; use 'graphfreeze freeze', which builds a "
        "train_op anew",
    ),
    "PatchError.nothing_chosen": (
        PatchError.nothing_chosen(),
        "nothing is chosen, so there is nothing to patch; name what to freeze with --freeze, "
        "--train-only or --freeze-rows",
    ),
    "PatchError.mask_too_large": (
        PatchError.mask_too_large("w", 2_000_000, 1_048_576),
        "the mask of single elements of 'w' has 2,000,000 bytes, and a patch, which adds no "
        "variables, holds masks of at most 1,048,576 in the graph; choose whole rows or columns, "
        "or use 'graphfreeze freeze'",
    ),
    "PatchError.needs_pin": (
        PatchError.needs_pin("w", "step/Fused", op="FusedAdam"),
        "node 'step/Fused' writes 'w' with op FusedAdam, which cannot be kept to some entries; "
        "only a pin would put them back, a new variable, and a patch adds none; freeze 'w' whole, "
        "or rebuild with 'freeze'",
    ),
    "PatchError.nothing_written": (
        PatchError.nothing_written(["w", "v"]),
        "no step in this graph writes w, v, so there is nothing to patch; 'graphfreeze freeze' "
        "builds a train_op for a graph that has none",
    ),
    "PatchError.not_written_by": (
        PatchError.not_written_by(["d_train"], ["w"]),
        "d_train writes nothing of w; name another --train-op, or leave it out to patch all of "
        "them",
    ),
    "PatchError.unknown_train_op": (
        PatchError.unknown_train_op("trian", ["train", "x"], own=["train"]),
        "the graph has no op 'trian'; did you mean train?",
    ),
    "PatchError.read_only": (
        PatchError.read_only("loss", own=[]),
        "'loss' writes no variable; the graph has no training step",
    ),
    "RewriteError.shared_writer": (
        RewriteError.shared_writer("w", "step/Fused", op="FusedAdam", other="v"),
        "node 'step/Fused' (op FusedAdam) writes 'w' and 'v' at once, so it cannot be stopped for "
        "one alone; freeze both or neither",
    ),
    "RewriteError.shared_handle": (
        RewriteError.shared_handle("w", "cond", other="v"),
        "node 'cond' gives 'w' or 'v', and what is read behind it cannot be stopped for one alone;",
    ),
    "LoadError.no_function": (
        LoadError.no_function("m.meta", "f/y", "loop_body_3", ["loop_body_31", "g"]),
        "m.meta: node 'f/y' calls function 'loop_body_3', which is missing; did you mean loop_body",
    ),
    "LoadError.bad_context": (
        LoadError.bad_context("m.meta", "while_context", 0),
        "m.meta: entry 0 of the collection 'while_context' is damaged; give the GraphDef alone (",
    ),
    "TrainError.no_gradient_function": (
        TrainError.no_gradient_function("doubled", "doubled_grad"),
        "the gradient of function 'doubled' is 'doubled_grad', which the library lacks; export the",
    ),
    "RewriteError.no_such_frame": (
        RewriteError.no_such_frame("whiel/while_context", ["while/while_context"]),
        "no v1 loop without a context has the frame 'whiel/while_context'; did you mean while/whil",
    ),
    "RewriteError.no_resource_twin": (
        RewriteError.no_resource_twin("w", "sdca/Shrink", op="SdcaShrinkL1"),
        "node 'sdca/Shrink' takes the ref variable 'w' with op SdcaShrinkL1, and TensorFlow 1.15",
    ),
    "RewriteError.ungated_writer": (
        RewriteError.ungated_writer("bn/mean", "bn/Update", op="MyUpdate"),
        "node 'bn/Update' writes 'bn/mean' in each step, with op MyUpdate whose output is needed",
    ),
    "RewriteError.unguarded_writer": (
        RewriteError.unguarded_writer("emb", "train/Apply", op="MyApply"),
        "node 'train/Apply' writes 'emb' with op MyApply, which cannot be kept to some entries",
    ),
    "RewriteError.name_taken": (
        RewriteError.name_taken("w/read/graphfreeze/stop"),
        "the graph already has a node 'w/read/graphfreeze/stop'; was it frozen before?",
    ),
    "RewriteError.pin_with_workers": (
        RewriteError.pin_with_workers("emb", "step", op="Call", device="/job:ps/task:0"),
        "node 'step' (op Call) writes 'emb': frozen entries could only be put back after it",
    ),
    "RewriteError.pin_in_branch": (
        RewriteError.pin_in_branch("emb", "step", branch="cond/Assign", op="Call"),
        "node 'step' (op Call) writes 'emb': frozen entries could only be put back after it and "
        "after 'cond/Assign', which is in a branch that may not be taken",
    ),
    "RewriteError.overlaid_writer": (
        RewriteError.overlaid_writer("emb", "norm/Assign", op="Assign"),
        "node 'norm/Assign' writes 'emb' in each step, with op Assign, and an overlay would hide",
    ),
    "RewriteError.overlaid_columns": (
        RewriteError.overlaid_columns("emb", "emb/part_0"),
        "part 'emb/part_0' of 'emb' holds some columns only, over which no rows can be laid",
    ),
    "RewriteError.runs_old_training": (
        RewriteError.runs_old_training("total", "Adam/update_w/ApplyAdam"),
        "'total' is fetched with a step and runs 'Adam/update_w/ApplyAdam' of the old training, "
        "which writes what is frozen; leave out --keep-training: the old training goes then, and "
        "nothing waits for it",
    ),
    "RewriteError.not_beside_old_training": (
        RewriteError.not_beside_old_training("--add-words", "its slots cannot grow"),
        "--add-words would break the old training that --keep-training keeps: its slots cannot "
        "grow; leave one of the two out",
    ),
    "RewriteError.broken_promise": (
        RewriteError.broken_promise("stop_gradient", "w/read kept its reader y"),
        "pass 'stop_gradient' broke its promise: w/read kept its reader y",
    ),
    "RewriteError.no_such_node": (
        RewriteError.no_such_node("zzz", NAMES),
        "the graph has no node 'zzz' to edit; list names with 'graphfreeze show'",
    ),
    "GrowError.no_values": (
        GrowError.no_values("emb", 1200),
        "1,200 new rows of 'emb' have no value: its initializer is a constant",
    ),
    "GrowError.no_such_table": (
        GrowError.no_such_table("decoder/bais", NAMES),
        "'decoder/bais', which is to get more rows, is no variable of the model; did you mean dec",
    ),
    "GrowError.partitioned": (
        GrowError.partitioned("emb"),
        "'emb' is saved in parts and cannot get more rows: ids would move to other parts; merge",
    ),
    "GrowError.no_rows": (
        GrowError.no_rows("emb", [None, 4]),
        "'emb' cannot get more rows, its shape is [?, 4]; name a table of rows",
    ),
    "GrowError.no_rule": (
        GrowError.no_rule("emb", "head/Conv2D", op="Conv2D"),
        "node 'head/Conv2D' takes 'emb' by its height with op Conv2D, which cannot grow along",
    ),
    "GrowError.in_call": (
        GrowError.in_call("emb", "loop"),
        "node 'loop' takes 'emb' by its height into a function, and no height is followed there",
    ),
    "GrowError.fixed_size": (
        GrowError.fixed_size("emb", "class_weights", op="Const", size=30522),
        "node 'class_weights', op Const, is used with 'emb' and has 30,522 entries that cannot",
    ),
    "GrowError.fixed_slice": (
        GrowError.fixed_slice("emb", "head/strided_slice", op="StridedSlice"),
        "node 'head/strided_slice', op StridedSlice, takes 'emb' up to its last row",
    ),
    "GrowError.cannot_tell": (
        GrowError.cannot_tell("emb", "head/Sum", op="Sum"),
        "node 'head/Sum', op Sum: the graph does not say how the height of 'emb' goes through it",
    ),
    "GrowError.two_heights": (
        GrowError.two_heights("head/add", "emb", "bias"),
        "at node 'head/add' the heights of 'emb' and 'bias' meet and do not grow alike; give both",
    ),
    "GrowError.shared_shape": (
        GrowError.shared_shape("emb", "head/shape", "head/other"),
        "node 'head/shape' makes a shape with the height of 'emb', and 'head/other' takes it too",
    ),
    "TrainError.no_slots_to_keep": (
        TrainError.no_slots_to_keep("momentum", ["Adam"]),
        "has no slots of momentum for what learns (it has those of Adam); use the optimizer",
    ),
    "HeadError.unknown_kind": (
        HeadError.unknown_kind("sofmax", ("softmax", "sigmoid")),
        "'sofmax' is no kind of head; did you mean softmax?",
    ),
    "HeadError.bad_count": (
        HeadError.bad_count("classes", 1, least=2),
        "a head of 1 class; give a whole number from 2 on",
    ),
    "HeadError.no_classes": (
        HeadError.no_classes("softmax"),
        "a softmax head needs the number of its classes; give --classes N",
    ),
    "HeadError.bad_name": (
        HeadError.bad_name("my head"),
        "'my head' is no name for a head; give one of letters, digits, '_', '.' and '-'",
    ),
    "HeadError.scope_taken": (
        HeadError.scope_taken("head", "head_1"),
        "the graph has nodes named 'head' already; give --head-name head_1",
    ),
    "HeadError.unknown_tensor": (
        HeadError.unknown_tensor("decoder/bais", NAMES),
        "'decoder/bais', which is to get a head, is no tensor of the graph; did you mean decoder/",
    ),
    "HeadError.not_floating": (
        HeadError.not_floating("ids", "int32", op="Placeholder"),
        "'ids' (op Placeholder) is int32, and a head needs a tensor of floats; name the one that",
    ),
    "HeadError.is_variable": (
        HeadError.is_variable("emb"),
        "'emb' is a reference to a variable, and no output of the model; name the tensor that",
    ),
    "HeadError.no_batch": (
        HeadError.no_batch("bias", [8]),
        "'bias' has shape [8], and a head needs a batch of features, [batch, ...]; name a tensor",
    ),
    "HeadError.no_features": (
        HeadError.no_features("pool", [None, None]),
        "how many features it has, its shape is [?, ?]; give their number with --features N",
    ),
    "HeadError.other_features": (
        HeadError.other_features("pool", 1024, 2048),
        "'pool' has 2,048 features, not 1,024; leave --features out, or name another tensor",
    ),
    "HeadError.not_always_run": (
        HeadError.not_always_run("while/add"),
        "'while/add' lies inside a while loop or on a branch of a cond, where no loss can take it",
    ),
    "HeadError.other_head": (
        HeadError.other_head("head", ["kind", "classes"], "in/model.meta"),
        "in/model.meta: has the head 'head' already, with another kind, classes; leave --head out",
    ),
    "TrainError.no_loss": (
        TrainError.no_loss(["Mean:0"]),
        "the graph's collection 'losses' is empty; name one with --loss ('graphfreeze freeze' "
        "can add one with --head, or do without by --no-train-op); it may be Mean:0",
    ),
    "TrainError.second_train_op": (
        TrainError.second_train_op("graphfreeze/train_op"),
        "the model has the train_op 'graphfreeze/train_op' already",
    ),
    "TrainError.loss_not_floating": (
        TrainError.loss_not_floating("ids:0", dtype="int32", op="Placeholder"),
        "'ids:0' (op Placeholder, int32) is no floating tensor",
    ),
    "TrainError.unknown_argument": (
        TrainError.unknown_argument("adam", "beta_1", ["beta1", "beta2"]),
        "optimizer 'adam' takes no argument 'beta_1'; did you mean beta1, beta2?",
    ),
    "TrainError.no_learning_rate": (
        TrainError.no_learning_rate("sgd"),
        "optimizer 'sgd' needs a learning rate; give one with --learning-rate",
    ),
    "TrainError.old_runtime": (
        TrainError.old_runtime("1.15.5", needed="2.16"),
        "TensorFlow 1.15.5 is too old; install 2.16 or later",
    ),
    "TrainError.import_refused": (
        TrainError.import_refused("No op named X\n", version="2.21.0"),
        "TensorFlow 2.21.0 refuses to import the graph: No op named X; use --no-train-op",
    ),
    "TrainError.doubtful_loss": (
        TrainError.doubtful_loss(["a/loss:0", "b/loss:0"]),
        "2 tensors could be the loss: a/loss:0, b/loss:0; choose with --loss",
    ),
    "TrainError.unknown_loss": (
        TrainError.unknown_loss("los:0", ["loss:0"]),
        "no tensor 'los:0' to take as the loss; did you mean loss:0?",
    ),
    "TrainError.bad_learning_rate": (
        TrainError.bad_learning_rate(-0.5),
        "learning rate -0.5 is no positive number",
    ),
    "TrainError.nothing_to_train": (
        TrainError.nothing_to_train("loss:0"),
        "loss 'loss:0' reaches no trainable variable",
    ),
    "TrainError.unknown_target": (
        TrainError.unknown_target("1.14", ["1.15", "2"]),
        "no target '1.14'; choose from 1.15, 2",
    ),
    "TrainError.not_in_target": (
        TrainError.not_in_target([("a", "op New"), ("b", "attribute k of op Old")], target="1.15"),
        "TensorFlow 1.15 lacks what the train_op needs: op New (a), attribute k of op Old (b); use",
    ),
    "TrainError.unknown_optimizer": (
        TrainError.unknown_optimizer("zzz", ["Ftrl", "Adam"]),
        "no optimizer 'zzz'; choose from Adam, Ftrl",
    ),
    "TrainError.no_gradient": (
        TrainError.no_gradient("top/Resize", op="ResizeArea"),
        "node 'top/Resize' (op ResizeArea) has no gradient; choose another --loss, stop it",
    ),
    "TrainError.unrecovered_loop": (
        TrainError.unrecovered_loop("rnn/while_context", "it has 2 LoopConds"),
        "no while_context describes the loop of frame 'rnn/while_context', and its nodes do not: ",
    ),
    "TrainError.undescribed_in_function": (
        TrainError.undescribed_in_function("while/Enter", "body", op="Enter"),
        "no gradient passes node 'while/Enter' (op Enter) of function 'body': no context describes",
    ),
    "TrainError.bad_global_step": (
        TrainError.bad_global_step("it is an op Placeholder"),
        "'global_step' cannot count the steps (it is an op Placeholder); it has to be an integer",
    ),
    "TrainError.build_refused": (
        TrainError.build_refused("no gradients\nprovided", version="2.21.0"),
        "TensorFlow 2.21.0 refuses to build the train_op: no gradients provided; choose",
    ),
    "TrainError.settings_of_an_object": (
        TrainError.settings_of_an_object(),
        "an optimizer object has its own learning rate and arguments; leave",
    ),
    "TrainError.named_only": (
        TrainError.named_only("--lr-scale"),
        "--lr-scale needs an optimizer by its name, an object has settings of its own; give a name",
    ),
    "TrainError.no_decay": (
        TrainError.no_decay("sgd"),
        "--no-decay: optimizer 'sgd' has no weight decay; use adamw, or leave it out",
    ),
    "TrainError.nothing_learns": (
        TrainError.nothing_learns("--lr-scale", "decodr", NAMES),
        "--lr-scale: pattern 'decodr' matches no variable that learns; did you mean decoder",
    ),
    "TrainError.only_frozen": (
        TrainError.only_frozen("--lr-scale", "hidden", ["hidden/kernel", "hidden/bias"]),
        "--lr-scale: pattern 'hidden' matches only what is frozen: hidden/kernel, hidden/bias; fr",
    ),
    "TrainError.bad_number": (
        TrainError.bad_number("--clip-norm", -1.0, wanted="a positive number"),
        "--clip-norm: -1.0 is not a positive number; give one, or leave it out",
    ),
    "TrainError.unknown_schedule": (
        TrainError.unknown_schedule("cosin", ["constant", "cosine"]),
        "--schedule: no schedule 'cosin'; did you mean cosine",
    ),
    "TrainError.unknown_schedule_key": (
        TrainError.unknown_schedule_key("cosine", "x", ["steps", "alpha", "warmup"]),
        "--schedule: 'cosine' takes no 'x'; choose from steps, alpha, warmup",
    ),
    "TrainError.missing_schedule_key": (
        TrainError.missing_schedule_key("cosine", "steps"),
        "--schedule: 'cosine' needs 'steps'; give it as in 'cosine:steps=...'",
    ),
    "TrainError.bad_schedule_value": (
        TrainError.bad_schedule_value("cosine", "steps", "x", wanted="a number"),
        "--schedule: 'cosine' has steps = 'x', which is not a number; mend it",
    ),
    "TrainError.rate_of_zero": (
        TrainError.rate_of_zero("ftrl", "end"),
        "--schedule: 'end' leads to a learning rate of 0, by which optimizer 'ftrl' divides; give",
    ),
    "TrainError.update_before_gradients": (
        TrainError.update_before_gradients(["bn/AssignMovingAvg"]),
        "--skip-nonfinite: bn/AssignMovingAvg would write in a step that is to be skipped",
    ),
    "TrainError.missing_ops": (
        TrainError.missing_ops(["GatherTree (tf.contrib.seq2seq)", "Zebra"], version="2.21.0"),
        "TensorFlow 2.21.0 lacks ops of this graph: GatherTree (tf.contrib.seq2seq), Zebra; load",
    ),
    "TrainError.custom_gradients": (
        TrainError.custom_gradients({"relu": "Guided", "relu_1": "Guided"}),
        "gradients of relu (Guided), relu_1 (Guided) were Python functions, which no graph holds; "
        "give --gradient Guided=module:function, or",
    ),
    "TrainError.bad_gradient": (
        TrainError.bad_gradient("Guided", "mine:guided", "No module named 'mine'"),
        "--gradient Guided=mine:guided: No module named 'mine'; name a function of a module",
    ),
    "TrainError.unknown_gradient": (
        TrainError.unknown_gradient("Giuded", ["Guided"]),
        "--gradient: no node has the op or the gradient 'Giuded'; did you mean Guided?",
    ),
    "TrainError.unknown_treatment": (
        TrainError.unknown_treatment("leave", ["error", "ignore"]),
        "custom_gradients='leave' is not known; choose from error, ignore",
    ),
    "EmitError.out_exists": (EmitError.out_exists("out"), "out: already exists; write elsewhere"),
    "EmitError.out_inside_input": (
        EmitError.out_inside_input("in/out", "in"),
        "in/out: lies inside the input in; write elsewhere",
    ),
    "EmitError.out_holds_input": (
        EmitError.out_holds_input("in", "in/model.meta"),
        "in: is or holds the input in/model.meta, which is never changed",
    ),
    "EmitError.other_kind": (
        EmitError.other_kind("out"),
        "out: exists and is of another kind (folder or file)",
    ),
    "EmitError.no_parent": (EmitError.no_parent("/no/where/out"), "the folder /no/where does not"),
    "EmitError.too_large": (
        EmitError.too_large("in.pb", 3 << 30),
        "in.pb: the new graph would have 3,221,225,472 bytes, and TensorFlow reads none of 2 GiB",
    ),
    "EmitError.missing_assets": (
        EmitError.missing_assets("in/assets", ["a.txt", "b.txt"]),
        "in/assets: the result needs a.txt, b.txt from here, missing; copy all of the SavedModel",
    ),
    "EmitError.asset_outside": (
        EmitError.asset_outside("in/saved_model.pb", ["../a.txt"]),
        "in/saved_model.pb: its assets ../a.txt lead out of the folder 'assets', which no SavedM",
    ),
    "EmitError.values_need_bundle": (
        EmitError.values_need_bundle("out.pb", ["emb", "emb/graphfreeze/rows"]),
        "out.pb: a graph file has no checkpoint for the values of emb, emb/graphfreeze/rows; write",
    ),
    "ExportError.unknown_tensor": (
        ExportError.unknown_tensor("decoder/bais:0", NAMES, role="output"),
        "the model to be exported has no tensor 'decoder/bais:0'; did you mean decoder/bias?",
    ),
    "ExportError.broken_signature": (
        ExportError.broken_signature("serving_default", "nowhere:0"),
        "signature 'serving_default' names 'nowhere:0', which the graph does not have; take",
    ),
    "ExportError.named_twice": (
        ExportError.named_twice("a", ["x:0", "y:0"]),
        "x:0 and y:0 would both be 'a'; write NAME=TENSOR for one",
    ),
    "ExportError.no_outputs": (
        ExportError.no_outputs(["logits:0", "state:0"]),
        "no signature says what the outputs of the model are; name them with --output; candidates: "
        "logits:0, state:0",
    ),
    "ExportError.unfed": (
        ExportError.unfed(["mask:0", "rate:0"], ["logits:0"]),
        "logits:0 needs mask:0, rate:0, which are no inputs; name them with --input too",
    ),
    "ExportError.no_such_signature": (
        ExportError.no_such_signature("serve_default", ["serving_default"]),
        "the model has no signature 'serve_default'; did you mean serving_default?",
    ),
    "ExportError.no_such_step": (
        ExportError.no_such_step("9000", "tuned", ["100", "200"]),
        "tuned: no checkpoint of step 9000; steps that are there: 100, 200; or give its prefix",
    ),
    "ExportError.other_dest": (
        ExportError.other_dest("served", "graph", "a file that ends in .meta, .pb or .pbtxt"),
        "served: --format graph writes a file that ends in .meta, .pb or .pbtxt; name DEST so",
    ),
    "ExportError.no_such_format": (
        ExportError.no_such_format("tflite", ["savedmodel", "graph"]),
        "'tflite' is no format of an export; choose from savedmodel, graph",
    ),
    "ExportError.no_such_kind": (
        ExportError.no_such_kind("ref", ["kept", "resource"]),
        "'ref' is no kind of variables; choose from kept, resource",
    ),
    "ExportError.no_values": (
        ExportError.no_values("in/m.meta"),
        "in/m.meta: no checkpoint with values of its variables; give one with --checkpoint",
    ),
    "ExportError.nothing_to_save": (
        ExportError.nothing_to_save("in/m.pb"),
        "in/m.pb: has no variables to put into a checkpoint; export it with --format savedmodel",
    ),
    "ExportError.too_large": (
        ExportError.too_large(3_000_000_000),
        "3,000,000,000 bytes of values do not fit into a frozen .pb, which ends at 2 GB; use",
    ),
    "ExportError.missing_ops": (
        ExportError.missing_ops(["Zebra"], version="2.21.0"),
        "TensorFlow 2.21.0 lacks ops that the outputs need: Zebra; load them with --op-library",
    ),
    "ExportError.not_frozen": (
        ExportError.not_frozen("no op Foo\n"),
        "TensorFlow cannot make constants of the variables (no op Foo); use --format savedmodel",
    ),
    "EmitError.also_needs_bundle": (
        EmitError.also_needs_bundle("out.pb", ["savedmodel", "pb"]),
        "out.pb: savedmodel, pb go into a bundle beside its own files, and this is one file; give",
    ),
    "EmitError.also_needs_freeze": (
        EmitError.also_needs_freeze("out", ["pb"]),
        "out: pb go with what was frozen, and this model was only loaded; freeze it first, or",
    ),
    "EmitError.no_such_form": (
        EmitError.no_such_form("tflite", ["savedmodel", "pb"]),
        "'tflite' is no form of a result; choose from savedmodel, pb",
    ),
    "EmitError.not_a_bundle": (
        EmitError.not_a_bundle("photos"),
        "photos: a folder that is no bundle and not empty; remove it yourself",
    ),
    "EmitError.out_is_link": (EmitError.out_is_link("out"), "out: is a symbolic link; remove it"),
    "EmitError.out_in_use": (
        EmitError.out_in_use("."),
        ".: is a mount point, or holds the current folder, and cannot be replaced; write elsewhere",
    ),
    "EmitError.missing_ops": (
        EmitError.missing_ops(["Zebra"], ["w", "v"], version="2.21.0"),
        "TensorFlow 2.21.0 lacks ops that initialize w, v: Zebra; load them with --op-library",
    ),
    "EmitError.no_value": (
        EmitError.no_value(["step", "rate"], "initializing fails: you must feed 'x'\n"),
        "holds no value of step, rate, and initializing fails: you must feed 'x'; give a",
    ),
    "EmitError.other_value": (
        EmitError.other_value("emb", "float64 [3, 5]", "float32 [3, 4]"),
        "'emb' is to hold values of float64 [3, 5] where float32 [3, 4] fits; give values",
    ),
    "EmitError.not_saved": (
        EmitError.not_saved("decoder/bais", NAMES),
        "the saver keeps nothing under 'decoder/bais'",
    ),
    "EmitError.no_checkpoint": (
        EmitError.no_checkpoint("m.pb"),
        "m.pb: no checkpoint to make a bundle from",
    ),
    "WordError.bad_line": (
        WordError.bad_line("v.txt", 1200, "no UTF-8"),
        "v.txt: line 1,200 cannot be read: no UTF-8",
    ),
    "WordError.bad_vocabulary": (
        WordError.bad_vocabulary("v.json", "no JSON"),
        "v.json: not a vocabulary (no JSON); give one word a line",
    ),
    "WordError.not_a_matrix": (
        WordError.not_a_matrix("emb", [5, 2, 2]),
        "variable 'emb' has shape [5, 2, 2], and --vectors needs rows of one axis",
    ),
    "WordError.too_many_vectors": (
        WordError.too_many_vectors("d.npy", 1200, 1000, table="emb"),
        "d.npy: has 1,200 rows, one an id, and 'emb' has 1,000; give an .npz with words",
    ),
    "WordError.no_vector_used": (
        WordError.no_vector_used("d.vec", 1200, table="emb"),
        "d.vec: the vocabulary of 'emb' has none of its 1,200 words; is it the right file?",
    ),
    "WordError.no_words": (WordError.no_words("v.txt"), "v.txt: holds no word"),
    "WordError.duplicate": (
        WordError.duplicate("v.txt", "cat", (3, 1200)),
        "v.txt: 'cat' stands there twice, in line 3 and line 1,200; take one out",
    ),
    "WordError.shared_id": (
        WordError.shared_id("v.tsv", 7, ["cat", "dog"]),
        "v.tsv: 'cat' and 'dog' both have the id 7",
    ),
    "WordError.missing_words": (
        WordError.missing_words(
            "d.txt", ["caat", "b", "c", "d"], total=1200, vocabulary="v.txt", near=["cat"]
        ),
        "d.txt: 4 of 1,200 words are not in v.txt: 'caat', 'b', 'c' and 1 more (near 'caat': 'cat')"
        "; go on without them with --missing-words ignore",
    ),
    "WordError.known_words": (
        WordError.known_words("new.txt", ["cat", "b", "c", "d"], total=1200, vocabulary="v.txt"),
        "new.txt: 4 of 1,200 words to add are in v.txt already: 'cat', 'b', 'c' and 1 more; take",
    ),
    "WordError.no_word_known": (
        WordError.no_word_known("d.txt", 12, vocabulary="v.txt"),
        "d.txt: not one of 12 words is in v.txt, so nothing is chosen",
    ),
    "WordError.bad_vectors": (
        WordError.bad_vectors("d.vec", "unexpected end"),
        "d.vec: no word vectors to read (unexpected end); give word2vec",
    ),
    "WordError.no_gensim": (
        WordError.no_gensim("d.vec", "No module named 'gensim'"),
        "(No module named 'gensim'); run pip install 'graphfreeze[vectors]'",
    ),
    "WordError.other_width": (
        WordError.other_width("d.vec", 300, 64),
        "d.vec: its vectors have 300 numbers, the rows of the table 64",
    ),
    "WordError.other_dtype": (
        WordError.other_dtype("d.npy", "float64", "float32"),
        "d.npy: its vectors are float64, the table is float32; save them as array.astype(numpy.fl",
    ),
    "WordError.no_vectors_of": (
        WordError.no_vectors_of("d.vec", "bfloat16"),
        "d.vec: a table of bfloat16 takes no vectors from a file",
    ),
    "WordError.not_finite": (
        WordError.not_finite("d.vec", "'cat'", dtype="float16"),
        "d.vec: the vector of 'cat' holds inf or nan, or a number too large for float16",
    ),
    "CheckError.no_bundle": (
        CheckError.no_bundle("out"),
        "out: a bundle has a checkpoint to begin with, and there is none here",
    ),
    "CheckError.swapped": (
        CheckError.swapped("out/model.meta", "in/m.meta"),
        "out/model.meta is a bundle and in/m.meta is none; give the model first, then the bundle: "
        "graphfreeze verify ORIGINAL OUT",
    ),
    "CheckError.other_model": (
        CheckError.other_model("out", "in/m.meta", "other/m.meta"),
        "out was made from another model than other/m.meta: its record names in/m.meta, with "
        "other bytes; give that one",
    ),
    "CheckError.unsafe_ops": (
        CheckError.unsafe_ops("in/m.meta", [f"r{i} (op ReadFile, reads files)" for i in range(4)]),
        "in/m.meta: not run, for ops reach outside: r0 (op ReadFile, reads files), "
        "r1 (op ReadFile, reads files) and 2 more; "
        "if you trust the model, give --allow-unsafe-ops",
    ),
    "CheckError.needs_feed": (
        CheckError.needs_feed("examples", "string"),
        "nothing tells what to feed 'examples' (string) with; "
        "give it with --feed examples=@FILE.npy",
    ),
    "CheckError.needs_queue": (
        CheckError.needs_queue("batch"),
        "'batch' takes from a queue, and none is filled here; give what it returns with "
        "--feed batch:0=@FILE.npy",
    ),
    "CheckError.bad_feed": (
        CheckError.bad_feed("int:3:3", "the range is empty"),
        "--feed int:3:3: the range is empty",
    ),
    "CheckError.large_feed": (
        CheckError.large_feed("ids:0", (8, 1 << 40)),
        "ids:0: no array of shape [8, 1099511627776] can be made to feed it; give a smaller "
        "--batch, or --feed ids:0=@FILE.npy",
    ),
    "CheckError.unknown_feed": (
        CheckError.unknown_feed("lables", ["ids", "labels"]),
        "--feed: no tensor 'lables' in the graph; did you mean labels?",
    ),
    "CheckError.missing_ops": (
        CheckError.missing_ops(["MyOp"], path="in/m.meta", version="2.21.0"),
        "in/m.meta: TensorFlow 2.21.0 lacks ops of this graph: MyOp; load them with --op-library "
        "FILE.so; only --record FILE checks without running it",
    ),
    "CheckError.import_refused": (
        CheckError.import_refused("in/m.meta", "a and b do not fit\n", version="2.21.0"),
        "in/m.meta: TensorFlow 2.21.0 refuses the graph: a and b do not fit",
    ),
    "CheckError.run_failed": (
        CheckError.run_failed("in/m.meta", "Incompatible shapes", ["b:0", "a:0"]),
        "in/m.meta: TensorFlow cannot run it: Incompatible shapes; fed were a:0, b:0; "
        "give other values with --feed NAME=VALUES",
    ),
    "CheckError.no_saver": (
        CheckError.no_saver("out/model.meta"),
        "out/model.meta: the graph has no saver; write it as a bundle with graphfreeze freeze",
    ),
    "CheckError.no_value": (
        CheckError.no_value("in/m.meta", ["w"]),
        "in/m.meta: no checkpoint holds a value of w, and the graph does not say "
        "how to initialize it; name the values with --checkpoint",
    ),
    "CheckError.bad_record": (
        CheckError.bad_record("out/model.meta", "JSON is malformed"),
        "out/model.meta: no record of a freeze (JSON is malformed); give the graphfreeze.json of",
    ),
    "UndoError.was_thawed": (
        UndoError.was_thawed("out", "in/frozen.pb"),
        "out: was thawed, which leaves nothing to undo: in/frozen.pb, which it was made of, is the",
    ),
    "ThawError.nothing_to_thaw": (
        ThawError.nothing_to_thaw("m.pb", variables=0, constants=["mean", "scale"]),
        "m.pb: no constant is taken as a weight is; if some are weights, name them with "
        "--constants, from mean, scale",
    ),
    "ThawError.quantized": (
        ThawError.quantized("m.pb", ["QuantizedConv2D", "Requantize"]),
        "m.pb: computes with quantized weights (QuantizedConv2D, Requantize), which cannot learn",
    ),
    "ThawError.no_constant": (
        ThawError.no_constant("decoder/bais", NAMES),
        "pattern 'decoder/bais' matches no constant; did you mean decoder/bias?",
    ),
    "ThawError.not_numbers": (
        ThawError.not_numbers("labels", "string"),
        "constant 'labels' is of type string, no number; take it out of --constants",
    ),
    "ThawError.inside": (
        ThawError.inside("while/w"),
        "constant 'while/w' is made inside a loop or a branch, where no variable can stand",
    ),
    "ThawError.is_written": (
        ThawError.is_written("w", "ScatterAdd s"),
        "constant 'w' is written by ScatterAdd s, which takes a ref; thaw with --variables ref",
    ),
    "ThawError.is_named": (
        ThawError.is_named("w", "signature 'serving_default'"),
        "signature 'serving_default' names w:0, which would be the handle of a resource; thaw",
    ),
    "ThawError.key_taken": (
        ThawError.key_taken("w", "v"),
        "the saver keeps 'v' under the key 'w', so the constant of that name cannot be saved",
    ),
    "CheckError.unsafe_step": (
        CheckError.unsafe_step(["w/Assign (op Assign) writes the frozen w; path t -> b"] * 3),
        "breaks the promise: w/Assign (op Assign) writes the frozen w; path t -> b (and 2 more)",
    ),
    "CheckError.no_checkpoint": (
        CheckError.no_checkpoint("in"),
        "in: no checkpoint; name its prefix (model.ckpt-7 of model.ckpt-7.index), or a folder",
    ),
    "CheckError.missing_keys": (
        CheckError.missing_keys("in/m", NAMES),
        "in/m: the checkpoint lacks encoder/layer_1/kernel, encoder/layer_10/kernel, dec",
    ),
    "CheckError.unknown_variable": (
        CheckError.unknown_variable("encoder/layer_1/kernal", NAMES),
        "the model has no variable 'encoder/layer_1/kernal'; did you mean encoder/layer_1/kernel",
    ),
    "CheckError.several_variables": (
        CheckError.several_variables("encoder", NAMES[:2]),
        "'encoder' is no variable and holds 2; name one: encoder/layer_1/kernel, encoder/layer_10/",
    ),
    "CheckError.unknown_train_op": (
        CheckError.unknown_train_op("trian_op", ["train_op", "init"], own=["train_op"]),
        "the graph has no op 'trian_op' to take as the train_op; did you mean train_op?",
    ),
}


@pytest.mark.parametrize(("error", "told"), CASES.values(), ids=CASES)
def test_message_is_one_line(error: GraphfreezeError, told: str) -> None:
    assert told in str(error)
    assert len(str(error).splitlines()) == 1
    assert len(str(error)) < 200


@pytest.mark.parametrize("name", CASES)
def test_constructor_makes_its_own_class(name: str) -> None:
    assert type(CASES[name][0]).__name__ == name.split(".")[0]


def _branches(root: type[GraphfreezeError]) -> Iterator[type[GraphfreezeError]]:
    """Yield the classes of the package; others name failures of one module, for that module."""
    yield root
    for branch in root.__subclasses__():
        if branch.__module__.startswith(f"{errors.__name__}."):
            yield from _branches(branch)


def test_each_constructor_is_a_case() -> None:
    constructors = {
        f"{branch.__name__}.{name}"
        for branch in _branches(GraphfreezeError)
        for name, member in vars(branch).items()
        if isinstance(member, classmethod)
    }
    assert constructors == set(CASES)


def test_docstring_draws_the_tree() -> None:
    tree = inspect.getdoc(errors) or ""
    _, *branches = _branches(GraphfreezeError)
    assert all(f"── {branch.__name__} " in tree for branch in branches)


@pytest.mark.parametrize("separator", ["\n", "\r\n", "\v", "\u2028"])
def test_quoted_line_breaks_are_joined(separator: str) -> None:
    assert str(LoadError(f"one{separator}two")) == "one two"


def test_error_survives_pickling() -> None:
    error = TrainError.no_loss()
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy)) == (type(error), str(error))


def test_one_of_many_is_told_as_one() -> None:
    assert str(SelectionError.everything_frozen(1)).startswith("the only variable is frozen, ")
    told = str(ThawError.nothing_to_thaw("m.pb", variables=2, constants=["c"]))
    assert told.startswith("m.pb: nothing to thaw, its weights are variables already (2 variables)")


def test_a_pattern_without_any_variable() -> None:
    told = str(SelectionError.nothing_matched("conv1", []))
    assert "matches no variable: there is none; 'graphfreeze thaw' makes" in told


def test_a_frame_that_is_none_nearly() -> None:
    told = str(RewriteError.no_such_frame("rnn", ["outside/while_context", "inside/while_context"]))
    assert told.endswith("'rnn'; give one of outside/while_context, inside/while_context")
    told = str(RewriteError.no_such_frame("rnn", []))
    assert told.endswith("; none lacks one, and a context tells what passes its loop; leave it out")


@pytest.mark.parametrize("pattern", ["layer_1", "*/layer_1"])
def test_a_pattern_that_would_match_deeper_down(pattern: str) -> None:
    told = str(SelectionError.nothing_matched(pattern, NAMES))
    assert told.endswith("for it begins at the root; did you mean '**/layer_1'?")
