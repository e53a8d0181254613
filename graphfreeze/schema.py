"""TensorFlow's message classes, without its runtime.

``import tensorflow`` costs seconds and half a gigabyte; the message classes alone cost 50 ms.
They are imported from the installed wheel while a stub package stands in for ``tensorflow``
in ``sys.modules``. A later real import reuses these very classes, so a message made here can
be handed straight to TensorFlow.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from threading import RLock
from types import ModuleType

_lock = RLock()


def _stub(spec: ModuleSpec) -> ModuleType:
    """Return an empty package at the place of the real one."""
    stub = ModuleType("tensorflow")
    stub.__path__ = list(spec.submodule_search_locations or ())
    stub.__spec__ = spec
    return stub


@contextmanager
def _without_runtime() -> Iterator[None]:
    """Let ``tensorflow.core`` be imported without running ``tensorflow/__init__.py``."""
    with _lock:
        if "tensorflow" in sys.modules:
            yield
            return
        spec = find_spec("tensorflow")
        if spec is None:
            raise ImportError(
                "graphfreeze needs TensorFlow; install it with 'pip install tensorflow'"
            )
        sys.modules["tensorflow"] = _stub(spec)
        try:
            yield
        finally:
            del sys.modules["tensorflow"]


with _without_runtime():
    from tensorflow.core.framework import types_pb2
    from tensorflow.core.framework.attr_value_pb2 import AttrValue
    from tensorflow.core.framework.function_pb2 import (
        FunctionDef,
        FunctionDefLibrary,
        GradientDef,
    )
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.framework.node_def_pb2 import NodeDef
    from tensorflow.core.framework.op_def_pb2 import OpDef, OpList
    from tensorflow.core.framework.tensor_pb2 import TensorProto
    from tensorflow.core.framework.tensor_shape_pb2 import TensorShapeProto
    from tensorflow.core.framework.tensor_slice_pb2 import TensorSliceProto
    from tensorflow.core.framework.variable_pb2 import VariableDef
    from tensorflow.core.protobuf.control_flow_pb2 import CondContextDef, WhileContextDef
    from tensorflow.core.protobuf.meta_graph_pb2 import (
        AssetFileDef,
        CollectionDef,
        MetaGraphDef,
        SignatureDef,
        TensorInfo,
    )
    from tensorflow.core.protobuf.queue_runner_pb2 import QueueRunnerDef
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
    from tensorflow.core.protobuf.saver_pb2 import SaverDef
    from tensorflow.core.protobuf.tensor_bundle_pb2 import BundleEntryProto, BundleHeaderProto
    from tensorflow.core.util.saved_tensor_slice_pb2 import SavedSlice, SavedTensorSlices

__all__ = [
    "AssetFileDef",
    "AttrValue",
    "BundleEntryProto",
    "BundleHeaderProto",
    "CollectionDef",
    "CondContextDef",
    "FunctionDef",
    "FunctionDefLibrary",
    "GradientDef",
    "GraphDef",
    "MetaGraphDef",
    "NodeDef",
    "OpDef",
    "OpList",
    "QueueRunnerDef",
    "SavedModel",
    "SavedSlice",
    "SavedTensorSlices",
    "SaverDef",
    "SignatureDef",
    "TensorInfo",
    "TensorProto",
    "TensorShapeProto",
    "TensorSliceProto",
    "VariableDef",
    "WhileContextDef",
    "types_pb2",
]
