"""A model as it was loaded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from graphfreeze.model.assets import Asset, find_assets
from graphfreeze.model.graph import Graph
from graphfreeze.model.key_names import KeyNames
from graphfreeze.model.layout import Block
from graphfreeze.model.main_op import find_main_op
from graphfreeze.model.recovered import Recovered, recover
from graphfreeze.model.saver import SaverOps, find_saver
from graphfreeze.model.training import Training
from graphfreeze.model.variables import Variable, find_variables
from graphfreeze.model.wire import Codec
from graphfreeze.schema import CollectionDef, GraphDef, MetaGraphDef, SaverDef


@dataclass(frozen=True, slots=True)
class Origin:
    """What a file was called, and the prefix of the checkpoint that it had, if any."""

    name: str
    checkpoint: str | None


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model was read: its file, what that is, and the prefix of its checkpoint if any.

    ``given`` is the path that stood for them, perhaps a folder; ``is_chosen`` tells that the
    checkpoint was named besides. ``origin`` is of a file that lies in another one now. The
    checkpoint's keys go by ``names`` of the graph.
    """

    path: Path
    format: str
    checkpoint: Path | None
    given: Path | None = None
    is_chosen: bool = False
    origin: Origin | None = None
    names: KeyNames = field(default_factory=KeyNames)


@dataclass(frozen=True)
class Model:
    """A graph with its collections and saver, and the file that holds them, byte for byte.

    ``root`` is the whole file. ``part`` is the one of its MetaGraphDefs that the model is, or the
    file itself if that is no SavedModel; all but ``raw`` and ``root`` is read from there.
    """

    source: Source
    raw: bytes
    codec: Codec
    root: Block
    part: Block
    header: MetaGraphDef
    graph: Graph
    collections: Mapping[str, CollectionDef]
    saver: SaverDef | None

    @cached_property
    def variables(self) -> tuple[Variable, ...]:
        """The variables in GraphDef order."""
        return find_variables(self.graph, self.collections, self.untrained)

    @cached_property
    def recovered(self) -> Recovered | None:
        """What the ops tell of the variables where no collection does, None where one does."""
        variables = find_variables(self.graph, self.collections)
        if not variables or any(each.definition is not None for each in variables):
            return None
        return recover(self.graph, variables, self.header)

    @property
    def untrained(self) -> Mapping[str, str]:
        """Why floating variables that no collection describes do not learn, by name."""
        return {} if self.recovered is None else self.recovered.untrained

    @cached_property
    def saver_ops(self) -> SaverOps | None:
        """The ops of the model's own saver."""
        return find_saver(self.graph, self.saver)

    @cached_property
    def training(self) -> Training:
        """The training that the graph holds; finding it takes longest of all that is told of it."""
        return Training(self.graph, self.collections, self.variables, self.header).find()

    @property
    def meta_graph(self) -> Block | None:
        """The MetaGraphDef that the model is, None for a GraphDef."""
        return self.part.find_block(MetaGraphDef)

    @property
    def graph_block(self) -> Block:
        """The GraphDef that the model is."""
        block = self.part.find_block(GraphDef)
        assert block is not None
        return block

    @cached_property
    def assets(self) -> tuple[Asset, ...]:
        """The files that the model brings along, in ``assets`` beside its own."""
        return find_assets(self.header, self.collections)

    @property
    def main_op(self) -> str | None:
        """The node that a SavedModel's loader runs when the variables are restored, if any."""
        return find_main_op(self.header, self.collections)

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of the MetaGraphDef; there may be none, and a GraphDef has none."""
        return tuple(map(str, self.header.meta_info_def.tags))

    @property
    def producer(self) -> int:
        """The version of TensorFlow's graph format that wrote it, 0 if it does not say."""
        return int(self.header.graph_def.versions.producer)

    @property
    def tensorflow_version(self) -> str:
        """The TensorFlow that wrote it, '' if it does not say."""
        return str(self.header.meta_info_def.tensorflow_version)
