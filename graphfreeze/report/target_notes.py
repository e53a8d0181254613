"""What to know of the TensorFlow that a model came from, and of the one that is to run it."""

from collections.abc import Iterator

from graphfreeze.errors.base import listed
from graphfreeze.frozen import FrozenModel
from graphfreeze.model.op_registry import known_to_any, known_to_tf1
from graphfreeze.model.targets import TF1
from graphfreeze.train.retarget import new_to_writer


def writer_notes(frozen: FrozenModel) -> Iterator[str]:
    """Yield new ops that an old TensorFlow, which wrote the model, may lack."""
    new = new_to_writer(frozen.draft)
    if new:
        base = frozen.draft.base
        version = base.tensorflow_version or f"a version of graphs {base.producer}"
        writer = f"the model was written by TensorFlow {version}"
        yield f"{writer}, which may lack ops of new nodes, as 1.4 does: {listed(new)}"


def target_notes(frozen: FrozenModel) -> Iterator[str]:
    """Yield the ops of the model itself that TensorFlow 1.15 lacks, if that is to run it."""
    retarget = frozen.retarget
    if retarget is None or retarget.target != TF1:
        return
    own = {str(node.op) for node in frozen.draft.graph.nodes.values()}
    lacking = sorted(op for op in own if known_to_any(op) and not known_to_tf1(op))
    if lacking:
        yield f"TensorFlow 1.15 cannot run the model itself, it lacks {listed(lacking)}"
