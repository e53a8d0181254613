"""Say why a model cannot get a head."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphfreeze.errors.base import PathLike, joined, listed, shape_text, with_hint
from graphfreeze.errors.rewriting import RewriteError


class HeadError(RewriteError):
    """Say why a model cannot get a head."""

    @classmethod
    def unknown_kind(cls, kind: str, kinds: Iterable[str]) -> HeadError:
        """Name a kind of head that there is not, and those that there are."""
        hint = with_hint(kind, kinds, f"choose from {joined(kinds)}")
        return cls(f"{kind!r} is no kind of head{hint}")

    @classmethod
    def bad_count(cls, what: str, value: object, *, least: int) -> HeadError:
        """Name a number of classes or features that is none."""
        noun = "class" if what == "classes" and repr(value) == "1" else what
        return cls(f"a head of {value!r} {noun}; give a whole number from {least} on")

    @classmethod
    def no_classes(cls, kind: str) -> HeadError:
        """Ask how many classes there are."""
        return cls(f"a {kind} head needs the number of its classes; give --classes N")

    @classmethod
    def bad_name(cls, name: str) -> HeadError:
        """Name what TensorFlow does not take for a scope."""
        return cls(
            f"{name!r} is no name for a head; give one of letters, digits, '_', '.' and '-', "
            "which begins with a letter or digit, with --head-name"
        )

    @classmethod
    def scope_taken(cls, name: str, free: str) -> HeadError:
        """Name a scope that has nodes already, and the nearest one that has none."""
        return cls(f"the graph has nodes named {name!r} already; give --head-name {free}")

    @classmethod
    def unknown_tensor(cls, at: str, names: Iterable[str]) -> HeadError:
        """Name what is neither a tensor nor a node of the graph."""
        known, word = list(names), at.partition(":")[0].lower()
        holding = [each for each in known if word and word in each.rpartition("/")[2].lower()]
        otherwise = "give --at as node or node:port"
        if holding:
            otherwise = f"did you mean {joined(sorted(holding, key=len)[:3])}?"
        hint = with_hint(at, known, otherwise)
        return cls(f"{at!r}, which is to get a head, is no tensor of the graph{hint}")

    @classmethod
    def not_floating(cls, at: str, dtype: str, *, op: str) -> HeadError:
        """Name a tensor that no layer can be laid on, its type and its op."""
        return cls(
            f"{at!r} (op {op}) is {dtype}, and a head needs a tensor of floats; name the one that "
            "holds the features"
        )

    @classmethod
    def is_variable(cls, at: str) -> HeadError:
        """Name a tensor that is a variable itself, or a reference to one."""
        return cls(
            f"{at!r} is a reference to a variable, and no output of the model; name the tensor "
            "that holds the features"
        )

    @classmethod
    def no_batch(cls, at: str, shape: Sequence[int | None]) -> HeadError:
        """Name a tensor whose shape has no room for a batch and features."""
        return cls(
            f"{at!r} has shape {shape_text(shape)}, and a head needs a batch of features, "
            "[batch, ...]; name a tensor of two axes or more"
        )

    @classmethod
    def no_features(cls, at: str, shape: Sequence[int | None] | None) -> HeadError:
        """Name a tensor of which the graph does not say how many numbers an example has."""
        told = "unknown" if shape is None else shape_text(shape)
        return cls(
            f"{at!r}: the graph does not say how many features it has, its shape is {told}; give "
            "their number with --features N"
        )

    @classmethod
    def other_features(cls, at: str, given: int, found: int) -> HeadError:
        """Name a tensor that has another number of features than was given."""
        return cls(
            f"{at!r} has {found:,} features, not {given:,}; leave --features out, or name "
            "another tensor"
        )

    @classmethod
    def not_always_run(cls, at: str) -> HeadError:
        """Name a tensor inside a loop, or on a branch that may not be taken."""
        return cls(
            f"{at!r} lies inside a while loop or on a branch of a cond, where no loss can take it; "
            "name what comes out of it (an Exit, a Merge, or what takes those)"
        )

    @classmethod
    def other_head(cls, before: str, differing: Sequence[str], path: PathLike) -> HeadError:
        """Name the head that a bundle has, and what is to be another than in it."""
        return cls(
            f"{path}: has the head {before!r} already, with another {listed(differing)}; leave "
            "--head out to go on with it, or take it back first with 'graphfreeze undo'"
        )
