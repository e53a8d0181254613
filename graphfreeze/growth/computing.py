"""What the ops that compute with a table do about its height.

Each rule yields effects, and raises GrowError for a use that cannot bear another height. Broadcasts
align axes at the end, so the axis keeps its number there.
"""

from collections.abc import Iterator

from graphfreeze.growth.heights import Effect, Rule, Site
from graphfreeze.model.attrs import find_attr
from graphfreeze.model.names import TensorRef
from graphfreeze.model.static_shapes import find_rank

PASSING = frozenset(
    {
        *("Identity", "Snapshot", "StopGradient", "PreventGradient", "CheckNumerics", "Cast"),
        *("Enter", "RefEnter", "Exit", "RefExit", "NextIteration", "RefNextIteration"),
        *("RefIdentity", "ReadVariableOp", "Neg", "Square", "Sqrt", "Rsqrt", "Exp"),
        *("Expm1", "Log", "Log1p", "Tanh", "Sigmoid", "Relu", "Relu6", "Elu", "Selu", "Softplus"),
        *("Softsign", "LeakyRelu", "Abs", "Sign", "Floor", "Ceil", "Round", "Rint", "Reciprocal"),
        *("Inv", "Erf", "Erfc", "Sin", "Cos", "IsNan", "IsInf", "IsFinite", "LogicalNot"),
        *("ZerosLike", "OnesLike", "Softmax", "LogSoftmax", "Cumsum", "DeepCopy"),
    }
)
SWITCHES = frozenset({"Switch", "RefSwitch"})
ALONGSIDE = frozenset(
    {
        *("Add", "AddV2", "AddN", "Sub", "Mul", "Div", "RealDiv", "FloorDiv", "TruncateDiv"),
        *("FloorMod", "Mod", "DivNoNan", "MulNoNan", "Maximum", "Minimum", "Pow", "Xdivy", "Xlogy"),
        *("SquaredDifference", "Equal", "NotEqual", "Less", "LessEqual", "Greater", "BiasAddV1"),
        *(
            "GreaterEqual",
            "LogicalAnd",
            "LogicalOr",
            "SelectV2",
            "ClipByValue",
            "Merge",
            "RefMerge",
        ),
        *("Assign", "AssignAdd", "AssignSub"),
    }
)
RESOURCE_WRITERS = frozenset({"AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp"})
_PRODUCTS = {
    "MatMul": ("transpose_a", "transpose_b"),
    "SparseMatMul": ("transpose_a", "transpose_b"),
    "BatchMatMul": ("adj_x", "adj_y"),
    "BatchMatMulV2": ("adj_x", "adj_y"),
}


def passes(site: Site) -> Iterator[Effect]:
    """Pass it on.   w -> y"""
    if site.slot:
        raise site.refusal()
    yield site.out()


def prints(site: Site) -> Iterator[Effect]:
    """Pass the first input on; what is printed may be as tall as it likes."""
    if not site.slot:
        yield site.out()


def switches(site: Site) -> Iterator[Effect]:
    """Pass it on to both branches.   w, pred -> y, y"""
    yield from passes(site)
    yield site.out(port=1)


def alongside(site: Site) -> Iterator[Effect]:
    """Ask all others to be as tall along that axis, or broadcast.   w, x -> y"""
    others = [slot for slot in range(len(site.inputs)) if slot != site.slot]
    ranks = [find_rank(site.graph, site.inputs[slot]) for slot in others] + [site.tall.rank]
    known = [rank for rank in ranks if rank is not None]
    rank = find_rank(site.graph, TensorRef(site.edge.consumer))
    if rank is None and len(known) == len(ranks):
        rank = max(known)
    yield site.out(site.tall.at(site.tall.axis, rank))
    yield from (site.need(slot) for slot in others)


def assigns(site: Site) -> Iterator[Effect]:
    """Ask variable and value to be as tall as each other.   handle, w"""
    yield site.need(1 - site.slot)


def selects(site: Site) -> Iterator[Effect]:
    """Do as for entries; a cond of rank 1 picks along the first axis.   cond, a, b -> y"""
    a, b = (slot for slot in (0, 1, 2) if slot != site.slot)
    if site.slot == 0 and site.tall.rank == 1:
        rank = find_rank(site.graph, site.inputs[1])
        if rank is None:
            raise site.unclear()
        yield site.out(site.tall.at(-rank, rank))
        yield from (site.need(slot, -rank) for slot in (1, 2))
    elif find_rank(site.graph, site.inputs[0]) == 1 and site.slot:
        yield site.out()
        yield site.need(3 - site.slot)
        if site.place[0] == 0:
            yield site.need(0, -1)
    else:
        yield site.out()
        yield from (site.need(slot) for slot in (a, b))


def adds_bias(site: Site) -> Iterator[Effect]:
    """Do as for entries: b lies along the last axis, unless channels come first.   x, b -> y"""
    if find_attr(site.node, "data_format").s == b"NCHW":
        raise site.refusal()
    yield from alongside(site)


def compares_labels(site: Site) -> Iterator[Effect]:
    """Ask labels and logits to be as tall as each other.   logits, labels -> losses"""
    if site.tall.axis != -1:
        raise site.refusal()
    yield site.need(1 - site.slot)
    yield site.out(port=1)


def multiplies(site: Site) -> Iterator[Effect]:
    """Pass an outer axis on; ask the other factor for an inner one.   a, b -> a b"""
    flags = _PRODUCTS[str(site.node.op)]
    if site.tall.axis < -2:
        raise site.refusal()
    # The axes of a product: a is [outer, inner], b is [inner, outer] unless transposed.
    inner = [-2 if (slot == 1) != site.node.attr[flags[slot]].b else -1 for slot in (0, 1)]
    if site.tall.axis == inner[site.slot]:
        yield site.need(1 - site.slot, inner[1 - site.slot])
    else:
        yield site.out(site.tall.at(site.slot - 2, _product_rank(site)))


def _product_rank(site: Site) -> int | None:
    ranks = [site.tall.rank, find_rank(site.graph, site.inputs[1 - site.slot])]
    return None if None in ranks else max(rank for rank in ranks if rank is not None)


COMPUTING: dict[str, Rule] = {
    **dict.fromkeys(PASSING, passes),
    **dict.fromkeys(SWITCHES, switches),
    **dict.fromkeys(ALONGSIDE, alongside),
    **dict.fromkeys(RESOURCE_WRITERS, assigns),
    **dict.fromkeys(_PRODUCTS, multiplies),
    "Print": prints,
    "Select": selects,
    "BiasAdd": adds_bias,
    "SoftmaxCrossEntropyWithLogits": compares_labels,
}
