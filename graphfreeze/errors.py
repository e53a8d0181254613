"""Name every failure a user can meet; each message is one line.

GraphfreezeError
├── LoadError         the input is missing, is no graph, or lacks its checkpoint
├── SelectionError    a pattern or a row set says something the model cannot mean
├── RewriteError      a pass met a graph it cannot edit, or broke its promise
├── TrainError        no train_op can be built: loss, optimizer or ops are wanting
└── EmitError         the result cannot be written where it was asked for

A message says what, where, the nearest names, and what to do. Raise through a constructor below,
one for each known failure; catch ``GraphfreezeError`` at the edges only.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import accumulate, islice

PathLike = str | os.PathLike[str]


class GraphfreezeError(Exception):
    """Stand at the root of all errors that graphfreeze raises on purpose."""

    def __init__(self, message: str) -> None:
        # Reasons quoted from protobuf or TensorFlow, and file names, may hold line breaks.
        super().__init__(" ".join(message.splitlines()))


class LoadError(GraphfreezeError):
    """Say why the input cannot be read as a model."""

    @classmethod
    def no_such_file(cls, path: PathLike, *, beside: Iterable[str] = ()) -> LoadError:
        """Name a missing input; ``beside`` are the file names in its folder."""
        name = os.path.basename(os.fspath(path))
        return cls(f"{path}: no such file or folder{_hint(name, beside, 'check the path')}")

    @classmethod
    def unreadable(cls, path: PathLike, reason: str) -> LoadError:
        """Pass on why the system refuses to read a file."""
        return cls(f"{path}: cannot be read ({reason}); check its permissions")

    @classmethod
    def not_a_graph(cls, path: PathLike, reason: str) -> LoadError:
        """Name a file that parses as no kind of graph, and why."""
        wanted = "a GraphDef, a MetaGraphDef or a SavedModel, binary or text"
        return cls(f"{path}: not a graph ({reason}); give {wanted}")

    @classmethod
    def truncated(cls, path: PathLike, reason: str, *, size: int) -> LoadError:
        """Name a file that ends in mid-message, where it breaks, and its size in bytes."""
        return cls(f"{path}: truncated or damaged ({size:,} bytes; {reason}); copy it again")

    @classmethod
    def no_checkpoint(cls, path: PathLike) -> LoadError:
        """Name a place where a checkpoint was needed and none lies."""
        return cls(f"{path}: no checkpoint here; give its prefix, as in 'model.ckpt-1000'")

    @classmethod
    def no_checkpoint_state(cls, folder: PathLike) -> LoadError:
        """Name a folder in which nothing says what the model is."""
        return cls(
            f"{folder}: a folder without a 'checkpoint' file or saved_model.pb; "
            "give the .meta or .pb file itself"
        )

    @classmethod
    def bad_checkpoint_state(cls, state: PathLike) -> LoadError:
        """Name a ``checkpoint`` file without a checkpoint in it."""
        return cls(f"{state}: names no model_checkpoint_path; give the checkpoint's prefix instead")

    @classmethod
    def no_meta(cls, prefix: PathLike) -> LoadError:
        """Name a checkpoint without the graph that wrote it."""
        return cls(f"{prefix}: no {prefix}.meta beside the checkpoint; give the graph's own file")

    @classmethod
    def no_shard(cls, prefix: PathLike, shard: PathLike) -> LoadError:
        """Name a data file that the checkpoint's index speaks of and that is not there."""
        return cls(f"{prefix}: its data file {shard} is missing; copy all files of the checkpoint")

    @classmethod
    def no_such_key(cls, key: str, keys: Iterable[str], *, prefix: PathLike) -> LoadError:
        """Name a variable that the checkpoint does not hold."""
        hint = _hint(key, keys, "give the checkpoint that belongs to this graph")
        return cls(f"{prefix}: the checkpoint holds no {key!r}{hint}")

    @classmethod
    def bad_checkpoint(cls, prefix: PathLike, reason: str) -> LoadError:
        """Pass on why TensorFlow cannot read a checkpoint."""
        return cls(f"{prefix}: the checkpoint cannot be read ({reason.strip()[:300]})")

    @classmethod
    def other_shape(
        cls,
        key: str,
        found: Sequence[int | None],
        wanted: Sequence[int | None],
        *,
        prefix: PathLike,
    ) -> LoadError:
        """Name a variable whose shape differs between graph and checkpoint."""
        return cls(
            f"{prefix}: {key!r} has shape {_shape(found)} in the checkpoint and {_shape(wanted)} "
            "in the graph; give the checkpoint that belongs to this graph"
        )

    @classmethod
    def no_such_tags(
        cls, path: PathLike, tags: Sequence[str], *, known: Iterable[Sequence[str]]
    ) -> LoadError:
        """Name a tag set that picks no graph, or no single one, of a SavedModel."""
        offered = "; ".join(",".join(each) for each in known) or "none"
        return cls(f"{path}: tags {','.join(tags)!r} pick no single graph; choose from: {offered}")

    @classmethod
    def already_frozen(cls, path: PathLike) -> LoadError:
        """Name an input that graphfreeze itself wrote."""
        return cls(f"{path}: already a graphfreeze bundle; start again from the model it came from")


