"""Take frozen variables out of the collections that say what learns."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphfreeze.model.collected import is_empty, keep_entries, node_entries, variable_entries
from graphfreeze.model.model import Model
from graphfreeze.model.names import parse_ref
from graphfreeze.model.reads import writers
from graphfreeze.model.updates import UPDATE_OPS, kept_updates
from graphfreeze.model.variables import TRAINABLE
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, SetCollection
from graphfreeze.schema import CollectionDef
from graphfreeze.selection.resolve import Selection


@dataclass(frozen=True)
class PruneCollections:
    """Prune what training code reads.

    =======================================  ==================================================
    trainable_variables and its resource one  lose the wholly frozen variables
    update_ops                                lose the ops that write one
    =======================================  ==================================================

    Entries stay as they are: a VariableDef that differs between two collections is two variables.
    """

    selection: Selection
    name = "prune_collections"

    def plan(self, draft: Draft) -> Iterator[Edit]:
        """Yield the edits."""
        frozen = {variable.name for variable in self.selection.frozen}
        for key in TRAINABLE:
            if key in draft.collections:
                entry = draft.collections[key]
                kept = keep_entries(entry, lambda name: name not in frozen)
                if kept != entry:
                    yield SetCollection(key, None if is_empty(kept) else kept)
        yield from self._updates(draft)

    def verify(self, base: Model, draft: Draft) -> str | None:
        """Look for a frozen variable that is still listed as trainable."""
        frozen = {variable.name for variable in self.selection.frozen}
        for key in TRAINABLE:
            for definition in variable_entries(draft.collections, key):
                name = parse_ref(str(definition.variable_name)).node
                if name in frozen:
                    return f"{name} is frozen and still in {key}"
        return None

    def _updates(self, draft: Draft) -> Iterator[SetCollection]:
        frozen = [name for v in self.selection.frozen for name in writers(draft.graph, v)]
        entries = node_entries(draft.collections, UPDATE_OPS)
        kept = kept_updates(draft.graph, draft.collections, frozen)
        if kept != entries:
            nodes = CollectionDef(node_list=CollectionDef.NodeList(value=kept))
            yield SetCollection(UPDATE_OPS, nodes if kept else None)
