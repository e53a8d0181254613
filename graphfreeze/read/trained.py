"""A model as it was before a freeze, with the values that were trained since."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from graphfreeze.errors import ExportError, LoadError
from graphfreeze.model.model import Model
from graphfreeze.model.records import RECORD
from graphfreeze.read.former import Former, get_former
from graphfreeze.read.mark import is_marked
from graphfreeze.read.prefixes import has_checkpoint

_STEP = re.compile(r"-(\d+)\.index")


@dataclass(frozen=True)
class Trained:
    """The ``original`` with the checkpoint that is meant; ``former`` is what was done to it.

    What graphfreeze did not write is its own original."""

    original: Model
    former: Former | None = None

    @property
    def is_trained(self) -> bool | None:
        """Tell whether the checkpoint is another than a bundle began with, None if none is told."""
        return None if self.former is None else self.former.is_trained


def get_trained(model: Model, checkpoint: str | Path | int | None = None) -> Trained:
    """Return what a bundle, or any model, was trained to; raises LoadError, UndoError, ExportError.

    ``checkpoint`` is a prefix, or the number of a step that a checkpoint beside the model is of;
    without one it is the model's own: of a folder that which its ``checkpoint`` file names."""
    source = model.source
    if checkpoint is not None:
        prefix = _find_checkpoint(model, str(checkpoint))
        source = replace(source, checkpoint=prefix, is_chosen=True)
    if not is_marked(model):
        return Trained(replace(model, source=source))
    folder = source.path.parent
    if (folder / RECORD).is_file():  # then the graph may be TensorFlow's export of the bundle's
        source = replace(source, given=folder)
    former = get_former(replace(model, source=source), needs_training=False)
    return Trained(former.original, former)


def _find_checkpoint(model: Model, named: str) -> Path:
    """Return the prefix that is meant by a step or by itself; raises ExportError, LoadError."""
    prefix = Path(named)
    if has_checkpoint(prefix):
        return prefix
    if not named.isdecimal():
        raise LoadError.no_checkpoint(named)
    given = model.source.given
    folder = given if given is not None and given.is_dir() else model.source.path.parent
    steps = dict(_steps(folder))
    if named not in steps:
        raise ExportError.no_such_step(named, folder, sorted(steps, key=int))
    return steps[named]


def _steps(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield step and prefix of the checkpoints in a folder whose names end in a step."""
    for index in sorted(folder.glob("*-*.index")):
        step = _STEP.search(index.name)
        if step is not None:
            yield step[1], index.with_suffix("")
