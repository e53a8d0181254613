"""Gradients of calls, made from the bodies of the functions that are called.

============================================  ==============================================
PartitionedCall, StatefulPartitionedCall      the call gives more, which its gradient takes;
                                              so it was in the process that built the model,
                                              whose gradients died with it
an op that is a function                      a new call of that function, and the gradient of
                                              this call; the op stays as it is
one that has a gradient (library.gradient)    a call of that
============================================  ==============================================

TensorFlow's own way out, the op SymbolicGradient, knows no resources and gives zeros behind a loop,
without a word.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from graphfreeze.model.graph import Graph
from graphfreeze.runtime import internals
from graphfreeze.train.aliases import Aliases
from graphfreeze.train.custom_gradients import Gradient, gradients_of_calls

CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_Key = tuple[object, ...]


@dataclass
class CallGradients:
    """The gradients of calls in an import of a graph; ``given`` are functions' own by name."""

    tf: ModuleType
    aliases: Aliases
    given: Mapping[str, str]
    _opened: dict[_Key, Any] = field(default_factory=dict)

    def by_name(self, graph: Graph) -> dict[str, Gradient]:
        """Return gradients by the names that TensorFlow looks for."""
        alias = self.aliases.alias
        kinds = map(alias, gradients_of_calls(graph))
        functions = map(alias, graph.functions)
        return {
            **dict.fromkeys((*CALLS, *kinds), self._of_call),
            **dict.fromkeys(functions, self._of_function),
        }

    def _of_call(self, op: Any, *gradients: Any) -> Any:
        """Let a call give what its gradient takes, and return the gradients of its inputs."""
        if op.type not in CALLS:
            return self._of_function(op, *gradients)
        name = op.get_attr("f").name
        key = (op.graph, name, *(str(tensor.shape) for tensor in op.inputs))
        if key not in self._opened:
            self._opened[key] = self._open(op, name)
        made = self._opened[key]
        forward, _ = made.forward_backward(len(gradients))
        _announce(op, len(forward.function_type.flat_outputs))
        return made.get_gradient_function()(op, *gradients)

    def _of_function(self, op: Any, *gradients: Any) -> Any:
        """Return the gradients of the inputs of an op that is a function."""
        function = _definition(op.graph, op.type).signature
        own = self.given.get(self.aliases.name(op.type))
        if own is not None:
            types = [tensor.dtype for tensor in op.inputs]
            return self._call(op.graph, self.aliases.alias(own), [*op.inputs, *gradients], types)
        types = [tensor.dtype for tensor in op.outputs]
        again = self._call(op.graph, str(function.name), list(op.inputs), types)
        return self._of_call(again[0].op, *gradients)

    def _call(self, graph: Any, name: str, inputs: list[Any], types: list[Any]) -> list[Any]:
        """Call a function, and return what it gives."""
        is_stateful = _definition(graph, name).signature.is_stateful
        ops = self.tf.raw_ops
        call = ops.StatefulPartitionedCall if is_stateful else ops.PartitionedCall
        return list(call(args=inputs, Tout=types, f=name))

    def _open(self, op: Any, name: str) -> Any:
        """Return what makes the gradients of calls of a function from its body."""
        unshaped = (self.tf.resource, self.tf.variant)
        shapes = [None if each.dtype in unshaped else each.shape for each in op.inputs]
        definition = _definition(op.graph, name)
        with op.graph.as_default():
            reading = internals("framework.function_def_to_graph")
            body = reading.function_def_to_graph(definition, input_shapes=shapes)
        kind = internals("eager.polymorphic_function.concrete_function").ConcreteFunction
        return kind.from_func_graph(body, None, {})._delayed_rewrite_functions


def _announce(op: Any, outputs: int) -> None:
    """Let the v1 branch or loop around a call know what it gives, which is more than it gave.

    It would take what it does not know for a value from outside, and lead it in."""
    context = op._get_control_flow_context()
    for place in range(outputs) if context is not None else ():
        context.AddName(f"{op.name}:{place}")


def _definition(graph: Any, name: str) -> Any:
    """Return a function, which may be of a graph around this one."""
    return internals("framework.function_def_to_graph").get_function_def(name, graph)
