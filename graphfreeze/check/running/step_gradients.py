"""The gradients that the optimizer's ops of a step take, by variable."""

from collections.abc import Collection, Iterator

from graphfreeze.check.running.outputs import is_floating
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import writers
from graphfreeze.model.variables import Variable

# What the optimizers' ops call a gradient; a plain step scatters its updates.
_ARGUMENTS = ("grad", "delta", "gradient")
_SCATTERS = ("ScatterSub", "ResourceScatterSub", "ScatterAdd", "ResourceScatterAdd")


def find_gradients(graph: Graph, variable: Variable, nodes: Collection[str]) -> list[TensorRef]:
    """Return what the writers of a variable among ``nodes`` take as its gradient.

    ``nodes`` are those that a session can fetch. There is none where it is not known: for an op
    that is no optimizer's, or in a branch."""
    chosen = (name for name in writers(graph, variable) if name in nodes)
    found = [ref for name in chosen for ref in _taken(graph, name, variable)]
    fetched = (ref for ref in found if ref.node in nodes and is_floating(graph, ref))
    return list(dict.fromkeys(fetched))


def _taken(graph: Graph, name: str, variable: Variable) -> Iterator[TensorRef]:
    op, inputs = graph.op(name), graph.data_inputs(name)
    if op in _SCATTERS:
        yield inputs[2]
    definition = graph.ops.find(op)
    if "Apply" not in op or definition is None or inputs[0].node != variable.name:
        return
    names = [str(arg.name) for arg in definition.input_arg]
    yield from (inputs[names.index(each)] for each in _ARGUMENTS if each in names)
