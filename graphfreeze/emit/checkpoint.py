"""The checkpoint of a bundle: shards of the source as they are, and one of what is new."""

import glob
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

from graphfreeze.errors import EmitError, LoadError
from graphfreeze.model.saver import Entry, saved_variable
from graphfreeze.read.locate import is_table
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import SetValue
from graphfreeze.rewrite.message import importable, meta_graph
from graphfreeze.runtime import Session, building, open_runtime, session

NAME = "model"


def write_checkpoint(draft: Draft, folder: Path) -> None:
    """Write ``model.index``, ``model.data-*`` and ``checkpoint`` to a folder.

    Shards of the source are hard-linked where the file system can, else copied. Without new
    values TensorFlow is not started for a checkpoint of format V2. Raises EmitError, LoadError.
    """
    prefix = draft.base.source.checkpoint
    if prefix is None:
        raise EmitError.no_checkpoint(draft.base.source.path)
    new = [edit for edit in draft.value_edits if isinstance(edit, SetValue)]
    is_v2 = Path(f"{prefix}.index").is_file()
    if new or not is_v2:
        _merge(draft, prefix, folder, new)
    else:
        link_checkpoint(prefix, folder / NAME)
    state = f'model_checkpoint_path: "{NAME}"\nall_model_checkpoint_paths: "{NAME}"\n'
    (folder / "checkpoint").write_text(state)


def link_checkpoint(prefix: Path, to: Path) -> None:
    """Link or copy the files of a checkpoint to another prefix; raises LoadError."""
    if not is_table(Path(f"{prefix}.index")):
        raise LoadError.bad_checkpoint(prefix, f"{prefix.name}.index is cut off or no index")
    for name in [f"{prefix}.index", *_shards(prefix)]:
        target = f"{to}{name[len(str(prefix)) :]}"
        try:
            os.link(name, target)
        except OSError:
            shutil.copyfile(name, target)


def _shards(prefix: Path) -> list[str]:
    """Return the data files of a checkpoint, at least one whole set; raises LoadError."""
    found = sorted(glob.glob(f"{glob.escape(str(prefix))}.data-?????-of-?????"))
    counts = sorted({name[-5:] for name in found})
    if not any(sum(name.endswith(f"-of-{n}") for name in found) == int(n) for n in counts):
        raise LoadError.no_shard(prefix, f"{prefix.name}.data-*-of-{(counts or ['*'])[-1]}")
    return found


def _merge(draft: Draft, prefix: Path, folder: Path, new: Sequence[SetValue]) -> None:
    """Merge the source's shards with one of the new values."""
    parts = folder / "parts"
    parts.mkdir()
    shapes = _shapes(prefix)
    kept = _kept(draft, new)
    _check_keys(draft, kept, shapes, prefix)
    is_linked = Path(f"{prefix}.index").is_file() and not shapes.keys() & {e.key for e in new}
    with building() as tf:
        tf.train.import_meta_graph(importable(meta_graph(draft)), clear_devices=True)
        with session(tf) as sess:
            if is_linked:
                link_checkpoint(prefix, parts / "old")
            else:
                _copy_values(tf, sess, draft, kept, (prefix, parts / "old"))
            if new:
                _initialize(tf, sess, draft, new, prefix)
                _save_new(tf, sess, draft, new, parts / "new")
            written = ["old", "new"] if new else ["old"]
            merge = tf.raw_ops.MergeV2Checkpoints(
                checkpoint_prefixes=[str(parts / name) for name in written],
                destination_prefix=str(folder / NAME),
                delete_old_dirs=False,
            )
            sess.run(merge)
    shutil.rmtree(parts)


def _shapes(prefix: Path) -> Mapping[str, Sequence[int]]:
    """Return the shape of every key of a checkpoint; raises LoadError."""
    tf = open_runtime()
    try:
        reader = tf.train.NewCheckpointReader(_pattern(prefix))
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise LoadError.bad_checkpoint(prefix, str(error)) from error
    shapes: Mapping[str, Sequence[int]] = reader.get_variable_to_shape_map()
    return shapes


