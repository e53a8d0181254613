"""What both graphs are fed with: what the user gave, and what was inferred for the rest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from graphfreeze.check.feeds.bounds import BoundFinder
from graphfreeze.check.feeds.feed_values import Arrays, draw_feeds
from graphfreeze.check.feeds.given_feeds import find_tensor, parse_given, split_feed
from graphfreeze.check.feeds.inferred_feeds import FeedPlanner, FeedSpec, placeholders
from graphfreeze.check.feeds.placeholder_shapes import find_placeholder_shape, guess_shape
from graphfreeze.errors import CheckError
from graphfreeze.model.graph import Graph
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef
from graphfreeze.model.static_shapes import find_shape
from graphfreeze.model.tables import find_tables
from graphfreeze.model.unfolding import unfold


@dataclass(frozen=True)
class ChosenFeeds:
    """Feeds for two models; ``texts`` are ``NAME=VALUES``, unknown dimensions are ``batch`` long.

    Ranges are inferred from the first model that has a placeholder, and tells one."""

    models: Sequence[Model]
    texts: Sequence[str]
    batch: int
    seed: int
    inferred: tuple[FeedSpec, ...] = ()

    @cached_property
    def given(self) -> Mapping[TensorRef, FeedSpec]:
        """The feeds that the user gave; raises CheckError."""
        graphs = [model.graph for model in self.models]
        known = [name for graph in graphs for name in placeholders(graph, graph.nodes)]
        found = {}
        for text in self.texts:
            name, values = split_feed(text)
            graph, ref = find_tensor(graphs, name, dict.fromkeys(known))
            found[ref] = parse_given(values, graph.dtype(ref), ref, self._shape_of)
        return found

    @property
    def specs(self) -> list[FeedSpec]:
        """All feeds."""
        return [*self.given.values(), *self.inferred]

    def infer(self, names: Iterable[str]) -> "ChosenFeeds":
        """Return it with feeds for these placeholders too; raises CheckError where none fits."""
        given = {ref.node for ref in self.given}
        known = {spec.name.partition(":")[0] for spec in self.inferred}
        left = [name for name in dict.fromkeys(names) if name not in given | known]
        found: list[FeedSpec] = []
        for model in self.models:
            own = [name for name in left if name in model.graph]
            left = [name for name in left if name not in own]
            found += self._planner(model).plan(own)
        told = (self._told_elsewhere(spec) if spec.is_guess else spec for spec in found)
        return replace(self, inferred=(*self.inferred, *told))

    def _told_elsewhere(self, spec: FeedSpec) -> FeedSpec:
        """Return a feed as another model tells it, where one tells a range: it has no masks."""
        name = spec.name.partition(":")[0]
        models = (model for model in self.models if name in model.graph)
        found = (self._planner(model).plan([name])[0] for model in models)
        return next((each for each in found if not each.is_guess), spec)

    def arrays(self, graph: Graph, *, step: int = 0) -> Arrays:
        """Return the arrays for a step of those tensors that a graph has."""
        drawn = draw_feeds(self.specs, seed=self.seed, step=step)
        return {name: value for name, value in drawn.items() if name.partition(":")[0] in graph}

    def _planner(self, model: Model) -> FeedPlanner:
        tables = find_tables(model.graph, model.variables, model.saver_ops)
        finder = BoundFinder(unfold(model.graph), tables)
        return FeedPlanner(finder, self.batch, model.producer)

    def _shape_of(self, ref: TensorRef) -> tuple[int, ...]:
        """Return the shape to feed a tensor with; raises CheckError where it is not known."""
        model = next(model for model in self.models if ref.node in model.graph)
        if model.graph.op(ref.node).startswith("Placeholder"):
            shape = find_placeholder_shape(model.graph, ref.node, model.producer)
            if shape is None:
                return guess_shape(model.graph, ref.node, self.batch)
        else:
            shape = find_shape(model.graph, ref)
        if shape is None:
            reason = "its shape is not known; write it behind the range, as in int:0:9:8x16"
            raise CheckError.bad_feed(ref.tensor_name, reason)
        return tuple(self.batch if size is None else size for size in shape)
