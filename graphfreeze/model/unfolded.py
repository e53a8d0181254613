"""A graph in which the bodies of called functions stand in the place of the calls.

::

    y = PartitionedCall(x, w) {f: dense}     y > x = Identity(x)
    z = Tanh(y)                              y > w = Identity(w)
                                             y > r = ReadVariableOp(y > w)
    dense(x, w):                       =>    y > m = MatMul(y > x, y > r)
      r = ReadVariableOp(w)                  y = NoOp(^x, ^w, ^y > r, ^y > m)
      m = MatMul(x, r)                       y -> 0 = Identity(y > m, ^y)
      return m                               z = Tanh(y -> 0)

So what is asked of a graph is asked of its functions too: where a variable is read, what writes it,
what a gradient passes. The call waits for all that is in its body, and what it gives waits for it.
Bodies of one call are told apart: ``loop[cond] > ``, ``choice[then_branch] > ``, ``case[0] > ``.

Branches meet in a Merge. What goes round a loop is a Merge of what comes in and what the body
returns, but an Identity of what comes in where the body hands it on as it is. Of functions that
call themselves, of gradients of functions, and of ops that only hold functions (those of data
sets), nothing is unfolded: they stay as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from graphfreeze.model.calls import Call
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.schema import NodeDef

INTO, _GIVES = " > ", " -> "


@dataclass(frozen=True)
class Unfolded:
    """A graph without calls: ``calls`` has the nodes that stand for one, as they were.

    ``places`` tells of what stands for an argument, or for what a call gives, which call's it is.
    ``bodies`` are those of all calls, as they are in their functions, by the prefix of their nodes.
    """

    graph: Graph
    calls: dict[str, NodeDef] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, Graph] = field(default_factory=dict)

    def op(self, name: str) -> str:
        """Return the op of a node, or of the call that it stands for."""
        call = self.calls.get(name)
        return self.graph.op(name) if call is None else str(call.op)

    def ref(self, ref: TensorRef) -> TensorRef:
        """Return what gives a tensor of the graph as it was."""
        is_given = ref.node in self.calls and not ref.is_control
        return TensorRef(output_name(ref.node, ref.port or 0)) if is_given else ref

    def givers(self, name: str) -> list[str]:
        """Return the nodes that give what a node of the graph as it was gave."""
        if name not in self.calls:
            return [name]
        given = (edge.consumer for edge in self.graph.edges_from(name))
        return [each for each in given if self.places.get(each) == name]

    def given_by(self, name: str) -> NodeDef | None:
        """Return the call that gives what a node stands for, None if it stands for no output."""
        place = self.places.get(name)
        return self.calls[place] if place is not None and name.startswith(place + _GIVES) else None

    def arguments(self, call: str) -> list[str]:
        """Return the nodes that stand for the arguments of a call."""
        return self._arguments.get(call, [])

    @cached_property
    def _arguments(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, call in self.places.items():
            if self.given_by(name) is None:
                found.setdefault(call, []).append(name)
        return found

    def steps(self, path: Sequence[str]) -> list[str]:
        """Return a path with each call once, where it goes in, in place of arguments and results.

        Where a path begins or ends with a result, the call is told there."""
        found: list[str] = []
        for name in path:
            step = self.places.get(name, name)
            was_inside = any(each.startswith((f"{step}[", f"{step}{INTO}")) for each in found)
            if step not in found[-1:] and not (name in self.places and was_inside):
                found.append(step)
        return found


def is_inside(name: str) -> bool:
    """Tell whether a node of an unfolded graph is in the body of a function."""
    return INTO in name


def label_of(call: Call) -> str:
    """Return what tells a body from the others of its call: ``[body]``, ``[0]``."""
    return f"[{call.attr if call.place is None else call.place}]"


def own_name(name: str) -> str:
    """Return the name that a node of an unfolded graph has in the body that it is of."""
    return name.rpartition(INTO)[2]


def output_name(call: str, port: int) -> str:
    """Return the name of what stands for an output of a call."""
    return f"{call}{_GIVES}{port}"
