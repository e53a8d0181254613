"""A classifier on resource variables: ResourceGather on its table, ReadVariableOp elsewhere."""

from pathlib import Path

import tensorflow as tf
from common import draw_integers, new_session, write_feeds, write_model

ITEMS, WIDTH, LENGTH, HIDDEN, CLASSES, BATCH = 500, 8, 6, 16, 3, 8


def make(folder: Path) -> None:
    """Build the forward graph, initialize it, and save."""
    ids = tf.placeholder(tf.int32, [None, LENGTH], name="ids")
    labels = tf.placeholder(tf.int32, [None], name="labels")

    # The layers below take this from their scope.
    tf.get_variable_scope().set_use_resource(True)
    embedding = tf.get_variable(
        "embedding",
        [ITEMS, WIDTH],
        initializer=tf.random_uniform_initializer(-1.0, 1.0),
        use_resource=True,
    )
    items = tf.reshape(tf.nn.embedding_lookup(embedding, ids), [-1, LENGTH * WIDTH], name="items")
    hidden = tf.layers.dense(items, HIDDEN, activation=tf.nn.tanh, name="hidden")
    logits = tf.layers.dense(hidden, CLASSES, name="output")
    predictions = tf.nn.softmax(logits, name="predictions")
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)

    with new_session() as session:
        session.run(tf.global_variables_initializer())
        write_model(folder, session)
    feeds = {
        ids: draw_integers(1, ITEMS, [BATCH, LENGTH]),
        labels: draw_integers(2, CLASSES, [BATCH]),
    }
    write_feeds(folder, loss, feeds, [predictions])
