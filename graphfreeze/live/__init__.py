"""Helpers for a script that still builds its graph: the current default graph of TensorFlow.

    masked = live.entry_stop_gradients(matrix, mask[:, None])
    learns = live.trainable_variables(excluding=["encoder"])
    train_op = live.minimize(loss, optimizer, freeze=["encoder"], rows={"table": "0:1000"})

Variables are those of ``tf.compat.v1``, ref or resource. Names and patterns are read as
everywhere in graphfreeze (``graphfreeze.selection.pattern``); no global switch of TensorFlow is
touched, and TensorFlow is imported by the first call.
"""

from graphfreeze.live.choice import trainable_variables
from graphfreeze.live.entries import entry_stop_gradients
from graphfreeze.live.step import minimize

__all__ = ["entry_stop_gradients", "minimize", "trainable_variables"]
