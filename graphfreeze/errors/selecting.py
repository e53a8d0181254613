"""Say why a selection means nothing, or means two things, in this model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from graphfreeze.errors.base import GraphfreezeError, listed, shape_text, with_hint, with_scopes


class SelectionError(GraphfreezeError):
    """Say why a selection means nothing, or means two things, in this model."""

    @classmethod
    def no_variables(cls, *, has_weights: bool) -> SelectionError:
        """Say that there is nothing to choose from, unless constants are weights."""
        if not has_weights:
            return cls(
                "the graph has no variables to choose, and no constants that are taken as weights "
                "are; name another model"
            )
        return cls(
            "the graph has no variables to choose, its weights are constants; make them variables "
            "again with 'graphfreeze thaw'"
        )

    @classmethod
    def nothing_matched(cls, pattern: str, names: Iterable[str]) -> SelectionError:
        """Name a pattern without a variable, and the nearest scopes and variables."""
        known = list(with_scopes(names))
        inner = pattern.removeprefix("*/")
        hint = with_hint(pattern, known, "list names with 'graphfreeze show'")
        if not known:
            hint = ": there is none; 'graphfreeze thaw' makes variables of a frozen graph's weights"
        if any(name.endswith(f"/{inner}") for name in known):
            hint = f", for it begins at the root; did you mean '**/{inner}'?"
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
    def bad_rows(
        cls, text: str, reason: str, *, variable: str, noun: str = "rows"
    ) -> SelectionError:
        """Name text for rows or columns that cannot be read, and why."""
        return cls(f"bad {noun} {text!r} for {variable!r}: {reason}; write '0:1000,1012,-5:'")

    @classmethod
    def rows_out_of_range(
        cls, piece: str, height: int, *, variable: str, noun: str = "rows"
    ) -> SelectionError:
        """Name a row or a bound that lies outside of a table with ``height`` rows."""
        return cls(
            f"{noun} {piece!r} lie outside {variable!r}, which has {height:,} {noun}; "
            f"they run from 0 to {height - 1}"
        )

    @classmethod
    def no_row_selected(
        cls, piece: str, height: int, *, variable: str, noun: str = "rows"
    ) -> SelectionError:
        """Name a range that is empty in a table with ``height`` rows."""
        return cls(
            f"{noun} {piece!r} select none of {variable!r}, which has {height:,} {noun}; "
            "ranges are start:stop without the stop"
        )

    @classmethod
    def no_rows_to_choose(cls, variable: str, shape: Sequence[int | None] | None) -> SelectionError:
        """Name a variable whose shape has no rows, or is not known: None."""
        told = "a shape that the graph does not tell"
        told = told if shape is None else f"shape {shape_text(shape)}"
        return cls(
            f"variable {variable!r} has {told}, no table of rows; freeze it whole, by its name"
        )

    @classmethod
    def rows_of_a_part(cls, variable: str, whole: str) -> SelectionError:
        """Refuse rows of one part of a partitioned variable."""
        return cls(
            f"{variable!r} is one part of the partitioned variable {whole!r}; name {whole!r}, "
            "whose rows are counted over all parts"
        )

    @classmethod
    def no_columns(cls, variable: str, shape: Sequence[int | None]) -> SelectionError:
        """Name a variable that has no columns besides its rows."""
        return cls(
            f"variable {variable!r} has shape {shape_text(shape)}, without columns; "
            "choose its entries with --freeze-rows"
        )

    @classmethod
    def bad_array(cls, path: str, reason: str, *, variable: str, option: str) -> SelectionError:
        """Name a file that holds no array, and why."""
        return cls(
            f"{path}: no array for --{option} {variable} ({reason.strip()[:200]}); "
            "write one with numpy.save"
        )

    @classmethod
    def mask_not_bool(cls, where: str, *, variable: str, dtype: str) -> SelectionError:
        """Refuse a mask of numbers: is 1 frozen or trainable?"""
        return cls(
            f"{where}: the mask for {variable!r} is {dtype} and must be bool, True for what is "
            "frozen; convert it with array.astype(bool)"
        )

    @classmethod
    def mask_shape(
        cls,
        where: str,
        shape: Sequence[int],
        needed: Sequence[int],
        *,
        variable: str,
    ) -> SelectionError:
        """Name a mask that does not fit its variable."""
        return cls(
            f"{where}: the mask has shape {shape_text(shape)}, which does not broadcast to "
            f"{shape_text(needed)} of {variable!r}; save one of that shape, or with axes of size 1"
        )

    @classmethod
    def scale_shape(
        cls, where: str, shape: Sequence[int], height: int, *, variable: str
    ) -> SelectionError:
        """Name factors that are not one a row."""
        return cls(
            f"{where}: the factors have shape {shape_text(shape)}, and {variable!r} needs one a "
            f"row, {shape_text([height])}"
        )

    @classmethod
    def scale_not_numbers(cls, where: str, *, variable: str, dtype: str) -> SelectionError:
        """Refuse factors that are no real numbers."""
        return cls(f"{where}: factors for {variable!r} must be numbers in [0, 1], not {dtype}")

    @classmethod
    def scale_outside(cls, where: str, row: int, value: float, *, variable: str) -> SelectionError:
        """Name the first factor that is no part of a gradient."""
        return cls(
            f"{where}: the factor of row {row} of {variable!r} is {value:g}; "
            "factors lie in [0, 1], where 0 freezes a row"
        )

    @classmethod
    def overlay_of_entries(cls, variable: str) -> SelectionError:
        """Refuse to overlay anything but whole rows."""
        return cls(
            f"--row-strategy overlay keeps whole rows, and columns, elements or factors are chosen "
            f"of {variable!r}; use the strategy mask"
        )

    @classmethod
    def given_twice(cls, option: str, variable: str) -> SelectionError:
        """Name a table that two patterns of one option name, where one value is needed."""
        return cls(f"--{option} is given twice for {variable!r}; leave one out")

    @classmethod
    def no_vocabulary(cls, variable: str) -> SelectionError:
        """Ask for the words of a table."""
        return cls(f"words of {variable!r} need its vocabulary; add --vocab {variable}=vocab.txt")

    @classmethod
    def long_vocabulary(cls, path: str, size: int, height: int, *, variable: str) -> SelectionError:
        """Name a vocabulary that is not a table's: it has more words than the table rows."""
        return cls(
            f"{path}: has {size:,} ids, and {variable!r} has {height:,} rows; "
            "is it the vocabulary of another table?"
        )

    @classmethod
    def doubtful_partition(cls, variable: str, found: Mapping[str, str]) -> SelectionError:
        """Name lookups that do not tell how ids are spread over the parts of a table."""
        told = [f"{name} ({strategy or 'unknown'})" for name, strategy in found.items()]
        what = (
            f"its lookups do not agree: {listed(told)}"
            if told
            else "no lookup outside of functions tells"
        )
        return cls(
            f"which ids the parts of {variable!r} hold cannot be told, {what}; "
            "add --partition mod or --partition div"
        )

    @classmethod
    def other_partition(
        cls, variable: str, found: Mapping[str, str], *, given: str
    ) -> SelectionError:
        """Name lookups that spread ids over the parts of a table in another way than is said."""
        other = next(iter(found.values()))
        return cls(
            f"--partition {given}, but the lookups of {variable!r} spread ids by {other}: "
            f"{listed(list(found), most=2)}; leave the option out"
        )

    @classmethod
    def unknown_choice(cls, option: str, value: object, allowed: Iterable[str]) -> SelectionError:
        """Name a value that an option does not have."""
        values = ", ".join(repr(each) for each in allowed)
        return cls(f"{option}={value!r} is none of {values}")

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
        return cls(
            "nothing is left to freeze after all exceptions, masks and factors; "
            "name a scope with --freeze"
        )

    @classmethod
    def everything_frozen(cls, count: int) -> SelectionError:
        """Refuse a selection that leaves nothing to learn in ``count`` variables."""
        told = "the only variable is" if count == 1 else f"all {count:,} variables are"
        return cls(f"{told} frozen, nothing can learn; add an --except")

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
