"""How two models differ, as lines of text."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from graphfreeze.errors.base import count_text
from graphfreeze.model.diff_records import (
    ChangedRecord,
    DiffRecord,
    FunctionRecord,
    RewiredRecord,
)
from graphfreeze.report.columns import Row, columns
from graphfreeze.report.lines import facts, some_of

MOST = 12  # nodes that are told of each kind
MOST_INPUTS = 4
_MOST_TEXT, _CONTEXT = 40, 8  # characters of a value, and of what both sides begin with


def diff_lines(record: DiffRecord, *, verbose: bool = False) -> Iterator[Text]:
    """Yield what the second model has and the first has not, and the other way round."""
    yield from facts([("from", [record.first]), ("to", [record.second])])
    if record.is_empty:
        yield from (Text(), Text("no difference"))
        return
    most = None if verbose else MOST
    states: list[Row] = [
        (v.name, f"{v.before or 'absent'} -> {v.after or 'absent'}", v.rule)
        for v in record.variables
    ]
    yield from _section(f"{count_text(len(states), 'variable')} with another state", states, most)
    named = [("+ ", record.added, "added"), ("- ", record.removed, "removed")]
    for sign, nodes, what in named:
        rows: list[Row] = [(f"{sign}{node.name}", node.op) for node in nodes]
        yield from _section(f"{count_text(len(rows), 'node')} {what}", rows, most)
    yield from _section(
        f"{count_text(len(record.rewired), 'node')} rewired",
        [(f"~ {each.name}", _inputs(each)) for each in record.rewired],
        most,
    )
    yield from _section(
        f"{count_text(len(record.changed), 'node')} changed",
        [row for each in record.changed for row in _values(each)],
        most,
    )
    for function in record.functions:
        source = f", a copy of {function.source}" * (function.source != function.name)
        rows = list(_body_rows(function))
        title = f"function {function.name}{source}: {count_text(len(rows), 'difference')}"
        yield from _section(title, rows, most)
    counts = [f"{op} {count:+,}" for op, count in record.operations.items()]
    yield from _section("ops", [(each,) for each in some_of(counts, most)], None)
    for each in [*record.collections, *record.others]:
        entries = [*(f"+ {text}" for text in each.added), *(f"- {text}" for text in each.removed)]
        yield from _section(each.key, [(text,) for text in entries], most)


def _body_rows(function: FunctionRecord) -> Iterator[Row]:
    yield from ((f"+ {node.name}", node.op) for node in function.added)
    yield from ((f"- {node.name}", node.op) for node in function.removed)
    yield from ((f"~ {node.name}", _inputs(node)) for node in function.rewired)
    yield from (row for node in function.changed for row in _values(node))


def _section(title: str, rows: Sequence[Row], most: int | None) -> Iterator[Text]:
    if not rows:
        return
    yield from (Text(), Text(title, "bold"))
    shown = rows if most is None or len(rows) <= most else rows[:most]
    yield from columns([(f"  {first}", *rest) for first, *rest in shown])
    if len(shown) < len(rows):
        yield Text(f"  and {len(rows) - len(shown):,} more; --verbose tells all", "dim")


def _inputs(node: RewiredRecord) -> str:
    """Tell the inputs that are other ones; where the number differs, all of them."""
    if len(node.before) != len(node.after):
        gone = [each for each in node.before if each not in node.after]
        new = [each for each in node.after if each not in node.before]
        told = [*(f"+ {each}" for each in new), *(f"- {each}" for each in gone)]
        return ", ".join(some_of(told, MOST_INPUTS)) or "other order"
    pairs = zip(node.before, node.after, strict=True)
    told = [f"{old} -> {new}" for old, new in pairs if old != new]
    return ", ".join(some_of(told, MOST_INPUTS))


def _values(node: ChangedRecord) -> Iterator[Row]:
    for each in node.values:
        sides = [each.before or "", each.after or ""]
        pairs = enumerate(zip(*sides, strict=False))
        same = next((place for place, (a, b) in pairs if a != b), min(map(len, sides)))
        is_long = max(map(len, sides)) > _MOST_TEXT
        skipped = same - _CONTEXT if is_long and same > _MOST_TEXT // 2 else 0
        told = f"{_short(each.before, skipped)} -> {_short(each.after, skipped)}"
        yield f"~ {node.name}", f"{each.name}: {told}"


def _short(value: str | None, skipped: int) -> str:
    """Return a value, without its beginning if both sides have that, and cut where it is long."""
    if value is None:
        return "none"
    told = f"...{value[skipped:]}" if skipped else value
    return told if len(told) <= _MOST_TEXT else f"{told[: _MOST_TEXT - 3]}..."
