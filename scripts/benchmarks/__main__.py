"""The benchmarks by name."""

import argparse
import warnings
from pathlib import Path

from graphfreeze.cli.chatter import without_chatter

with without_chatter():
    import tensorflow.compat.v1 as tf

    from benchmarks import checkpoint, patch, rows

HELP = {
    "rows": "time partly frozen tables: JSON, and a plot",
    "patch": "time a train_op as it was, patched and rebuilt: JSON",
    "checkpoint": "time writing a bundle's checkpoint against restoring and saving it all: JSON",
}
OUT = Path(__file__).resolve().parents[2] / "build" / "benchmark"


def main() -> None:
    """Run one benchmark."""
    parser = argparse.ArgumentParser(prog="scripts/benchmark")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, told in HELP.items():
        each = commands.add_parser(name, help=told)
        each.add_argument("--quick", action="store_true", help="small: tries the script itself")
        each.add_argument(
            "--out", type=Path, default=OUT, metavar="DIR", help="default: %(default)s"
        )
    options = parser.parse_args()
    tf.logging.set_verbosity(tf.logging.ERROR)
    tf.disable_v2_behavior()
    # That is what the usual recipe does.
    warnings.filterwarnings("ignore", "Converting sparse IndexedSlices to a dense Tensor")
    options.out.mkdir(parents=True, exist_ok=True)
    benchmark = {"rows": rows, "patch": patch, "checkpoint": checkpoint}[options.command]
    benchmark.run(benchmark.QUICK if options.quick else benchmark.FULL, options.out)


main()
