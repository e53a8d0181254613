"""Build gradients and optimizer ops in TensorFlow, on an import of the draft."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol

from graphfreeze.errors import TrainError
from graphfreeze.model.control_flow import CONTEXTS, ENTERS
from graphfreeze.model.names import TensorRef
from graphfreeze.model.nesting import frame_name
from graphfreeze.model.reads import writers
from graphfreeze.model.undescribed import find_in_functions, find_undescribed, of_gradients
from graphfreeze.model.updates import kept_updates, looped_updates
from graphfreeze.model.variables import REF_OPS, RESOURCE_OPS, TRAINABLE, Variable
from graphfreeze.rewrite.builder import MARK
from graphfreeze.rewrite.draft import Draft
from graphfreeze.runtime import building, load_op_libraries
from graphfreeze.schema import GraphDef
from graphfreeze.selection.resolve import Selection
from graphfreeze.train.checks import check_request
from graphfreeze.train.import_draft import Import, imported
from graphfreeze.train.request import TrainRequest
from graphfreeze.train.step import Step

_NO_ZEROS = "None values not supported"  # of a handle that the other branch would take
_NO_GRADIENT = re.compile(r"operation ?'(?P<node>[^']+)' \(op type: (?P<op>\w+)\)")


class TFVariable(Protocol):
    """What is needed of TensorFlow's variables."""

    @property
    def op(self) -> Any:
        """The operation of the variable; its name is the variable's."""


@dataclass(frozen=True)
class Snapshot:
    """A TensorFlow graph at one moment: its message and its variables and contexts, serialized."""

    graph: GraphDef
    variables: dict[str, bytes]
    contexts: dict[str, list[bytes]]


@dataclass(frozen=True)
class Built:
    """The graph before and after, as ``how`` names it, and what came of the build."""

    before: Snapshot
    after: Snapshot
    train_op: str
    unreached: tuple[str, ...]
    global_step: str
    version: str
    how: Import

    @property
    def ignored(self) -> Mapping[str, str]:
        """The nodes, with the names of their gradients, that were given their op's own."""
        return self.how.ignored

    @property
    def graphs(self) -> tuple[GraphDef, GraphDef]:
        """The graph before and after."""
        return self.before.graph, self.after.graph


def build_train_op(
    draft: Draft, selection: Selection, losses: Sequence[TensorRef], request: TrainRequest
) -> Built:
    """Import the draft, build the train_op, and return both graphs; raises TrainError."""
    check_request(request)
    is_resource = any(v.kind == "resource" for v in _learning(draft, selection))
    load_op_libraries(request.op_libraries)
    learning = [variable.name for variable in _learning(draft, selection)]
    with (
        building(resource_variables=is_resource) as tf,
        imported(tf, draft, request, learning=learning, losses=losses) as how,
    ):
        before = _snapshot(tf)
        if draft.seed is not None:
            tf.set_random_seed(draft.seed)
        with tf.name_scope(f"{MARK}/"):
            step = _global_step(tf)
            pairs = _gradients(tf, draft, learning, losses)
            reached = [(gradient, v) for gradient, v in pairs if gradient is not None]
            if not reached:
                raise TrainError.nothing_to_train(", ".join(r.tensor_name for r in losses))
            updates, ends = _updates(draft, selection), [ref.node for ref in losses]
            parts = Step(tf, draft, selection, request, step, updates, ends)
            with _refusing(tf):
                applied = parts.build(reached, [variable.op.name for _, variable in pairs])
            train_op = tf.group(applied, name="train_op")
        unreached = tuple(v.op.name for gradient, v in pairs if gradient is None)
        step_name = step.op.name
        version = tf.__version__
        return Built(before, _snapshot(tf), train_op.name, unreached, step_name, version, how)


def _global_step(tf: ModuleType) -> TFVariable:
    """Return the graph's global step, or a new one; raises TrainError."""
    _list_global_step(tf)
    try:
        step: TFVariable = tf.train.get_or_create_global_step()
    except (ValueError, TypeError) as error:
        raise TrainError.bad_global_step(str(error)) from error
    if step.op.type not in REF_OPS | RESOURCE_OPS:
        raise TrainError.bad_global_step(f"it is an op {step.op.type}")
    return step


