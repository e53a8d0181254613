"""The checkpoint of a bundle: shards of the source as they are, and one of what is new."""

import os
import shutil
from pathlib import Path
from types import ModuleType

from graphfreeze.emit.contents import Contents, find_contents, runtime_prefix
from graphfreeze.emit.initial_values import save_initial_values
from graphfreeze.read.checkpoint_index import read_index
from graphfreeze.rewrite.draft import Draft
from graphfreeze.runtime import Session, building, session

NAME = "model"


def write_checkpoint(draft: Draft, folder: Path) -> None:
    """Write ``model.index``, ``model.data-*`` and ``checkpoint`` to a folder.

    Shards of the source are hard-linked where the file system can, else copied. Without new
    values TensorFlow is not started for a checkpoint of format V2. Raises EmitError, LoadError.
    """
    contents = find_contents(draft)
    if contents.is_linkable and not contents.new:
        link_checkpoint(contents.prefix, folder / NAME)
    else:
        _merge(draft, contents, folder)
    state = f'model_checkpoint_path: "{NAME}"\nall_model_checkpoint_paths: "{NAME}"\n'
    (folder / "checkpoint").write_text(state)


def link_checkpoint(prefix: Path, to: Path) -> None:
    """Link or copy the files of a V2 checkpoint to another prefix; raises LoadError."""
    for file in (Path(f"{prefix}.index"), *read_index(prefix).shards):
        target = f"{to}{str(file)[len(str(prefix)) :]}"
        try:
            # What a symbolic link leads to: the link itself may be relative, or not last.
            os.link(os.path.realpath(file), target)
        except OSError:
            shutil.copyfile(file, target)


def _merge(draft: Draft, contents: Contents, folder: Path) -> None:
    """Merge the source's shards with one of the new values."""
    parts = folder / "parts"
    parts.mkdir()
    old, new = parts / "old", parts / "new"
    with building() as tf, session(tf) as sess:
        if contents.is_linkable:
            link_checkpoint(contents.prefix, old)
        elif contents.kept:
            _copy_values(tf, sess, draft, contents, old)
        if contents.new:
            save_initial_values(tf, sess, draft, contents, new)
        merge = tf.raw_ops.MergeV2Checkpoints(
            checkpoint_prefixes=[str(p) for p in (old, new) if Path(f"{p}.index").is_file()],
            destination_prefix=str(folder / NAME),
            delete_old_dirs=False,
        )
        sess.run(merge)
    shutil.rmtree(parts)


def _copy_values(tf: ModuleType, sess: Session, draft: Draft, contents: Contents, to: Path) -> None:
    """Write the source's values to another checkpoint: of format V2, without dropped keys."""
    keys, slices = [e.key for e in contents.kept], [e.slice for e in contents.kept]
    dtypes = [tf.as_dtype(draft.graph.dtype(e.tensor)) for e in contents.kept]
    values = tf.raw_ops.RestoreV2(
        prefix=runtime_prefix(contents.prefix),
        tensor_names=keys,
        shape_and_slices=slices,
        dtypes=dtypes,
    )
    save = tf.raw_ops.SaveV2(
        prefix=str(to), tensor_names=keys, shape_and_slices=slices, tensors=values
    )
    sess.run(save)
