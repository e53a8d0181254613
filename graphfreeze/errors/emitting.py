"""Say why the result cannot be written."""

from __future__ import annotations

import os

from graphfreeze.errors.base import GraphfreezeError, PathLike


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