class SelectionError(GraphfreezeError):
    """Say why a selection means nothing, or means two things, in this model."""

    @classmethod
    def nothing_matched(cls, pattern: str, names: Iterable[str]) -> SelectionError:
        """Name a pattern without a variable, and the nearest scopes and variables."""
        hint = _hint(pattern, _with_scopes(names), "list names with 'graphfreeze show'")
        return cls(f"pattern {pattern!r} matches no variable{hint}")

    @classmethod
    def bad_pattern(cls, pattern: str, reason: str) -> SelectionError:
        """Name a malformed pattern, and why it is one."""
        return cls(f"bad pattern {pattern!r}: {reason}")

    @classmethod
    def several_matched(cls, pattern: str, names: Sequence[str]) -> SelectionError:
        """Name the variables of a pattern that has to pick a single one."""
        return cls(
            f"pattern {pattern!r} matches {len(names)} variables where one is needed: "
            f"{_listed(names)}; write out one name"
        )

    @classmethod
    def bad_rows(cls, text: str, reason: str, *, variable: str) -> SelectionError:
        """Name row text that cannot be read, and why."""
        return cls(f"bad rows {text!r} for {variable!r}: {reason}; write '0:1000,1012,-5:'")

    @classmethod
    def rows_out_of_range(cls, piece: str, height: int, *, variable: str) -> SelectionError:
        """Name a row or a bound that lies outside of a table with ``height`` rows."""
        return cls(
            f"rows {piece!r} lie outside {variable!r}, which has {height:,} rows; "
            f"they run from 0 to {height - 1}"
        )

    @classmethod
    def no_row_selected(cls, piece: str, height: int, *, variable: str) -> SelectionError:
        """Name a range that is empty in a table with ``height`` rows."""
        return cls(
            f"rows {piece!r} select no row of {variable!r}, which has {height:,} rows; "
            "ranges are start:stop without the stop"
        )

    @classmethod
    def no_rows_to_choose(cls, variable: str, shape: Sequence[int | None]) -> SelectionError:
        """Name a variable whose shape has no rows, or not so many as are asked for."""
        return cls(
            f"variable {variable!r} has shape {_shape(shape)}, no table of rows; "
            "freeze it whole, by its name"
        )

    @classmethod
    def rows_of_a_part(cls, variable: str, whole: str) -> SelectionError:
        """Refuse rows of one part of a partitioned variable."""
        return cls(
            f"{variable!r} is one part of the partitioned variable {whole!r}, whose rows cannot be "
            "chosen; freeze the parts whole"
        )

    @classmethod
    def rows_not_trainable(cls, variable: str) -> SelectionError:
        """Refuse rows of a variable that never learns."""
        return cls(f"{variable!r} is not trainable, so no row of it learns; leave the option out")

    @classmethod
    def frozen_and_trained(cls, variable: str, entries: str) -> SelectionError:
        """Name entries of a variable that one option freezes and another one trains."""
        return cls(
            f"{entries} of {variable!r} are both frozen and trained; take them out of one option"
        )

    @classmethod
    def nothing_frozen(cls) -> SelectionError:
        """Refuse a selection that leaves every variable as it was."""
        return cls("nothing is left to freeze after all exceptions; name a scope with --freeze")

    @classmethod
    def everything_frozen(cls, count: int) -> SelectionError:
        """Refuse a selection that leaves nothing to learn in ``count`` variables."""
        return cls(f"all {count:,} variables are frozen, nothing can learn; add an --except")

    @classmethod
    def unknown_tensor(cls, tensor: str, names: Iterable[str]) -> SelectionError:
        """Name a tensor that the graph does not have."""
        hint = _hint(tensor, names, "list names with 'graphfreeze show'")
        return cls(f"the graph has no tensor {tensor!r}{hint}")


