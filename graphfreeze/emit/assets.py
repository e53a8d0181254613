"""The assets of a SavedModel, which go along with a bundle that is made of it."""

from pathlib import Path

from graphfreeze.emit.checkpoint import link_or_copy
from graphfreeze.errors import EmitError
from graphfreeze.model.assets import FOLDER
from graphfreeze.model.model import Model


def check_assets(model: Model) -> None:
    """Refuse a model whose assets are not all there; raises EmitError."""
    folder = model.source.path.parent
    outside = [asset.filename for asset in model.assets if not asset.is_inside]
    if outside:
        raise EmitError.asset_outside(model.source.path, outside)
    missing = [asset.filename for asset in model.assets if not asset.is_there(folder)]
    if missing:
        raise EmitError.missing_assets(folder / FOLDER, list(dict.fromkeys(missing)))


def write_assets(model: Model, folder: Path) -> None:
    """Link or copy the assets of a model to ``assets`` in a folder; raises EmitError."""
    check_assets(model)
    for asset in {asset.filename: asset for asset in model.assets}.values():
        to = asset.path(folder)
        to.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(asset.path(model.source.path.parent), to)
