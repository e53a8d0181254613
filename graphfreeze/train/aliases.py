"""Names that functions and gradients go by while TensorFlow has the graph.

TensorFlow keeps what it makes of a function ``f``, as ``f_rewritten``, for the whole process:
another graph that lives beside ours, such as the unfrozen model's, may have made another one. And
it numbers gradients by process (``PartitionedCall-12``), so that those of a model may be taken.
Under aliases nothing meets; what is taken over has the names of the model again.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count

from graphfreeze.schema import AttrValue, GraphDef, NodeDef
from graphfreeze.train.custom_gradients import MADE_UP, gradient_type, is_numbered

_SERIAL = count(1)
Rename = Callable[[str], str]


@dataclass(frozen=True)
class Aliases:
    """The functions of a model, each with its place, and what is put behind their names."""

    functions: Mapping[str, int]
    mark: str

    @classmethod
    def of(cls, functions: Iterable[str]) -> "Aliases":
        """Make aliases that no other import has."""
        places = {name: place for place, name in enumerate(functions)}
        return cls(places, f"__import_{next(_SERIAL)}")

    def alias(self, name: str) -> str:
        """Return what a function of the model, or a numbered gradient, goes by; others stay."""
        if name in self.functions:
            return f"{name}{self.mark}_{self.functions[name]}"
        return f"{name}{self.mark}" if is_numbered(name) else name

    def name(self, alias: str) -> str:
        """Return the name that an alias stands for; what is none stays."""
        base = self.find_base(alias)
        if base is not None:
            return base if self.alias(base) == alias else alias
        return alias.removesuffix(self.mark)

    def find_base(self, made: str) -> str | None:
        """Return the function of the model that one which TensorFlow made was made of."""
        found = re.search(rf"{self.mark}_(\d+)(?!\d)", made)
        return None if found is None else list(self.functions)[int(found[1])]

    def put_on(self, message: GraphDef) -> None:
        """Give functions and gradients of a message, in place, their aliases.

        Gradients of functions (``library.gradient``) go: TensorFlow loses them in bodies."""
        rename(message.node, self.alias)
        for function in message.library.function:
            function.signature.name = self.alias(str(function.signature.name))
            rename(function.node_def, self.alias)
        del message.library.gradient[:]


def rename(nodes: Iterable[NodeDef], to: Rename) -> None:
    """Let nodes name functions and gradients, in place, by other names."""
    for node in nodes:
        node.op = to(str(node.op))
        for value in node.attr.values():
            _rename_value(value, to)
        if MADE_UP in node.attr:
            node.attr[MADE_UP].s = to(gradient_type(node)).encode()


def _rename_value(value: AttrValue, to: Rename) -> None:
    for function in (*([value.func] if value.HasField("func") else ()), *value.list.func):
        function.name = to(str(function.name))
        for inner in function.attr.values():
            _rename_value(inner, to)
