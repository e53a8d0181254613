"""Tell which optimizers move a variable whose gradient is zero; runs in either TensorFlow.

    python zero_gradients.py '{"adam": ["AdamOptimizer", {"beta1": 0.9}], ...}'

prints, by name, four booleans as JSON: moved under dense gradients by fresh slots and by others,
then the same under sparse ones.
"""

from __future__ import annotations

import inspect
import json
import sys

import numpy as np
import tensorflow.compat.v1 as tf

VALUES = np.linspace(-2, 2, 24, dtype=np.float32).reshape(8, 3)
CASES = [(True, False), (True, True), (False, False), (False, True)]
STEPS = 3


def moves(cls, arguments, is_dense, is_warm, use_resource) -> bool:
    """Take steps with a gradient of zero, and compare every bit."""
    with tf.Graph().as_default(), tf.Session() as session:
        variable = tf.Variable(VALUES, use_resource=use_resource, name="w")
        step = tf.train.get_or_create_global_step()
        gradient = tf.zeros([8, 3])
        if not is_dense:
            ids = tf.constant([0, 1, 5, 5])
            gradient = tf.IndexedSlices(tf.zeros([4, 3]), ids, tf.constant([8, 3]))
        given = dict(arguments, learning_rate=0.1)
        if "global_step" in inspect.signature(cls).parameters:
            given["global_step"] = step
        applied = cls(**given).apply_gradients([(gradient, variable)], global_step=step)
        session.run(tf.global_variables_initializer())
        if is_warm:
            for slot in tf.global_variables():
                if slot.op.name.startswith("w/"):
                    slot.load(np.full(slot.shape, 0.5, np.float32), session)
        for _ in range(STEPS):
            session.run(applied)
        return session.run(variable).tobytes() != VALUES.tobytes()


def main() -> None:
    tf.disable_eager_execution()
    found = {}
    for name, (cls, arguments) in json.loads(sys.argv[1]).items():
        made = getattr(tf.train, cls)
        found[name] = []
        for is_dense, is_warm in CASES:
            kinds = [moves(made, arguments, is_dense, is_warm, kind) for kind in (False, True)]
            assert kinds[0] == kinds[1], name + ": ref and resource differ"
            found[name].append(kinds[0])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
