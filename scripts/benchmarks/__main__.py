"""The benchmarks by name."""

import argparse
import warnings
from pathlib import Path

from graphfreeze.cli.chatter import without_chatter

with without_chatter():
    import tensorflow.compat.v1 as tf

    from benchmarks import rows

OUT = Path(__file__).resolve().parents[2] / "build" / "benchmark"


def main() -> None:
    """Run one benchmark."""
    parser = argparse.ArgumentParser(prog="scripts/benchmark")
    commands = parser.add_subparsers(dest="command", required=True)
    each = commands.add_parser("rows", help="time partly frozen tables: JSON, and a plot")
    each.add_argument("--quick", action="store_true", help="small tables: tries the script itself")
    each.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="default: %(default)s")
    options = parser.parse_args()
    tf.logging.set_verbosity(tf.logging.ERROR)
    tf.disable_v2_behavior()
    # That is what the usual recipe does.
    warnings.filterwarnings("ignore", "Converting sparse IndexedSlices to a dense Tensor")
    options.out.mkdir(parents=True, exist_ok=True)
    rows.run(rows.QUICK if options.quick else rows.FULL, options.out)


main()
