"""Nodes that hold factors for the gradients of a table's rows."""

from graphfreeze.model.graph import Graph
from graphfreeze.model.names import TensorRef
from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.builder import Builder, node_name
from graphfreeze.rewrite.entry_mask import MOST_INLINE, expanded
from graphfreeze.rewrite.lookups import GATHER_ND, Lookup
from graphfreeze.rewrite.mask_lookup import look_up
from graphfreeze.rewrite.table_readers import Place
from graphfreeze.schema import types_pb2
from graphfreeze.selection.entry_arrays import Scale

FLOAT, DOUBLE = types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE


def factors_name(variable: Variable) -> str:
    """Return the name of the variable that holds factors, where a constant cannot."""
    return node_name(variable.name, "row_scale")


def has_held_factors(scale: Scale) -> bool:
    """Tell whether factors are too many for a constant."""
    return scale.weights.nbytes > MOST_INLINE


def factor_type(variable: Variable) -> int:
    """Return the type that factors are held in: float64 for float64, else float32."""
    return variable.dtype if variable.dtype == DOUBLE else FLOAT


def is_scaled_behind(lookup: Lookup) -> bool:
    """Tell whether factors are looked up as it looks up rows; before others all rows are scaled."""
    return lookup.is_by_rows or lookup.kind == GATHER_ND


def row_factors(
    build: Builder, graph: Graph, place: Place, scale: Scale, variable: Variable
) -> TensorRef:
    """Return the factors of a place, in its type, so that they broadcast to it."""
    held, dtype = factor_type(variable), graph.dtype(place.tensor)
    if has_held_factors(scale):
        factors = build.bring_in(TensorRef(f"{factors_name(variable)}/read"), held)
    else:
        factors = build.const("row_scale", scale.weights, held)
    inner, lookup = build.within("scale"), place.lookup
    if lookup is not None and lookup.is_by_rows and lookup.ids is not None:
        types = {"Tparams": held, "Tindices": graph.dtype(lookup.ids)}
        factors = build.add("factors", "Gather", (factors, lookup.ids), types)
    factors = expanded(inner, factors, held, len(variable.shape or ()) - 1)
    if lookup is not None and lookup.kind == GATHER_ND:
        factors = look_up(inner, graph, lookup, factors, dtype=held, along=0)
    types = {"SrcT": held, "DstT": dtype}
    return factors if dtype == held else build.add("factors_cast", "Cast", (factors,), types)
