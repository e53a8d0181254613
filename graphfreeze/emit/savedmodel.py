"""A SavedModel: MetaGraphs by their tags, over one checkpoint and one folder of assets.

Follows ``tensorflow/python/saved_model/builder_impl.py`` and ``loader_impl.py``: the train op
stands in a collection for TensorFlow up to 1.12, in a signature for what came later.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from graphfreeze.emit.assets import copy_folders, write_assets
from graphfreeze.emit.checkpoint import link_checkpoint
from graphfreeze.emit.graph_file import file_bytes
from graphfreeze.emit.siblings import Sibling
from graphfreeze.model.main_op import TRAIN_SIGNATURE
from graphfreeze.model.model import Model
from graphfreeze.model.names import parse_ref
from graphfreeze.model.signatures import op_signature
from graphfreeze.model.wire import BinaryCodec
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import Edit, SetCollection, SetSignature, SetTags
from graphfreeze.schema import CollectionDef, SavedModel

FILE = "saved_model.pb"
SERVE, TRAIN = "serve", "train"
_TRAIN_KEY = "saved_model_train_op"
_VARIABLES = "variables"


def tagging_edits(draft: Draft, train_op: str | None) -> Iterator[Edit]:
    """Yield what tells a MetaGraph from others: its tags, and its train op if it has one.

    Without a train op the tags of a SavedModel stay, and others get ``serve`` if they have none."""
    if train_op is not None:
        name = parse_ref(train_op).node
        nodes = CollectionDef(node_list=CollectionDef.NodeList(value=[name]))
        yield SetCollection(_TRAIN_KEY, nodes)
        yield SetSignature(TRAIN_SIGNATURE, op_signature(TRAIN_SIGNATURE, name))
        yield SetTags((TRAIN,))
    elif draft.base.root.owner is not SavedModel and not draft.tags:
        yield SetTags((SERVE,))


def saved_model_bytes(draft: Draft | None, siblings: Iterable[Sibling]) -> bytes:
    """Return ``saved_model.pb``: a draft, then MetaGraphs as they are."""
    codec = BinaryCodec()
    pieces = [codec.dump(SavedModel(saved_model_schema_version=1))]
    if draft is not None:
        pieces.append(codec.wrap("meta_graphs", file_bytes(draft, ".meta"), SavedModel).raw)
    return b"".join([*pieces, *(each.raw for each in siblings)])


def write_saved_model(raw: bytes, model: Model, checkpoint: Path | None, folder: Path) -> None:
    """Write a SavedModel with the files of a checkpoint, linked or copied.

    ``model`` is what it was made of, whose assets go along, of a SavedModel those of its other
    MetaGraphs too. Without variables there is no checkpoint. Raises EmitError, LoadError."""
    folder.mkdir()
    (folder / FILE).write_bytes(raw)
    if checkpoint is not None:
        (folder / _VARIABLES).mkdir()
        link_checkpoint(checkpoint, folder / _VARIABLES / _VARIABLES)
    if model.root.owner is SavedModel:
        copy_folders(model.source.path.parent, folder)
    else:
        write_assets(model, folder)
