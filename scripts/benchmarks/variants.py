"""The ways to train a table of which some rows are frozen."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tensorflow.compat.v1 as tf

import graphfreeze
from benchmarks import model
from benchmarks.trial import Trial

ALL, USUAL, MASK, OVERLAY = "all trainable", "usual recipe", "mask", "overlay"


@dataclass(frozen=True)
class Frozen:
    """Which rows are frozen: a name, a slice of the table, and whether those or the others are."""

    name: str
    rows: slice
    is_inverse: bool = False

    def plan(self, strategy: str) -> graphfreeze.FreezePlan:
        """Return what to ask graphfreeze for."""
        bounds = (self.rows.start, self.rows.stop, self.rows.step)
        text = ":".join("" if bound is None else str(bound) for bound in bounds)
        option = "train_rows" if self.is_inverse else "freeze_rows"
        return graphfreeze.FreezePlan(**{option: {"table": text}}, row_strategy=strategy)

    def is_frozen(self, row: int, height: int) -> bool:
        """Tell whether one row of the table is frozen."""
        return (row in range(*self.rows.indices(height))) != self.is_inverse


@dataclass(frozen=True)
class Setting:
    """One model to compare variants on; ``source`` is the prefix that it is saved under."""

    height: int
    kind: str
    optimizer: str
    frozen: Frozen
    source: Path


def _all(setting: Setting) -> Trial:
    graph = model.trained(setting.height, setting.kind, setting.optimizer)
    return Trial(graph, setting.source)


def _usual(setting: Setting) -> Trial:
    rows = setting.frozen.rows
    graph = model.trained(setting.height, setting.kind, setting.optimizer, rows)
    return Trial(graph, setting.source)


def freeze(setting: Setting, strategy: str, bundle: Path) -> None:
    """Freeze the model by graphfreeze, and write it with a train_op."""
    frozen = graphfreeze.freeze(graphfreeze.load(setting.source), setting.frozen.plan(strategy))
    rate = model.OPTIMIZERS[setting.optimizer][1]
    graphfreeze.add_train_op(frozen, optimizer=setting.optimizer, learning_rate=rate)
    graphfreeze.save(frozen, bundle)


def _ours(strategy: str) -> Callable[[Setting], Trial]:
    def make(setting: Setting) -> Trial:
        # Beside the model, so that its checkpoint can be linked to.
        with tempfile.TemporaryDirectory(dir=setting.source.parent) as folder:
            bundle = Path(folder) / "bundle"
            freeze(setting, strategy, bundle)
            with tf.Graph().as_default() as graph:
                tf.train.import_meta_graph(str(bundle / "model.meta"))
            return Trial(graph, bundle / "model")

    return make


VARIANTS = {ALL: _all, USUAL: _usual, MASK: _ours("mask"), OVERLAY: _ours("overlay")}
