"""A second variable on the paths of a first one: through reads, casts, loops and branches.

What enters a loop or a branch is listed in its context, and gradients go astray where it is not.
So each Enter and Switch on a path gets a twin, and the contexts that name the one name the other.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from graphfreeze.errors import RewriteError
from graphfreeze.model.collected import Collections
from graphfreeze.model.control_flow import CONTEXTS, Context, nested_contexts
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.builder import node_name
from graphfreeze.rewrite.edits import AddNode, SetCollection
from graphfreeze.rewrite.new_variable import NewVariable
from graphfreeze.schema import CollectionDef

_REFS = frozenset({"RefEnter", "RefSwitch", "RefIdentity"})
_PASSING = _REFS | {"Identity", "Enter", "Switch", "Cast", "ReadVariableOp"}
_UNFIT_ATTRS = ("_class", "_output_shapes")


@dataclass
class Twins:
    """Takes a new variable along the paths of an old one of the same kind and type.

    ``made`` has the twin of every tensor that was met; ``edits`` are the nodes it took."""

    graph: Graph
    old: Variable
    new: NewVariable
    made: dict[TensorRef, TensorRef] = field(default_factory=dict)
    edits: list[AddNode] = field(default_factory=list)

    def twin(self, ref: TensorRef) -> TensorRef:
        """Return what a tensor would be if it came from the new variable.

        Raises RewriteError for a path out of a loop."""
        if ref not in self.made:
            self.made[ref] = self._twin(ref)
        return self.made[ref]

    def value(self, ref: TensorRef) -> TensorRef:
        """Return the same for a tensor whose value is taken: the read, if it is the ref itself."""
        if ref.node == self.old.name and self.old.kind == "ref":
            return self.new.read
        return self.twin(ref)

    def _twin(self, ref: TensorRef) -> TensorRef:
        name = ref.node
        if name == self.old.name:
            return TensorRef(self.new.name)
        op = self.graph.op(name)
        if op not in _PASSING:
            raise RewriteError.reader_in_loop(self.old.name, name)
        first, *rest = self.graph.inputs(name)
        if first.node == self.old.name and op == self._read_op:
            return self.new.read
        copy = node_name(name, "rows")
        if all(edit.name != copy for edit in self.edits):
            source = self.twin(first) if op in _REFS else self.value(first)
            node = self.graph.nodes[name]
            attrs = {key: value for key, value in node.attr.items() if key not in _UNFIT_ATTRS}
            self.edits.append(AddNode(copy, op, (source, *rest), attrs, str(node.device)))
        return TensorRef(copy, ref.port)

    @property
    def _read_op(self) -> str:
        return "ReadVariableOp" if self.old.kind == "resource" else "Identity"


def list_twins(
    collections: Collections, *twins: Mapping[TensorRef, TensorRef]
) -> Iterator[SetCollection]:
    """Yield the contexts of loops and branches with all twins of what they name."""
    named = [{old.tensor_name: new.tensor_name for old, new in each.items()} for each in twins]
    for key, kind in CONTEXTS.items():
        raws = list(collections[key].bytes_list.value) if key in collections else []
        contexts = [kind.FromString(raw) for raw in raws]
        listed = [any([*(_list(context, names) for names in named)]) for context in contexts]
        if any(listed):
            pairs = zip(contexts, listed, raws, strict=True)
            new = [c.SerializeToString(deterministic=True) if is_ else raw for c, is_, raw in pairs]
            entries = CollectionDef.BytesList(value=new)
            yield SetCollection(key, CollectionDef(bytes_list=entries))


def _list(context: Context, names: Mapping[str, str]) -> bool:
    """Name twins in a context, and in those inside it; tell whether there are any."""
    values, outside = context.values_def, dict(context.values_def.external_values)
    entered = {outer for outer, inner in outside.items() if {outer, inner} <= names.keys()}
    # A value from outside whose twin does not come in is none of the context's.
    old = [v for v in values.values if v in names and (v in entered or v not in outside)]
    known = set(values.values)
    new = dict.fromkeys(names[v] for v in old)
    values.values.extend(name for name in new if name not in known)
    for outer in entered:
        values.external_values[names[outer]] = names[outside[outer]]
    return any([bool(old), *(_list(each, names) for each in nested_contexts(context))])
