"""Which TensorFlow is to run a result, and what it knows."""

from collections.abc import Iterator

from graphfreeze.errors import TrainError
from graphfreeze.model.model import Model
from graphfreeze.model.op_registry import load_shipped, strip_for_tf1
from graphfreeze.model.ops import OpRegistry
from graphfreeze.schema import NodeDef, OpDef

TF1, TF2 = "1.15", "2"
TARGETS = (TF1, TF2)
_LAST_OF_TF1 = 134  # the version of its graphs, by which a bare GraphDef tells who wrote it
# Attributes of TensorFlow 2 that change no value: hints, names, and checks of shapes.
_HINTS = frozenset({"grad_a", "grad_b", "grad_x", "grad_y", "debug_name", "validate_shape"})


def choose_target(asked: str | None, model: Model) -> str:
    """Return the target that was asked for, else that of whoever wrote the model.

    That is TensorFlow 2 where a MetaGraphDef says so, or a GraphDef of a version after 1.15's; all
    else is for 1.15. Raises TrainError for a target that there is not."""
    if asked is None:
        version = model.tensorflow_version
        is_newer = version.startswith("2.") if version else model.producer > _LAST_OF_TF1
        return TF2 if is_newer else TF1
    if asked not in TARGETS:
        raise TrainError.unknown_target(asked, TARGETS)
    return asked


def is_old_writer(model: Model) -> bool:
    """Tell whether a TensorFlow before 1.15 wrote a model; one that does not say so did not."""
    return 0 < model.producer < _LAST_OF_TF1


def find_unfit(node: NodeDef) -> str | None:
    """Return what TensorFlow 1.15 does not know of a node and cannot do without, or None.

    Arguments and attributes are judged by its definition of the op: an attribute that it lacks has
    to be at its default or a hint, a value has to be one that it allows."""
    definition = load_shipped().tf1.ops.get(str(node.op))
    if definition is None:
        return f"op {node.op}"
    return next(_unfit_attributes(node, definition), None)


def _unfit_attributes(node: NodeDef, definition: OpDef) -> Iterator[str]:
    kept, known = strip_for_tf1(node), {attr.name: attr for attr in definition.attr}
    for name in sorted(set(node.attr) - set(kept.attr)):
        is_idle = name in _HINTS or name.startswith("_") or OpRegistry().is_default(node, name)
        if not is_idle:
            yield f"attribute {name} of op {node.op}"
    for name in sorted(set(kept.attr) & set(known)):
        value, allowed = node.attr[name], known[name].allowed_values.list
        if value.type and allowed.type and value.type not in allowed.type:
            yield f"type of attribute {name} of op {node.op}"
        if value.s and allowed.s and value.s not in allowed.s:
            yield f"value of attribute {name} of op {node.op}"
