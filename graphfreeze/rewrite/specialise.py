"""Copies of functions that deal otherwise with the variables handed to them."""

from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from graphfreeze.errors import RewriteError
from graphfreeze.model.bodies import Body, open_body
from graphfreeze.model.calls import Call, find_calls
from graphfreeze.model.graph import Graph
from graphfreeze.rewrite.edits import NodeEdit, RemoveNode, ReplaceNode
from graphfreeze.rewrite.grown_calls import lacks, lead_in, lead_to
from graphfreeze.rewrite.handed import (
    Handed,
    arguments,
    check_shared,
    find_moving,
    handed_to,
    in_body,
    led_by,
)
from graphfreeze.rewrite.masks import Masks
from graphfreeze.rewrite.needs import Need, selection_of
from graphfreeze.rewrite.node_edits import made_node
from graphfreeze.rewrite.stops import Stops
from graphfreeze.schema import FunctionDef, NodeDef

MARK = "__graphfreeze_"
# Other functions of these names would be taken in the place of a copy.
_UNFIT_ATTRS = (
    *("api_implements", "api_preferred_device"),
    *("forward_function_name", "backward_function_name"),
)


@dataclass(frozen=True, slots=True)
class _Copies:
    """The functions that a call is to name, and which of the values that it can lead in it does."""

    names: Sequence[str] = ()
    led: Sequence[int] = ()


_OPEN = _Copies()  # while its bodies are looked at
Treat = Callable[[Graph, Need, Sequence[Need]], Iterable[NodeEdit]]
"""What is done in a body for a variable that it is handed, beside others; raises RewriteError."""


def freeze(graph: Graph, need: Need, _: Sequence[Need]) -> Iterator[NodeEdit]:
    """Stop or mask what a body reads of a variable."""
    selection, kernels = selection_of([need])
    yield from Stops(graph, selection).plan()
    yield from Masks(graph, selection, kernels).plan()


@dataclass
class Specialised:
    """The copies that calls need, one for each need; ``made`` has them by name, in their order.

    ``treat`` makes the edits in a body, for one variable after the other. ``sources`` tells which
    function each is a copy of. A function where nothing is to be done has no copy, unless another
    of the same call has one: gradients of a call rewrite all of its functions, and would take one
    of the same name for that of another call.
    """

    library: Mapping[str, FunctionDef]
    treat: Treat = freeze
    made: dict[str, FunctionDef] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    _known: dict[Hashable, _Copies | None] = field(default_factory=dict)

    def calls(
        self, graph: Graph, needs: Iterable[Need], among: Container[str] | None = None
    ) -> Iterator[ReplaceNode]:
        """Yield the calls of a graph that take a variable, with copies in place of functions.

        Only those ``among`` some nodes if these are given. Raises RewriteError for a reader that
        no mask fits, for a function that calls itself, and for a loop that moves a handle."""
        for name, handed in handed_to(graph, needs).items():
            if among is not None and name not in among:
                continue
            node = graph.nodes[name]
            moving = find_moving(graph, node, handed)
            if moving is not None:
                raise RewriteError.moving_handle(moving.owner, name)
            calls = find_calls(graph, node)
            copies = self._copies(graph, calls, handed)
            if copies is not None:
                led = led_by(handed.values())
                named = naming(node, calls, copies.names)
                yield ReplaceNode(lead_to(named, [led[i] for i in copies.led]))

    def _copies(self, graph: Graph, calls: Sequence[Call], handed: Handed) -> _Copies | None:
        """Return the copies that the functions of a call need, None where they need none."""
        needs = frozenset((slot, need.key) for slot, need in handed.items())
        key = (tuple((call.attr, call.place, call.name) for call in calls), needs)
        if key not in self._known:
            self._known[key] = _OPEN
            self._known[key] = self._copied(graph, calls, handed)
        known = self._known[key]
        if known is _OPEN:
            need = next(iter(handed.values()))
            raise RewriteError.recursive_function(need.owner, calls[0].name)
        return known

    def _copied(self, graph: Graph, calls: Sequence[Call], handed: Handed) -> _Copies | None:
        bodies = [self._body(graph, call, handed) for call in calls]
        if not any(body.is_changed for body in bodies):
            return None
        led = [led_by(in_body(call, handed)) for call in calls]
        spoken = zip(bodies, led, strict=True)
        used = {i for body, own in spoken for i, each in enumerate(own) if lacks(body, each)}
        names = []
        for body, call, own in zip(bodies, calls, led, strict=True):
            names.append(self.copy(lead_in(body, call, [own[i] for i in sorted(used)])))
        return _Copies(names, sorted(used))

    def copy(self, body: Body) -> str:
        """Make a copy of a function with another body, and return its name."""
        source = str(body.function.signature.name)
        base, taken = source.split(MARK)[0], {*self.library, *self.made}
        name = free_name(base, taken)
        self.made[name] = body.written(name)
        self.sources[name] = source
        for attr in _UNFIT_ATTRS:
            self.made[name].attr.pop(attr, None)
        return name

    def _body(self, graph: Graph, call: Call, handed: Handed) -> Body:
        """Return the body of a function as it is to be."""
        body = open_body(graph, call.function)
        needs = in_body(call, handed)
        _apply(body.graph, self.calls(body.graph, needs))
        check_shared(body.graph, needs, arguments(body.graph))
        body.graph.functions.update(self.made)
        for need in needs:
            others = [each for each in needs if each is not need]
            try:
                _apply(body.graph, self.treat(body.graph, need, others))
            except RewriteError as error:
                place = {"argument": need.variable.name, "variable": need.owner}
                raise RewriteError.in_function(str(error), call.name, **place) from error
        return body


def free_name(base: str, taken: Container[str], *, role: str = "") -> str:
    """Return a name for what is made of a function; ``taken`` are those that there are."""
    start = f"{base}{MARK}{role}_" if role else f"{base}{MARK}"
    return next(name for n in count(1) if (name := f"{start}{n}") not in taken)


def is_copy(name: str) -> bool:
    """Tell whether a function is a copy, by its name."""
    return name.rpartition(MARK)[2].isdecimal() and MARK in name


def _apply(graph: Graph, edits: Iterable[NodeEdit]) -> None:
    for edit in list(edits):
        assert not isinstance(edit, RemoveNode)
        graph.put(made_node(graph, edit))


def naming(node: NodeDef, calls: Sequence[Call], names: Sequence[str]) -> NodeDef:
    """Return a call that names other functions."""
    made = NodeDef()
    made.CopyFrom(node)
    for call, name in zip(calls, names, strict=True):
        if not call.attr:
            made.op = name
        elif call.place is None:
            made.attr[call.attr].func.name = name
        else:
            made.attr[call.attr].list.func[call.place].name = name
    return made
