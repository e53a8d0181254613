"""Follow the heights of tables through a graph, up to all that has to grow along."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from graphfreeze.errors import GrowError
from graphfreeze.growth.computing import COMPUTING
from graphfreeze.growth.cutting import CUTTING
from graphfreeze.growth.ends import ENDING
from graphfreeze.growth.heights import (
    Effect,
    Grows,
    LooksUp,
    Loosens,
    Needs,
    Pads,
    Passes,
    Repeats,
    Site,
    Stretches,
    Tall,
    Widens,
)
from graphfreeze.growth.ids import bounds, companions
from graphfreeze.growth.laying_out import LAYING_OUT
from graphfreeze.growth.sources import Sources
from graphfreeze.model.attrs import FLOATING
from graphfreeze.model.graph import Edge, Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.tables import Table
from graphfreeze.model.variables import Variable

Change = Stretches | Repeats | Widens | Pads
_RULES = {**COMPUTING, **ENDING, **LAYING_OUT, **CUTTING}


@dataclass
class Travel:
    """The heights of the variables in ``rows``, which grow by so many rows each.

    Afterwards ``grown`` has the variables that grow, asked for or not, ``tall`` every tensor that
    is as tall as one of them, ``changes`` what else has to grow, ``loose`` the nodes whose shapes
    change by themselves, ``lookups`` where rows are taken by ids.
    """

    graph: Graph
    tables: tuple[Table, ...]
    rows: Mapping[str, int]
    grown: dict[str, Tall] = field(default_factory=dict)
    tall: dict[TensorRef, Tall] = field(default_factory=dict)
    changes: dict[Change, None] = field(default_factory=dict)
    loose: set[str] = field(default_factory=set)
    lookups: dict[LooksUp, None] = field(default_factory=dict)
    todo: list[TensorRef] = field(default_factory=list)
    needs: dict[Needs, None] = field(default_factory=dict)

    def run(self) -> "Travel":
        """Follow them to the end; raises GrowError."""
        for name, added in self.rows.items():
            self._take(Grows(name, _start(self._get(name), added)))
        while self._go_on():
            pass
        self._check_shared()
        self._take_all(bounds(self.graph, self.lookups))
        return self

    def _go_on(self) -> bool:
        """Do what is next: tensors that are tall, then what they need, then who shares ids."""
        if self.todo:
            ref = self.todo.pop(0)
            for edge in self.graph.edges_of(ref):
                self._follow(edge, self.tall[ref])
            return True
        return self._meet_needs() or self._join_companions()

    def _follow(self, edge: Edge, tall: Tall) -> None:
        op = self.graph.op(edge.consumer)
        if "Summary" in op:
            return
        site = Site(self.graph, edge, tall)
        if op not in _RULES:
            raise site.refusal()
        for effect in _RULES[op](site):
            self._take(effect)

    def _take(self, effect: Effect) -> None:
        match effect:
            case Passes(ref, tall):
                self._set(ref, tall)
            case Needs():
                self.needs[effect] = None
            case Loosens(ref):
                self.loose |= self.graph.descendants([ref.node], data_only=True)
            case LooksUp():
                self.lookups[effect] = None
            case Grows(name, tall):
                self._grow(name, tall)
            case Stretches() | Repeats() | Widens() | Pads():
                self.changes[effect] = None

    def _set(self, ref: TensorRef, tall: Tall) -> None:
        known = self.tall.get(ref)
        if known is None:
            self.tall[ref] = tall
            self.todo.append(ref)
        elif not known.grows_as(tall):
            raise GrowError.two_heights(ref.node, known.table, tall.table)

    def _grow(self, name: str, tall: Tall) -> None:
        """Let a variable grow by its first axis, which is the only one that rows come behind."""
        if name in self.grown:
            return
        variable = self._get(name)
        mine = _start(variable, tall.added)
        if (mine.size, mine.axis) != (tall.size, tall.axis):
            op = self.graph.op(name)
            raise GrowError.fixed_size(tall.table, name, op=op, size=tall.size)
        if self.rows.get(name, tall.added) != tall.added:
            raise GrowError.two_heights(name, name, tall.table)
        mine = replace(mine, table=tall.table)
        self.grown[name] = mine
        self._set(TensorRef(name), mine)

    def _get(self, name: str) -> Variable:
        for each in self.tables:
            if each.is_partitioned and name in {each.name, *(p.variable.name for p in each.parts)}:
                raise GrowError.partitioned(each.name)
            if each.name == name:
                return each.first
        raise GrowError.no_such_table(name, [each.name for each in self.tables])

    def _meet_needs(self) -> bool:
        """Find the source of what is needed; what cannot be met now perhaps can later."""
        first: GrowError | None = None
        for need in list(self.needs):
            try:
                effects = list(self._sources().find(need.edge, need.tall))
            except GrowError as error:
                first = first or error
                continue
            del self.needs[need]
            if effects:
                self._take_all(effects)
                return True
        return first is not None and self._pad(first)

    def _pad(self, error: GrowError) -> bool:
        """Put zeros behind the first initial value that cannot grow, else raise the error."""
        initial = {op: name for name in self.grown for op in self._initializers(name)}
        for need in list(self.needs):
            name = initial.get(need.edge.consumer)
            if name is not None and need.edge.slot == 1 and _is_paddable(self._get(name)):
                del self.needs[need]
                self._take(Pads(need.edge, name, self.grown[name]))
                return True
        raise error

    def _initializers(self, name: str) -> Iterator[str]:
        definition = self._get(name).definition
        yield f"{name}/Assign" if definition is None else str(definition.initializer_name)

    def _join_companions(self) -> bool:
        effects = list(companions(self.graph, self.tables, self.lookups, self.tall))
        self._take_all(effects)
        return bool(effects)

    def _sources(self) -> Sources:
        return Sources(self.graph, self.tall, self.loose)

    def _take_all(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            self._take(effect)

    def _check_shared(self) -> None:
        """Look for shapes made of several pieces that something else takes too."""
        paths = [change.path for change in self.changes if isinstance(change, Stretches)]
        wanted = {edge for path in paths for edge in path}
        for change in self.changes:
            for edge in change.path[1:] if isinstance(change, Stretches) else ():
                users = self.graph.edges_from(edge.consumer)
                for user in (u for u in users if not self.graph.ref_at(u).is_control):
                    if user not in wanted:
                        raise GrowError.shared_shape(
                            change.tall.table, edge.consumer, user.consumer
                        )


def _is_paddable(variable: Variable) -> bool:
    return variable.dtype in FLOATING and variable.parameters is not None


def _start(variable: Variable, added: int) -> Tall:
    shape = variable.shape
    if not shape or shape[0] is None:
        raise GrowError.no_rows(variable.name, shape)
    return Tall(-len(shape), len(shape), shape[0], added, variable.name)
