"""Files of the world load or are refused with a reason, and freezing them changes no value.

Where their folder is missing, the first test says so and the others have nothing to look at."""

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow.compat.v1 as tf

from graphfreeze import FreezePlan, freeze, load, report, save
from graphfreeze.check.feeds.chosen_feeds import ChosenFeeds
from graphfreeze.check.running.importing import opened
from graphfreeze.check.running.needed_nodes import Running
from graphfreeze.check.running.opened import Opened
from graphfreeze.check.running.outputs import find_outputs
from graphfreeze.check.running.what_runs import WhatRuns
from graphfreeze.check.same_bits import same_bits
from graphfreeze.emit.boxes import parse_box
from graphfreeze.errors import CheckError, LoadError
from graphfreeze.frozen import FrozenModel
from graphfreeze.model.attrs import dtype_name
from graphfreeze.model.model import Model
from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import forward_edges
from graphfreeze.model.saver import saved_entries
from graphfreeze.model.variables import Variable
from graphfreeze.read.checkpoint_values import CheckpointValues, open_values
from graphfreeze.schema import types_pb2

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
INDEX = CORPUS / "index.json"
LISTED = [each["path"] for each in json.loads(INDEX.read_text())] if INDEX.exists() else []
Array = npt.NDArray[np.generic]
Feeds = Mapping[str, object]
BATCH = "IteratorGetNext"


def example(**features: float) -> bytes:
    """Return a tf.train.Example of numbers."""
    told = tf.train.Example()
    for name, number in features.items():
        told.features.feature[name].float_list.value.append(number)
    return told.SerializeToString()


def sound() -> bytes:
    """Return a second of noise as a WAV file of 16 kHz."""
    samples = np.random.default_rng(0).integers(-9999, 9999, 16000, np.int16).tobytes()[:-1] + b"x"
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16)
    data = b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", 4 + len(form) + len(data)) + b"WAVE" + form + data


# Told by the end of their paths. What is refused, and why.
REFUSED = {"transformer_test_ckpt/model.ckpt-1.index": "part of a checkpoint; give the"}
# What this TensorFlow cannot run: its graph alone is compared.
NOT_RUN = {
    "custom_op/model/1/saved_model.pb": "lacks ops of this graph: ZeroOut",
    "ngraph-bridge/test/python/flib_graph_1.pbtxt": "lacks ops of this graph: _nGraphEncapsulate",
}
# What nothing in the graph tells how to feed.
FED: dict[str, Callable[[], Feeds]] = {
    "half_plus_two/00000123/export.meta": lambda: {"tf_example": [example(x=2), example(x=3)]},
    "half_plus_two_gpu/00000123/saved_model.pb": lambda: {"tf_example": [example(x=2, x2=3)]},
    "DS_CNN_S.pb": lambda: {"wav_data": sound()},
    "LSTM_S.pb": lambda: {"wav_data": sound()},
    "1533527330/saved_model.pb": lambda: {"input_example_tensor": [example(b=2)]},
    "gru/frozen.pb": lambda: {"X": np.linspace(0, 1, 4 * 784, dtype="f4").reshape(4, 784)},
    "load/lstm.pb": lambda: {"lstm_1_input": np.linspace(-1, 1, 30, dtype="f4").reshape(2, 5, 3)},
}
# What reads files of its own: their batch is fed.
READING = ("housing_regressor/model.ckpt-0.meta", "Format-Serving/model.ckpt-10000.meta")
# What the graph leaves open.
SHAPES = {"clusters": (25, 784)}
# Rows of the last table that learns are frozen, but here that one is read by an op that takes it
# whole.
TABLES = {"Format-Serving/model.ckpt-10000.meta": "dnn/hiddenlayer_1/kernel"}


def of_file(table: Mapping[str, object], path: str) -> object:
    return next((told for end, told in table.items() if path.endswith(end)), None)


def paths(is_wanted: Callable[[str], bool]) -> list[str]:
    return [path for path in LISTED if is_wanted(path)]


LOADED = paths(lambda path: of_file(REFUSED, path) is None)
RUN = [path for path in LOADED if of_file(NOT_RUN, path) is None]


def test_the_corpus_is_there() -> None:
    if not LISTED:
        pytest.skip(f"no {CORPUS}")
    told = [*REFUSED, *NOT_RUN, *FED, *READING, *TABLES]
    assert [end for end in told if not any(path.endswith(end) for path in LISTED)] == []
    assert len(RUN) == len(LISTED) - len(REFUSED) - len(NOT_RUN)


@pytest.mark.parametrize("path", paths(lambda path: of_file(REFUSED, path) is not None))
def test_is_refused(path: str) -> None:
    with pytest.raises(LoadError, match=str(of_file(REFUSED, path))):
        load(CORPUS / path)


def frozen(path: str) -> FrozenModel:
    """Freeze a variable and a row of another one; in a graph without any, stop a gradient."""
    model = load(CORPUS / path)
    if values_of(model) is None:
        model = replace(model, source=replace(model.source, checkpoint=None))
    learning = [v for v in model.variables if v.is_trainable and v.is_differentiable]
    if len(learning) < 2:
        taken = (ref for name in model.graph.nodes for ref in model.graph.data_inputs(name))
        read = next(ref for ref in taken if forward_edges(model.graph, ref))
        return freeze(model, FreezePlan(stop_gradient=(read.tensor_name,)))
    tables = [v.name for v in learning[1:] if len(v.shape or ()) > 1 and "part_" not in v.name]
    table = of_file(TABLES, path) or (tables[-1] if tables else None)
    rows = {} if table is None else {str(table): "0"}
    return freeze(model, FreezePlan(freeze=(learning[0].name,), freeze_rows=rows))


