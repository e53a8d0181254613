"""The signatures of a MetaGraph: what it serves, and two that are none but name an op."""

from collections.abc import Iterator, Mapping

from graphfreeze.model.graph import Graph
from graphfreeze.model.main_op import OP_SIGNATURES, TRAIN_SIGNATURE
from graphfreeze.model.names import TensorRef, find_ref
from graphfreeze.model.static_shapes import find_shape
from graphfreeze.schema import SignatureDef, TensorInfo, TensorShapeProto

Signatures = Mapping[str, SignatureDef]


def op_signature(key: str, name: str) -> SignatureDef:
    """Return the signature that stands for an op: its only output has the op's name, no type."""
    info = TensorInfo(name=name, tensor_shape=TensorShapeProto(unknown_rank=True))
    return SignatureDef(outputs={key: info})


def tensor_infos(graph: Graph, tensors: Mapping[str, TensorRef]) -> dict[str, TensorInfo]:
    """Return what a signature says of tensors: name, type, and shape as far as the graph tells."""
    return {key: _info(graph, ref) for key, ref in tensors.items()}


def _info(graph: Graph, ref: TensorRef) -> TensorInfo:
    shape = find_shape(graph, ref)
    told = TensorShapeProto(unknown_rank=True)
    if shape is not None:
        dims = [TensorShapeProto.Dim(size=-1 if size is None else size) for size in shape]
        told = TensorShapeProto(dim=dims)
    return TensorInfo(name=ref.tensor_name, dtype=graph.dtype(ref), tensor_shape=told)


def signed_train_ops(signatures: Signatures) -> list[str]:
    """Return the op that trains, if a signature names one."""
    signature = signatures.get(TRAIN_SIGNATURE, SignatureDef())
    return [ref.node for ref in tensors_in(signature.outputs)]


def model_signatures(signatures: Signatures) -> Iterator[SignatureDef]:
    """Yield what the model is for: all but what trains it."""
    yield from (each for key, each in signatures.items() if key != TRAIN_SIGNATURE)


def served_signatures(signatures: Signatures) -> Iterator[SignatureDef]:
    """Yield what the model computes: all but those that name an op."""
    yield from (each for key, each in signatures.items() if key not in OP_SIGNATURES)


def tensors_in(infos: Mapping[str, TensorInfo]) -> Iterator[TensorRef]:
    """Yield the tensors of a signature's inputs or outputs; a sparse one is three."""
    for info in infos.values():
        sparse = info.coo_sparse
        names = [info.name, sparse.values_tensor_name, sparse.indices_tensor_name]
        found = (find_ref(str(n)) for n in [*names, sparse.dense_shape_tensor_name] if n)
        yield from (ref for ref in found if ref is not None)
