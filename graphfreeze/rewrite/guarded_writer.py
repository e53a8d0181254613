"""A writer of a partly frozen variable, which is to write some of it only."""

from dataclasses import dataclass, field

from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.builder import Builder
from graphfreeze.schema import NodeDef


@dataclass
class GuardedWriter:
    """A writer of a variable; ``build`` makes the nodes that guard it, on its own device."""

    graph: Graph
    variable: Variable
    writer: str
    build: Builder = field(init=False)

    def __post_init__(self) -> None:
        device = str(self.node.device) or str(self.graph.nodes[self.variable.name].device)
        self.build = Builder(self.writer, device)

    @property
    def node(self) -> NodeDef:
        """The writer's node."""
        return self.graph.nodes[self.writer]

    @property
    def arguments(self) -> dict[str, TensorRef]:
        """The writer's inputs by the names that its op gives them; none where it takes lists."""
        return self.graph.arguments(self.writer)
