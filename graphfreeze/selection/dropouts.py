"""Which dropouts are turned off."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from graphfreeze.model.dropouts import RANDOM, Dropout, dropouts_in_functions, find_dropouts
from graphfreeze.model.graph import Graph
from graphfreeze.model.unfolding import unfold
from graphfreeze.selection.choice import Choice
from graphfreeze.selection.scopes import Scopes

OFF = "off"
_MOST_NAMES = 5


@dataclass(frozen=True)
class Dropouts:
    """The nodes of the dropouts that are turned off, and notes of what stays random."""

    off: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def turn_off(choices: Mapping[str, Choice], graph: Graph, dropout: str) -> Dropouts:
    """Return the dropouts in scopes where all that can learn is frozen, if they are asked off."""
    if dropout != OFF:
        return Dropouts()
    scopes, told = Scopes(choices.values()), unfold(graph)
    found = [*find_dropouts(graph), *dropouts_in_functions(told)]
    off = [each for each in found if scopes.is_frozen(each.node)]
    notes = []
    if len(off) < len(found):
        count = len(found) - len(off)
        notes.append(
            f"--dropout off: {count:,} of {len(found):,} dropouts lie in no frozen scope and stay"
        )
    left = list(_still_random(told.graph, scopes, off))
    if left:
        more = len(left) - _MOST_NAMES
        names = ", ".join(left[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
        notes.append(
            f"--dropout off: in frozen scopes these still draw, for no known dropout: {names}"
        )
    return Dropouts(tuple(each.node for each in off), tuple(notes))


def _still_random(graph: Graph, scopes: Scopes, off: Iterable[Dropout]) -> Iterator[str]:
    """Yield what draws in a frozen scope, for something else than a variable's first value."""
    known = {each.drawn for each in off}
    for name in graph.nodes:
        if graph.op(name) in RANDOM and name not in known and scopes.is_frozen(name):
            behind = graph.descendants([name], data_only=True)
            if not any(graph.op(each).startswith("Assign") for each in behind):
                yield name
