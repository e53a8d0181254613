"""A freeze or a patch that is to be made anew: what it wrote, what it wrote it of, and the values
that were trained since."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from graphfreeze.errors import UndoError
from graphfreeze.model.manifest import Manifest, digest
from graphfreeze.model.model import Model, Source
from graphfreeze.model.records import NAME, VariableRecord
from graphfreeze.model.saver import saved_entries
from graphfreeze.model.tables import Table, find_tables
from graphfreeze.model.variables import Variable
from graphfreeze.read.checkpoint_values import CheckpointValues, find_values
from graphfreeze.read.mark import Mark, read_mark, read_variables
from graphfreeze.read.prefixes import has_checkpoint, latest_checkpoint
from graphfreeze.read.undo import get_manifest, original_model, written_graph
from graphfreeze.selection.rows import RowSet


@dataclass(frozen=True)
class Former:
    """What was ``written``, and its ``original``; both have the checkpoint that goes on.

    ``variables`` are those of the record."""

    written: Model
    original: Model
    variables: tuple[VariableRecord, ...]

    @cached_property
    def mark(self) -> Mark:
        """What the graph that was written says of itself."""
        return read_mark(self.written)

    @cached_property
    def values(self) -> CheckpointValues | None:
        """The checkpoint that goes on, None for a graph without; raises LoadError."""
        return find_values(self.original.source)

    @property
    def is_trained(self) -> bool | None:
        """Tell whether that is not the checkpoint that was written, None if none was."""
        manifest, prefix = self.mark.manifest, self.original.source.checkpoint
        if manifest is None or not manifest.index_sha256 or prefix is None:
            return None
        return not _is_first(prefix, manifest)

    @cached_property
    def keys(self) -> Mapping[str, str]:
        """The key of each variable of the written graph that the checkpoint has."""
        saved = saved_entries(self.written.graph, self.written.saver_ops)
        held = self.values.shapes if self.values is not None else {}
        return {name: entry.key for name, entry in saved.items() if entry.key in held}

    @cached_property
    def overlays(self) -> Mapping[str, tuple[str, RowSet]]:
        """The variable that learned in place of rows of a table or part, and those rows of it."""
        found = {}
        for each in self.variables:
            if each.overlay_rows is not None and each.frozen_ranges is not None:
                edges = np.array(each.frozen_ranges, np.int64).tobytes()
                frozen = RowSet(each.rows or 0, edges)
                found[each.name] = each.overlay_rows, frozen.complement()
        return found

    @cached_property
    def heights(self) -> Mapping[str, int]:
        """How many rows a table has that was given more, by its name."""
        before = {table.name: _height(table) for table in _tables(self.original)}
        after = {table.name: _height(table) for table in _tables(self.written)}
        return {name: n for name, n in after.items() if name in before and n > before[name]}

    @cached_property
    def made(self) -> Mapping[str, Variable]:
        """The variables that the original does not have."""
        return {v.name: v for v in self.written.variables if v.name not in self.original.graph}


def get_former(model: Model, *, needs_training: bool = True) -> Former:
    """Return the freeze or patch that a loaded model is; raises UndoError, LoadError.

    The checkpoint is the one that was named besides, else the latest one that was trained; what
    has none of its own, as a single .meta, has the one beside it. A bundle that was not trained is
    an error, unless ``needs_training`` is false: then it is the one that it was written with."""
    written = written_graph(model)
    prefix = written.source.checkpoint
    if needs_training:
        prefix = _checkpoint(written.source, get_manifest(written))
    written = replace(written, source=replace(written.source, checkpoint=prefix))
    return Former(written, original_model(written), read_variables(written))


def _checkpoint(source: Source, manifest: Manifest) -> Path | None:
    if source.is_chosen or not manifest.index_sha256:
        return source.checkpoint
    folder = source.path.parent
    state = folder / "checkpoint"
    latest = latest_checkpoint(state) if state.is_file() else None
    if latest is None or not has_checkpoint(latest) or _is_first(latest, manifest):
        first = folder / NAME
        had = source.checkpoint or first
        raise UndoError.not_trained(folder, first if has_checkpoint(first) else had)
    return latest


def _is_first(prefix: Path, manifest: Manifest) -> bool:
    """Tell whether a checkpoint has the values that a bundle was written with."""
    index = Path(f"{prefix}.index")
    return index.is_file() and digest(index.read_bytes()) == manifest.index_sha256


def _tables(model: Model) -> tuple[Table, ...]:
    return find_tables(model.graph, model.variables, model.saver_ops)


def _height(table: Table) -> int:
    return (table.shape or (0,))[0] or 0
