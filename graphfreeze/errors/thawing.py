"""Say why constants cannot become variables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphfreeze.errors.base import GraphfreezeError, PathLike, count_text, listed, with_hint

_LIST = "list what there is with 'graphfreeze thaw MODEL --dry-run -v'"


class ThawError(GraphfreezeError):
    """Say why constants cannot become variables."""

    @classmethod
    def nothing_to_thaw(
        cls, path: PathLike, *, variables: int, constants: Sequence[str]
    ) -> ThawError:
        """Name a graph without a constant that looks like a weight, and its floating constants."""
        if variables:
            return cls(
                f"{path}: nothing to thaw, its weights are variables already "
                f"({count_text(variables, 'variable')}); choose from them with 'graphfreeze freeze'"
            )
        if not constants:
            return cls(f"{path}: nothing to thaw, it has no variables and no floating constants")
        return cls(
            f"{path}: no constant is taken as a weight is; if some are weights, name them with "
            f"--constants, from {listed(constants)}"
        )

    @classmethod
    def quantized(cls, path: PathLike, ops: Sequence[str]) -> ThawError:
        """Name a graph whose weights are whole numbers, which cannot learn, by its ops."""
        return cls(
            f"{path}: computes with quantized weights ({listed(ops, most=3)}), which cannot learn; "
            "thaw the graph that it was made from, or name floating constants with --constants"
        )

    @classmethod
    def no_constant(cls, pattern: str, names: Iterable[str]) -> ThawError:
        """Name a pattern that matches no constant."""
        return cls(f"pattern {pattern!r} matches no constant{with_hint(pattern, names, _LIST)}")

    @classmethod
    def not_numbers(cls, name: str, dtype: str) -> ThawError:
        """Name a constant of a type that no variable of a checkpoint has."""
        return cls(f"constant {name!r} is of type {dtype}, no number; take it out of --constants")

    @classmethod
    def inside(cls, name: str) -> ThawError:
        """Name a constant that runs inside a loop or a branch, where a variable cannot stand."""
        return cls(
            f"constant {name!r} is made inside a loop or a branch, where no variable can stand; "
            "take it out of --constants"
        )

    @classmethod
    def is_written(cls, name: str, op: str) -> ThawError:
        """Name a constant that an op takes as a ref, and that so cannot be a resource."""
        return cls(
            f"constant {name!r} is written by {op}, which takes a ref; thaw with --variables ref"
        )

    @classmethod
    def is_named(cls, name: str, where: str) -> ThawError:
        """Name a constant that something outside of the graph asks for by name."""
        return cls(
            f"{where} names {name}:0, which would be the handle of a resource; "
            "thaw with --variables ref, or take it out of --constants"
        )

    @classmethod
    def key_taken(cls, name: str, variable: str) -> ThawError:
        """Name a constant whose name is the checkpoint's key of another variable."""
        return cls(
            f"the saver keeps {variable!r} under the key {name!r}, so the constant of that name "
            "cannot be saved; take it out of --constants"
        )
