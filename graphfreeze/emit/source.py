"""The checkpoint of the source, of format V2 or V1."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from graphfreeze.errors import LoadError
from graphfreeze.read.checkpoint_index import read_index
from graphfreeze.runtime import open_runtime

Shapes = Mapping[str, Sequence[int]]


def is_v2(prefix: Path) -> bool:
    """Tell whether a checkpoint is of format V2."""
    return Path(f"{prefix}.index").is_file()


def runtime_prefix(prefix: Path) -> str:
    """Return what TensorFlow reads a checkpoint by; one of format V1 may have shards."""
    is_whole = is_v2(prefix) or prefix.is_file()
    return str(prefix) if is_whole else f"{prefix}-?????-of-?????"


def read_shapes(prefix: Path) -> Shapes:
    """Return the shape of every key of a checkpoint; raises LoadError.

    Starts TensorFlow for one of format V1."""
    if is_v2(prefix):
        return read_index(prefix).shapes
    tf = open_runtime()
    try:
        reader = tf.train.NewCheckpointReader(runtime_prefix(prefix))
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise LoadError.bad_checkpoint(prefix, str(error)) from error
    shapes: Shapes = reader.get_variable_to_shape_map()
    return shapes


def reason_of(message: str) -> str:
    """Return why an op failed, without the stack of those who made the op.

    ``Graph execution error: ... Node: 'restore'`` comes before it, ``[[{{node restore}}]]`` after.
    """
    _, is_told, rest = message.rpartition("\nNode: ")
    reason = rest.partition("\n")[2] if is_told else message
    return reason.partition("[[")[0].strip() or message
