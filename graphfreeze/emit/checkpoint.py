"""The checkpoint of a bundle: shards of the source as they are, and some of what is new."""

import math
import os
import shutil
from collections.abc import Collection
from functools import partial
from pathlib import Path

from graphfreeze.emit.boxes import parse_box
from graphfreeze.emit.changed_values import Values
from graphfreeze.emit.contents import Contents, find_contents
from graphfreeze.emit.groups import grouped
from graphfreeze.emit.initial_values import initialize
from graphfreeze.emit.linking import find_replaced, is_linked
from graphfreeze.emit.table_file import write_index
from graphfreeze.model.records import NAME
from graphfreeze.model.saver import Entry
from graphfreeze.read.checkpoint_index import read_index
from graphfreeze.rewrite.draft import Draft
from graphfreeze.runtime import building, session

GROUP_BYTES = 2**28
"""What may be in memory at once, but for an array that is larger by itself."""


def write_checkpoint(draft: Draft, folder: Path) -> None:
    """Write ``model.index``, ``model.data-*`` and ``checkpoint`` to a folder.

    Shards of the source are hard-linked where the file system can, else copied, if none of their
    keys changes; otherwise every key that the saver knows is written anew, a group at a time.
    Without new values TensorFlow is not started for a checkpoint of format V2. Raises EmitError,
    LoadError.
    """
    contents = find_contents(draft)
    if is_linked(draft, contents) and not contents.new:
        link_checkpoint(contents.held.place, folder / NAME)
    else:
        _merge(draft, contents, folder)
    state = f'model_checkpoint_path: "{NAME}"\nall_model_checkpoint_paths: "{NAME}"\n'
    (folder / "checkpoint").write_text(state)


def link_checkpoint(prefix: Path, to: Path, *, without: Collection[str] = ()) -> None:
    """Link or copy the files of a V2 checkpoint to another prefix; raises LoadError.

    The index is copied: MergeV2Checkpoints, which a saver of shards runs, writes it in place. It is
    written anew if some keys are to be left out of it."""
    index = read_index(prefix)
    for file in index.shards:
        link_or_copy(file, Path(f"{to}{str(file)[len(str(prefix)) :]}"))
    if without:
        write_index(index, Path(f"{to}.index"), without)
    else:
        shutil.copyfile(f"{prefix}.index", f"{to}.index")


def link_or_copy(file: Path, to: Path) -> None:
    """Let a file have another name, or copy it where the file system knows no links."""
    try:
        # What a symbolic link leads to: the link itself may be relative, or not last.
        os.link(os.path.realpath(file), to)
    except OSError:
        shutil.copyfile(file, to)


def _merge(draft: Draft, contents: Contents, folder: Path) -> None:
    """Merge the source's shards, or what is written in their place, with the new values."""
    parts = folder / "parts"
    parts.mkdir()
    prefixes, links = [], is_linked(draft, contents)
    if links:
        prefixes.append(parts / "old")
        link_checkpoint(contents.held.place, prefixes[0], without=find_replaced(contents))
    with building() as tf, session(tf) as sess:
        values = Values(tf, sess, draft, contents)
        if contents.initialized:
            initialize(values)
        entries = contents.new if links else contents.entries
        for number, group in enumerate(grouped(entries, partial(_size, values), GROUP_BYTES)):
            prefixes.append(parts / f"new{number}")
            _save(values, group, prefixes[-1])
        merge = tf.raw_ops.MergeV2Checkpoints(
            checkpoint_prefixes=list(map(str, prefixes)),
            destination_prefix=str(folder / NAME),
            delete_old_dirs=False,
        )
        with values.reading():
            sess.run(merge)
    shutil.rmtree(parts)


def _size(values: Values, entry: Entry) -> int:
    """Return how many bytes an entry takes, 0 where nothing says so."""
    shape = values.contents.forms[entry.key].shape
    if entry.slice:
        shape = parse_box(entry.slice).length
    each: int = values.tf.as_dtype(values.draft.graph.dtype(entry.tensor)).size
    return 0 if shape is None else math.prod(shape) * each


def _save(values: Values, entries: list[Entry], to: Path) -> None:
    """Write some entries to a checkpoint; what is not the source's is fed, or in a variable."""
    tf, recipes = values.tf, values.contents.recipes
    kept = [entry for entry in entries if entry.key not in recipes]
    restored = iter(values.restored(kept) if kept else [])
    graph, tensors, feeds = tf.get_default_graph(), [], {}
    for entry in entries:
        if entry.key not in recipes:
            tensors.append(next(restored))
        elif recipes[entry.key].is_initial:
            tensors.append(graph.get_tensor_by_name(entry.tensor.tensor_name))
        else:
            value = values.value(entry)
            tensors.append(tf.placeholder(values.draft.graph.dtype(entry.tensor), value.shape))
            feeds[tensors[-1]] = value
    save = tf.raw_ops.SaveV2(
        prefix=str(to),
        tensor_names=[entry.key for entry in entries],
        shape_and_slices=[entry.slice for entry in entries],
        tensors=tensors,
    )
    with values.reading():
        values.sess.run(save, feeds)
