"""A language model whose embedding is its output matrix too: looked up, and read whole."""

from pathlib import Path

import tensorflow as tf
from common import draw_integers, new_session, write_feeds, write_model, write_vocabulary

WORDS, WIDTH, LENGTH, BATCH = 600, 16, 4, 8


def make(folder: Path) -> None:
    """Build the forward graph, initialize it, and save."""
    ids = tf.placeholder(tf.int32, [None, LENGTH], name="ids")
    next_ids = tf.placeholder(tf.int32, [None], name="next_ids")

    embedding = tf.get_variable(
        "embedding", [WORDS, WIDTH], initializer=tf.random_uniform_initializer(-1.0, 1.0)
    )
    softmax_bias = tf.get_variable(
        "softmax_bias", [WORDS], initializer=tf.random_uniform_initializer(-0.1, 0.1)
    )
    words = tf.reshape(tf.nn.embedding_lookup(embedding, ids), [-1, LENGTH * WIDTH], name="words")
    hidden = tf.layers.dense(words, WIDTH, activation=tf.nn.tanh, name="hidden")
    logits = tf.matmul(hidden, embedding, transpose_b=True)
    logits = tf.nn.bias_add(logits, softmax_bias, name="logits")
    predictions = tf.nn.softmax(logits, name="predictions")
    loss = tf.losses.sparse_softmax_cross_entropy(next_ids, logits)

    with new_session() as session:
        session.run(tf.global_variables_initializer())
        write_model(folder, session)
    feeds = {
        ids: draw_integers(1, WORDS, [BATCH, LENGTH]),
        next_ids: draw_integers(2, WORDS, [BATCH]),
    }
    write_feeds(folder, loss, feeds, [predictions])
    write_vocabulary(folder, WORDS)
