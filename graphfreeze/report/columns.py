"""Rows of text in columns: as wide as they need to be, nothing is ever cut off."""

from collections.abc import Iterable, Iterator, Sequence

from rich.text import Text

from graphfreeze.errors.base import count_text as count_text
from graphfreeze.model.records import VariableRecord

GAP = 2
Row = Sequence[str | Text]


def columns(rows: Iterable[Row], *, right: Iterable[int] = ()) -> Iterator[Text]:
    """Yield lines of aligned cells; ``right`` are the columns aligned to the right."""
    table = [[_text(cell) for cell in row] for row in rows]
    widths = [max(cell.cell_len for cell in column) for column in zip(*table, strict=True)]
    shown, rightward = [i for i, width in enumerate(widths) if width], set(right)
    for row in table:
        line = Text()
        for i in shown:
            fill = " " * (widths[i] - row[i].cell_len)
            cells = (fill, row[i]) if i in rightward else (row[i], fill)
            line.append_text(Text.assemble(*cells, " " * GAP))
        line.rstrip()
        yield line


def _text(cell: str | Text) -> Text:
    return cell if isinstance(cell, Text) else Text(cell)


def shape_text(variable: VariableRecord) -> str:
    """Write a shape: ``[1000, ?]``."""
    if variable.shape is None:
        return "unknown"
    return "[" + ", ".join("?" if size is None else str(size) for size in variable.shape) + "]"


def share_text(part: int, whole: int) -> str:
    """Write a percentage that is 0 or 100 only if it is exactly that."""
    if not whole:
        return ""
    share = part / whole
    if 0 < share < 0.001:
        return "<0.1%"
    return ">99.9%" if 0.999 < share < 1 else f"{share:.1%}"


def size_text(size: int) -> str:
    """Write a number of bytes: ``62.5 KiB``."""
    if size < 1024:
        return count_text(size, "byte")
    amount, unit = size / 1024, "KiB"
    for larger in ("MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.1f} {unit}"
