"""Variables as a tree of scopes, in which what repeats is told once."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from graphfreeze.model.records import VariableRecord
from graphfreeze.report.lines import is_whole

SLOT = "slot"
_NUMBERED = re.compile(r"(|.*?\D)(0|[1-9]\d*)(\D*)")
_Entry = tuple[Sequence[str], VariableRecord]


@dataclass(frozen=True, slots=True)
class Branch:
    """A piece of names: a scope, a variable, or both.

    ``variables`` are all that it stands for, itself and ``alike`` siblings included; ``below`` is
    what lies in the first of those. A scope that is told as one has nothing below.
    """

    name: str
    variables: tuple[VariableRecord, ...]
    own: VariableRecord | None = None
    below: tuple[Branch, ...] = ()
    alike: int = 1

    @property
    def fate(self) -> tuple[str, str] | None:
        """State and rule that all variables share, None if they differ or entries decide."""
        fates = {(v.state, v.rule) for v in self.variables}
        is_shared = len(fates) == 1 and all(map(is_whole, self.variables))
        return fates.pop() if is_shared else None


def grow(variables: Iterable[VariableRecord]) -> tuple[Branch, ...]:
    """Return the whole tree, branches in the order of their first variables."""
    return _grow([(v.name.split("/"), v) for v in variables])


def fold(branches: Iterable[Branch]) -> tuple[Branch, ...]:
    """Join equal numbered siblings, equal slots of a variable, and scopes that hold one thing.

    layer_0/w layer_1/w layer_2/w    =>    layer_{0..2}/w        names stay patterns
    """
    folded = (replace(each, below=fold(each.below)) for each in branches)
    groups: dict[Hashable, list[Branch]] = {}
    for each in folded:
        groups.setdefault((_stem(each), _likeness(each)), []).append(each)
    return tuple(map(_joined, map(_merged, groups.values())))


def gather(branches: Iterable[Branch]) -> tuple[Branch, ...]:
    """Tell a scope as one if all of its variables share state and rule."""
    return tuple(
        replace(each, own=None, below=())
        if len(each.variables) > 1 and each.fate is not None
        else replace(each, below=gather(each.below))
        for each in branches
    )


def walk(branches: Iterable[Branch], depth: int = 0) -> Iterator[tuple[int, Branch]]:
    """Yield depth and branch, parents first."""
    for each in branches:
        yield depth, each
        yield from walk(each.below, depth + 1)


def _grow(entries: Sequence[_Entry]) -> tuple[Branch, ...]:
    groups: dict[str, list[_Entry]] = {}
    for (first, *rest), variable in entries:
        groups.setdefault(first, []).append((rest, variable))
    return tuple(_branch(name, each) for name, each in groups.items())


def _branch(name: str, entries: Sequence[_Entry]) -> Branch:
    own = next((variable for rest, variable in entries if not rest), None)
    below = _grow([entry for entry in entries if entry[0]])
    return Branch(name, tuple(variable for _, variable in entries), own, below)


def _stem(branch: Branch) -> Hashable:
    """Return what the names of siblings have in common that may be told as one."""
    if branch.own is not None and branch.own.state == SLOT and not branch.below:
        return SLOT
    match = _NUMBERED.fullmatch(branch.name)
    return (branch.name,) if match is None else match.group(1, 3)


def _likeness(branch: Branch) -> Hashable:
    """Return what must be equal in siblings that are told as one."""
    if branch.own is None and not branch.below:
        return branch.fate
    own = branch.own and (
        branch.own.kind,
        branch.own.dtype,
        tuple(branch.own.shape or ()),
        branch.own.state,
        branch.own.rule,
        str((branch.own.frozen_ranges, branch.own.frozen_along)),
        branch.own.element_mask,
        branch.own.row_scale,
    )
    return own, tuple((each.name, _likeness(each)) for each in branch.below)


def _merged(siblings: Sequence[Branch]) -> Branch:
    first = siblings[0]
    if len(siblings) == 1:
        return first
    every = tuple(variable for each in siblings for variable in each.variables)
    naming: Callable[[Sequence[str]], str] = _listed if _stem(first) == SLOT else _numbered
    name = naming([each.name for each in siblings])
    return replace(first, name=name, variables=every, alike=len(siblings))


def _joined(branch: Branch) -> Branch:
    """Put a scope and the only thing in it on one line."""
    if branch.own is not None or len(branch.below) != 1:
        return branch
    (only,) = branch.below
    name, alike = f"{branch.name}/{only.name}", branch.alike * only.alike
    return replace(only, name=name, variables=branch.variables, alike=alike)


def _listed(names: Sequence[str]) -> str:
    return "{" + ",".join(names) + "}"


def _numbered(names: Sequence[str]) -> str:
    """Return ``layer_{0,2..11}``, which as a pattern matches just these names."""
    matches = [match for match in map(_NUMBERED.fullmatch, names) if match is not None]
    before, _, after = matches[0].groups()
    runs: list[list[int]] = []
    for number in sorted(int(match[2]) for match in matches):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    spans = (f"{run[0]}..{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
    return f"{before}{{{','.join(spans)}}}{after}"
