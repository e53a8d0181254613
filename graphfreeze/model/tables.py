"""Variables as they are saved: one of its own, or the parts of a partitioned one together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphfreeze.model.graph import Graph
from graphfreeze.model.saver import SaverOps, saved_variable
from graphfreeze.model.variables import Variable

Place = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A variable, and where it begins in the whole that it is a part of."""

    variable: Variable
    offset: Place


@dataclass(frozen=True, slots=True)
class Table:
    """A variable as it is saved; ``parts`` are in the order of their offsets.

    ``shape`` is that of the whole, None where the graph does not say."""

    name: str
    shape: tuple[int | None, ...] | None
    parts: tuple[Part, ...]

    @property
    def is_partitioned(self) -> bool:
        """Tell whether it was saved in parts."""
        return self.parts[0].variable.name != self.name

    @property
    def first(self) -> Variable:
        """The variable, or the first part: all have the same type."""
        return self.parts[0].variable


@dataclass(frozen=True, slots=True)
class _Slice:
    """What a saver or a VariableDef says of a part."""

    whole: str
    shape: Place
    offset: Place


def find_tables(
    graph: Graph, variables: Sequence[Variable], saver: SaverOps | None
) -> tuple[Table, ...]:
    """Return all variables, parts put together, in the order of the graph."""
    saved = dict(_saved_slices(graph, saver))
    parts: dict[str, list[Part]] = {}
    shapes: dict[str, Place] = {}
    tables: dict[str, Table] = {}
    for variable in variables:
        piece = _defined_slice(variable) or saved.get(variable.name)
        if piece is None:
            whole = Part(variable, (0,) * len(variable.shape or ()))
            tables[variable.name] = Table(variable.name, variable.shape, (whole,))
            continue
        parts.setdefault(piece.whole, []).append(Part(variable, piece.offset))
        shapes[piece.whole] = piece.shape
        ordered = tuple(sorted(parts[piece.whole], key=lambda part: part.offset))
        tables[piece.whole] = Table(piece.whole, shapes[piece.whole], ordered)
    return tuple(tables.values())


def _defined_slice(variable: Variable) -> _Slice | None:
    """Return what the VariableDef says."""
    if not variable.partition_of or variable.definition is None:
        return None
    info = variable.definition.save_slice_info_def
    return _Slice(str(info.full_name), tuple(info.full_shape), tuple(info.var_offset))


def _saved_slices(graph: Graph, saver: SaverOps | None) -> Iterator[tuple[str, _Slice]]:
    """Yield variables that a saver keeps as slices: ``11 4 4,4:0,4`` is shape, offsets, lengths."""
    for entry in saver.all_entries() if saver is not None else ():
        name = saved_variable(graph, entry.tensor)
        if not entry.slice or name is None:
            continue
        *full, spans = entry.slice.split(" ")
        shape = tuple(map(int, full))
        pieces = zip(spans.split(":"), shape, strict=True)
        offsets = tuple(0 if span == "-" else int(span.split(",")[0]) for span, _ in pieces)
        yield name, _Slice(entry.key, shape, offsets)
