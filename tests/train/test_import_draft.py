"""What is looked for before TensorFlow gets a graph."""

import pytest

from graphfreeze.errors import TrainError
from graphfreeze.model.graph import Graph
from graphfreeze.model.ops import OpRegistry
from graphfreeze.schema import FunctionDef
from graphfreeze.train.import_draft import check_gradients


def test_a_gradient_of_a_function_that_is_not_there() -> None:
    graph = Graph((), {"doubled": FunctionDef(), "doubled_grad": FunctionDef()}, OpRegistry())
    check_gradients(graph, {"doubled": "doubled_grad"})
    with pytest.raises(TrainError, match="'gone', which the library lacks; export the model"):
        check_gradients(graph, {"doubled": "doubled_grad", "other": "gone"})
