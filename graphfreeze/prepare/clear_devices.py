"""Let nodes run wherever there is room for them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from graphfreeze.model.model import Model
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, ReplaceFunction, ReplaceNode
from graphfreeze.schema import FunctionDef, NodeDef


@dataclass
class ClearDevices:
    """Take its device off every node, in functions too.   y @ /device:GPU:0   =>   y

    What is colocated stays so. ``cleared`` counts afterwards the nodes of each device.
    """

    name: str = "clear_devices"
    cleared: Counter[str] = field(default_factory=Counter)

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits."""
        for node in draft.graph.nodes.values():
            if node.device:
                yield ReplaceNode(self._without(node))
        for function in draft.graph.functions.values():
            if any(node.device for node in function.node_def):
                twin = FunctionDef()
                twin.CopyFrom(function)
                del twin.node_def[:]
                twin.node_def.extend(self._without(node) for node in function.node_def)
                yield ReplaceFunction(twin)

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a node that still has a device."""
        left = (name for name, node in draft.graph.nodes.items() if node.device)
        return next((f"{name} still has a device" for name in left), None)

    def _without(self, node: NodeDef) -> NodeDef:
        if not node.device:
            return node
        self.cleared[str(node.device)] += 1
        twin = NodeDef()
        twin.CopyFrom(node)
        twin.device = ""
        return twin
