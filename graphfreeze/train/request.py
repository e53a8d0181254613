"""Which loss is to be trained, and with which optimizer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from graphfreeze.errors import PathLike, TrainError
from graphfreeze.model.attrs import FLOATING, dtype_name
from graphfreeze.model.collected import Collections, node_entries
from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef, parse_ref
from graphfreeze.train.custom_gradients import ERROR, Gradient, find_function
from graphfreeze.train.optimizers import OptimizerSpec, resolve_rate
from graphfreeze.train.schedules import Schedule, parse_schedule

TOTAL = "total"
MOST_RUNS = 10_000  # that make a step: an op a run and a lookup
_REDUCTIONS = frozenset({"Mean", "Sum", "Add", "AddV2", "AddN", "Mul", "RealDiv", "Select"})


@dataclass(frozen=True)
class TrainRequest:
    """What the train_op is to do.

    ``loss`` are names of tensors that are summed, ``total`` for all losses and regularization
    losses of the graph; without any, the ``losses`` collection has to leave no doubt.
    ``optimizer`` is a name of ``graphfreeze.train.optimizers``, or any object that has
    ``apply_gradients(grads_and_vars, global_step)``. ``arguments`` go to a named optimizer.

    A named one takes a ``schedule`` of its learning rate, ``lr_scales``, factors of it by pattern
    (of several that match a variable the last holds), and ``no_decay``, patterns of what
    ``adamw`` does not decay (BERT's, if there are none). ``clip_norm`` is the largest norm of all
    gradients together. The gradients of ``accumulate`` runs make one step, and with
    ``skip_nonfinite`` a run whose gradients hold inf or NaN changes nothing.

    ``gradients`` are functions, or where to find them as ``module:function``, by the names of
    gradients or ops. Where a gradient is lost, ``custom_gradients`` is ``error``, or ``ignore``,
    which takes that of the op. ``op_libraries`` are files of ops that TensorFlow does not have.
    """

    loss: tuple[str, ...] = ()
    optimizer: str | OptimizerSpec = "adam"
    learning_rate: float | None = None
    arguments: Mapping[str, float | bool] = field(default_factory=dict)
    schedule: str | Schedule | None = None
    clip_norm: float | None = None
    lr_scales: Mapping[str, float] = field(default_factory=dict)
    no_decay: tuple[str, ...] = ()
    accumulate: int = 1
    skip_nonfinite: bool = False
    custom_gradients: str = ERROR
    gradients: Mapping[str, str | Gradient] = field(default_factory=dict)
    op_libraries: tuple[PathLike, ...] = ()

    @property
    def gradient_functions(self) -> dict[str, Gradient]:
        """The functions that are gradients, by their names; raises TrainError."""
        given = self.gradients.items()
        return {n: find_function(n, f) if isinstance(f, str) else f for n, f in given}

    @property
    def rate(self) -> float | None:
        """The learning rate of a named optimizer; an object has its own. Raises TrainError."""
        if isinstance(self.optimizer, str):
            return resolve_rate(self.optimizer, self.learning_rate)
        if self.learning_rate is not None or self.arguments:
            raise TrainError.settings_of_an_object()
        return None

    @property
    def chosen_schedule(self) -> Schedule | None:
        """The schedule; raises TrainError for a text that spells none."""
        given = self.schedule
        return parse_schedule(given) if isinstance(given, str) else given

    @property
    def looks_at_gradients(self) -> bool:
        """Tell whether anything but the optimizer takes the gradients."""
        return self.clip_norm is not None or self.accumulate > 1 or self.skip_nonfinite


def optimizer_name(request: TrainRequest) -> str:
    """Return the name of the optimizer, of an object that of its class."""
    chosen = request.optimizer
    return chosen if isinstance(chosen, str) else type(chosen).__name__


def find_losses(graph: Graph, collections: Collections, names: Sequence[str]) -> list[TensorRef]:
    """Return the tensors to be minimized; raises TrainError."""
    chosen = list(dict.fromkeys(names))
    if not chosen:
        return [parse_ref(_only_loss(graph, collections))]
    found = (ref for name in chosen for ref in _named(graph, collections, name))
    return list(dict.fromkeys(found))


def _named(graph: Graph, collections: Collections, name: str) -> Iterator[TensorRef]:
    if name == TOTAL:
        every = _listed(collections, "losses") + _listed(collections, "regularization_losses")
        if not every:
            raise TrainError.no_loss(list(_candidates(graph)))
        yield from map(parse_ref, dict.fromkeys(every))
        return
    try:
        ref = parse_ref(name)
    except ValueError:
        raise TrainError.unknown_loss(name, graph.nodes) from None
    count = graph.count_outputs(ref.node) if ref.node in graph else 0
    if ref.port is None or ref.port >= count:
        raise TrainError.unknown_loss(name, graph.nodes)
    dtype = graph.dtype(ref)
    if dtype not in FLOATING:
        raise TrainError.loss_not_floating(name, dtype=dtype_name(dtype), op=graph.op(ref.node))
    yield ref


def _listed(collections: Collections, key: str) -> list[str]:
    return node_entries(collections, key)


def _only_loss(graph: Graph, collections: Collections) -> str:
    """Return the loss that the collections leave no doubt about."""
    losses = _listed(collections, "losses")
    if not losses:
        raise TrainError.no_loss(list(_candidates(graph)))
    above = graph.ancestors(parse_ref(name).node for name in losses)
    others = _listed(collections, "regularization_losses")
    apart = [name for name in others if parse_ref(name).node not in above]
    if len(losses) > 1 or apart:
        raise TrainError.doubtful_loss([*losses, *apart])
    return losses[0]


def _candidates(graph: Graph) -> Iterator[str]:
    """Yield floating tensors that look like a loss: named so, or the end of a reduction."""
    for name, node in graph.nodes.items():
        types = graph.ops.find_output_types(node, graph.functions) or ()
        is_end = node.op in _REDUCTIONS and not graph.consumers(name, data_only=True)
        is_named = name.rpartition("/")[2] in ("loss", "total_loss", "cost")
        if types and types[0] in FLOATING and (is_end or is_named):
            yield f"{name}:0"
