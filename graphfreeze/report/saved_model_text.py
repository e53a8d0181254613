"""What a SavedModel holds besides its graph, as text."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from graphfreeze.emit.place import is_file
from graphfreeze.errors.base import joined, shape_text
from graphfreeze.model.assets import FOLDER
from graphfreeze.model.model import Model
from graphfreeze.model.records import ModelRecord
from graphfreeze.model.saved_model_records import ArgumentRecord, AssetRecord, SignatureRecord


def saved_model_facts(record: ModelRecord) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield tags, signatures, assets and main op, those of them that there are."""
    if record.tags or "SavedModel" in record.format:
        yield "tags", [",".join(record.tags) or "none"]
    yield "signatures", [_signature(each) for each in record.signatures]
    yield "assets", [_asset(each) for each in record.assets]
    if record.main_op is not None:
        yield "main op", [record.main_op]


def asset_notes(model: Model, out: Path | None) -> Iterator[str]:
    """Yield how ops find their files without a loader of SavedModels; ``out`` is a result."""
    if not model.assets:
        return
    is_bundle = out is None or not is_file(out)
    folder = (out or Path("OUT")) if is_bundle else model.source.path.parent
    fed = [f"{a.tensor.tensor_name} with {a.path(folder)}" for a in model.assets]
    who = "tf.compat.v1.tables_initializer()"
    if model.main_op:
        who = f"{model.main_op} or {who}"
    yield f"files that ops read are not found by themselves: when {who} runs, feed {joined(fed)}"
    missing = [a.filename for a in model.assets if not a.is_there(model.source.path.parent)]
    if missing:
        yield f"not in {model.source.path.parent / FOLDER}: {joined(dict.fromkeys(missing))}"


def _signature(signature: SignatureRecord) -> str:
    inputs, outputs = (_arguments(each) for each in (signature.inputs, signature.outputs))
    return f"{signature.name}: {inputs} -> {outputs}"


def _arguments(arguments: Sequence[ArgumentRecord]) -> str:
    return joined(f"{a.name} {a.dtype} {_shape(a)}" for a in arguments) or "nothing"


def _shape(argument: ArgumentRecord) -> str:
    return "of any shape" if argument.shape is None else shape_text(argument.shape)


def _asset(asset: AssetRecord) -> str:
    return f"{asset.filename}{'' if asset.is_there else ', missing'}, for {asset.tensor}"
