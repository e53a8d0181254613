"""Write the models under testdata/models, as ``scripts/make_testdata`` asks."""

import argparse
import multiprocessing
import random
import tempfile
import uuid
from pathlib import Path
from typing import Callable
from unittest import mock

import adam_clipped
import bare_graph
import batch_norms
import bert_adamw
import bert_tiny
import bidirectional
import branch_batch_norm
import cond_batch_norm
import control_flow_v2
import conv_bn
import dataset_pipeline
import decoder_lookups
import frozen_classifier
import frozen_recurrent
import function_calls
import gan
import hub_module
import keras_lstm
import loop_lookup
import momentum_ema
import nce
import nested_loops
import old_format
import partitioned_div
import partitioned_mod
import partitioned_ps
import resource_mlp
import saved_model
import seq2seq_attention
import sparse_sums
import tensorflow as tf
import text_classifier
import tied_softmax
import wide_deep

MODELS = Path(__file__).resolve().parents[1] / "models"
RECIPES = {
    "text_classifier": text_classifier.make,
    "bert_tiny": bert_tiny.make,
    "resource_mlp": resource_mlp.make,
    "conv_bn": conv_bn.make,
    "bare_graph": bare_graph.make,
    "tied_softmax": tied_softmax.make,
    "nce": nce.make,
    "old_format": old_format.make,
    "partitioned_mod": partitioned_mod.make,
    "partitioned_div": partitioned_div.make,
    "loop_lookup": loop_lookup.make,
    "batch_norms": batch_norms.make,
    "adam_clipped": adam_clipped.make,
    "bert_adamw": bert_adamw.make,
    "momentum_ema": momentum_ema.make,
    "wide_deep": wide_deep.make,
    "gan": gan.make,
    "partitioned_ps": partitioned_ps.make,
    "saved_model": saved_model.make,
    "hub_module": hub_module.make,
    "sparse_sums": sparse_sums.make,
    "frozen_classifier": frozen_classifier.make,
    "frozen_recurrent": frozen_recurrent.make,
    "seq2seq_attention": seq2seq_attention.make,
    "nested_loops": nested_loops.make,
    "control_flow_v2": control_flow_v2.make,
    "branch_batch_norm": branch_batch_norm.make,
    "decoder_lookups": decoder_lookups.make,
    "bidirectional": bidirectional.make,
    "cond_batch_norm": cond_batch_norm.make,
    "keras_lstm": keras_lstm.make,
    "dataset_pipeline": dataset_pipeline.make,
    "function_calls": function_calls.make,
    "function_training": function_calls.make_training,
}


def draw_uuids() -> Callable[[], uuid.UUID]:
    """Return what draws the same names each time: a sharded saver's graph holds one, say."""
    source = random.Random(1)
    return lambda: uuid.UUID(int=source.getrandbits(128), version=4)


def make(name: str) -> Path:
    """Write one model in a process of its own: functions are numbered over a process's life."""
    with multiprocessing.get_context("fork").Pool(1) as process:
        return process.apply(make_here, (name,))


def make_here(name: str) -> Path:
    """Write one model beside its place, then move it there whole."""
    target = MODELS / name
    with tempfile.TemporaryDirectory(prefix=".making-", dir=str(MODELS.parent)) as scratch:
        made, replaced = Path(scratch, name), Path(scratch, "replaced")
        made.mkdir()
        with tf.Graph().as_default(), mock.patch("uuid.uuid4", draw_uuids()):
            tf.set_random_seed(1)
            RECIPES[name](made)
        if target.exists():
            target.rename(replaced)
        made.rename(target)
    return target


def main() -> None:
    """Make the models named on the command line, or all."""
    parser = argparse.ArgumentParser(
        prog="scripts/make_testdata", description="Write testdata/models with TensorFlow 1.15."
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one of {', '.join(RECIPES)} (default: all)"
    )
    names = parser.parse_args().names
    for name in names:
        if name not in RECIPES:
            parser.error(f"no recipe {name!r}; there are {', '.join(RECIPES)}")

    tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
    MODELS.mkdir(exist_ok=True)
    for name in names or RECIPES:
        folder = make(name)
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
        print(f"{name}: {sum(sizes):,} bytes in {len(sizes)} files")


if __name__ == "__main__":
    main()
