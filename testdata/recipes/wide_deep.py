"""A canned DNNLinearCombinedClassifier as its Estimator leaves it: hooks, tables, iterator."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import tensorflow as tf
from common import draw_floats, draw_integers, one_thread, sort_meta_graph, write_named_feeds

WORDS, WIDTH, PARTS, HIDDEN, EXAMPLES, BATCH, STEPS = 24, 4, 2, 6, 12, 6, 4
PREFIX = "model.ckpt"


def make(folder: Path) -> None:
    """Train a few steps by the Estimator itself, and take its last checkpoint and its graph."""
    vocabulary = [f"w{number:02}" for number in range(WORDS)]
    word = tf.feature_column.categorical_column_with_vocabulary_list("word", vocabulary)
    embedded = tf.feature_column.embedding_column(word, WIDTH, combiner="mean")
    amount = tf.feature_column.numeric_column("amount", shape=[2])

    with tempfile.TemporaryDirectory() as scratch:
        classifier = tf.estimator.DNNLinearCombinedClassifier(
            model_dir=scratch,
            linear_feature_columns=[word],
            linear_optimizer="Ftrl",
            linear_sparse_combiner="mean",
            dnn_feature_columns=[embedded, amount],
            dnn_optimizer="Adagrad",
            dnn_hidden_units=[HIDDEN],
            input_layer_partitioner=tf.fixed_size_partitioner(PARTS),
            config=tf.estimator.RunConfig(
                tf_random_seed=1, save_summary_steps=2, session_config=one_thread()
            ),
        )
        classifier.train(lambda: add_examples(vocabulary), steps=STEPS)
        (latest,) = Path(scratch).glob(f"{PREFIX}-{STEPS}.meta")
        for path in Path(scratch).glob(f"{latest.stem}.*"):
            shutil.copy(str(path), str(folder / (PREFIX + path.name[len(latest.stem) :])))
    sort_meta_graph(folder / f"{PREFIX}.meta")
    tf.train.update_checkpoint_state(str(folder), PREFIX, [PREFIX])
    write_named_feeds(folder, "head/weighted_loss/Sum:0", {}, [])


def add_examples(vocabulary: list[str]) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    """Add an iterator over words, amounts and labels; they repeat for good, in one order."""
    words = [[vocabulary[id] for id in pair] for pair in draw_integers(1, WORDS, [EXAMPLES, 2])]
    features = {"word": words, "amount": draw_floats(2, [EXAMPLES, 2])}
    labels = draw_integers(3, 2, [EXAMPLES, 1])
    examples = tf.data.Dataset.from_tensor_slices((features, labels)).repeat().batch(BATCH)
    iterator = tf.compat.v1.data.make_initializable_iterator(examples)
    # Left to the Estimator, a hook of its own would initialize it, and no collection know of that.
    tf.add_to_collection(tf.GraphKeys.TABLE_INITIALIZERS, iterator.initializer)
    return iterator.get_next()
