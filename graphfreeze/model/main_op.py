"""The op that a SavedModel's loader runs once, when the variables are restored."""

from graphfreeze.model.collected import Collections, node_entries
from graphfreeze.model.names import find_ref
from graphfreeze.schema import MetaGraphDef

MAIN_KEYS = ("saved_model_main_op", "legacy_init_op")
"""Collections that name it, the newer one first."""
MAIN_SIGNATURE, TRAIN_SIGNATURE = "__saved_model_init_op", "__saved_model_train_op"
OP_SIGNATURES = frozenset({MAIN_SIGNATURE, TRAIN_SIGNATURE})
"""Signatures that are none: each names an op, as its only output of the same name."""


def find_main_op(header: MetaGraphDef, collections: Collections) -> str | None:
    """Return the node of the main op, of old models the init op; None if there is none.

    The order is that of TensorFlow's loader (``tensorflow/python/saved_model/loader_impl.py``).
    """
    named = []
    if MAIN_SIGNATURE in header.signature_def:
        outputs = header.signature_def[MAIN_SIGNATURE].outputs
        named += [str(info.name) for key, info in outputs.items() if key == MAIN_SIGNATURE]
    for key in MAIN_KEYS:
        named += node_entries(collections, key)
    refs = (find_ref(name) for name in named)
    return next((ref.node for ref in refs if ref is not None), None)
