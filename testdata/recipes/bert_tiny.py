"""BERT's graph in small, forward only: its names, twelve layers, and ways to read a table."""

import math
from pathlib import Path

import numpy as np
import tensorflow as tf
from common import draw_integers, new_session, write_feeds, write_model

WORDS, POSITIONS, TYPES, LENGTH = 300, 32, 2, 16
LAYERS, HIDDEN, HEADS, INTERMEDIATE, CLASSES, BATCH = 12, 16, 2, 32, 3, 4
SEED = 7


def gelu(x: tf.Tensor) -> tf.Tensor:
    """Apply the Gaussian error linear unit, https://arxiv.org/abs/1606.08415."""
    return x * 0.5 * (1.0 + tf.erf(x / math.sqrt(2.0)))


def layer_norm(x: tf.Tensor) -> tf.Tensor:
    """Normalize each vector: ``LayerNorm/beta``, ``LayerNorm/gamma``."""
    with tf.variable_scope("LayerNorm"):
        beta = tf.get_variable("beta", [HIDDEN], initializer=tf.zeros_initializer())
        gamma = tf.get_variable("gamma", [HIDDEN], initializer=tf.ones_initializer())
        mean, variance = tf.nn.moments(x, axes=[-1], keep_dims=True)
        return tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-12)


def embed(input_ids: tf.Tensor, segment_ids: tf.Tensor, keep_prob: tf.Tensor) -> tf.Tensor:
    """Read three tables as BERT does, by gather, one-hot product and slice; one row a token."""
    with tf.variable_scope("embeddings"):
        words = tf.gather(tf.get_variable("word_embeddings", [WORDS, HIDDEN]), input_ids)
        one_hot = tf.one_hot(tf.reshape(segment_ids, [-1]), depth=TYPES)
        types = tf.matmul(one_hot, tf.get_variable("token_type_embeddings", [TYPES, HIDDEN]))
        table = tf.get_variable("position_embeddings", [POSITIONS, HIDDEN])
        positions = tf.slice(table, [0, 0], [LENGTH, -1])
        total = words + tf.reshape(types, [-1, LENGTH, HIDDEN]) + positions
        return tf.nn.dropout(layer_norm(tf.reshape(total, [-1, HIDDEN])), keep_prob, seed=SEED)


def attend(x: tf.Tensor, bias: tf.Tensor, keep_prob: tf.Tensor) -> tf.Tensor:
    """Add multi-head attention of a sequence to itself under ``self``."""

    def split_heads(name: str) -> tf.Tensor:
        """Project into [batch, HEADS, LENGTH, HIDDEN / HEADS]."""
        heads = tf.reshape(
            tf.layers.dense(x, HIDDEN, name=name), [-1, LENGTH, HEADS, HIDDEN // HEADS]
        )
        return tf.transpose(heads, [0, 2, 1, 3])

    with tf.variable_scope("self"):
        query, key, value = split_heads("query"), split_heads("key"), split_heads("value")
        scores = tf.matmul(query, key, transpose_b=True) / math.sqrt(HIDDEN / HEADS) + bias
        weights = tf.nn.dropout(tf.nn.softmax(scores), keep_prob, seed=SEED)
        return tf.reshape(tf.transpose(tf.matmul(weights, value), [0, 2, 1, 3]), [-1, HIDDEN])


def add_output(x: tf.Tensor, residual: tf.Tensor, keep_prob: tf.Tensor) -> tf.Tensor:
    """Add the end of a block: ``output/dense``, dropout, the residual, ``output/LayerNorm``."""
    with tf.variable_scope("output"):
        x = tf.layers.dense(x, HIDDEN, name="dense")
        return layer_norm(tf.nn.dropout(x, keep_prob, seed=SEED) + residual)


def add_layer(x: tf.Tensor, bias: tf.Tensor, keep_prob: tf.Tensor) -> tf.Tensor:
    """Add one encoder layer in the current scope."""
    with tf.variable_scope("attention"):
        x = add_output(attend(x, bias, keep_prob), x, keep_prob)
    with tf.variable_scope("intermediate"):
        intermediate = tf.layers.dense(x, INTERMEDIATE, activation=gelu, name="dense")
    return add_output(intermediate, x, keep_prob)


def make(folder: Path) -> None:
    """Build the classifier, initialize it, and save."""
    names = ("input_ids", "input_mask", "segment_ids")
    input_ids, mask, segment_ids = (
        tf.placeholder(tf.int32, [None, LENGTH], name) for name in names
    )
    label_ids = tf.placeholder(tf.int32, [None], name="label_ids")
    keep_prob = tf.placeholder_with_default(0.9, [], name="keep_prob")

    # Tables and kernels below take this from their scope.
    tf.get_variable_scope().set_initializer(tf.truncated_normal_initializer(stddev=0.02))
    with tf.variable_scope("bert"):
        x = embed(input_ids, segment_ids, keep_prob)
        with tf.variable_scope("encoder"):
            bias = (1.0 - tf.cast(mask[:, tf.newaxis, tf.newaxis, :], tf.float32)) * -10000.0
            for layer in range(LAYERS):
                with tf.variable_scope(f"layer_{layer}"):
                    x = add_layer(x, bias, keep_prob)
        with tf.variable_scope("pooler"):
            first = tf.reshape(x, [-1, LENGTH, HIDDEN])[:, 0]
            pooled = tf.layers.dense(first, HIDDEN, activation=tf.tanh, name="dense")

    pooled = tf.nn.dropout(pooled, keep_prob, seed=SEED)
    output_weights = tf.get_variable("output_weights", [CLASSES, HIDDEN])
    output_bias = tf.get_variable("output_bias", [CLASSES], initializer=tf.zeros_initializer())
    logits = tf.nn.bias_add(tf.matmul(pooled, output_weights, transpose_b=True), output_bias)
    predictions = tf.nn.softmax(logits, name="predictions")
    log_probs = tf.nn.log_softmax(logits, name="log_probs")
    losses = -tf.reduce_sum(tf.one_hot(label_ids, CLASSES) * log_probs, axis=-1)
    loss = tf.reduce_mean(losses, name="loss")
    tf.losses.add_loss(loss)

    with new_session() as session:
        session.run(tf.global_variables_initializer())
        write_model(folder, session)
    lengths = np.array([[16], [12], [9], [5]])
    feeds = {
        input_ids: draw_integers(1, WORDS, [BATCH, LENGTH]),
        mask: (np.arange(LENGTH) < lengths).astype(np.int32),
        segment_ids: (np.arange(LENGTH) >= lengths // 2).astype(np.int32),
        label_ids: draw_integers(2, CLASSES, [BATCH]),
        keep_prob: np.float32(1.0),
    }
    write_feeds(folder, loss, feeds, [predictions])
