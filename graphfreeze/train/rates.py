"""The learning rate as a tensor that goes with the global step."""

from types import ModuleType

from graphfreeze.train.schedules import Schedule


def scheduled(tf: ModuleType, schedule: Schedule, rate: float, global_step: object) -> object:
    """Return a float32 scalar: the learning rate ``rate`` at the global step."""
    with tf.name_scope("learning_rate"):
        step = tf.cast(global_step, tf.int64)
        decayed = _decayed(tf, schedule, rate, step)
        if not schedule.warmup:
            return tf.identity(decayed, name="now")
        # BERT's optimization.create_optimizer: a part of the first rate, not of the decayed one.
        risen = rate * tf.cast(step, tf.float32) / float(schedule.warmup)
        return tf.where(step < schedule.warmup, risen, decayed, name="now")


def _decayed(tf: ModuleType, schedule: Schedule, rate: float, step: object) -> object:
    first = tf.constant(rate, tf.float32)
    match schedule.kind:
        case "polynomial":
            end, power = float(schedule["end"]), float(schedule["power"])
            steps, cycle = schedule["steps"], bool(schedule["cycle"])
            return tf.train.polynomial_decay(first, step, steps, end, power, cycle)
        case "exponential":
            factor, at_once = float(schedule["rate"]), bool(schedule["staircase"])
            return tf.train.exponential_decay(first, step, schedule["steps"], factor, at_once)
        case "cosine":
            alpha = float(schedule["alpha"])
            return tf.train.cosine_decay(first, step, schedule["steps"], alpha)
        case "piecewise":
            return _piece(tf, schedule, rate, step)
    return first


def _piece(tf: ModuleType, schedule: Schedule, rate: float, step: object) -> object:
    """Return the rate of the last piece that has begun; tf.train's begin a step later."""
    starts = tf.constant([start for start, _ in schedule.pieces], tf.int64)
    rates = tf.constant([rate, *(each for _, each in schedule.pieces)], tf.float32)
    begun = tf.reduce_sum(tf.cast(step >= starts, tf.int32))
    return tf.gather(rates, begun)
