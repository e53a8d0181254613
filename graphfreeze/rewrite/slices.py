"""Under which key, and as which slice, a saver keeps a variable."""

from graphfreeze.model.variables import Variable
from graphfreeze.rewrite.saver_edits import NewEntry


def new_entry(variable: Variable) -> NewEntry:
    """Return the entry of a variable that no saver keeps so far.

    A part of a partitioned variable is kept as a slice of the whole: ``11 4 4,4:0,4`` is its full
    shape, then offset and length in each dimension.
    """
    if not variable.partition_of or variable.definition is None:
        return NewEntry(variable.name, "", variable)
    info = variable.definition.save_slice_info_def
    full = " ".join(str(size) for size in info.full_shape)
    spans = zip(info.var_offset, info.var_shape, strict=True)
    where = ":".join(f"{offset},{length}" for offset, length in spans)
    return NewEntry(str(info.full_name), f"{full} {where}", variable)