class RewriteError(GraphfreezeError):
    """Say why a graph cannot be edited as its selection asks."""

    @classmethod
    def unmaskable_reader(cls, variable: str, node: str, *, op: str) -> RewriteError:
        """Name a node that reads a partly frozen variable in a way no mask fits."""
        return cls(
            f"node {node!r} reads {variable!r} with op {op}, which cannot be masked; "
            f"freeze {variable!r} whole or leave it trainable"
        )

    @classmethod
    def reader_in_loop(cls, variable: str, node: str) -> RewriteError:
        """Name a lookup inside a while loop, where no mask can be put yet."""
        return cls(
            f"node {node!r} reads rows of {variable!r} inside a while loop, where rows cannot be "
            f"masked; freeze {variable!r} whole or leave it trainable"
        )

    @classmethod
    def unguarded_writer(cls, variable: str, node: str, *, op: str) -> RewriteError:
        """Name a writer of a partly frozen variable that cannot be kept to some rows."""
        return cls(
            f"node {node!r} writes {variable!r} with op {op}, which cannot be kept to some rows; "
            f"choose another optimizer, or freeze {variable!r} whole"
        )

    @classmethod
    def broken_promise(cls, rewrite: str, reason: str) -> RewriteError:
        """Name the pass whose result is not what it promised, and what is wrong."""
        return cls(f"pass {rewrite!r} broke its promise: {reason}; nothing was written, report it")

    @classmethod
    def name_taken(cls, node: str) -> RewriteError:
        """Name a node that is to be added and is there already."""
        return cls(
            f"the graph already has a node {node!r}; was it frozen before? "
            "start again from the model it came from"
        )

    @classmethod
    def no_such_node(cls, node: str, names: Iterable[str]) -> RewriteError:
        """Name a node that an edit speaks of and the graph does not have."""
        hint = _hint(node, names, "list names with 'graphfreeze show'")
        return cls(f"the graph has no node {node!r} to edit{hint}")


