"""A model seen through the edits made so far."""

from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from typing import TypeVar

from graphfreeze.model import reads
from graphfreeze.model.attrs import colocations
from graphfreeze.model.graph import Edge, Graph, with_inputs
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef, control
from graphfreeze.model.saver import SaverOps, find_saver, saved_entries
from graphfreeze.model.tables import Table, find_tables
from graphfreeze.model.training import Training
from graphfreeze.model.variables import Variable, find_variables
from graphfreeze.rewrite.edits import (
    AddFunction,
    AddGradient,
    AddNode,
    DropKey,
    Edit,
    RemoveFunction,
    RemoveNode,
    ReplaceFunction,
    ReplaceNode,
    Reroute,
    SetCollection,
    SetSaver,
    SetSignature,
    SetTags,
    SetValue,
    ValueEdit,
)
from graphfreeze.rewrite.node_edits import made_node, require
from graphfreeze.schema import (
    CollectionDef,
    FunctionDef,
    GradientDef,
    NodeDef,
    SaverDef,
    SignatureDef,
)
from graphfreeze.selection.value_plan import ValuePlan

M = TypeVar("M", CollectionDef, SignatureDef)


class Draft:
    """An index of the base model that edits change; the base stays as it is."""

    def __init__(self, base: Model) -> None:
        """Begin without an edit."""
        self.base = base
        self.graph: Graph = base.graph.copy()
        self.collections: dict[str, CollectionDef] = dict(base.collections)
        self.saver: SaverDef | None = base.saver
        self.signatures: dict[str, SignatureDef] = dict(base.header.signature_def)
        self.tags: tuple[str, ...] = tuple(map(str, base.header.meta_info_def.tags))
        self.added_functions: list[FunctionDef] = []
        self.added_gradients: list[GradientDef] = []
        self.value_edits: list[ValueEdit] = []
        self.touched: dict[str, None] = {}
        self.seed: int | None = None  # of all that is drawn anew
        self.value_plan = ValuePlan()

    def copy(self) -> "Draft":
        """Return a draft of its own with the same edits, to try more of them on."""
        twin = Draft.__new__(Draft)
        twin.base, twin.graph = self.base, self.graph.copy()
        twin.collections, twin.saver = dict(self.collections), self.saver
        twin.signatures, twin.tags = dict(self.signatures), self.tags
        twin.added_functions, twin.value_edits = [*self.added_functions], [*self.value_edits]
        twin.added_gradients = [*self.added_gradients]
        twin.touched, twin.seed = dict(self.touched), self.seed
        twin.value_plan = self.value_plan
        return twin

    def apply(self, edit: Edit) -> None:
        """Make one edit."""
        match edit:
            case AddNode() | Reroute() | ReplaceNode():
                self._put(made_node(self.graph, edit))
            case RemoveNode(name):
                self._remove(name)
            case AddFunction(function):
                self.added_functions.append(function)
                self.graph.functions[str(function.signature.name)] = function
            case AddGradient(name, gradient):
                added = GradientDef(function_name=name, gradient_func=gradient)
                self.added_gradients.append(added)
            case RemoveFunction(name):
                self._remove_function(name)
            case ReplaceFunction(function):
                self._replace_function(function)
            case SetCollection(key, value):
                _set(self.collections, key, value)
            case SetSignature(key, signature):
                _set(self.signatures, key, signature)
            case SetTags(tags):
                self.tags = tags
            case SetSaver(saver):
                self.saver = saver
            case SetValue() | DropKey():
                self.value_edits.append(edit)
        self.__dict__.pop("variables", None)

    @cached_property
    def variables(self) -> tuple[Variable, ...]:
        """The variables as the graph and the collections now describe them."""
        return find_variables(self.graph, self.collections, self.base.untrained)

    @property
    def saver_ops(self) -> SaverOps | None:
        """The ops of the saver as it now stands."""
        return find_saver(self.graph, self.saver)

    def training(self, keep: Sequence[str] = ()) -> Training:
        """Return the training that the graph now holds; ``keep`` are tensors of the model's."""
        header = self.base.header
        return Training(self.graph, self.collections, self.variables, header, tuple(keep)).find()

    def saved_keys(self) -> dict[str, str]:
        """Return the key that the saver keeps each variable under; parts share the whole's."""
        saved = saved_entries(self.graph, self.saver_ops)
        return {name: entry.key for name, entry in saved.items()}

    def tables(self, slots: Collection[str] = ()) -> tuple[Table, ...]:
        """Return the variables that can learn, as they are saved, without ``slots``."""
        able = [v for v in self.variables if v.is_differentiable and not v.is_local]
        return find_tables(self.graph, [v for v in able if v.name not in slots], self.saver_ops)

    def reads(self, variables: Iterable[Variable]) -> list[TensorRef]:
        """Return the tensors that yield the values of variables."""
        return [read for variable in variables for read in reads.reads(self.graph, variable)]

    def forward_edges(self, read: TensorRef) -> list[Edge]:
        """Return the consumers of a read that can carry a gradient to a loss."""
        return reads.forward_edges(self.graph, read)

    @property
    def gradients(self) -> list[GradientDef]:
        """Return which functions have the gradients of others."""
        base = (leaf.message for leaf in self.base.part.leaves("gradient"))
        return [*(each for each in base if isinstance(each, GradientDef)), *self.added_gradients]

    def added_nodes(self) -> list[str]:
        """Return the nodes that the base does not have."""
        return [name for name in self.touched if name not in self.base.graph]

    def removed_nodes(self) -> list[str]:
        """Return the nodes of the base that are gone."""
        return [name for name in self.base.graph.nodes if name not in self.graph]

    def changed_nodes(self) -> list[str]:
        """Return the nodes of the base that are there, and different."""
        base = self.base.graph
        return [n for n in self.touched if n in base and base.nodes[n] != self.graph.nodes[n]]

    def changed_functions(self) -> list[str]:
        """Return the functions of the base that are different."""
        base, now = self.base.graph.functions, self.graph.functions
        return [name for name, each in base.items() if now[name] is not each]

    def _replace_function(self, function: FunctionDef) -> None:
        name = str(function.signature.name)
        same = self.graph.functions[name]
        self.added_functions = [function if f is same else f for f in self.added_functions]
        self.graph.functions[name] = function

    def _remove_function(self, name: str) -> None:
        gone = self.graph.functions.pop(name)
        self.added_functions = [each for each in self.added_functions if each is not gone]
        self.added_gradients = [g for g in self.added_gradients if g.function_name != name]

    def _remove(self, name: str) -> None:
        require(self.graph, name)
        for consumer in self.graph.consumers(name):
            refs = self.graph.inputs(consumer)
            if control(name) in refs:
                rest = [str(ref) for ref in refs if ref != control(name)]
                self._put(with_inputs(self.graph.nodes[consumer], rest))
        self.graph.drop(name)
        self.touched.pop(name, None)

    def _put(self, node: NodeDef) -> None:
        self.graph.put(node)
        self.touched[str(node.name)] = None

    def loose_colocations(self) -> list[str]:
        """Return the nodes that are colocated with a node which is gone."""
        gone = set(self.removed_nodes())
        nodes = self.graph.nodes.items() if gone else ()
        return [name for name, node in nodes if gone.intersection(colocations(node))]


def _set(held: dict[str, M], key: str, value: M | None) -> None:
    if value is None:
        held.pop(key, None)
    else:
        held[key] = value
