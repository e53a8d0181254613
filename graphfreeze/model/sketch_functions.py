"""Functions as sketches of their bodies, which name arguments and returns as ``bodies`` does.

::

    x = _Arg()                          # float32, as any attribute that a sketch leaves out
    w = _Arg() {T: resource}
    r = ReadVariableOp(w)
    m = MatMul(x, r)
    return:y = _Retval(m)
"""

from collections.abc import Mapping

from graphfreeze.model.bodies import ARGUMENT, RETURN, Body, open_body
from graphfreeze.model.graph import Graph
from graphfreeze.model.ops import OpRegistry
from graphfreeze.model.sketch import format_sketch, sketch_meta_graph
from graphfreeze.schema import FunctionDef


def sketch_functions(texts: Mapping[str, str]) -> dict[str, FunctionDef]:
    """Read functions by their names; one that is the op of a node comes before that.

    Raises SketchError."""
    made: dict[str, FunctionDef] = {}
    for name, text in texts.items():
        nodes = sketch_meta_graph(text).graph_def.node
        graph = Graph(nodes, made, OpRegistry())
        function = FunctionDef()
        stand_ins = {str(node.name): node for node in nodes if node.op in (ARGUMENT, RETURN)}
        for title, node in stand_ins.items():
            is_return, signature = node.op == RETURN, function.signature
            args = signature.output_arg if is_return else signature.input_arg
            args.add(name=title.split(":")[-1], type=node.attr["T"].type)
        made[name] = Body(function, graph, stand_ins, {}).written(name)
    return made


def format_function(graph: Graph, name: str) -> str:
    """Write the body of a function of the graph's library as a sketch."""
    body = open_body(graph, graph.functions[name])
    for node in body.graph.nodes.values():
        if node.op in (ARGUMENT, RETURN):
            node.attr.pop("index", None)
    return format_sketch(body.graph)
