"""Copies of functions that stop or mask what they read of the variables handed to them."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from graphfreeze.errors import RewriteError
from graphfreeze.model.bodies import Body, open_body
from graphfreeze.model.calls import Call, find_calls
from graphfreeze.model.graph import Graph
from graphfreeze.model.reads import handle_edges
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.edits import NodeEdit, RemoveNode, ReplaceNode
from graphfreeze.rewrite.masks import Masks
from graphfreeze.rewrite.needs import Need, selection_of
from graphfreeze.rewrite.node_edits import made_node
from graphfreeze.rewrite.stops import Stops
from graphfreeze.schema import FunctionDef, NodeDef
from graphfreeze.selection.choice import FROZEN, Choice

Handed = Mapping[int, Need]
"""What is to be done with the variables that a node takes, by input; or a function, by argument."""
MARK = "__graphfreeze_"
# Other functions of these names would be taken in the place of a copy.
_UNFIT_ATTRS = (
    *("api_implements", "api_preferred_device"),
    *("forward_function_name", "backward_function_name"),
)


@dataclass
class Specialised:
    """The copies that calls need, one for each need; ``made`` has them by name, in their order.

    ``sources`` tells which function each is a copy of. A function that reads nothing of what it is
    handed has no copy, unless another of the same call has one: gradients of a call rewrite all of
    its functions, and would take one of the same name for that of another call.
    """

    library: Mapping[str, FunctionDef]
    made: dict[str, FunctionDef] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    _known: dict[Hashable, Sequence[str] | None] = field(default_factory=dict)

    def calls(self, graph: Graph, needs: Iterable[Need]) -> Iterator[ReplaceNode]:
        """Yield the calls of a graph that take a variable, with copies in place of functions.

        Raises RewriteError for a reader that no mask fits, and for a function that calls itself."""
        for name, handed in handed_to(graph, needs).items():
            node = graph.nodes[name]
            calls = find_calls(graph, node)
            names = self._names(graph, calls, handed)
            if names is not None:
                yield ReplaceNode(_naming(node, calls, names))

    def _names(self, graph: Graph, calls: Sequence[Call], handed: Handed) -> Sequence[str] | None:
        """Return the copies that the functions of a call need, None where they need none."""
        needs = frozenset((slot, need.key) for slot, need in handed.items())
        key = (tuple((call.attr, call.place, call.name) for call in calls), needs)
        if key not in self._known:
            self._known[key] = ()
            self._known[key] = self._copied(graph, calls, handed)
        known = self._known[key]
        if known == ():
            need = next(iter(handed.values()))
            raise RewriteError.recursive_function(need.owner, calls[0].name)
        return known

    def _copied(self, graph: Graph, calls: Sequence[Call], handed: Handed) -> Sequence[str] | None:
        bodies = [self._body(graph, call, handed) for call in calls]
        if not any(body.is_changed for body in bodies):
            return None
        return [self._copy(body) for body in bodies]

    def _copy(self, body: Body) -> str:
        source, number = str(body.function.signature.name), 1
        while (name := f"{source}{MARK}{number}") in self.library or name in self.made:
            number += 1
        self.made[name] = body.written(name)
        self.sources[name] = source
        for attr in _UNFIT_ATTRS:
            self.made[name].attr.pop(attr, None)
        return name

    def _body(self, graph: Graph, call: Call, handed: Handed) -> Body:
        """Return the body of a function as it is to be."""
        body = open_body(graph, call.function)
        needs = in_body(call, handed)
        apply(body.graph, self.calls(body.graph, needs))
        body.graph.functions.update(self.made)
        for need in needs:
            try:
                apply(body.graph, Stops(body.graph, selection_of([need])[0]).plan())
                apply(body.graph, _masks(body.graph, need))
            except RewriteError as error:
                place = {"argument": need.variable.name, "variable": need.owner}
                raise RewriteError.in_function(str(error), call.name, **place) from error
        return body


def _masks(graph: Graph, need: Need) -> Iterator[NodeEdit]:
    masks = Masks(graph, *selection_of([need]))
    for edit in masks.plan():
        if need.is_held:
            raise RewriteError.held_mask_in_function(need.variable.name)
        yield edit


def find_reading_calls(
    graph: Graph, variables: Iterable[Variable]
) -> Iterator[tuple[Variable, str]]:
    """Yield variables with the calls whose functions read them on to what gradients pass."""
    for variable in variables:
        need = Need(Choice(variable, FROZEN), owner=variable.name)
        for edit in Specialised(graph.functions).calls(graph, [need]):
            yield variable, str(edit.node.name)


def find_missing(graph: Graph, needs: Iterable[Need]) -> str | None:
    """Say which reader in a function takes what it should not, if any."""
    for name, handed in handed_to(graph, needs).items():
        for call in find_calls(graph, graph.nodes[name]):
            inner, own = open_body(graph, call.function).graph, in_body(call, handed)
            selection, kernels = selection_of(own)
            wrong = (
                Stops(inner, selection).find_missing()
                or Masks(inner, selection, kernels).find_missing()
            )
            if wrong is not None:
                return f"{wrong} in function {call.name}"
            deeper = find_missing(inner, own)
            if deeper is not None:
                return deeper
    return None


def handed_to(graph: Graph, needs: Iterable[Need]) -> dict[str, dict[int, Need]]:
    """Return the calls that take variables, and what is to be done with each, by input.

    Those of an old training that stays are left out, and those that yield gradients of a function:
    no gradient passes either."""
    found: dict[str, dict[int, Need]] = {}
    for need in needs:
        for edge in handle_edges(graph, need.variable):
            name = edge.consumer
            if name in graph.aside or graph.op(name) == "SymbolicGradient":
                continue
            if find_calls(graph, graph.nodes[name]):
                found.setdefault(name, {})[edge.slot] = need
    return {name: found[name] for name in graph.nodes if name in found}


def in_body(call: Call, handed: Handed) -> list[Need]:
    """Return what is to be done in a body, by the names of its arguments."""
    placed = ((call.find_argument(slot), need) for slot, need in handed.items())
    return [need.named(call.argument_name(at)) for at, need in placed if at is not None]


def apply(graph: Graph, edits: Iterable[NodeEdit]) -> None:
    """Make edits in a body."""
    for edit in list(edits):
        assert not isinstance(edit, RemoveNode)
        graph.put(made_node(graph, edit))


def _naming(node: NodeDef, calls: Sequence[Call], names: Sequence[str]) -> NodeDef:
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
