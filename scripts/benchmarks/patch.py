"""Time a train_op as it was, patched and rebuilt: what is frozen costs a step no gradient."""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf

import graphfreeze
from benchmarks import machine

AS_IT_WAS, PATCHED, COUNTED, REBUILT = "as it was", "patched", "counting frozen", "rebuilt"
CLIP, RATE = 1.0, 1e-4


@dataclass(frozen=True)
class Size:
    """How much is measured: a stack of square layers, and how many of them are frozen."""

    layers: int
    width: int
    batch: int
    frozen: tuple[int, ...]
    rounds: int
    is_quick: bool = False


FULL = Size(layers=12, width=512, batch=256, frozen=(3, 6, 9, 11), rounds=60)
QUICK = Size(layers=3, width=8, batch=4, frozen=(2,), rounds=3, is_quick=True)


def run(size: Size, out: Path) -> None:
    """Measure, print the figures, and write patch.json."""
    start, before, times = time.time(), machine.facts(), []
    with tempfile.TemporaryDirectory(prefix="graphfreeze-benchmark-") as folder:
        source = Path(folder) / "model"
        _save(source, size)
        for frozen in size.frozen:
            times.append(_time(source, Path(folder) / str(frozen), size, frozen))
    result = {
        "benchmark": "patch",
        "quick": size.is_quick,
        "machine": {**before, "load_at_end": machine.load()},
        "minutes": round((time.time() - start) / 60, 1),
        "layers": size.layers,
        "width": size.width,
        "batch": size.batch,
        "times": times,
    }
    (out / "patch.json").write_text(json.dumps(result, indent=1) + "\n")
    print(out / "patch.json")


def _save(source: Path, size: Size) -> None:
    """Save a stack of layers under Adam behind a clip by the global norm, after one step."""
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, size.width], name="x")
        y = x
        for number in range(size.layers):
            with tf.variable_scope(f"layer_{number}"):
                kernel = tf.get_variable("kernel", [size.width, size.width])
                y = tf.nn.relu(tf.matmul(y, kernel))
        loss = tf.reduce_mean(tf.square(y - x), name="loss")
        tf.add_to_collection("losses", loss)
        variables = tf.trainable_variables()
        gradients, _ = tf.clip_by_global_norm(tf.gradients(loss, variables), CLIP)
        adam = tf.train.AdamOptimizer(RATE)
        train_op = adam.apply_gradients(zip(gradients, variables, strict=True), name="train_op")
        saver = tf.train.Saver()
        session.run(tf.global_variables_initializer())
        session.run(train_op, {x: _batch(size)})
        saver.save(session, str(source))


def _time(source: Path, folder: Path, size: Size, frozen: int) -> dict[str, object]:
    """Time all variants with so many of the lowest layers frozen; print and return a record."""
    model = graphfreeze.load(source)
    plan = graphfreeze.FreezePlan(freeze=tuple(f"layer_{n}" for n in range(frozen)))
    folder.mkdir()
    made = {
        PATCHED: graphfreeze.patch(model, plan),
        COUNTED: graphfreeze.patch(model, plan, clip_counts_frozen=True),
        REBUILT: graphfreeze.add_train_op(
            graphfreeze.freeze(model, plan), learning_rate=RATE, clip_norm=CLIP
        ),
    }
    with ExitStack() as stack:
        trials = {AS_IT_WAS: stack.enter_context(_opened(source, "train_op"))}
        for name, each in made.items():
            out = folder / name.replace(" ", "_")
            graphfreeze.save(each, out)
            op = "train_op" if name != REBUILT else str(graphfreeze.report(each).train_op)
            trials[name] = stack.enter_context(_opened(out / "model", op))
        feeds = {"x:0": _batch(size)}
        times: dict[str, list[float]] = {name: [] for name in trials}
        for number in range(size.rounds + 2):
            for name, (session, op) in trials.items():
                began = time.perf_counter()
                session.run(op, feeds)
                if number > 1:
                    times[name].append(time.perf_counter() - began)
    first = np.array(times[AS_IT_WAS])
    ratios = {name: float(np.median(np.array(each) / first)) for name, each in times.items()}
    told = ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
    print(f"{frozen} of {size.layers} layers frozen | a step: {told}", flush=True)
    ms = {name: round(1000 * float(np.median(each)), 4) for name, each in times.items()}
    return {"frozen": frozen, "ms": ms, "ratios": ratios}


@contextmanager
def _opened(prefix: Path, op: str) -> Iterator[tuple[tf.Session, tf.Operation]]:
    """Open a graph with its values, and yield a session and what it is to run."""
    with tf.Graph().as_default() as graph, tf.Session() as session:
        tf.train.import_meta_graph(f"{prefix}.meta").restore(session, str(prefix))
        yield session, graph.get_operation_by_name(op)


def _batch(size: Size) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((size.batch, size.width), np.float32)
