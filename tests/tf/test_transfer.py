"""Frozen classifiers learn something new, and are exported: thaw, head, twenty steps, export."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf2
import tensorflow.compat.v1 as tf
from patch_runs import STEPS, Values
from transfer_runs import CASES, check, get_case, outputs_of, train_all

from graphfreeze.api import export, load


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("transfer")


@pytest.fixture(scope="module")
def values(folder: Path) -> Values:
    return train_all(sys.executable, folder)


@pytest.mark.parametrize("name", CASES)
def test_twenty_steps(name: str, values: Values, folder: Path) -> None:
    check(name, values, folder)


def inputs_of(name: str, folder: Path) -> Iterator[np.ndarray]:
    """Yield the inputs that a case was trained with."""
    for batch in json.loads((folder / "jobs.json").read_text())[name]["batches"]:
        told = batch[CASES[name].input]
        yield np.array(told["values"], told["dtype"]).reshape(told["shape"])


def trained_outputs(name: str, values: Values) -> np.ndarray:
    head = CASES[name].head
    return values[f"{name}/after/{head.name}/{outputs_of(head)}:0"]


@pytest.mark.parametrize("name", CASES)
def test_a_saved_model_has_the_outputs_of_the_trained_session(
    name: str, values: Values, folder: Path
) -> None:
    case, out = get_case(name), folder / f"{name}-saved"
    export(load(folder / name), out, checkpoint=STEPS, inputs=[f"given={case.input}"])
    serve = tf2.saved_model.load(str(out)).signatures["serving_default"]
    found = [serve(given=tf2.constant(given)) for given in inputs_of(name, folder)]
    outputs = np.concatenate([each[outputs_of(case.head)].numpy() for each in found])
    np.testing.assert_allclose(outputs, trained_outputs(name, values), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_a_frozen_graph_has_them_too(name: str, values: Values, folder: Path) -> None:
    case, out = get_case(name), folder / f"{name}.pb"
    export(load(folder / name), out, format="frozen-pb", checkpoint=STEPS)
    graph_def = tf.GraphDef.FromString(out.read_bytes())
    ops = {node.op for node in graph_def.node}
    assert not ops & {"VariableV2", "VarHandleOp", "SparseSoftmaxCrossEntropyWithLogits"}
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph_def, name="")
        output = f"{case.head.name}/{outputs_of(case.head)}:0"
        found = [session.run(output, {case.input: each}) for each in inputs_of(name, folder)]
    expected = trained_outputs(name, values)
    np.testing.assert_allclose(np.concatenate(found), expected, rtol=1e-5, atol=1e-6)
