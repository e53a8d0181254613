"""What is run of the original and of the bundle, refused where it reaches outside."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from graphfreeze.check.feeds.chosen_feeds import ChosenFeeds
from graphfreeze.check.feeds.inferred_feeds import placeholders
from graphfreeze.check.running.asset_feeds import asset_readers
from graphfreeze.check.running.held_values import (
    Held,
    find_held,
    find_initializer,
    find_unsaved,
)
from graphfreeze.check.running.needed_nodes import Running, find_queue, find_running
from graphfreeze.check.running.outputs import Outputs
from graphfreeze.check.running.saver_run import find_beside
from graphfreeze.check.running.unsafe_ops import UNKNOWN, find_unsafe
from graphfreeze.errors import CheckError
from graphfreeze.errors.base import listed
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef, parse_ref
from graphfreeze.model.records import FreezeRecord


@dataclass(frozen=True)
class Runs:
    """What the two graphs run, and under which values the original does."""

    original: Running
    out: Running
    held: Held


@dataclass(frozen=True)
class WhatRuns:
    """Finds what runs for some tensors; ``fed`` ones cut what leads to them.

    With ``has_libraries`` ops that are none of TensorFlow's come from there."""

    original: Model
    out: Model
    record: FreezeRecord
    allows_unsafe: bool
    has_libraries: bool = False
    fed: Collection[TensorRef] = field(default=())

    def find(self, wanted: Sequence[TensorRef]) -> Runs:
        """Return what both graphs run for tensors, and the bundle for a step besides."""
        names = [ref.node for ref in wanted if ref not in self.fed]
        train = [parse_ref(op).node for op in self.record.run_ops]
        out = self._find_out([*names, *train])
        original = find_running(self.original.graph, names, self.fed)
        held = find_held(self.original, self.out, original.nodes)
        while held.initializers:
            original = find_running(self.original.graph, [*names, *held.initializers], self.fed)
            again = find_held(self.original, self.out, original.nodes)
            if again.initializers == held.initializers:
                held = again
                break
            held = again
        return Runs(original, out, held)

    def _find_out(self, names: Sequence[str]) -> Running:
        """Return what the bundle runs, and what initializes the variables that are not saved."""
        starts: list[str] = []
        while True:
            out = find_running(self.out.graph, [*names, *starts], self.fed)
            found = [find_initializer(self.out, v) for v in find_unsaved(self.out, out.nodes)]
            more = [start for start in found if start is not None]
            if more == starts:
                return out
            starts = more

    def check(self, runs: Runs) -> None:
        """Refuse ops that reach outside, unless allowed, and queues; raises CheckError.

        The bundle's saver runs too; only its own ops may reach the files that it is told, and
        tables may be filled from the model's assets."""
        for model, running in ((self.original, runs.original), (self.out, runs.out)):
            nodes = {*running.nodes, *(find_beside(model) if model is self.out else ())}
            nodes -= set(asset_readers(model))
            unsafe = [] if self.allows_unsafe else find_unsafe(model.graph, sorted(nodes))
            if self.has_libraries:
                unsafe = [each for each in unsafe if each.reason != UNKNOWN]
            if unsafe:
                told = [f"{each.node} (op {each.op}, {each.reason})" for each in unsafe]
                raise CheckError.unsafe_ops(model.source.path, told)
            queue = find_queue(model.graph, sorted(running.nodes))
            if queue is not None:
                raise CheckError.needs_queue(queue)

    def to_feed(self, runs: Runs) -> list[str]:
        """Return the placeholders that what runs has to be fed with."""
        return [
            *placeholders(self.original.graph, runs.original.nodes),
            *placeholders(self.out.graph, runs.out.nodes),
        ]

    def with_others(
        self, outputs: Outputs, feeds: ChosenFeeds
    ) -> tuple[list[TensorRef], Runs, ChosenFeeds, list[str]]:
        """Return which tensors to compare besides the losses: all that can be run and fed.

        The last item is a note on those that were left out."""
        others = [ref for ref in outputs.others if ref not in self.fed]
        try:
            return others, *self._feedable([*outputs.losses, *others], feeds), []
        except CheckError:
            pass
        left_out: list[str] = []
        kept: list[TensorRef] = []
        for ref in others:
            try:
                self._feedable([ref], feeds)
                kept.append(ref)
            except CheckError as error:
                left_out.append(f"{ref.tensor_name}: {error}")
        runs, feeds = self._feedable([*outputs.losses, *kept], feeds)
        return kept, runs, feeds, [f"not compared: {listed(left_out, most=2)}"]

    def _feedable(
        self, wanted: Sequence[TensorRef], feeds: ChosenFeeds
    ) -> tuple[Runs, ChosenFeeds]:
        runs = self.find(wanted)
        self.check(runs)
        return runs, feeds.infer(self.to_feed(runs))
