"""Say why the result cannot be written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from graphfreeze.errors.base import GraphfreezeError, PathLike, joined, listed, with_hint


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
    def no_checkpoint(cls, source: PathLike, variables: Sequence[str] = ()) -> EmitError:
        """Name an input without values, of which no bundle can be made, and what wants them."""
        is_saved_model = os.path.basename(os.fspath(source)).startswith("saved_model.")
        where = ", for there is no folder 'variables' beside it" if is_saved_model else ""
        what = f", which has the values of {listed(variables)}" if variables else ""
        return cls(
            f"{source}: no checkpoint to make a bundle from{where}{what}; give one, start from the "
            "initializers with --missing initialize, or write a graph file"
        )

    @classmethod
    def too_large(cls, source: PathLike, size: int) -> EmitError:
        """Name a model whose graph would be longer than a protobuf message may be."""
        return cls(
            f"{source}: the new graph would have {size:,} bytes, and TensorFlow reads none of 2 "
            "GiB or more; thaw its constants, so that the weights are in a checkpoint"
        )

    @classmethod
    def missing_assets(cls, folder: PathLike, names: Sequence[str]) -> EmitError:
        """Name the files that a SavedModel brings along and that are not there."""
        return cls(
            f"{folder}: the result needs {listed(names, most=50)} from here, missing; "
            "copy all of the SavedModel, or write a graph file"
        )

    @classmethod
    def asset_outside(cls, path: PathLike, names: Sequence[str]) -> EmitError:
        """Name assets whose names lead out of the folder that they are to lie in."""
        return cls(
            f"{path}: its assets {listed(names, most=3)} lead out of the folder 'assets', "
            "which no SavedModel does that TensorFlow wrote; write a graph file"
        )

    @classmethod
    def values_need_bundle(cls, out: PathLike, keys: Sequence[str]) -> EmitError:
        """Name a graph file, which has no checkpoint for values that the rewritten graph needs."""
        return cls(
            f"{out}: a graph file has no checkpoint for the values of {listed(keys)}; "
            "write a bundle: give OUT without a suffix"
        )

    @classmethod
    def also_needs_bundle(cls, out: PathLike, forms: Sequence[str]) -> EmitError:
        """Name an output that is one file, where other forms were asked for beside it."""
        return cls(
            f"{out}: {joined(forms)} go into a bundle beside its own files, and this is one file; "
            "give OUT without a suffix"
        )

    @classmethod
    def also_needs_freeze(cls, out: PathLike, forms: Sequence[str]) -> EmitError:
        """Name forms that were asked for of a model which was loaded, and nothing more."""
        return cls(
            f"{out}: {joined(forms)} go with what was frozen, and this model was only loaded; "
            "freeze it first, or export it"
        )

    @classmethod
    def no_such_form(cls, form: str, known: Iterable[str]) -> EmitError:
        """Name a form that no result is written in."""
        return cls(f"{form!r} is no form of a result; choose from {joined(known)}")

    @classmethod
    def not_a_bundle(cls, out: PathLike) -> EmitError:
        """Name a folder that holds something else than a bundle, and so is not replaced."""
        return cls(f"{out}: a folder that is no bundle and not empty; remove it yourself")

    @classmethod
    def out_is_link(cls, out: PathLike) -> EmitError:
        """Name an output that is a symbolic link: is the link to be replaced, or its target?"""
        return cls(f"{out}: is a symbolic link; remove it, or write to where it leads")

    @classmethod
    def out_in_use(cls, out: PathLike) -> EmitError:
        """Name an output that cannot be replaced: a mount point, or around the current folder."""
        return cls(
            f"{out}: is a mount point, or holds the current folder, and cannot be replaced; "
            "write elsewhere"
        )

    @classmethod
    def no_value(cls, variables: Sequence[str], reason: str) -> EmitError:
        """Name variables that the checkpoint does not hold, and why there is no other value."""
        return cls(
            f"the checkpoint holds no value of {joined(variables)}, and {reason.strip()[:300]}; "
            "give a checkpoint that holds it"
        )

    @classmethod
    def missing_ops(
        cls, ops: Sequence[str], variables: Sequence[str], *, version: str
    ) -> EmitError:
        """Name the ops, with what brings them, that initializers need and TensorFlow lacks."""
        return cls(
            f"TensorFlow {version} lacks ops that initialize {listed(variables)}: {joined(ops)}; "
            "load them with --op-library FILE.so"
        )

    @classmethod
    def other_value(cls, key: str, found: str, wanted: str) -> EmitError:
        """Name a key whose new value is of another type or shape than fits it."""
        return cls(
            f"{key!r} is to hold values of {found} where {wanted} fits; "
            "give values of that type and shape"
        )

    @classmethod
    def not_saved(cls, key: str, keys: Iterable[str]) -> EmitError:
        """Name a key that values are to go to or come from, and that the saver does not know."""
        hint = with_hint(key, keys, "let the model's saver keep that variable")
        return cls(f"the saver keeps nothing under {key!r}, whose value is needed{hint}")
