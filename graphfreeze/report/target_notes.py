"""What to know of the TensorFlow that a model came from."""

from collections.abc import Iterator

from graphfreeze.errors.base import listed
from graphfreeze.frozen import FrozenModel
from graphfreeze.train.retarget import new_to_writer


def writer_notes(frozen: FrozenModel) -> Iterator[str]:
    """Yield new ops that an old TensorFlow, which wrote the model, may lack."""
    new = new_to_writer(frozen.draft)
    if new:
        base = frozen.draft.base
        version = base.tensorflow_version or f"a version of graphs {base.producer}"
        writer = f"the model was written by TensorFlow {version}"
        yield f"{writer}, which may lack ops of new nodes, as 1.4 does: {listed(new)}"
