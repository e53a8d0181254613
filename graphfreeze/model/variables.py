"""The variables of a model, found by their ops and described by its collections."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from graphfreeze.model.attrs import (
    COMPLEX,
    FLOATING,
    Shape,
    count_elements,
    dtype_name,
    parse_shape,
)
from graphfreeze.model.collected import Collections, variable_entries
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import parse_ref
from graphfreeze.schema import NodeDef, VariableDef

REF_OPS = frozenset({"VariableV2", "Variable", "AutoReloadVariable"})
RESOURCE_OPS = frozenset({"VarHandleOp"})
VARIABLES = "variables"
TRAINABLE = ("trainable_variables", "trainable_resource_variables")
ONLY_READ = frozenset(  # ops that take a handle and never write through it
    {
        "ReadVariableOp",
        "ResourceGather",
        "ResourceGatherNd",
        "ResourceStridedSlice",
        "VariableShape",
        "VarIsInitializedOp",
        "DisableCopyOnRead",
        *("Shape", "ShapeN", "Size", "Rank"),  # of the handle: gradients of 1.15 in loops take it
    }
)
PASS_HANDLE = frozenset({"Identity", "Enter", "Switch", "Exit"})  # ops that give a handle on
LOCAL = ("local_variables", "metric_variables")


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable: ``name`` is its op's name; ``shape`` is None where the graph does not say.

    ``kind`` is ref (VariableV2, Variable) or resource (VarHandleOp). ``definition`` is None where
    no collection describes it. ``is_local`` variables are never saved (counters of metrics).
    """

    name: str
    kind: str
    dtype: int
    shape: Shape | None
    definition: VariableDef | None = field(hash=False, compare=False)
    is_trainable: bool
    is_local: bool

    @property
    def is_differentiable(self) -> bool:
        """Tell whether it can have a gradient."""
        return self.dtype in FLOATING | COMPLEX

    @property
    def parameters(self) -> int | None:
        """Return the number of its elements, None if the shape is not known."""
        return count_elements(self.shape)

    @property
    def type_name(self) -> str:
        """Return its type as Python code names it."""
        return dtype_name(self.dtype)

    @property
    def partition_of(self) -> str:
        """Return the name of the variable that this is a part of, or ''."""
        return str(self.definition.save_slice_info_def.full_name) if self.definition else ""


def find_variables(
    graph: Graph, collections: Collections, untrained: Collection[str] = ()
) -> tuple[Variable, ...]:
    """Return the variables in GraphDef order.

    Without any collection of variables (a bare GraphDef) every differentiable one is trainable
    that is not ``untrained``.
    """
    trainable = dict(_definitions(collections, TRAINABLE))
    local = dict(_definitions(collections, LOCAL))
    described = dict(_definitions(collections, tuple(sorted(collections))))
    is_bare = not described
    return tuple(
        _variable(
            node,
            described.get(name),
            name in trainable or (is_bare and name not in untrained),
            name in local,
        )
        for name, node in graph.nodes.items()
        if node.op in REF_OPS | RESOURCE_OPS
    )


def _definitions(
    collections: Collections, keys: tuple[str, ...]
) -> Iterator[tuple[str, VariableDef]]:
    for key in keys:
        for definition in variable_entries(collections, key):
            yield parse_ref(str(definition.variable_name)).node, definition


def _variable(
    node: NodeDef, definition: VariableDef | None, is_trainable: bool, is_local: bool
) -> Variable:
    dtype = node.attr["dtype"].type
    return Variable(
        name=str(node.name),
        kind="ref" if node.op in REF_OPS else "resource",
        dtype=dtype,
        shape=parse_shape(node.attr["shape"].shape) if "shape" in node.attr else None,
        definition=definition,
        is_trainable=is_trainable and dtype in FLOATING | COMPLEX,
        is_local=is_local and not is_trainable,
    )
