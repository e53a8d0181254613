"""The assets of a SavedModel, which go along with what is made of it.

They are copied: whoever writes new words into a vocabulary is not to change the source's too."""

import shutil
from pathlib import Path

from graphfreeze.errors import EmitError
from graphfreeze.model.assets import FOLDER
from graphfreeze.model.model import Model

_FOLDERS = (FOLDER, f"{FOLDER}.extra")


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
    """Copy the assets of a model to ``assets`` in a folder; raises EmitError."""
    check_assets(model)
    for asset in {asset.filename: asset for asset in model.assets}.values():
        _copy(asset.path(model.source.path.parent), asset.path(folder))


def copy_folders(old: Path, new: Path) -> None:
    """Copy all that a SavedModel may have in folders for assets to another one."""
    for name in _FOLDERS:
        for file in sorted((old / name).rglob("*")):
            if file.is_file():
                _copy(file, new / file.relative_to(old))


def _copy(file: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, to)
