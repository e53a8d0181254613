"""Keep new nodes to the ops and attributes that the target knows."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from graphfreeze.errors import TrainError
from graphfreeze.model.model import Model
from graphfreeze.model.names import parse_ref
from graphfreeze.model.op_registry import known_to_any, known_to_tf1, load_shipped, strip_for_tf1
from graphfreeze.model.targets import TF2, find_unfit, is_old_writer
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import AddNode, Edit, ReplaceFunction, ReplaceNode
from graphfreeze.schema import FunctionDef, NodeDef
from graphfreeze.train.older_ops import Told, tell_older


@dataclass
class Retarget:
    """Tell what is new, bodies of functions too, as the target knows it; 2 knows all of it.

    an attribute that 1.15 lacks   goes, if it is at its default or a hint
    an op that 1.15 lacks          by older ones that do the same, see ``older_ops``
    what cannot be told so         is an error that names all of it

    Ops that no TensorFlow has, the model's own and those of ``has_libraries``, stay as they are.
    ``rewritten`` counts afterwards, by op, what was told by older ones; ``newer`` are the ops of
    new nodes that 1.15 lacks.
    """

    target: str
    has_libraries: bool = False
    name: str = "retarget"
    rewritten: Counter[str] = field(default_factory=Counter)
    newer: list[str] = field(default_factory=list)

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits; raises TrainError for what has no older form."""
        if self.target != TF2:
            older = _Older(draft, self.has_libraries, is_old_writer(draft.base))
            yield from older.edits()
            self.rewritten = older.rewritten
            if older.unfit:
                raise TrainError.not_in_target(older.unfit, target=self.target)
        self.newer[:] = sorted(_newer(draft) - self.rewritten.keys())

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a new node that 1.15 would refuse."""
        for name in draft.added_nodes() if self.target != TF2 else ():
            node = draft.graph.nodes[name]
            if known_to_tf1(str(node.op)) and (strip_for_tf1(node) != node or find_unfit(node)):
                return f"{name} has an attribute that TensorFlow 1.15 does not know"
            if not known_to_tf1(str(node.op)) and known_to_any(str(node.op)):
                return f"{name} is an op that TensorFlow 1.15 does not know"
        return None


def new_to_writer(draft: Draft) -> list[str]:
    """Return the ops of new nodes that TensorFlow 1.4 lacks, if one before 1.15 wrote the model."""
    if not is_old_writer(draft.base):
        return []
    own = {str(node.op) for node in draft.base.graph.nodes.values()}
    new = {str(draft.graph.nodes[name].op) for name in draft.added_nodes()}
    return sorted((new - own) & load_shipped().since_1_4)


def _newer(draft: Draft) -> set[str]:
    """Return the ops of new nodes that 1.15 lacks."""
    bodies = [node for function in draft.added_functions for node in function.node_def]
    new = [*(draft.graph.nodes[name] for name in draft.added_nodes()), *bodies]
    ops = {str(node.op) for node in new}
    return {op for op in ops - draft.graph.functions.keys() if not known_to_tf1(op)}


@dataclass
class _Older:
    """What is new in a draft, as 1.15 knows it."""

    draft: Draft
    has_libraries: bool
    avoids_new: bool
    rewritten: Counter[str] = field(default_factory=Counter)
    unfit: list[tuple[str, str]] = field(default_factory=list)

    def edits(self) -> Iterator[Edit]:
        nodes, base = self.draft.graph.nodes, self.draft.base.graph.nodes
        for name in self.draft.added_nodes():
            *helpers, last = self._older(Told(nodes[name], nodes), name)
            yield from map(_added, helpers)
            if last != nodes[name]:
                yield ReplaceNode(last)
        for name in self.draft.changed_nodes():
            if (last := _without_new_attributes(nodes[name], base[name])) != nodes[name]:
                yield ReplaceNode(last)
        yield from map(self._function, self.draft.added_functions)

    def _function(self, function: FunctionDef) -> ReplaceFunction:
        made, beside = FunctionDef(), {str(node.name): node for node in function.node_def}
        made.CopyFrom(function)
        del made.node_def[:]
        for name, node in beside.items():
            told = Told(node, beside, in_function=True)
            made.node_def.extend(self._older(told, f"{function.signature.name}/{name}"))
        return ReplaceFunction(made)

    def _older(self, told: Told, name: str) -> list[NodeDef]:
        """Return a node as 1.15 knows it, behind those that help it."""
        node, op = told.node, str(told.node.op)
        lacks = None if op in self.draft.graph.functions else find_unfit(node)
        is_asked = lacks is not None or self.avoids_new
        made = tell_older(told, avoids_new=self.avoids_new) if is_asked else None
        if made is not None:
            self.rewritten[op] += 1
            return made
        if lacks is not None and not self._is_own(op):
            self.unfit.append((name, lacks))
        return [strip_for_tf1(node)]

    def _is_own(self, op: str) -> bool:
        """Tell whether an op is of the model's or of a library, and of no TensorFlow."""
        own = (str(node.op) for node in self.draft.base.graph.nodes.values())
        return not known_to_any(op) and (self.has_libraries or op in own)


def _added(node: NodeDef) -> AddNode:
    inputs = tuple(parse_ref(str(text)) for text in node.input)
    return AddNode(str(node.name), str(node.op), inputs, dict(node.attr), str(node.device))


def _without_new_attributes(node: NodeDef, base: NodeDef) -> NodeDef:
    """Return a node of the model without what its edits brought and 1.15 does not know."""
    made = strip_for_tf1(node)
    for name in set(base.attr) & set(node.attr) - set(made.attr):
        made.attr[name].CopyFrom(node.attr[name])
    return made
