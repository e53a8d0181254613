"""A function's body seen as a graph, and written as a function again.

::

    f(x, w) -> y                          x = _Arg() {index: 0}
      r = ReadVariableOp(w)               w = _Arg() {index: 1}
      m = MatMul(x, r:value:0)      =>    r = ReadVariableOp(w)
      return y = m:product:0              m = MatMul(x, r)
                                          return:y = _Retval(m) {index: 0}

What works on graphs works on it: a variable whose handle is an argument stands there under the
argument's name. No node of a body can be called ``return:y``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from graphfreeze.model.attrs import Shape, shape_proto
from graphfreeze.model.graph import Graph, with_inputs
from graphfreeze.model.names import TensorRef, parse_ref
from graphfreeze.schema import AttrValue, FunctionDef, NodeDef

ARGUMENT, RETURN, KEPT = "_Arg", "_Retval", "NoOp"
_SHAPES = "_input_shapes"  # of the arguments, one for each


@dataclass(frozen=True)
class Body:
    """The body of ``function`` as a ``graph`` of its own, which can be edited.

    ``opened`` are the graph's nodes as they were at first; ``texts`` says how the body writes the
    tensors that it speaks of."""

    function: FunctionDef
    graph: Graph
    opened: Mapping[str, NodeDef]
    texts: Mapping[TensorRef, str]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The nodes that stand for the arguments."""
        return tuple(str(arg.name) for arg in self.function.signature.input_arg)

    @property
    def returns(self) -> tuple[str, ...]:
        """The nodes that stand for what is returned."""
        return tuple(return_name(str(arg.name)) for arg in self.function.signature.output_arg)

    @property
    def is_changed(self) -> bool:
        """Tell whether the graph is another than it was at first."""
        nodes = self.graph.nodes
        same = (nodes.get(name) is node for name, node in self.opened.items())
        return len(nodes) != len(self.opened) or not all(same)

    def with_argument(
        self, name: str, dtype: int, *, shape: Shape = (), is_returned: bool = False
    ) -> "Body":
        """Return the body with one more argument, which it gives back if that is asked for.

        Its ``shape`` is told where those of the others are: there has to be one for each. The
        graph is the same one: it has the nodes that stand for them from now on."""
        function = FunctionDef()
        function.CopyFrom(self.function)
        function.signature.input_arg.add(name=name, type=dtype)
        if function.attr.get(_SHAPES) is not None:
            function.attr[_SHAPES].list.shape.append(shape_proto(shape))
        if is_returned:
            function.signature.output_arg.add(name=name, type=dtype)
            function.ret[name] = name
        new = [*_arguments(function), *_returns(function, _Texts(self.graph, function))]
        for node in (node for node in new if str(node.name) not in self.graph):
            self.graph.put(node)
        return replace(self, function=function)

    def written(self, name: str) -> FunctionDef:
        """Return the body as a function called ``name``; nodes that nobody edited are the same."""
        made = FunctionDef()
        made.CopyFrom(self.function)
        made.signature.name = name
        del made.node_def[:]
        made.node_def.extend(self._nodes())
        for output in made.signature.output_arg:
            (ref,) = self.graph.inputs(return_name(str(output.name)))
            made.ret[str(output.name)] = self.text(ref)
        return made

    def text(self, ref: TensorRef) -> str:
        """Write a tensor, or a control edge, as bodies do: ``node:output:0``."""
        before = self.opened.get(ref.node)
        # Another op in a node's place may call its outputs otherwise.
        if ref in self.texts and before is not None and self.graph.op(ref.node) == before.op:
            return self.texts[ref]
        if ref.is_control or self.graph.op(ref.node) == ARGUMENT:
            return str(ref)
        node = self.graph.nodes[ref.node]
        names = self.graph.ops.output_names(node, self.graph.functions)
        output, at = names[ref.port or 0]
        return f"{ref.node}:{output}:{at}"

    def _nodes(self) -> Iterator[NodeDef]:
        original = {str(node.name): node for node in self.function.node_def}
        for name, node in self.graph.nodes.items():
            if is_stand_in(node):
                continue
            inputs = [self.text(ref) for ref in self.graph.inputs(name)]
            if self.opened.get(name) is node and inputs == list(original[name].input):
                yield original[name]
            else:
                yield with_inputs(node, inputs)


def is_stand_in(node: NodeDef) -> bool:
    """Tell whether a node of a body's graph stands for an argument, or for what is returned."""
    return node.op in (ARGUMENT, RETURN) or str(node.name).startswith(return_name(""))


def return_name(output: str) -> str:
    """Return the name of the node that stands for something returned."""
    return f"return:{output}"


def open_body(graph: Graph, function: FunctionDef) -> Body:
    """Return the body of a function of the graph's library as a graph."""
    inner = Graph((), graph.functions, graph.ops)
    inner.handled = graph.handled
    texts = _Texts(graph, function)
    for node in _arguments(function):
        inner.put(node)
    for node in function.node_def:
        refs = [str(texts.ref(str(text))) for text in node.input]
        inner.put(with_inputs(node, refs))
    for node in _returns(function, texts):
        inner.put(node)
    return Body(function, inner, dict(inner.nodes), {r: t for t, r in texts.refs.items()})


def _arguments(function: FunctionDef) -> Iterator[NodeDef]:
    for index, arg in enumerate(function.signature.input_arg):
        attrs = {"T": AttrValue(type=arg.type), "index": AttrValue(i=index)}
        yield NodeDef(name=str(arg.name), op=ARGUMENT, attr=attrs)


def _returns(function: FunctionDef, texts: "_Texts") -> Iterator[NodeDef]:
    for index, arg in enumerate(function.signature.output_arg):
        ref = texts.ref(function.ret.get(str(arg.name), ""))
        attrs = {"T": AttrValue(type=arg.type), "index": AttrValue(i=index)}
        yield NodeDef(name=return_name(str(arg.name)), op=RETURN, input=[str(ref)], attr=attrs)
    for output, name in function.control_ret.items():
        yield NodeDef(name=return_name(f"^{output}"), op=KEPT, input=[f"^{name}"])


class _Texts:
    """Which tensor each text of a body is; ``refs`` has those that were asked for."""

    def __init__(self, graph: Graph, function: FunctionDef) -> None:
        self.graph = graph
        self.nodes = {str(node.name): node for node in function.node_def}
        self.refs: dict[str, TensorRef] = {}

    def ref(self, text: str) -> TensorRef:
        if text not in self.refs:
            self.refs[text] = self._find(parse_ref(text))
        return self.refs[text]

    def _find(self, ref: TensorRef) -> TensorRef:
        if not ref.output:
            return ref
        graph, place = self.graph, (ref.output, ref.port or 0)
        node = self.nodes.get(ref.node)
        if node is not None and graph.ops.find_output_types(node, graph.functions) is not None:
            return TensorRef(ref.node, graph.ops.output_names(node, graph.functions).index(place))
        # Outputs of an op that nobody knows are counted as they come.
        spoken = (each.node == ref.node and not each.is_control for each in self.refs.values())
        return TensorRef(ref.node, sum(spoken))
