"""The threads that fill queues, as a collection describes them."""

from collections.abc import Callable, Iterator

from google.protobuf.message import DecodeError

from graphfreeze.model.names import find_ref
from graphfreeze.schema import CollectionDef, QueueRunnerDef

RUNNERS_KEY = "queue_runners"


def keep_runners(
    key: str, entry: CollectionDef, is_kept: Callable[[str], bool]
) -> CollectionDef | None:
    """Return a collection of queue runners without those of which ``is_kept`` denies a node.

    None stands for any other collection. A thread cannot run without one of its ops."""
    if key != RUNNERS_KEY:
        return None
    out = CollectionDef()
    out.bytes_list.SetInParent()
    raws = (bytes(raw) for raw in entry.bytes_list.value)
    out.bytes_list.value.extend(raw for raw in raws if all(map(is_kept, runner_nodes(raw))))
    return out


def runner_nodes(raw: bytes) -> Iterator[str]:
    """Yield the nodes that the description of a queue runner names; none if it is none."""
    try:
        told = QueueRunnerDef.FromString(raw)
    except DecodeError:
        return
    ops = (*told.enqueue_op_name, told.close_op_name, told.cancel_op_name)
    for name in filter(None, map(str, (told.queue_name, *ops))):
        ref = find_ref(name)
        if ref is not None:
            yield ref.node
