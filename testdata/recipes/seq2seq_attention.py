"""Sequence to sequence with attention by tf.contrib.seq2seq: v1 loops with conds in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from common import draw_integers, new_session, write_bare_graph, write_feeds, write_model

WORDS, WIDTH, UNITS, LENGTH, BATCH = 40, 6, 8, 5, 4
START, END = 1, 2


def make(folder: Path) -> None:
    """Build the forward graph, initialize it, and save."""
    source = tf.placeholder(tf.int32, [None, None], name="source")
    source_lengths = tf.placeholder(tf.int32, [None], name="source_lengths")
    target = tf.placeholder(tf.int32, [None, None], name="target")
    target_lengths = tf.placeholder(tf.int32, [None], name="target_lengths")

    uniform = tf.random_uniform_initializer(-1.0, 1.0)
    source_table = tf.get_variable("source_table", [WORDS, WIDTH], initializer=uniform)
    target_table = tf.get_variable("target_table", [WORDS, WIDTH], initializer=uniform)
    memory, state = tf.nn.dynamic_rnn(
        tf.nn.rnn_cell.LSTMCell(UNITS),
        tf.nn.embedding_lookup(source_table, source),
        source_lengths,
        dtype=tf.float32,
        swap_memory=True,
        scope="encoder",
    )
    logits, words = add_decoders(
        target_table, shift(target), target_lengths, (memory, source_lengths), state
    )
    weights = tf.sequence_mask(target_lengths, tf.shape(target)[1], dtype=tf.float32)
    loss = tf.identity(tf.contrib.seq2seq.sequence_loss(logits, target, weights), name="loss")

    with new_session() as session:
        session.run(tf.global_variables_initializer())
        write_model(folder, session)
    write_bare_graph(folder, [loss, words])
    feeds = {
        source: draw_integers(1, WORDS, [BATCH, LENGTH]),
        source_lengths: np.array([5, 3, 4, 2], np.int32),
        target: draw_integers(2, WORDS, [BATCH, LENGTH]),
        target_lengths: np.array([4, 5, 1, 3], np.int32),
    }
    write_feeds(folder, loss, feeds, [words])


def shift(target: tf.Tensor) -> tf.Tensor:
    """Return what a decoder is fed for its next words: the words so far."""
    starts = tf.fill([tf.shape(target)[0], 1], START)
    return tf.concat([starts, target[:, :-1]], axis=1)


def add_decoders(
    table: tf.Variable,
    words: tf.Tensor,
    lengths: tf.Tensor,
    memory: tuple[tf.Tensor, tf.Tensor],
    state: tf.nn.rnn_cell.LSTMStateTuple,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decode what is given, and greedily what was decoded, with the same weights.

    Return the logits of the first and the words of the second."""
    batch = tf.shape(words)[0]
    attention = tf.contrib.seq2seq.LuongAttention(UNITS, memory[0], memory[1])
    cell = tf.contrib.seq2seq.AttentionWrapper(
        tf.nn.rnn_cell.LSTMCell(UNITS), attention, attention_layer_size=UNITS
    )
    start = cell.zero_state(batch, tf.float32).clone(cell_state=state)
    projection = tf.layers.Dense(WORDS, use_bias=False, name="projection")
    helper = tf.contrib.seq2seq.TrainingHelper(tf.nn.embedding_lookup(table, words), lengths)
    decoder = tf.contrib.seq2seq.BasicDecoder(cell, helper, start, projection)
    taught, _, _ = tf.contrib.seq2seq.dynamic_decode(
        decoder, impute_finished=True, maximum_iterations=LENGTH, parallel_iterations=8
    )

    tf.get_variable_scope().reuse_variables()
    helper = tf.contrib.seq2seq.GreedyEmbeddingHelper(table, tf.fill([batch], START), END)
    decoder = tf.contrib.seq2seq.BasicDecoder(cell, helper, start, projection)
    greedy, _, _ = tf.contrib.seq2seq.dynamic_decode(decoder, maximum_iterations=LENGTH)
    return taught.rnn_output, tf.identity(greedy.sample_id, name="words")
