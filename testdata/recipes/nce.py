"""Skip-gram word2vec as in TensorFlow's tutorial: NCE loss, and the nearest words as an output."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from common import draw_integers, new_session, write_feeds, write_model

WORDS, WIDTH, SAMPLED, BATCH = 500, 16, 12, 8


def make(folder: Path) -> None:
    """Build the forward graph, initialize it, and save."""
    ids = tf.placeholder(tf.int32, [None], name="ids")
    context_ids = tf.placeholder(tf.int64, [None, 1], name="context_ids")

    embeddings = tf.get_variable(
        "embeddings", [WORDS, WIDTH], initializer=tf.random_uniform_initializer(-1.0, 1.0)
    )
    weights = tf.get_variable(
        "nce_weights", [WORDS, WIDTH], initializer=tf.truncated_normal_initializer(stddev=0.25)
    )
    biases = tf.get_variable("nce_biases", [WORDS], initializer=tf.zeros_initializer())
    # Two seeds make the first draw of each session the same.
    sampled = tf.nn.log_uniform_candidate_sampler(
        context_ids, num_true=1, num_sampled=SAMPLED, unique=True, range_max=WORDS, seed=1
    )
    losses = tf.nn.nce_loss(
        weights,
        biases,
        labels=context_ids,
        inputs=tf.nn.embedding_lookup(embeddings, ids),
        num_sampled=SAMPLED,
        num_classes=WORDS,
        sampled_values=sampled,
    )
    loss = tf.reduce_mean(losses, name="loss")
    tf.losses.add_loss(loss)
    similarity = add_similarity(embeddings)

    feeds = {
        ids: draw_integers(1, WORDS, [BATCH]),
        context_ids: draw_integers(2, WORDS, [BATCH, 1]).astype(np.int64),
    }
    with new_session() as session:
        session.run(tf.global_variables_initializer())
        write_model(folder, session)
    with new_session() as session:
        # A later run draws other words, so the first draw is fed.
        feeds.update(zip(sampled, session.run(sampled, feeds)))
    write_feeds(folder, loss, feeds, [similarity])


def add_similarity(embeddings: tf.Variable) -> tf.Tensor:
    """Add the cosines of four words and all words."""
    norms = tf.sqrt(tf.reduce_sum(tf.square(embeddings), axis=1, keepdims=True))
    normalized = embeddings / norms
    chosen = tf.nn.embedding_lookup(normalized, tf.constant([3, 77, 240, 499]))
    return tf.matmul(chosen, normalized, transpose_b=True, name="similarity")
