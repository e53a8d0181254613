"""What stands in a MetaGraph's collections."""

from collections.abc import Callable, Iterator, Mapping

from google.protobuf.message import DecodeError

from graphfreeze.model.names import TensorRef, find_ref, parse_ref
from graphfreeze.model.queue_runners import RUNNERS_KEY, runner_nodes
from graphfreeze.schema import CollectionDef, VariableDef

Collections = Mapping[str, CollectionDef]


def node_entries(collections: Collections, key: str) -> list[str]:
    """Return a collection of tensors and operations, each once, in order."""
    entry = collections.get(key)
    return list(dict.fromkeys(map(str, entry.node_list.value))) if entry is not None else []


def variable_entries(collections: Collections, key: str) -> list[VariableDef]:
    """Return a collection of variables; entries that are none are passed over."""
    entry = collections.get(key)
    if entry is None:
        return []
    parsed = map(parse_variable_def, entry.bytes_list.value)
    return [definition for definition in parsed if definition is not None]


def parse_variable_def(raw: bytes) -> VariableDef | None:
    """Read an entry of a collection of variables, None if it is something else."""
    try:
        definition = VariableDef.FromString(raw)
    except DecodeError:
        return None
    has_name = ":" in definition.variable_name and find_ref(str(definition.variable_name))
    return definition if has_name and definition.initializer_name else None


def node_refs(collections: Collections) -> Iterator[tuple[str, TensorRef]]:
    """Yield key and tensor of every entry that names a tensor or operation."""
    for key, entry in collections.items():
        refs = (find_ref(str(value)) for value in entry.node_list.value)
        yield from ((key, ref) for ref in refs if ref is not None)


def keep_entries(entry: CollectionDef, is_kept: Callable[[str], bool]) -> CollectionDef:
    """Return a collection without the entries whose node ``is_kept`` denies."""
    out = CollectionDef()
    out.CopyFrom(entry)
    match entry.WhichOneof("kind"):
        case "node_list":
            kept = [v for v in entry.node_list.value if _is_kept_name(str(v), is_kept)]
            out.node_list.ClearField("value")
            out.node_list.value.extend(kept)
        case "bytes_list":
            raws = [raw for raw in entry.bytes_list.value if _is_kept_variable(raw, is_kept)]
            out.bytes_list.ClearField("value")
            out.bytes_list.value.extend(raws)
    return out


def _is_kept_name(name: str, is_kept: Callable[[str], bool]) -> bool:
    ref = find_ref(name)
    return ref is None or is_kept(ref.node)


def _is_kept_variable(raw: bytes, is_kept: Callable[[str], bool]) -> bool:
    definition = parse_variable_def(raw)
    return definition is None or is_kept(parse_ref(str(definition.variable_name)).node)


def is_empty(entry: CollectionDef) -> bool:
    """Tell whether a collection has no entry."""
    kind = entry.WhichOneof("kind")
    return kind is None or not getattr(entry, kind).value


def names_in(definition: VariableDef) -> list[str]:
    """Return the tensors and operations that a variable's description names."""
    fields = ("variable_name", "initializer_name", "snapshot_name", "initial_value_name")
    return [name for field in fields if (name := str(getattr(definition, field)))]


def named_nodes(collections: Collections) -> Iterator[tuple[str, str]]:
    """Yield key and node of all that collections of nodes, variables and queue runners name."""
    yield from ((key, ref.node) for key, ref in node_refs(collections))
    runners = collections.get(RUNNERS_KEY, CollectionDef()).bytes_list.value
    yield from ((RUNNERS_KEY, name) for raw in runners for name in runner_nodes(bytes(raw)))
    for key in collections:
        for definition in variable_entries(collections, key):
            yield from ((key, name.partition(":")[0]) for name in names_in(definition))
