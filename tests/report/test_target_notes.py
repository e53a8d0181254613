import graphfreeze
from graphfreeze.api import FrozenModel
from graphfreeze.read.sketch import parse_sketch
from graphfreeze.train.retarget import Retarget

TEXT = """
table = VariableV2() {shape: [4, 2]}
table/read = Identity(table)
w = VariableV2() {shape: [4, 2]}
w/read = Identity(w)
y = Xlog1py(w/read, table/read)
variables: table, w
trainable_variables: table, w
"""
PLAN = graphfreeze.FreezePlan(freeze_rows={"table": "0"}, mask_kernel="select")


def frozen(version: str = "1.15.5", producer: int = 134) -> FrozenModel:
    model = parse_sketch(TEXT)
    model.header.meta_info_def.tensorflow_version = version
    model.header.graph_def.versions.producer = producer
    return graphfreeze.freeze(model, PLAN, keep=["y"])


def test_ops_of_the_model_that_its_target_lacks() -> None:
    done = frozen()
    told = "TensorFlow 1.15 cannot run the model itself, it lacks Xlog1py"
    assert told not in graphfreeze.report(done).notes
    for target, is_told in (("1.15", True), ("2", False)):
        done.retarget = Retarget(target)
        assert (told in graphfreeze.report(done).notes) is is_told


def test_ops_that_an_old_writer_may_lack() -> None:
    told = (
        "the model was written by TensorFlow 1.11.0, which may lack ops of new nodes, as 1.4 does: "
        "SelectV2"
    )
    assert told in graphfreeze.report(frozen("1.11.0", 26)).notes
    assert not [note for note in graphfreeze.report(frozen()).notes if "may lack" in note]
