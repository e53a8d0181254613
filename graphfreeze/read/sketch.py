"""A model from a sketch, as if it had been read from a file."""

from collections.abc import Mapping
from pathlib import Path

from graphfreeze.model.model import Model
from graphfreeze.model.sketch import sketch_meta_graph
from graphfreeze.model.sketch_functions import sketch_functions
from graphfreeze.read.document import parse_document
from graphfreeze.schema import CollectionDef

_NO_FILE = Path("sketch")


def parse_sketch(
    text: str,
    *,
    collections: Mapping[str, CollectionDef] | None = None,
    functions: Mapping[str, str] | None = None,
) -> Model:
    """Return the model that a sketch draws; ``graphfreeze.model.sketch`` tells how to draw one.

    ``collections`` are added to the sketch's own, and ``functions``, sketches too, are its library.
    Raises SketchError, LoadError without a node."""
    meta = sketch_meta_graph(text, collections=collections)
    if functions:
        meta.graph_def.library.function.extend(sketch_functions(functions).values())
    return parse_document(meta.SerializeToString(deterministic=True), _NO_FILE, None)
