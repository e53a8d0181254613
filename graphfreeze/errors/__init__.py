"""Name every failure a user can meet; each message is one line.

GraphfreezeError
├── LoadError         the input is missing, is no graph, or lacks its checkpoint
├── SelectionError    a pattern or a row set says something the model cannot mean
│   └── WordError     a file of words, ids or word vectors cannot be used
├── RewriteError      a pass met a graph it cannot edit, or broke its promise
│   ├── GrowError     a table cannot get more rows
│   └── HeadError     a model cannot get a head
├── TrainError        no train_op can be built: loss, optimizer or ops are wanting
├── EmitError         the result cannot be written where it was asked for
├── ThawError         constants cannot become variables again
├── ExportError       a model cannot be exported as it was asked for
├── PatchError        a training graph cannot be patched as its selection asks
├── UndoError         a freeze or a patch cannot be taken back
└── CheckError        a check cannot be made, or an emitted train_op breaks the promise

A message says what, where, the nearest names, and what to do. Raise through a constructor below,
one for each known failure; catch ``GraphfreezeError`` at the edges only.
"""

from graphfreeze.errors.base import GraphfreezeError, PathLike, nearest_names
from graphfreeze.errors.checking import CheckError
from graphfreeze.errors.emitting import EmitError
from graphfreeze.errors.exporting import ExportError
from graphfreeze.errors.growing import GrowError
from graphfreeze.errors.heading import HeadError
from graphfreeze.errors.loading import LoadError
from graphfreeze.errors.patching import PatchError
from graphfreeze.errors.rewriting import RewriteError
from graphfreeze.errors.selecting import SelectionError
from graphfreeze.errors.thawing import ThawError
from graphfreeze.errors.training import TrainError
from graphfreeze.errors.undoing import UndoError
from graphfreeze.errors.wording import WordError

__all__ = [
    "CheckError",
    "EmitError",
    "ExportError",
    "GraphfreezeError",
    "GrowError",
    "HeadError",
    "LoadError",
    "PatchError",
    "PathLike",
    "RewriteError",
    "SelectionError",
    "ThawError",
    "TrainError",
    "UndoError",
    "WordError",
    "nearest_names",
]