def _pattern(prefix: Path) -> str:
    """Return what TensorFlow reads a checkpoint by; one of format V1 may have shards."""
    is_whole = Path(f"{prefix}.index").is_file() or prefix.is_file()
    return str(prefix) if is_whole else f"{prefix}-?????-of-?????"


def _kept(draft: Draft, new: Sequence[SetValue]) -> list[Entry]:
    """Return what the saver keeps besides the new variables."""
    added = {edit.source.variable for edit in new}
    entries = draft.saver_ops.all_entries() if draft.saver_ops is not None else ()
    return [e for e in entries if saved_variable(draft.graph, e.tensor) not in added]


def _check_keys(
    draft: Draft, kept: Sequence[Entry], shapes: Mapping[str, Sequence[int]], prefix: Path
) -> None:
    """Refuse a checkpoint that lacks a key, or has another shape than the variable."""
    variables = {variable.name: variable for variable in draft.variables}
    for entry in kept:
        if entry.key not in shapes:
            raise LoadError.no_such_key(entry.key, shapes, prefix=prefix)
        variable = variables.get(saved_variable(draft.graph, entry.tensor) or "")
        shape = variable.shape if variable is not None and not entry.slice else None
        if shape is not None and None not in shape and list(shape) != list(shapes[entry.key]):
            raise LoadError.other_shape(entry.key, shapes[entry.key], shape, prefix=prefix)


def _copy_values(
    tf: ModuleType, sess: Session, draft: Draft, kept: Sequence[Entry], way: tuple[Path, Path]
) -> None:
    """Write the values of a checkpoint to another one: of format V2, without dropped keys."""
    keys, slices = [e.key for e in kept], [e.slice for e in kept]
    dtypes = [tf.as_dtype(draft.graph.dtype(e.tensor)) for e in kept]
    source, to = way
    values = tf.raw_ops.RestoreV2(
        prefix=_pattern(source), tensor_names=keys, shape_and_slices=slices, dtypes=dtypes
    )
    save = tf.raw_ops.SaveV2(
        prefix=str(to), tensor_names=keys, shape_and_slices=slices, tensors=values
    )
    sess.run(save)


def _initialize(
    tf: ModuleType, sess: Session, draft: Draft, new: Sequence[SetValue], prefix: Path
) -> None:
    """Run the initializers of new variables; restore first what they depend on."""
    added = {edit.source.variable for edit in new}
    ops = [
        str(variable.definition.initializer_name)
        for variable in draft.variables
        if variable.name in added and variable.definition is not None
    ]
    graph = tf.get_default_graph()
    needed = draft.graph.ancestors(ops) & {v.name for v in draft.variables} - added
    for name in sorted(needed):
        sess.run(_restored(tf, draft, name, prefix))
    sess.run([graph.get_operation_by_name(name) for name in ops])


def _restored(tf: ModuleType, draft: Draft, name: str, prefix: Path) -> object:
    """Return an op that gives one variable its value of the source's checkpoint."""
    assert draft.saver_ops is not None
    entry = next(
        e for e in draft.saver_ops.all_entries() if saved_variable(draft.graph, e.tensor) == name
    )
    found = (v for v in tf.global_variables() if v.op.name == name)
    dtype = tf.as_dtype(draft.graph.dtype(entry.tensor))
    (value,) = tf.raw_ops.RestoreV2(
        prefix=_pattern(prefix),
        tensor_names=[entry.key],
        shape_and_slices=[entry.slice],
        dtypes=[dtype],
    )
    return tf.assign(next(found), value)


def _save_new(
    tf: ModuleType, sess: Session, draft: Draft, new: Sequence[SetValue], to: Path
) -> None:
    added = {edit.source.variable for edit in new}
    assert draft.saver_ops is not None
    entries = [
        entry
        for entry in draft.saver_ops.all_entries()
        if saved_variable(draft.graph, entry.tensor) in added
    ]
    graph = tf.get_default_graph()
    save = tf.raw_ops.SaveV2(
        prefix=str(to),
        tensor_names=[e.key for e in entries],
        shape_and_slices=[e.slice for e in entries],
        tensors=[graph.get_tensor_by_name(e.tensor.tensor_name) for e in entries],
    )
    sess.run(save)
