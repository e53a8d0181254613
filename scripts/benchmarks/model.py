"""The model that is timed: rows of a table, looked up by ids, and one small layer behind them."""

from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf

WIDTH, BATCH = 64, 1024
OPTIMIZERS = {
    "sgd": (tf.train.GradientDescentOptimizer, 0.1),
    "adagrad": (tf.train.AdagradOptimizer, 0.1),
    "adam": (tf.train.AdamOptimizer, 0.001),
}


def build(height: int, kind: str, *, frozen: slice | None = None) -> tf.Tensor:
    """Build the model in the default graph and return its loss.

    The usual recipe keeps rows ``frozen``: a mask over the whole table, before the lookup."""
    with tf.variable_scope("", use_resource=kind == "resource"):
        spread = tf.random_uniform_initializer(-0.05, 0.05)
        table = tf.get_variable("table", [height, WIDTH], initializer=spread)
        kernel = tf.get_variable("kernel", [WIDTH, 1], initializer=tf.ones_initializer())
    if frozen is not None:
        m = _mask(height, frozen)
        table = m * table + tf.stop_gradient((1 - m) * table)
    ids = tf.placeholder(tf.int32, [BATCH], name="ids")
    taken = tf.identity(tf.nn.embedding_lookup(table, ids), name="taken")
    loss = tf.reduce_mean(tf.square(tf.matmul(taken, kernel) - 1))
    tf.losses.add_loss(loss)
    return loss


def _mask(height: int, frozen: slice) -> tf.Variable:
    """Return the mask in the shape of the table; a column that broadcasts takes as long.

    A constant would not differ in time: TensorFlow folds none of that size, and a graph holds
    2 GiB at most."""
    column = np.ones([height, 1], np.float32)
    column[frozen] = 0
    whole = tf.tile(tf.constant(column), [1, WIDTH])
    return tf.get_variable("mask", initializer=whole, trainable=False, use_resource=False)


def save(prefix: Path, height: int, kind: str) -> None:
    """Write the model with its checkpoint, as a script does that is to be fine-tuned."""
    with tf.Graph().as_default(), tf.Session() as session:
        build(height, kind)
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(prefix))


def trained(height: int, kind: str, optimizer: str, frozen: slice | None = None) -> tf.Graph:
    """Return the model as TensorFlow alone trains it; its train_op is in that collection."""
    with tf.Graph().as_default() as graph:
        loss = build(height, kind, frozen=frozen)
        make, rate = OPTIMIZERS[optimizer]
        step = tf.train.get_or_create_global_step()
        tf.add_to_collection("train_op", make(rate).minimize(loss, global_step=step))
    return graph
