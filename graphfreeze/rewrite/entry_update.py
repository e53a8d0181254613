"""A writer of a variable that is to write some entries only, which are not whole rows."""

from dataclasses import dataclass, replace

from graphfreeze.model.names import TensorRef, control
from graphfreeze.model.variables import REF_OPS, RESOURCE_OPS
from graphfreeze.rewrite.builder import Builder
from graphfreeze.rewrite.edits import ReplaceNode
from graphfreeze.rewrite.entry_mask import mask_of_ids, trainable_mask
from graphfreeze.rewrite.guarded_writer import GuardedWriter
from graphfreeze.schema import AttrValue, NodeDef
from graphfreeze.selection.entries import Entries

STORES = {
    ("ref", False): "Assign",
    ("resource", False): "AssignVariableOp",
    ("ref", True): "ScatterUpdate",
    ("resource", True): "ResourceScatterUpdate",
}
_EARLY = REF_OPS | RESOURCE_OPS | {"Const"}
_LOCKS_BY_DEFAULT = frozenset({"Assign", "ScatterUpdate", "ScatterNdUpdate"})


@dataclass
class EntryUpdate(GuardedWriter):
    """A writer of a variable some of whose ``entries`` are frozen.

    Whatever it writes becomes ``SelectV2(mask, new, now)``: the bits of a frozen entry are copied
    from the variable itself. With ``ids`` all three are rows of these ids, else of all entries."""

    entries: Entries

    @property
    def handle(self) -> TensorRef:
        """The variable, or the ref that an earlier writer gives back."""
        return self.graph.data_inputs(self.writer)[0]

    @property
    def late(self) -> Builder:
        """A builder of nodes that run as late as the writer would: after all that it takes."""
        refs = self.graph.inputs(self.writer)[1:]
        waits = (r.node for r in refs if r.is_control or not self._is_early(r.node))
        return replace(self.build, controls=[control(node) for node in dict.fromkeys(waits)])

    def _is_early(self, node: str) -> bool:
        """Tell whether a node waits for nothing, as a constant that an optimizer made may not."""
        return self.graph.op(node) in _EARLY and not self.graph.inputs(node)

    def read(
        self, build: Builder, role: str, handle: TensorRef, ids: TensorRef | None = None
    ) -> TensorRef:
        """Add a read of a variable like this one: of all of it, or of its rows ``ids``."""
        dtype, is_ref = self.variable.dtype, self.variable.kind == "ref"
        if ids is None:
            op, key = ("Identity", "T") if is_ref else ("ReadVariableOp", "dtype")
            return build.add(role, op, (handle,), {key: dtype})
        op, key = ("Gather", "Tparams") if is_ref else ("ResourceGather", "dtype")
        return build.add(role, op, (handle, ids), {key: dtype, "Tindices": self.ids_type})

    def now(self, ids: TensorRef | None = None) -> TensorRef:
        """Add the read of the variable that its frozen entries are kept by."""
        return self.read(self.late, "now", self.handle, ids)

    @property
    def ids_type(self) -> int:
        """The type of the ids that the writer takes."""
        return self.graph.dtype(self.arguments["indices"])

    def mask(self, ids: TensorRef | None = None) -> TensorRef:
        """Add a bool that broadcasts to what is written, true for the entries that learn."""
        if ids is None:
            return trainable_mask(self.build, self.entries, self.variable)
        return mask_of_ids(self.build, self.entries, self.variable, ids, self.ids_type)

    def keep(self, new: TensorRef, now: TensorRef, ids: TensorRef | None = None) -> ReplaceNode:
        """Add what is to be written, and return the writer that writes it under its own name."""
        inputs = (self.mask(ids), new, now)
        kept = self.build.add("kept", "SelectV2", inputs, {"T": self.variable.dtype})
        return self._replaced(kept, ids)

    def _replaced(self, kept: TensorRef, ids: TensorRef | None) -> ReplaceNode:
        old, is_ref = self.node, self.variable.kind == "ref"
        op = STORES[self.variable.kind, ids is not None]
        twin = NodeDef(name=self.writer, op=op, device=old.device)
        if old.op == op:
            twin.CopyFrom(old)
            twin.ClearField("input")
        refs = [self.handle, *([] if ids is None else [ids]), kept]
        controls = [ref for ref in self.graph.inputs(self.writer) if ref.is_control]
        twin.input.extend(map(str, [*refs, *controls]))
        twin.attr["T" if is_ref else "dtype"].type = self.variable.dtype
        if ids is not None:
            twin.attr["Tindices"].type = self.ids_type
        if is_ref:
            twin.attr["use_locking"].CopyFrom(AttrValue(b=self._locks))
        if "_class" in old.attr:
            twin.attr["_class"].CopyFrom(old.attr["_class"])
        return ReplaceNode(twin)

    @property
    def _locks(self) -> bool:
        if "use_locking" in self.node.attr:
            return bool(self.node.attr["use_locking"].b)
        return self.node.op in _LOCKS_BY_DEFAULT
