"""What of a built graph is taken over: new nodes, calls that give more, the functions they call.

Gradients let a call give what they take, and nothing else of the model changes:

====================================  =============================================
While, StatelessWhile                 more inputs, ``T``, ``output_shapes``, ``cond``,
                                      ``body``, ``_num_original_outputs``
If, StatelessIf, Case, StatelessCase  ``Tout``, ``output_shapes``, the branches
PartitionedCall,                      ``Tout``, ``f``
StatefulPartitionedCall
all of them                           ``_output_shapes``, for what they give now
updates that a step may skip          wait for its gate besides
====================================  =============================================

The functions are new ones, the model's stay as they are. One that was made of ``f`` is called
``f__graphfreeze_forward_1`` or ``f__graphfreeze_gradient_1``; TensorFlow's numbers are a process's.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from graphfreeze.model.attrs import HINT
from graphfreeze.model.calls import WHILES
from graphfreeze.model.functions import called_functions
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.specialise import free_name
from graphfreeze.schema import FunctionDef, GraphDef, NodeDef, TensorShapeProto
from graphfreeze.train.aliases import Aliases, rename

_LOOP = ("T", "output_shapes", "cond", "body", "_num_original_outputs")
_BRANCHES = ("Tout", "output_shapes", "then_branch", "else_branch", "branches")
_CHANGED = {
    **dict.fromkeys(WHILES, _LOOP),
    **dict.fromkeys(("If", "StatelessIf", "Case", "StatelessCase"), _BRANCHES),
    **dict.fromkeys(("PartitionedCall", "StatefulPartitionedCall"), ("Tout", "f")),
}
_WAITED_FOR = "_has_manual_control_dependencies"
# Other functions by their names, of use to who chose names: for kernels of recurrent layers.
_LINKS = ("forward_function_name", "backward_function_name")


@dataclass(frozen=True)
class Taken:
    """The difference between two states of an import, by the names of the draft."""

    draft: Draft
    aliases: Aliases
    before: GraphDef
    after: GraphDef

    def added(self) -> Iterator[NodeDef]:
        """Yield the new nodes."""
        yield from map(self._named, self._added)

    def changed(self) -> Iterator[NodeDef]:
        """Yield the nodes of the draft that changed, with nothing but what has to be different."""
        for node in self._changed:
            made, given = NodeDef(), self._named(node)
            made.CopyFrom(self.draft.graph.nodes[str(node.name)])
            for key in _foreseen(node) & set(given.attr):
                made.attr[key].CopyFrom(given.attr[key])
            (data, waits), (own, waited) = _parted(given), _parted(made)
            more = [each for each in waits if each not in waited]
            made.input[:] = [*(data if node.op in WHILES else own), *waited, *more]
            if node.op in _CHANGED:
                _add_hints(made)
            yield made

    def unforeseen(self) -> Iterator[str]:
        """Yield the nodes of the draft that changed in what is not taken over."""
        for node in self._changed:
            old = self._old[str(node.name)]
            (data, waits), (before, waited) = _parted(node), _parted(old)
            kept = list(data[: len(before)]) == list(before) and set(waited) <= set(waits)
            if _rest(node) != _rest(old) or not kept:
                yield str(node.name)

    def functions(self) -> Iterator[FunctionDef]:
        """Yield the functions that these nodes call and the draft does not have."""
        for name, own in self._names.items():
            if own not in self.draft.graph.functions:
                made = FunctionDef()
                made.CopyFrom(self._library[name])
                made.signature.name = own
                rename(made.node_def, self._name)
                for node in made.node_def:
                    node.ClearField("experimental_debug_info")  # names of the process
                for link in _LINKS:
                    made.attr.pop(link, None)
                yield made

    @cached_property
    def _old(self) -> dict[str, NodeDef]:
        return {str(node.name): node for node in self.before.node}

    @cached_property
    def _added(self) -> list[NodeDef]:
        return [node for node in self.after.node if node.name not in self._old]

    @cached_property
    def _changed(self) -> list[NodeDef]:
        old = self._old
        others = (n for n in self.after.node if n.name in old and n != old[str(n.name)])
        return [n for n in others if _unmarked(n) != _unmarked(old[str(n.name)])]

    @cached_property
    def _library(self) -> dict[str, FunctionDef]:
        return {str(each.signature.name): each for each in self.after.library.function}

    @cached_property
    def _names(self) -> dict[str, str]:
        """How the functions that new and changed nodes call are named, in the order of calls."""
        names: dict[str, str] = {}
        todo = [*self._added, *self._changed]
        for node in todo:
            for name in (str(node.op), *called_functions(node)):
                if name in self._library and name not in names:
                    names[name] = self._choose(name, names.values())
                    todo.extend(self._library[name].node_def)
        return names

    def _choose(self, name: str, others: Iterable[str]) -> str:
        own = self.aliases.name(name)
        if own in self.draft.graph.functions:
            return own
        base = self.aliases.find_base(name)
        around = name if base is None else name.replace(self.aliases.alias(base), "")
        role = "gradient" if "_grad_" in around or "__backward_" in around else "forward"
        base = base or name.rstrip("_0123456789")
        taken = {*others, *self.draft.graph.functions}
        return free_name(base, taken, role=role)

    def _name(self, text: str) -> str:
        return self._names.get(text) or self.aliases.name(text)

    def _named(self, node: NodeDef) -> NodeDef:
        made = NodeDef()
        made.CopyFrom(node)
        rename([made], self._name)
        return made


def _foreseen(node: NodeDef) -> set[str]:
    return set(_CHANGED.get(str(node.op), ()))


def _add_hints(node: NodeDef) -> None:
    """Let shapes of outputs that an export has told, one for each, tell of the new ones."""
    count = len(node.attr["T" if node.op in WHILES else "Tout"].list.type)
    if HINT in node.attr:
        shapes = node.attr[HINT].list.shape
        shapes.extend([TensorShapeProto(unknown_rank=True)] * (count - len(shapes)))


def _parted(node: NodeDef) -> tuple[Sequence[str], Sequence[str]]:
    """Return the data that a node takes, and what it waits for."""
    waits = [str(text) for text in node.input if text.startswith("^")]
    return [str(text) for text in node.input if not text.startswith("^")], waits


def _unmarked(node: NodeDef) -> NodeDef:
    """Return a node without TensorFlow's mark that another one was made to wait for it."""
    made = NodeDef()
    made.CopyFrom(node)
    made.attr.pop(_WAITED_FOR, None)
    return made


def _rest(node: NodeDef) -> NodeDef:
    """Return a node without what gradients may change."""
    made = _unmarked(node)
    for key in _foreseen(node):
        made.attr.pop(key, None)
    made.input[:] = () if node.op in WHILES else _parted(node)[0]
    return made