class TrainError(GraphfreezeError):
    """Say why no train_op can be built."""

    @classmethod
    def no_loss(cls, candidates: Sequence[str] = ()) -> TrainError:
        """Refuse to train a graph whose ``losses`` collection is empty, and list what may be it."""
        offered = f"; it may be {_listed(candidates)}" if candidates else ""
        return cls(
            "the graph's collection 'losses' is empty; name the tensor with --loss, "
            f"or use --no-train-op{offered}"
        )

    @classmethod
    def doubtful_loss(cls, candidates: Sequence[str]) -> TrainError:
        """Name all tensors that could be the loss."""
        return cls(
            f"{len(candidates)} tensors could be the loss: {_all(candidates)}; choose with --loss, "
            "or sum them all with '--loss total'"
        )

    @classmethod
    def second_train_op(cls, name: str | None) -> TrainError:
        """Refuse a model that was given a train_op before."""
        return cls(f"the model has the train_op {name!r} already; freeze the original once more")

    @classmethod
    def loss_not_floating(cls, loss: str, *, dtype: str, op: str) -> TrainError:
        """Name a loss tensor that can have no gradient, by its type."""
        return cls(f"{loss!r} (op {op}, {dtype}) is no floating tensor; choose another --loss")

    @classmethod
    def unknown_argument(cls, optimizer: str, name: str, known: Sequence[str]) -> TrainError:
        """Name an argument that an optimizer does not take."""
        hint = _hint(name, known, f"choose from {_all(known)}")
        return cls(f"optimizer {optimizer!r} takes no argument {name!r}{hint}")

    @classmethod
    def no_learning_rate(cls, optimizer: str) -> TrainError:
        """Refuse an optimizer that has no learning rate of its own."""
        return cls(f"optimizer {optimizer!r} needs a learning rate; give one with --learning-rate")

    @classmethod
    def bad_learning_rate(cls, rate: float) -> TrainError:
        """Refuse a learning rate with which nothing is learnt."""
        return cls(f"learning rate {rate:g} is no positive number; give one as in 0.001")

    @classmethod
    def old_runtime(cls, version: str, *, needed: str) -> TrainError:
        """Name a TensorFlow that is too old."""
        return cls(f"TensorFlow {version} is too old; install {needed} or later")

    @classmethod
    def import_refused(cls, reason: str, *, version: str) -> TrainError:
        """Pass on why TensorFlow does not take the graph."""
        return cls(
            f"TensorFlow {version} refuses to import the graph: {reason.strip()[:400]}; "
            "use --no-train-op to rewrite it all the same"
        )

    @classmethod
    def unknown_loss(cls, loss: str, names: Iterable[str]) -> TrainError:
        """Name a loss tensor that the graph does not have."""
        hint = _hint(loss, names, "list names with 'graphfreeze show'")
        return cls(f"the graph has no tensor {loss!r} to take as the loss{hint}")

    @classmethod
    def nothing_to_train(cls, loss: str) -> TrainError:
        """Name a loss from which no gradient reaches a trainable variable."""
        return cls(f"loss {loss!r} reaches no trainable variable; choose --loss or freeze less")

    @classmethod
    def unknown_optimizer(cls, name: str, known: Iterable[str]) -> TrainError:
        """Name an optimizer that does not exist, and the nearest ones."""
        offered = sorted(known)
        return cls(f"no optimizer {name!r}{_hint(name, offered, f'choose from {_all(offered)}')}")

    @classmethod
    def missing_ops(cls, ops: Iterable[str], *, version: str) -> TrainError:
        """Name every op of the graph that this TensorFlow lacks."""
        return cls(
            f"TensorFlow {version} lacks ops of this graph: {_all(sorted(set(ops)))}; "
            "use a version that has them, or --no-train-op"
        )


class EmitError(GraphfreezeError):
    """Say why the result cannot be written."""

    @classmethod
    def out_exists(cls, out: PathLike) -> EmitError:
        """Name an output that is there already."""
        return cls(f"{out}: already exists; write elsewhere or replace it with --force")

    @classmethod
    def out_inside_input(cls, out: PathLike, source: PathLike) -> EmitError:
        """Name an output that would change the input."""
        return cls(f"{out}: lies inside the input {source}; write elsewhere")

    @classmethod
    def out_holds_input(cls, out: PathLike, source: PathLike) -> EmitError:
        """Name an output that would replace the input, or a folder around it."""
        return cls(
            f"{out}: is or holds the input {source}, which is never changed; write elsewhere"
        )

    @classmethod
    def other_kind(cls, out: PathLike) -> EmitError:
        """Name an output that is a folder where a file is to stand, or the other way round."""
        return cls(f"{out}: exists and is of another kind (folder or file); remove it yourself")

    @classmethod
    def no_parent(cls, out: PathLike) -> EmitError:
        """Name an output whose folder does not exist."""
        parent = os.path.dirname(os.path.abspath(out))
        return cls(f"{out}: the folder {parent} does not exist; create it first")

    @classmethod
    def no_checkpoint(cls, source: PathLike) -> EmitError:
        """Name an input without values, of which no bundle can be made."""
        return cls(
            f"{source}: no checkpoint to make a bundle from; give one, or write a graph file"
        )


def nearest_names(word: str, names: Iterable[str], *, most: int = 3) -> list[str]:
    """Find the names most like ``word``, best first; there may be none."""
    return get_close_matches(word, list(dict.fromkeys(names)), n=most)


def _hint(word: str, names: Iterable[str], otherwise: str) -> str:
    near = nearest_names(word, names)
    return f"; did you mean {', '.join(near)}?" if near else f"; {otherwise}"


def _with_scopes(names: Iterable[str]) -> Iterable[str]:
    """Yield each name after the scopes around it: ``a``, ``a/b``, ``a/b/c``."""
    for name in names:
        yield from accumulate(name.split("/"), "{}/{}".format)


def _all(names: Iterable[str]) -> str:
    return ", ".join(names)


def _listed(names: Sequence[str], *, most: int = 8) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return _all(islice(names, most)) + more


def _shape(shape: Sequence[int | None]) -> str:
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"
