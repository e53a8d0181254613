"""Say why a table cannot get more rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphfreeze.errors.base import shape_text, with_hint
from graphfreeze.errors.rewriting import RewriteError


class GrowError(RewriteError):
    """Say why a table cannot get more rows."""

    @classmethod
    def no_such_table(cls, name: str, names: Iterable[str]) -> GrowError:
        """Name a table that the model does not have."""
        hint = with_hint(name, names, "list names with 'graphfreeze show'")
        return cls(f"{name!r}, which is to get more rows, is no variable of the model{hint}")

    @classmethod
    def partitioned(cls, table: str) -> GrowError:
        """Refuse a table in parts: with more rows its ids would lie in other parts."""
        return cls(
            f"{table!r} is saved in parts and cannot get more rows: ids would move to other parts; "
            "merge the parts into one variable first"
        )

    @classmethod
    def no_rows(cls, table: str, shape: Sequence[int | None] | None) -> GrowError:
        """Refuse a variable that has no rows, or whose shape the graph does not say."""
        told = "unknown" if shape is None else shape_text(shape)
        return cls(f"{table!r} cannot get more rows, its shape is {told}; name a table of rows")

    @classmethod
    def no_rule(cls, table: str, node: str, *, op: str) -> GrowError:
        """Name a node that gets the table's height and is not known to bear another one."""
        return cls(
            f"node {node!r} takes {table!r} by its height with op {op}, which cannot grow along; "
            "take it out of the graph, or give new words rows that are free"
        )

    @classmethod
    def in_call(cls, table: str, node: str) -> GrowError:
        """Name a call that takes the table's height into a function."""
        return cls(
            f"node {node!r} takes {table!r} by its height into a function, and no height is "
            "followed there; give new words rows that are free"
        )

    @classmethod
    def fixed_size(cls, table: str, node: str, *, op: str, size: int) -> GrowError:
        """Name a node whose output has the table's height and cannot get another one."""
        return cls(
            f"node {node!r}, op {op}, is used with {table!r} and has {size:,} entries that cannot "
            "grow with it; make it a variable or placeholder with that axis first, or name the "
            "table of words"
        )

    @classmethod
    def fixed_slice(cls, table: str, node: str, *, op: str) -> GrowError:
        """Name a node that takes rows counted from the last, or up to it."""
        return cls(
            f"node {node!r}, op {op}, takes {table!r} up to its last row: new ones would be lost "
            "or shift others; leave the end open, or put the table last"
        )

    @classmethod
    def cannot_tell(cls, table: str, node: str, *, op: str) -> GrowError:
        """Name a node of which the graph does not say what it does to the height."""
        return cls(
            f"node {node!r}, op {op}: the graph does not say how the height of {table!r} goes "
            "through it; export the graph with shapes"
        )

    @classmethod
    def two_heights(cls, node: str, first: str, second: str) -> GrowError:
        """Name a node where heights meet that are to grow differently, or along two axes."""
        return cls(
            f"at node {node!r} the heights of {first!r} and {second!r} meet and do not grow alike; "
            "give both the same number of new rows"
        )

    @classmethod
    def shared_shape(cls, table: str, node: str, other: str) -> GrowError:
        """Name a computed shape that holds the table's height, and is used elsewhere too."""
        return cls(
            f"node {node!r} makes a shape with the height of {table!r}, and {other!r} takes it too "
            "for something that does not grow; compute that shape apart"
        )

    @classmethod
    def no_values(cls, table: str, count: int) -> GrowError:
        """Name a table whose initializer is a constant, so that new rows need given values."""
        return cls(
            f"{count:,} new rows of {table!r} have no value: its initializer is a constant of the "
            f"old height; give vectors of all new words with --vectors {table}=FILE"
        )
