"""Records of what functions read, and of functions that were copied."""

from collections import Counter
from collections.abc import Collection, Iterator

from graphfreeze.model.function_records import CopiedRecord, FunctionReadRecord, copied_from
from graphfreeze.model.model import Model
from graphfreeze.model.reads import reads, resource_lookups
from graphfreeze.model.unfolded import is_inside
from graphfreeze.model.unfolding import unfold
from graphfreeze.rewrite.draft import Draft
from graphfreeze.schema import FunctionDef


def function_reads(model: Model, names: Collection[str]) -> Iterator[FunctionReadRecord]:
    """Yield where functions read some of the variables."""
    told = unfold(model.graph)
    for variable in model.variables if told.calls else ():
        if variable.name not in names:
            continue
        found = [ref.node for ref in reads(told.graph, variable)]
        found += resource_lookups(told.graph, variable)
        for name in found:
            if is_inside(name) and name not in told.places:
                yield FunctionReadRecord(variable.name, name, told.op(name))


def copied_record(draft: Draft) -> CopiedRecord:
    """Return the copies of functions that calls were given, and what is new in them."""
    functions, copies, new = draft.graph.functions, dict[str, str](), Counter[str]()
    added = functions.keys() - draft.base.graph.functions.keys()
    for name in added:
        source = copied_from(name)
        if source is not None and source in functions:
            copies[name] = source
            new += _ops(functions[name]) - _ops(functions[source])
    others = len(added) - len(copies)
    return CopiedRecord(dict(sorted(copies.items())), dict(sorted(new.items())), others)


def _ops(function: FunctionDef) -> Counter[str]:
    return Counter(str(node.op) for node in function.node_def)
