"""Records of what a SavedModel holds besides its graph."""

from collections.abc import Iterator, Mapping

from graphfreeze.model.attrs import dtype_name
from graphfreeze.model.main_op import OP_SIGNATURES
from graphfreeze.model.model import Model
from graphfreeze.model.saved_model_records import ArgumentRecord, AssetRecord, SignatureRecord
from graphfreeze.schema import TensorInfo, types_pb2


def signature_records(model: Model) -> list[SignatureRecord]:
    """Return the signatures by name, without those that only name an op."""
    return [
        SignatureRecord(
            name=str(name),
            method=str(signature.method_name),
            inputs=list(_arguments(signature.inputs)),
            outputs=list(_arguments(signature.outputs)),
        )
        for name, signature in sorted(model.header.signature_def.items())
        if name not in OP_SIGNATURES
    ]


def asset_records(model: Model) -> list[AssetRecord]:
    """Return the assets."""
    folder = model.source.path.parent
    return [
        AssetRecord(asset.filename, asset.tensor.tensor_name, asset.is_there(folder))
        for asset in model.assets
    ]


def _arguments(infos: Mapping[str, TensorInfo]) -> Iterator[ArgumentRecord]:
    for name, info in sorted(infos.items()):
        is_sparse = info.WhichOneof("encoding") == "coo_sparse"
        tensor = info.coo_sparse.values_tensor_name if is_sparse else info.name
        shape = info.tensor_shape
        sizes = None if shape.unknown_rank else [_size(int(dim.size)) for dim in shape.dim]
        yield ArgumentRecord(str(name), str(tensor), _dtype(info.dtype), sizes)


def _dtype(number: int) -> str:
    return dtype_name(number) if number in types_pb2.DataType.values() else f"type {number}"


def _size(size: int) -> int | None:
    return size if size >= 0 else None
