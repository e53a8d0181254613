"""What collections and signatures say of variables, and of refs, when variables are resources."""

from collections.abc import Collection, Iterator, Mapping

from graphfreeze.model.collected import parse_variable_def, variable_entries
from graphfreeze.model.names import find_ref, parse_ref
from graphfreeze.model.variables import TRAINABLE
from graphfreeze.rewrite.edits import SetCollection, SetSignature
from graphfreeze.rewrite.resource_reads import ResourceReads
from graphfreeze.schema import CollectionDef, SignatureDef, types_pb2

_REF = int(types_pb2.DT_FLOAT_REF) - int(types_pb2.DT_FLOAT)


def resource_collections(
    collections: Mapping[str, CollectionDef], reads: ResourceReads
) -> Iterator[SetCollection]:
    """Yield the collections that describe variables, or name refs, and so are to change.

    A variable's description is changed alike wherever it stands: TensorFlow takes two that differ
    for two variables. Up to TensorFlow 1.8 collections alone tell that it is trainable, and
    TensorFlow 2 looks at the description."""
    listed = (each for key in TRAINABLE for each in variable_entries(collections, key))
    trainable = {str(each.variable_name) for each in listed}
    for key, entry in collections.items():
        twin = CollectionDef()
        twin.CopyFrom(entry)
        match entry.WhichOneof("kind"):
            case "bytes_list":
                raws = [_resource(bytes(raw), reads, trainable) for raw in entry.bytes_list.value]
                twin.bytes_list.value[:] = raws
            case "node_list":
                names = [_value_name(str(name), reads) for name in entry.node_list.value]
                twin.node_list.value[:] = names
        if twin != entry:
            yield SetCollection(key, twin)


def resource_signatures(
    signatures: Mapping[str, SignatureDef], reads: ResourceReads
) -> Iterator[SetSignature]:
    """Yield the signatures that name refs, with reads in their place."""
    for key, signature in signatures.items():
        twin = SignatureDef()
        twin.CopyFrom(signature)
        for info in (*twin.inputs.values(), *twin.outputs.values()):
            if info.name:  # a sparse tensor is made of what ops compute
                info.name = _value_name(str(info.name), reads)
                info.dtype -= _REF if info.dtype > _REF else 0
        if twin != signature:
            yield SetSignature(key, twin)


def _resource(raw: bytes, reads: ResourceReads, trainable: Collection[str]) -> bytes:
    """Return the description of a variable as a resource, anything else as it is."""
    definition = parse_variable_def(raw)
    if definition is None:
        return raw
    variable = parse_ref(str(definition.variable_name))
    if variable not in reads.refs or definition.is_resource:
        return raw
    definition.is_resource = True
    definition.trainable |= definition.variable_name in trainable
    read = find_ref(str(definition.snapshot_name))
    if read is None or read in reads.refs or read.node not in reads.graph:
        definition.snapshot_name = reads.value(variable).tensor_name
    if definition.initial_value_name:
        definition.initial_value_name = _value_name(str(definition.initial_value_name), reads)
    return bytes(definition.SerializeToString(deterministic=True))


def _value_name(name: str, reads: ResourceReads) -> str:
    """Return the name of a tensor that has the value of a ref; that of an operation stays."""
    ref = find_ref(name)
    if ref is None or ":" not in name or ref not in reads.refs:
        return name
    return reads.value(ref).tensor_name
