"""TensorFlow's global switches are, after a run, what the user's process had set."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import tensorflow.compat.v1 as tf

import graphfreeze
from graphfreeze.runtime import building, missing_ops

TEXT_CLASSIFIER = Path(__file__).parents[2] / "testdata" / "models" / "text_classifier"
PLAN = graphfreeze.FreezePlan(freeze=("hidden",))


def switches() -> dict[str, object]:
    """Read what a run could have changed."""
    return {
        "control flow v2": tf.control_flow_v2_enabled(),
        "resource variables": tf.resource_variables_enabled(),
        "verbosity": tf.logging.get_verbosity(),
        "eager": tf.executing_eagerly(),
        "default graph": None if tf.executing_eagerly() else tf.get_default_graph(),
        "nodes": [] if tf.executing_eagerly() else len(tf.get_default_graph().get_operations()),
        "session": tf.get_default_session(),
        "threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "soft placement": tf.config.get_soft_device_placement(),
        "optimizer": tf.config.optimizer.get_experimental_options(),
    }


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    control_flow, resources = tf.control_flow_v2_enabled(), tf.resource_variables_enabled()
    verbosity = tf.logging.get_verbosity()
    yield
    set_switches(control_flow, resources, verbosity)


def set_switches(control_flow: bool, resources: bool, verbosity: int) -> None:
    (tf.enable_control_flow_v2 if control_flow else tf.disable_control_flow_v2)()
    (tf.enable_resource_variables if resources else tf.disable_resource_variables)()
    tf.logging.set_verbosity(verbosity)


SWITCHES = {
    "TensorFlow 2's own": (True, True, tf.logging.INFO),
    "all off": (False, False, tf.logging.FATAL),
    "control flow off": (False, True, tf.logging.WARN),
    "resource variables off": (True, False, tf.logging.DEBUG),
}


@pytest.mark.parametrize("is_eager", [True, False], ids=["eager", "in a graph"])
@pytest.mark.parametrize("chosen", SWITCHES.values(), ids=SWITCHES)
def test_switches_stay(chosen: tuple[bool, bool, int], is_eager: bool, tmp_path: Path) -> None:
    set_switches(*chosen)
    with nullcontext() if is_eager else tf.Graph().as_default():
        before = switches()
        frozen = graphfreeze.freeze(graphfreeze.load(TEXT_CLASSIFIER), PLAN)
        assert switches() == before
        graphfreeze.add_train_op(frozen, optimizer="adam")
        assert switches() == before
        graphfreeze.save(frozen, tmp_path / "out")
        assert switches() == before


def test_switches_stay_when_a_run_fails(tmp_path: Path) -> None:
    set_switches(True, False, tf.logging.DEBUG)
    before = switches()
    frozen = graphfreeze.freeze(graphfreeze.load(TEXT_CLASSIFIER), PLAN)
    with pytest.raises(graphfreeze.GraphfreezeError):
        graphfreeze.add_train_op(frozen, loss=["ids:0"], optimizer="adam")
    with pytest.raises(graphfreeze.GraphfreezeError):
        graphfreeze.add_train_op(frozen, loss=["word_embedding/read:0"], optimizer="nothing")
    with pytest.raises(ZeroDivisionError), building():
        _ = 1 / 0
    assert switches() == before


@pytest.mark.parametrize("resources", [True, False])
def test_inside_the_door(resources: bool) -> None:
    with building(resource_variables=resources) as inside:
        assert inside.get_default_graph() is tf.get_default_graph()
        assert not inside.get_default_graph().get_operations()
        assert not inside.control_flow_v2_enabled()
        assert inside.resource_variables_enabled() == resources
        assert not inside.executing_eagerly()


def test_missing_ops() -> None:
    assert missing_ops(iter(["MatMul", "Zebra", "Ape", "Zebra"])) == ["Ape", "Zebra"]
