"""Say why the input cannot be read as a model."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from graphfreeze.errors.base import (
    GraphfreezeError,
    PathLike,
    count_text,
    listed,
    with_hint,
    with_scopes,
)


def _lacking_text(lacking: Mapping[str, Sequence[str]]) -> str:
    """Return how many keys are not there, which, and the names like each."""
    told = [f"{k!r} (like {', '.join(near)})" if near else repr(k) for k, near in lacking.items()]
    return f"lacks {count_text(len(lacking), 'key')}: {', '.join(told)}"


def _unused_text(unused: Sequence[str], slots: int) -> str:
    """Return how many keys are not taken, and which while the list is short."""
    told = [f"{count_text(len(unused), 'key')}: {listed(unused)}"] if unused else []
    if slots:
        told.append(f"{count_text(slots, 'key')} of an old training")
    return " and ".join(told)


class LoadError(GraphfreezeError):
    """Say why the input cannot be read as a model."""

    @classmethod
    def no_such_file(cls, path: PathLike, *, beside: Iterable[str] = ()) -> LoadError:
        """Name a missing input; ``beside`` are the file names in its folder."""
        name = os.path.basename(os.fspath(path))
        return cls(f"{path}: no such file or folder{with_hint(name, beside, 'check the path')}")

    @classmethod
    def bad_context(cls, path: PathLike, key: str, number: int) -> LoadError:
        """Name an entry of a collection of contexts that is none."""
        return cls(
            f"{path}: entry {number} of the collection {key!r} is damaged; give the GraphDef alone "
            "(.pb): contexts are then recovered from its nodes"
        )

    @classmethod
    def no_function(
        cls, path: PathLike, node: str, function: str, names: Iterable[str]
    ) -> LoadError:
        """Name a node that calls a function which the library does not hold."""
        hint = with_hint(function, names, "the graph holds none of that name; save it again")
        return cls(f"{path}: node {node!r} calls function {function!r}, which is missing{hint}")

    @classmethod
    def bad_op_library(cls, path: PathLike, reason: str) -> LoadError:
        """Name a file that TensorFlow cannot load as a library of ops, and why."""
        return cls(
            f"{path}: no library of ops that this TensorFlow can load ({reason.strip()[:300]}); "
            "build it for this version"
        )

    @classmethod
    def unreadable(cls, path: PathLike, reason: str) -> LoadError:
        """Pass on why the system refuses to read a file."""
        return cls(f"{path}: cannot be read ({reason}); name a file, or check its permissions")

    @classmethod
    def not_a_graph(cls, path: PathLike, reason: str) -> LoadError:
        """Name a file that parses as no kind of graph, and why."""
        wanted = "a GraphDef, a MetaGraphDef or a SavedModel, binary or text"
        return cls(f"{path}: not a graph ({reason}); give {wanted}")

    @classmethod
    def something_else(cls, path: PathLike, told: str) -> LoadError:
        """Name a file that is known for something else than a graph, and what to do."""
        return cls(f"{path}: no graph but {told}")

    @classmethod
    def too_large(cls, path: PathLike, size: int) -> LoadError:
        """Name a file that is longer than a protobuf message may be, and its size in bytes."""
        return cls(
            f"{path}: {size:,} bytes, and TensorFlow reads no graph of 2 GiB or more; save the "
            "weights in a checkpoint, not as constants of the graph"
        )

    @classmethod
    def of_tensorflow_2(cls, path: PathLike) -> LoadError:
        """Name a SavedModel of objects and functions, which no TF 1 graph can be had of."""
        return cls(
            f"{path}: a SavedModel of TensorFlow 2, of objects and functions where a graph of "
            "TensorFlow 1 is needed; freeze there (layer.trainable = False), or give the original"
        )

    @classmethod
    def truncated(cls, path: PathLike, reason: str, *, size: int) -> LoadError:
        """Name a file that ends in mid-message, where it breaks, and its size in bytes."""
        return cls(f"{path}: truncated or damaged ({size:,} bytes; {reason}); copy it again")

    @classmethod
    def no_checkpoint(cls, path: PathLike) -> LoadError:
        """Name a place where a checkpoint was needed and none lies."""
        return cls(f"{path}: no checkpoint here; give its prefix, as in 'model.ckpt-1000'")

    @classmethod
    def no_checkpoint_state(cls, folder: PathLike, *, near: Sequence[PathLike] = ()) -> LoadError:
        """Name a folder in which nothing says what the model is; ``near`` are folders that do."""
        others = listed(list(map(str, near)), most=3)
        hint = f"did you mean {others}?" if near else "give the .meta or .pb file itself"
        return cls(f"{folder}: a folder without a 'checkpoint' file or saved_model.pb; {hint}")

    @classmethod
    def bad_checkpoint_state(cls, state: PathLike) -> LoadError:
        """Name a ``checkpoint`` file without a checkpoint in it."""
        return cls(f"{state}: names no model_checkpoint_path; give the checkpoint's prefix instead")

    @classmethod
    def checkpoint_gone(
        cls, state: PathLike, named: PathLike, *, others: Sequence[PathLike]
    ) -> LoadError:
        """Name the checkpoint that a ``checkpoint`` file names and that is nowhere.

        ``others`` are those that are there."""
        near = "copy it there, or give the prefix of another"
        if others:
            near = f"there is {listed(list(map(str, others)), most=3)}: give that prefix"
        return cls(f"{state}: names {named}, no such file there or beside it; {near}")

    @classmethod
    def no_meta(cls, prefix: PathLike) -> LoadError:
        """Name a checkpoint without the graph that wrote it."""
        return cls(f"{prefix}: no {prefix}.meta beside the checkpoint; give the graph's own file")

    @classmethod
    def no_shard(cls, prefix: PathLike, shard: PathLike) -> LoadError:
        """Name a data file that the checkpoint's index speaks of and that is not there."""
        return cls(f"{prefix}: its data file {shard} is missing; copy all files of the checkpoint")

    @classmethod
    def short_shard(cls, prefix: PathLike, shard: PathLike, *, size: int, needed: int) -> LoadError:
        """Name a data file that is cut off, its size and the size that the index speaks of."""
        return cls(
            f"{prefix}: its data file {shard} has {size:,} bytes of {needed:,}; "
            "copy all files of the checkpoint"
        )

    @classmethod
    def no_such_key(cls, key: str, keys: Iterable[str], *, prefix: PathLike) -> LoadError:
        """Name a variable that the checkpoint does not hold."""
        hint = with_hint(key, keys, "give the checkpoint that belongs to this graph")
        return cls(f"{prefix}: the checkpoint holds no {key!r}{hint}")

    @classmethod
    def bad_checkpoint(cls, prefix: PathLike, reason: str) -> LoadError:
        """Pass on why a checkpoint cannot be read."""
        return cls(f"{prefix}: the checkpoint cannot be read ({reason.strip()[:300]})")

    @classmethod
    def bad_rename(cls, text: str, reason: str) -> LoadError:
        """Name a rename that says nothing, and why."""
        return cls(f"bad rename {text!r}: {reason}; write OLD=NEW, as in 'bert=model/bert'")

    @classmethod
    def rename_matches_nothing(cls, text: str, old: str, keys: Iterable[str]) -> LoadError:
        """Name a rename that is for no key of the checkpoint, and the nearest keys and scopes."""
        hint = with_hint(old, with_scopes(keys), "OLD is a name in the checkpoint")
        return cls(f"rename {text!r} matches no key of the checkpoint{hint}")

    @classmethod
    def rename_collides(cls, name: str, keys: Sequence[str]) -> LoadError:
        """Name the keys of a checkpoint that would go by one name."""
        return cls(
            f"{' and '.join(map(repr, keys))} of the checkpoint would both be {name!r}; "
            "give one of them another name with --rename"
        )

    @classmethod
    def nothing_to_rename(cls, path: PathLike) -> LoadError:
        """Name a model without a checkpoint whose keys could be renamed."""
        return cls(f"{path}: has no checkpoint to rename keys of; give one with --checkpoint")

    @classmethod
    def bad_constant(cls, node: str, reason: str, *, path: PathLike) -> LoadError:
        """Name a Const whose value fits neither its type nor its shape, and why."""
        told = " ".join(reason.split())[:300]
        return cls(f"{path}: the value of {node!r} cannot be read ({told}); leave it a constant")

    @classmethod
    def unreadable_values(cls, key: str, reason: str, *, prefix: PathLike) -> LoadError:
        """Name a variable of a checkpoint whose values are no array, and why."""
        return cls(f"{prefix}: the values of {key!r} cannot be read ({reason}); leave it out")

    @classmethod
    def does_not_fit(
        cls,
        prefix: PathLike,
        *,
        lacking: Mapping[str, Sequence[str]],
        others: Sequence[str],
        unused: Sequence[str] = (),
        slots: int = 0,
        rename: tuple[str, str] | None = None,
    ) -> LoadError:
        """Name all that a checkpoint lacks, each with names like it, and what is different there.

        ``unused`` are its keys that no variable takes, besides ``slots`` of a training; ``rename``
        maps them to what is lacking."""
        told = [_lacking_text(lacking)] if lacking else []
        if others:
            told.append(f"has {', '.join(others)}")
        if unused or slots:
            told.append(f"holds for no variable {_unused_text(unused, slots)}")
        todo = [f"--rename {'='.join(rename or ('OLD', 'NEW'))}"] if lacking else []
        todo += ["--missing initialize"] if lacking else []
        todo += ["--checkpoint-exclude P"] if others else []
        return cls(
            f"{prefix}: the checkpoint does not fit the graph: it {'; '.join(told)}; "
            f"give {', '.join(todo)}, or the checkpoint of this graph"
        )

    @classmethod
    def no_such_tags(
        cls, path: PathLike, tags: Sequence[str] | None, *, known: Sequence[Sequence[str]]
    ) -> LoadError:
        """Name a tag set that picks no graph, or no single one, of those that a file has.

        ``tags`` are None if none were given; ``known`` are the tag sets of all graphs."""
        sets = dict.fromkeys(",".join(each) for each in known)
        offered = listed([f"--tags {each}" if each else "--tags ''" for each in sets])
        if tags is None and len(sets) > 1:
            return cls(f"{path}: holds {len(known)} graphs; choose one with {offered}")
        alike = sum(tags is None or set(each) == set(tags) for each in known)
        if alike > 1:
            return cls(
                f"{path}: {alike} of its {len(known)} graphs have the same tags, and nothing "
                "tells them apart; give a file that holds one of them"
            )
        what = f"tags {','.join(tags or ())!r} are of none"
        if len(known) == 1:
            return cls(f"{path}: {what} of its graphs; leave them out, or give {offered}")
        return cls(f"{path}: {what} of its {len(known)} graphs; choose from {offered}")

    @classmethod
    def already_frozen(cls, path: PathLike) -> LoadError:
        """Name an input that graphfreeze itself wrote."""
        return cls(
            f"{path}: already a graphfreeze bundle; freeze it anew with --refreeze, take back what "
            "was done with 'graphfreeze undo', or start again from the model it came from"
        )

    @classmethod
    def not_saved(cls) -> LoadError:
        """Refuse what was thawed, frozen or patched where a loaded model is wanted."""
        return cls(
            "this model was changed and is not saved yet; write it with graphfreeze.save(model, "
            "OUT), and take graphfreeze.load(OUT)"
        )
