"""Which floating variables of a bare GraphDef do not learn, told by how they are written and used.

==========================================  ===================================================
a moving average                            what moves it is known, by structure
mean or variance of a batch norm            also where nothing moves it any more
written by an op that is no optimizer's     what an input or another variable decides, but no
                                            gradient
named like one                              where nothing else tells: the last part of its name
==========================================  ===================================================
"""

from collections.abc import Iterable, Mapping

from graphfreeze.model.averages import find_averages
from graphfreeze.model.graph import Graph
from graphfreeze.model.norm_statistics import is_statistic
from graphfreeze.model.origins import Values
from graphfreeze.model.reads import RESTORERS, writers
from graphfreeze.model.training import Training
from graphfreeze.model.uses import Uses
from graphfreeze.model.variables import Variable
from graphfreeze.schema import MetaGraphDef

AVERAGE = "moving averages"
STATISTIC = "mean or variance of a batch norm"
WRITTEN = "written by ops that are no optimizer's"
NAMED = "by their names alone"
_NAMES = frozenset({"global_step", "moving_mean", "moving_variance", "ExponentialMovingAverage"})


def find_untrained(
    graph: Graph, variables: tuple[Variable, ...], header: MetaGraphDef
) -> dict[str, str]:
    """Return by name of a variable why it does not learn."""
    able = [v for v in variables if v.is_differentiable]
    found = dict.fromkeys(_averages(graph, variables), AVERAGE)
    uses = Uses(graph)
    for variable in able:
        if any(is_statistic(graph, use) for use in uses.find(variable.name)):
            found.setdefault(variable.name, STATISTIC)
    training = Training(graph, {}, variables, header)
    moved = {v.name for v in able if _is_moved(training, uses, v)}
    found |= {name: WRITTEN for name in moved if name not in found}
    named = (v.name for v in able if v.name.rpartition("/")[2] in _NAMES)
    return {name: NAMED for name in named if name not in found} | found


def _averages(graph: Graph, variables: Iterable[Variable]) -> Iterable[str]:
    for average in find_averages(Values(graph, variables)):
        yield average.variable.name
        yield from (companion.name for companion in average.companions)


def _is_moved(training: Training, uses: Uses, variable: Variable) -> bool:
    """Tell whether something moves a variable that is no training, initializer or restore.

    What only looks at the variable itself, as a decay or a bound does, keeps it in shape."""
    own = writers(training.graph, variable)
    if any(writer in training.writers for writer in own):
        return False
    moving = [writer for writer in own if not training.is_initial(writer, variable)]
    return any(_brings(training, uses, writer, variable) for writer in moving)


def _brings(training: Training, uses: Uses, writer: str, variable: Variable) -> bool:
    """Tell whether a writer brings in what an input or another variable decides."""
    graph = training.graph
    above = graph.ancestors(ref.node for ref in graph.data_inputs(writer)) - {variable.name}
    if not RESTORERS.isdisjoint(map(graph.op, above)):
        return False
    if above & uses.moving:
        return True
    # The only value that a variable has may be another's: that is what it begins with.
    has_initial = training.find_initializer(variable) is not None
    return has_initial and any(other.name in above for other in training.variables)


def reasons(untrained: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the variables by the reason that they do not learn."""
    found: dict[str, list[str]] = {}
    for name, reason in untrained.items():
        found.setdefault(reason, []).append(name)
    return found
