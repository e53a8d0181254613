"""Write graphs that use ref variables in odd ways: ``odd_graphs.py FOLDER``.

Each function builds one and returns steps, each a list of what is run together; the first comment
of each tells what is odd. Knows nothing of graphfreeze; runs in Python 3.7 with TensorFlow 1.15 as
well as in TensorFlow 2.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf

Steps = "list[list[str]]"
DRAWN = np.random.RandomState(0)


def draw(*shape: int) -> np.ndarray:
    """Draw numbers."""
    return DRAWN.randn(*shape).astype(np.float32)


def variable(name: str, *shape: int) -> tf.Variable:
    """Make a ref variable."""
    return tf.Variable(draw(*shape), name=name, use_resource=False)


def grows() -> Steps:
    """Give a variable other shapes as it runs."""
    w = tf.Variable(draw(2), validate_shape=False, name="w")
    tf.assign(w, tf.concat([w, w], 0), validate_shape=False, name="grow")
    tf.reduce_sum(w * 2, name="y")
    return [["grow"], ["y:0"], ["grow"], ["y:0"]]


def initialized_by_others() -> Steps:
    """Initialize through the conds of ``initialized_value``."""
    a = variable("a", 3)
    b = tf.Variable(a.initialized_value() * 2, name="b")
    tf.Variable(a.initialized_value() + b.initialized_value(), name="c")
    return [["c/read:0"]]


def metrics() -> Steps:
    """Use what AssignAdd yields, and local variables."""
    p = tf.constant(draw(8))
    ends = [tf.metrics.mean(p, name="m"), tf.metrics.auc(p > 0.5, tf.sigmoid(p), name="auc")]
    variable("w", 1)
    return [[update.name for _, update in ends], [value.name for value, _ in ends]] * 2


def scatters() -> Steps:
    """Write some rows in every way."""
    w = variable("w", 6, 2)
    nd = (tf.scatter_nd_update, tf.scatter_nd_add, tf.scatter_nd_sub)
    made = [write(w, [[1], [4]], draw(2, 2)) for write in nd]
    rows = (tf.scatter_update, tf.scatter_add, tf.scatter_sub, tf.scatter_mul, tf.scatter_div)
    made += [write(w, [0, 0], draw(2, 2)) for write in (*rows, tf.scatter_min, tf.scatter_max)]
    made += [w[1:3].assign(draw(2, 2))]
    return [[each.op.name] for each in made]


def counts() -> Steps:
    """Count up to a limit: the one writer with a value of its own."""
    w = tf.Variable(0, name="w")
    tf.add(tf.count_up_to(w, 5, name="c"), 10, name="y")
    return [["c:0", "y:0"], ["c:0"]]


def types() -> Steps:
    """Hold other types than numbers of 32 bits."""
    every = {"f16": np.float16([1, 2]), "c64": np.complex64([1 + 1j, 2]), "i8": np.int8([1, -2])}
    every.update(s=np.array([b"a", b"bc"]), b=np.array([True, False]), f64=np.float64([1, 2]))
    for name, value in every.items():
        tf.assign(tf.Variable(value, name=name), value[::-1], name=name + "/turn")
    return [[name + "/turn"] for name in every]


def chains() -> Steps:
    """Write to what another writer yields, and use what comes out at the end."""
    w = variable("w", 3)
    a = tf.assign_add(tf.assign(w, draw(3), use_locking=True), draw(3), use_locking=False)
    b = tf.scatter_update(tf.assign_sub(a, draw(3)), [0], [5.0], name="b")
    tf.identity(b, name="y")
    tf.multiply(b, 2.0, name="z")
    tf.identity(tf.assign(w, tf.assign_add(w, draw(3))), name="k")
    return [["y:0", "z:0"], ["k:0"]]


def refs_by_value() -> Steps:
    """Let ops take the ref itself by value, in an order."""
    w = variable("w", 3)
    ref = w._ref()
    with tf.control_dependencies([tf.assign_add(w, tf.ones([3]))]):
        y = tf.add(ref, 1.0, name="y")
        z = tf.subtract(ref, y, name="z")
    tf.multiply(tf.reduce_sum(tf.assign(w, z)), ref, name="q")
    return [["y:0"], ["z:0"], ["q:0"]]


def written_before_used() -> Steps:
    """Use the memory of a read after a writer changed it."""
    w = variable("w", 3)
    old = w.read_value()
    with tf.control_dependencies([old]):
        tf.subtract(tf.assign(w, draw(3)), old, name="d")
    with tf.control_dependencies([tf.assign_add(w, draw(3))]):
        i = tf.identity(w, name="i")
        y = tf.add(w, 1.0, name="y")
    with tf.control_dependencies([tf.assign_sub(w, y)]):
        tf.multiply(w, i, name="z")
    return [["d:0"], ["y:0"], ["z:0", "i:0"]]


def averages_after_steps() -> Steps:
    """Take averages of what an optimizer has just written, and count with them."""
    x = tf.constant(draw(4, 3))
    loss = tf.reduce_mean(tf.square(tf.matmul(x, variable("w", 3, 2)) + variable("b", 2)))
    count = tf.train.get_or_create_global_step()
    step = tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss, count)
    with tf.control_dependencies([step]):
        average = tf.train.ExponentialMovingAverage(0.9, count, zero_debias=True)
        tf.group(average.apply(tf.trainable_variables()), name="train")
        tf.identity(count, name="n")
    return [["train", "n:0"]] * 3


def branches(test: bool = True) -> Steps:
    """Write in branches, take what comes out of them, and pass refs through."""
    w, v = variable("w", 3), variable("v", 3)
    p = tf.placeholder_with_default(test, [], name="p")
    out = tf.cond(p, lambda: tf.assign(w, v * 2), lambda: tf.assign_add(w, v))
    tf.identity(tf.cond(p, lambda: tf.assign(v, w), lambda: tf.zeros([3])), name="b")
    done = tf.cond(p, lambda: tf.group(tf.assign(w, v - 1)), tf.no_op)
    tf.identity(tf.cond(p, w._ref, v._ref), name="z")
    either = tf.cond(p, w._ref, v._ref)
    tf.assign_add(either, tf.ones([3]), name="e")
    return [["b:0"], [out.name], [done.name], ["z:0"], ["e"]]


def other_branches() -> Steps:
    """Take the other branch each time."""
    return branches(test=False)


def branches_after_writers() -> Steps:
    """Take a variable into a branch that another writer comes before."""
    w = variable("w", 3)
    with tf.control_dependencies([tf.assign_sub(w, draw(3))]):
        positive = tf.reduce_sum(w) > 0.0

    def grow() -> tf.Tensor:
        with tf.control_dependencies([tf.assign_add(w, tf.ones([3]))]):
            return w * 2.0

    tf.identity(tf.cond(positive, lambda: w + 1.0, grow), name="y")
    return [["y:0"]] * 3


def loops() -> Steps:
    """Write in a loop, and use what came in from outside and what is read within."""
    w, n = variable("w", 3), tf.Variable(0.0, name="n")

    def body(i: tf.Tensor, a: tf.Tensor) -> tuple:
        with tf.control_dependencies([tf.identity(a)]):
            written = [tf.scatter_add(w, [i], [1.0]), tf.assign_add(n, 1.0)]
        with tf.control_dependencies(written):
            return i + 1, a + w * n + w.read_value() + w._ref()

    _, a = tf.while_loop(lambda i, _: i < 3, body, [0, tf.zeros([3])], parallel_iterations=1)
    tf.identity(a, name="y")
    return [["y:0"]] * 2


def gradients_through_both() -> Steps:
    """Train through a loop with branches in it."""
    w, k = variable("w", 3, 3), tf.Variable(0.5, name="k")

    def body(i: tf.Tensor, a: tf.Tensor) -> tuple:
        return i + 1, tf.cond(tf.equal(i % 2, 0), lambda: tf.matmul(a, w), lambda: a * k)

    _, a = tf.while_loop(lambda i, _: i < 5, body, [0, tf.ones([2, 3])])
    tf.train.AdamOptimizer(0.1).minimize(tf.reduce_sum(a), name="step")
    return [["step"]] * 2


def optimizers() -> Steps:
    """Train with every optimizer there is, rows of a table too."""
    table, w = variable("table", 6, 3), variable("w", 3, 2)
    loss = tf.reduce_mean(tf.square(tf.matmul(tf.gather(table, [0, 1, 1, 5]), w)))
    count, t = tf.train.get_or_create_global_step(), tf.train
    made = (
        *(t.GradientDescentOptimizer(0.1), t.MomentumOptimizer(0.1, 0.9, use_nesterov=True)),
        *(t.AdamOptimizer(0.1), t.AdagradOptimizer(0.1), t.AdadeltaOptimizer(0.1)),
        *(t.FtrlOptimizer(0.1), t.RMSPropOptimizer(0.1, centered=True), t.RMSPropOptimizer(0.1)),
        *(t.ProximalGradientDescentOptimizer(0.1), t.ProximalAdagradOptimizer(0.1)),
        t.AdagradDAOptimizer(0.1, count),
    )
    return [[each.minimize(loss, global_step=count).name] for each in made] * 2


def parts_and_savers() -> Steps:
    """Keep parts of rows and of columns, by three savers, one of them of the first format."""
    with tf.variable_scope("s", partitioner=tf.variable_axis_size_partitioner(64)):
        w = tf.get_variable("w", [10, 4], initializer=tf.random_normal_initializer(seed=1))
    a = variable("a", 3)
    tf.train.Saver({"old/a": a}, name="first")
    tf.train.Saver([a], write_version=tf.train.SaverDef.V1, name="second")
    tf.train.Saver(sharded=True, name="third")
    tf.assign(next(iter(w)), next(iter(w)) * 2, name="up")
    tf.nn.embedding_lookup(w, [0, 3, 9], name="y")
    return [["up"], ["y:0"]]


def queues() -> Steps:
    """Fill a queue with what a variable holds, the ref by value."""
    w = variable("w", 2, 2)
    queue = tf.FIFOQueue(9, [tf.float32], [[2]])
    fill = [queue.enqueue_many([w]), queue.enqueue([tf.reduce_sum(w._ref(), 0)])]
    tf.train.add_queue_runner(tf.train.QueueRunner(queue, fill[:1]))
    tf.identity(queue.dequeue(), name="y")
    tf.assign_add(w, w, name="twice")
    return [[fill[0].name], ["twice"], [fill[1].name], ["y:0"], ["y:0"], ["y:0"]]


GRAPHS = (
    *(grows, initialized_by_others, metrics, scatters, counts, types, chains, refs_by_value),
    *(written_before_used, averages_after_steps, branches, other_branches, loops, optimizers),
    *(branches_after_writers, gradients_through_both, parts_and_savers, queues),
)


def main() -> None:
    """Write each graph with its checkpoint, and its steps as JSON."""
    folder = Path(sys.argv[1])
    if tf.executing_eagerly():
        tf.disable_v2_behavior()
    for build in GRAPHS:
        with tf.Graph().as_default(), tf.Session() as session:
            steps = build()
            saver = tf.train.Saver()
            session.run(tf.global_variables_initializer())
            saver.save(session, str(folder / build.__name__))
        (folder / (build.__name__ + ".json")).write_text(json.dumps(steps))


if __name__ == "__main__":
    main()
