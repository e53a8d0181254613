"""The files that a SavedModel brings along, such as vocabularies."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from google.protobuf.message import DecodeError

from graphfreeze.model.collected import Collections
from graphfreeze.model.names import TensorRef, find_ref
from graphfreeze.schema import AssetFileDef, MetaGraphDef

FOLDER = "assets"
"""Where they lie, beside the graph."""
COLLECTION = "saved_model_assets"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file in the folder ``assets``, and the tensor to feed with its path when ops read it."""

    tensor: TensorRef
    filename: str

    @property
    def is_inside(self) -> bool:
        """Tell whether the name leads to a place in the folder, as it has to."""
        parts = PurePosixPath(self.filename).parts
        return not self.filename.startswith("/") and ".." not in parts and "\0" not in self.filename

    def path(self, folder: Path) -> Path:
        """Return where the file is, by the folder of the graph's own file."""
        return folder / FOLDER / self.filename

    def is_there(self, folder: Path) -> bool:
        """Tell whether the file is where it is looked for."""
        return self.is_inside and self.path(folder).is_file()


def find_assets(header: MetaGraphDef, collections: Collections) -> tuple[Asset, ...]:
    """Return the assets of a MetaGraph, in its order.

    As TensorFlow's loader does (``tensorflow/python/saved_model/loader_impl.py``), take the
    collection, which is older, only where there is no ``asset_file_def``."""
    described = list(header.asset_file_def) or list(_collected(collections))
    named = ((find_ref(str(each.tensor_info.name)), str(each.filename)) for each in described)
    return tuple(Asset(ref, filename) for ref, filename in named if ref is not None and filename)


def _collected(collections: Collections) -> Iterator[AssetFileDef]:
    """Yield the entries of the collection; those that are something else are passed over."""
    if COLLECTION not in collections:
        return
    for packed in collections[COLLECTION].any_list.value:
        try:
            yield AssetFileDef.FromString(packed.value)
        except DecodeError:
            continue