def _list_global_step(tf: ModuleType) -> None:
    """Let the collection hold the variable itself where it names a tensor, or nothing."""
    listed = tf.get_collection_ref(tf.GraphKeys.GLOBAL_STEP)
    names = {str(each.name).partition(":")[0] for each in listed} or {"global_step"}
    found = {v.op.name: v for v in tf.global_variables() if v.op.name in names}
    if found:
        listed[:] = found.values()


@contextmanager
def _refusing(tf: ModuleType) -> Iterator[None]:
    """Pass on as a TrainError why TensorFlow does not build something."""
    try:
        yield
    except (LookupError, ValueError, TypeError, NotImplementedError, tf.errors.OpError) as error:
        found = _NO_GRADIENT.search(str(error))
        if found is not None:
            raise TrainError.no_gradient(found["node"], op=found["op"]) from error
        raise TrainError.build_refused(str(error), version=tf.__version__) from error


def _learning(draft: Draft, selection: Selection) -> list[Variable]:
    """Return the variables that are left to learn, those included that a pass made for it."""
    old = draft.base.graph
    made = [v for v in draft.variables if v.is_trainable and v.name not in old]
    return [*selection.trained, *made]


def _gradients(
    tf: ModuleType, draft: Draft, trained: Collection[str], losses: Sequence[TensorRef]
) -> Sequence[tuple[object, TFVariable]]:
    """Return gradient and variable for each variable that is left; a gradient may be None."""
    graph = tf.get_default_graph()
    found = (v for key in TRAINABLE for v in graph.get_collection(key))
    left = {v.op.name: v for v in found if v.op.name in trained}
    ys = [graph.get_tensor_by_name(ref.tensor_name) for ref in losses]
    with _refusing(tf), _refusing_loops(draft, losses), _refusing_bodies(draft, losses):
        # As tf.train's own minimize: no update may come before a gradient that reads the same
        # buffer, as that of a product's other factor does.
        gradients = tf.gradients(ys, list(left.values()), gate_gradients=True)
    return list(zip(gradients, left.values(), strict=True))


@contextmanager
def _refusing_loops(draft: Draft, losses: Sequence[TensorRef]) -> Iterator[None]:
    """Name the loops without a context that TensorFlow stumbles over; raises TrainError."""
    try:
        yield
    except AttributeError as error:
        graph = draft.graph
        above = graph.ancestors(ref.node for ref in losses)
        frames = {frame_name(graph, name) for name in above if graph.op(name) in ENTERS}
        found = find_undescribed(graph, draft.collections)
        reasons = {**of_gradients(found.told.nesting), **found.misfits}
        passed = next((each for each in reasons.items() if each[0] in frames), None)
        if passed is None:
            raise
        raise TrainError.unrecovered_loop(*passed) from error


@contextmanager
def _refusing_bodies(draft: Draft, losses: Sequence[TensorRef]) -> Iterator[None]:
    """Name what TensorFlow stumbles over in a function; raises TrainError."""
    try:
        yield
    except (AttributeError, ValueError) as error:
        found = next(find_in_functions(draft.graph, [ref.node for ref in losses]), None)
        if found is None or not (isinstance(error, AttributeError) or _NO_ZEROS in str(error)):
            raise
        node, function = found
        raise TrainError.undescribed_in_function(
            str(node.name), function, op=str(node.op)
        ) from error


def _updates(draft: Draft, selection: Selection) -> list[str]:
    """Return the UPDATE_OPS that write no frozen variable and that a step can wait for."""
    frozen = [name for v in selection.frozen for name in writers(draft.graph, v)]
    looped = looped_updates(draft.graph, draft.collections)
    kept = kept_updates(draft.graph, draft.collections, frozen)
    return [name for name in kept if name not in looped]


def _snapshot(tf: ModuleType) -> Snapshot:
    graph = tf.get_default_graph()
    variables = {v.op.name: v.to_proto().SerializeToString() for v in tf.global_variables()}
    contexts = {
        key: [c.to_proto().SerializeToString(deterministic=True) for c in graph.get_collection(key)]
        for key in CONTEXTS
    }
    return Snapshot(graph.as_graph_def(), variables, contexts)
