"""Say why a selection means nothing, or means two things, in this model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphfreeze.errors.base import GraphfreezeError, listed, shape_text, with_hint, with_scopes


class SelectionError(GraphfreezeError):
    """Say why a selection means nothing, or means two things, in this model."""

    @classmethod
    def nothing_matched(cls, pattern: str, names: Iterable[str]) -> SelectionError:
        """Name a pattern without a variable, and the nearest scopes and variables."""
        hint = with_hint(pattern, with_scopes(names), "list names with 'graphfreeze show'")
        return cls(f"pattern {pattern!r} matches no variable{hint}")

    @classmethod
    def bad_pattern(cls, pattern: str, reason: str) -> SelectionError:
        """Name a malformed pattern, and why it is one."""
        return cls(f"bad pattern {pattern!r}: {reason}")

    @classmethod
    def not_a_list(cls, text: str, *, option: str = "") -> SelectionError:
        """Refuse a bare text where patterns or names are listed: its letters would be meant."""
        where = f"{option}={text!r}" if option else repr(text)
        return cls(f"{where} is one text where a list is needed; write ({text!r},)")

    @classmethod
    def not_a_mapping(cls, option: str, value: object) -> SelectionError:
        """Refuse rows that do not say of which table."""
        return cls(
            f"{option}={value!r} is no mapping of tables to rows; write {{'embedding': '0:1000'}}"
        )

    @classmethod
    def several_matched(cls, pattern: str, names: Sequence[str]) -> SelectionError:
        """Name the variables of a pattern that has to pick a single one."""
        return cls(
            f"pattern {pattern!r} matches {len(names)} variables where one is needed: "
            f"{listed(names)}; write out one name"
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
            f"variable {variable!r} has shape {shape_text(shape)}, no table of rows; "
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
    def rows_of_complex(cls, variable: str, *, dtype: str) -> SelectionError:
        """Refuse rows of complex numbers: no mask and few sparse updates take them."""
        return cls(f"rows of {variable!r}, which is {dtype}, cannot be chosen; freeze it whole")

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
    def nothing_behind(cls, tensor: str) -> SelectionError:
        """Name a tensor to stop gradients at that no gradient comes through."""
        return cls(
            f"nothing takes the tensor {tensor!r} on to a loss, so no gradient can be stopped "
            "there; name one that lies before the loss"
        )

    @classmethod
    def unknown_tensor(cls, tensor: str, names: Iterable[str]) -> SelectionError:
        """Name a tensor that the graph does not have."""
        hint = with_hint(tensor, names, "list names with 'graphfreeze show'")
        return cls(f"the graph has no tensor {tensor!r}{hint}")

    @classmethod
    def tensor_is_variable(cls, tensor: str, variable: str) -> SelectionError:
        """Refuse a variable where a tensor is asked for: its gradient comes through its reads."""
        return cls(f"{tensor!r} is a variable; freeze it with --freeze {variable}")