def values_of(model: Model) -> CheckpointValues | None:
    """Return the checkpoint of a file; of some the corpus has only the index."""
    prefix = model.source.checkpoint
    try:
        return None if prefix is None else open_values(prefix)
    except LoadError:
        return None


def all_values(model: Model) -> Mapping[str, Array]:
    """Return what the checkpoint holds of each variable, else numbers drawn by its name."""
    values, saved = values_of(model), saved_entries(model.graph, model.saver_ops)
    found: dict[str, Array] = {}
    for variable in model.variables:
        entry, shape = saved.get(variable.name), SHAPES.get(variable.name, variable.shape)
        if values is not None and entry is not None and entry.key in values.shapes:
            whole = np.concatenate([np.atleast_1d(each) for each in values.read_chunks(entry.key)])
            part = parse_box(entry.slice).index if entry.slice else ()
            found[variable.name] = whole.reshape(values.shapes[entry.key])[part]
        elif shape is not None and None not in shape and variable.dtype != types_pb2.DT_STRING:
            draw = np.random.default_rng(crc32(variable.name.encode()))
            numbers = (draw.random(9973) - 0.25).astype(dtype_name(variable.dtype))
            found[variable.name] = np.resize(numbers, shape)  # some are of 0.5 GiB
    return found


def drawn_batch(model: Model) -> Feeds:
    """Return what an iterator gives: words, numbers, and classes of two."""
    attrs, draw = model.graph.nodes[BATCH].attr, np.random.default_rng(0)
    pairs = zip(attrs["output_types"].list.type, attrs["output_shapes"].list.shape, strict=True)
    drawn: dict[str, object] = {}
    for port, (dtype, shape) in enumerate(pairs):
        classes = draw.integers(2, size=[dim.size for dim in shape.dim])
        words = dtype == types_pb2.DT_STRING
        drawn[f"{BATCH}:{port}"] = classes.astype("S" if words else dtype_name(dtype))
    return drawn


def fed_texts(path: str, model: Model, folder: Path) -> list[str]:
    """Return how to feed what is not inferred."""
    fed = drawn_batch(model) if path.endswith(READING) else (of_file(FED, path) or dict)()
    for number, value in enumerate(fed.values()):
        np.save(folder / f"{number}.npy", np.array(value))
    return [f"{name}=@{folder / str(number)}.npy" for number, name in enumerate(fed)]


def fetch(
    model: Model,
    running: Running,
    wanted: list[TensorRef],
    feeds: Feeds,
    values: Mapping[str, Array],
) -> list[Array]:
    """Run a graph as it is, whose variables have these values."""
    with opened(model, running.nodes, 0, is_rewritten=False) as run:
        for variable in model.variables:
            if variable.name in running.nodes and variable.name in values:
                assign(run, variable, values[variable.name])
        run.start(running.starts, feeds)
        return run.run([ref.tensor_name for ref in wanted], feeds)


def assign(run: Opened, variable: Variable, value: Array) -> None:
    with run.graph.as_default():
        handle = run.graph.get_tensor_by_name(f"{variable.name}:0")
        place = tf.placeholder(tf.as_dtype(variable.dtype), value.shape)
        if variable.kind == "resource":
            op = tf.raw_ops.AssignVariableOp(resource=handle, value=place)
        else:
            op = tf.raw_ops.Assign(ref=handle, value=place, validate_shape=False).op
    run.session.run(op, {place: value})


@pytest.mark.parametrize("path", RUN, ids=RUN)
def test_runs_as_before(path: str, tmp_path: Path) -> None:
    """All outputs that the graph names or nobody takes are the same to the bit."""
    result = frozen(path)
    base = result.draft.base
    save(result, tmp_path / "out.meta")
    after = load(tmp_path / "out.meta")
    record = report(result)
    assert record.nodes_added
    outputs = find_outputs(base, after, record)
    feeds = ChosenFeeds((base, after), fed_texts(path, base, tmp_path), batch=4, seed=0)
    what = WhatRuns(base, after, record, allows_unsafe=True, fed=frozenset(feeds.given))
    others, runs, feeds, left_out = what.with_others(outputs, feeds)
    # What is taken out of a TensorArray is had once.
    once = {ref for ref in others if base.graph.op(ref.node).startswith("TensorArrayRead")}
    wanted = [*outputs.losses, *(ref for ref in others if ref not in once)]
    values = all_values(base)
    assert wanted
    assert not left_out
    first = fetch(base, runs.original, wanted, feeds.arrays(base.graph), values)
    second = fetch(after, runs.out, wanted, feeds.arrays(after.graph), values)
    differing = [
        str(ref) for ref, *pair in zip(wanted, first, second, strict=True) if not same_bits(*pair)
    ]
    assert not differing


@pytest.mark.parametrize("path", [path for path in LOADED if path not in RUN])
def test_cannot_be_run_and_has_the_same_graph(path: str, tmp_path: Path) -> None:
    """But for stops every node takes what it took."""
    result = frozen(path)
    base = result.draft.base
    with pytest.raises(CheckError, match=str(of_file(NOT_RUN, path))):
        fetch(base, Running((), frozenset(base.graph.nodes)), [], {}, {})
    save(result, tmp_path / "out.meta")
    graph = load(tmp_path / "out.meta").graph
    new = {name: graph.data_inputs(name)[0] for name in graph.nodes if name not in base.graph}
    assert new
    assert {graph.op(name) for name in new} == {"StopGradient"}
    for name, node in base.graph.nodes.items():
        taken = [new.get(ref.node, ref) for ref in graph.inputs(name)]
        assert taken == list(base.graph.inputs(name))
        assert (graph.op(name), graph.nodes[name].attr) == (node.op, node.attr)
