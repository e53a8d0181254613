"""Say why a freeze or a patch cannot be undone."""

from __future__ import annotations

from collections.abc import Sequence

from graphfreeze.errors.base import GraphfreezeError, PathLike, listed


class UndoError(GraphfreezeError):
    """Say why a freeze or a patch cannot be undone."""

    @classmethod
    def nothing_to_undo(cls, path: PathLike, bundle: PathLike | None = None) -> UndoError:
        """Name a model that graphfreeze did not write, and the bundle around it if there is one."""
        near = (
            f"it lies in a bundle: give {bundle}, the folder"
            if bundle is not None
            else "give a bundle or a .meta that 'graphfreeze freeze' or 'patch' wrote"
        )
        if str(path).endswith((".pb", ".pbtxt")):
            return cls(f"{path}: nothing says what it was made of, and a GraphDef cannot; {near}")
        return cls(f"{path}: nothing to undo, graphfreeze did not write it; {near}")

    @classmethod
    def was_thawed(cls, path: PathLike, source: PathLike) -> UndoError:
        """Name a model whose constants were thawed, and the file that has them still."""
        return cls(
            f"{path}: was thawed, which leaves nothing to undo: {source}, which it was made of, is "
            "the original; take that"
        )

    @classmethod
    def bad_mark(cls, path: PathLike, reason: str) -> UndoError:
        """Name a model whose collection of graphfreeze's says nothing, and why."""
        return cls(
            f"{path}: its 'graphfreeze' collection cannot be read ({reason}); "
            "give the file that graphfreeze wrote"
        )

    @classmethod
    def no_record(cls, path: PathLike, record: PathLike) -> UndoError:
        """Name a graph of a bundle whose record is gone."""
        return cls(
            f"{path}: {record} is not there, which says how to undo it; "
            "copy all files of the bundle"
        )

    @classmethod
    def record_changed(cls, record: PathLike) -> UndoError:
        """Name a record that is not the one that its graph was written with."""
        return cls(
            f"{record}: was changed, the graph was written with another one; "
            "copy all files of the bundle"
        )

    @classmethod
    def no_manifest(cls, path: PathLike, version: str) -> UndoError:
        """Name what an older graphfreeze wrote, which did not say how to undo it."""
        told = f"graphfreeze {version}" if version else "an older graphfreeze"
        return cls(
            f"{path}: {told} wrote it without a manifest to undo it by; "
            "start again from the model it came from"
        )

    @classmethod
    def bad_manifest(cls, path: PathLike, reason: str) -> UndoError:
        """Name a result whose manifest gives no original, and why."""
        return cls(f"{path}: its manifest is damaged ({reason}); copy the bundle or file again")

    @classmethod
    def written_anew(cls, path: PathLike, own: PathLike | None = None) -> UndoError:
        """Name a graph that is not as graphfreeze wrote it; ``own`` is the one beside it."""
        near = f"give {own}" if own is not None else "give the file that graphfreeze wrote"
        return cls(
            f"{path}: cannot be undone, it is not as graphfreeze wrote it: TensorFlow exports "
            f"a graph anew when it saves; {near}"
        )

    @classmethod
    def other_suffix(cls, out: PathLike, name: str, kind: str) -> UndoError:
        """Name an output whose suffix is not that of the original, and what that is."""
        return cls(
            f"{out}: the original is {name}, a {kind}; give OUT the suffix "
            f"{name[name.rindex('.') :]}"
        )

    @classmethod
    def not_trained(cls, bundle: PathLike, checkpoint: PathLike) -> UndoError:
        """Name a bundle that was not trained, and the checkpoint that it was written with."""
        return cls(
            f"{bundle}: no checkpoint that was trained, its 'checkpoint' file names none; give one "
            f"with --checkpoint, or {checkpoint} for the values it began with"
        )

    @classmethod
    def rows_were_added(cls, tables: Sequence[str], path: PathLike) -> UndoError:
        """Name tables that have more rows in a bundle than in the model it was made of."""
        return cls(
            f"{path}: rows were added to {listed(tables, most=3)} when this was frozen; "
            "give the same words with --add-words again"
        )

    @classmethod
    def keys_missing(cls, prefix: PathLike, keys: Sequence[str]) -> UndoError:
        """Name a checkpoint without values that the original graph keeps."""
        return cls(
            f"{prefix}: the checkpoint holds no {listed(keys, most=3)}, for the bundle was written "
            "without; leave out what keeps the old training, or give a checkpoint that has it"
        )
