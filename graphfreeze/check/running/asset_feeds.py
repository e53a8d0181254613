"""The files that a model brings along, for what is run of it."""

from collections.abc import Iterator

from graphfreeze.model.model import Model

_FROM_FILE = "InitializeTableFromTextFile"


def asset_feeds(model: Model) -> dict[str, object]:
    """Return the path of each asset that is there, by the tensor that a loader would feed."""
    folder = model.source.path.parent
    present = (asset for asset in model.assets if asset.is_there(folder))
    return {asset.tensor.tensor_name: str(asset.path(folder)) for asset in present}


def asset_readers(model: Model) -> Iterator[str]:
    """Yield the ops that fill a table from such a file: it is the model's own, and they read it."""
    fed = asset_feeds(model)
    for name in model.graph.nodes:
        if model.graph.op(name).startswith(_FROM_FILE):
            inputs = model.graph.data_inputs(name)
            if len(inputs) > 1 and inputs[1].tensor_name in fed:
                yield name
