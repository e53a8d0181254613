"""Let a model know the keys of its checkpoint by other names, or not at all."""

from collections.abc import Collection
from dataclasses import replace

from graphfreeze.errors import LoadError
from graphfreeze.model.key_names import KeyNames, names_of
from graphfreeze.model.model import Model
from graphfreeze.model.saver import saved_entries
from graphfreeze.read.checkpoint_values import open_values
from graphfreeze.read.former import Former
from graphfreeze.selection.pattern import matching
from graphfreeze.selection.renames import find_names
from graphfreeze.selection.value_plan import ValuePlan


def with_names(model: Model, plan: ValuePlan) -> Model:
    """Return a model that takes of its checkpoint what a plan says.

    The checkpoint is looked at where keys are to be renamed. Raises SelectionError, LoadError."""
    source, names = model.source, KeyNames()
    if plan.rename:
        if source.checkpoint is None:
            raise LoadError.nothing_to_rename(source.path)
        names = names_of(find_names(plan.rename, open_values(source.checkpoint).keys))
    names = names.excluding(excluded_keys(model, plan.checkpoint_exclude))
    if names == source.names:
        return model
    return replace(model, source=replace(source, names=names))


def named_former(former: Former, plan: ValuePlan) -> Former:
    """Return a former freeze whose models take of the checkpoint what a plan says."""
    written, original = with_names(former.written, plan), former.original
    # What was written has the slots too, which begin anew with what they belong to.
    source = replace(original.source, names=written.source.names)
    return replace(former, written=written, original=replace(original, source=source))


def excluded_keys(model: Model, patterns: Collection[str]) -> set[str]:
    """Return the keys of the variables that patterns match; raises SelectionError."""
    if not patterns:
        return set()
    chosen = matching(patterns, [variable.name for variable in model.variables])
    saved = saved_entries(model.graph, model.saver_ops)
    others = {v.name: v.partition_of or v.name for v in model.variables}
    return {saved[name].key if name in saved else others[name] for name in chosen}
