"""Describe the v1 while loops of a graph that has no contexts, so that gradients pass them."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.model.attrs import find_attr, type_attr
from graphfreeze.model.graph import Graph
from graphfreeze.model.loop_frames import LoopFrame, LoopVariable, find_frames
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef
from graphfreeze.rewrite.builder import node_name
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import AddNode, Edit, SetCollection
from graphfreeze.schema import CollectionDef, WhileContextDef

_KEY = "while_context"
_PARALLEL = 10  # as tf.while_loop has it by itself


@dataclass(frozen=True)
class RecoverContexts:
    """Recover a WhileContextDef for each loop, where a graph has none at all.

    A loop variable whose Exit was pruned gets one again: TensorFlow takes it for one without a
    gradient otherwise. Loops in loops, and those with branches inside, stay as they are.
    """

    name = "recover_contexts"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits, none if some loop is described."""
        if _KEY in draft.collections:
            return
        contexts = []
        for frame in find_frames(draft.graph):
            for variable in frame.variables:
                if not variable.exit and variable.body:
                    yield _exit(draft.graph, variable)
            contexts.append(_context(draft.graph, frame).SerializeToString(deterministic=True))
        if contexts:
            entries = CollectionDef.BytesList(value=contexts)
            yield SetCollection(_KEY, CollectionDef(bytes_list=entries))

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a loop of its own that is still not described."""
        if _KEY not in draft.collections and find_frames(draft.graph):
            return "a loop has no context"
        return None


def _exit(graph: Graph, variable: LoopVariable) -> AddNode:
    switch = TensorRef(variable.switch)
    dtype, device = type_attr(graph.dtype(switch)), str(graph.nodes[switch.node].device)
    return AddNode(_exit_name(variable), "Exit", (switch,), {"T": dtype}, device)


def _exit_name(variable: LoopVariable) -> str:
    return variable.exit or node_name(variable.switch, "exit")


def _context(graph: Graph, frame: LoopFrame) -> WhileContextDef:
    first, *_ = frame.variables
    parallel = find_attr(graph.nodes[first.enter], "parallel_iterations").i
    context = WhileContextDef(
        context_name=frame.name,
        parallel_iterations=parallel or _PARALLEL,
        back_prop=True,
        pivot_name=f"{frame.condition}:0",
        pivot_for_pred_name=f"{first.merge}:0",
        pivot_for_body_name=f"{first.body or first.switch}:{0 if first.body else 1}",
        loop_exit_names=[f"{_exit_name(v)}:0" for v in frame.variables if v.exit or v.body],
        loop_enter_names=[f"{v.enter}:0" for v in frame.variables],
    )
    brought = {_key(graph, enter): f"{enter}:0" for enter in frame.values}
    inner = [f"{name}:{port}" for name in frame.nodes for port in _ports(graph, name)]
    context.values_def.values.extend(sorted({*inner, *brought}))
    for outer, enter in sorted(brought.items()):
        context.values_def.external_values[outer] = enter
    return context


def _key(graph: Graph, enter: str) -> str:
    return graph.data_inputs(enter)[0].tensor_name


def _ports(graph: Graph, name: str) -> range:
    return range(len(graph.ops.output_types(graph.nodes[name], graph.functions)))
