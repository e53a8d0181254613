"""graphfreeze freeze: freeze chosen parts of a model, and write it ready to train."""

import sys
from collections.abc import Iterator
from contextlib import nullcontext

import click
import msgspec

from graphfreeze import api
from graphfreeze.cli import options
from graphfreeze.cli.chatter import without_chatter
from graphfreeze.cli.console import print_json, print_lines, warn, working
from graphfreeze.cli.entry_options import choice_option, entries, scopes
from graphfreeze.cli.freeze_options import (
    DEFAULT,
    FreezeOptions,
    check_options,
    check_plan,
    check_values,
)
from graphfreeze.cli.head_options import heads, make_head
from graphfreeze.cli.sections import SectionedCommand, scope_option, training_option
from graphfreeze.cli.training_options import settings
from graphfreeze.cli.value_options import values
from graphfreeze.model.records import FreezeRecord
from graphfreeze.report.freeze_text import freeze_lines
from graphfreeze.report.notes import scaling_notes
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.value_plan import ValuePlan
from graphfreeze.train.custom_gradients import ERROR
from graphfreeze.train.optimizers import OPTIMIZERS
from graphfreeze.train.request import TOTAL

EXAMPLES = """\b
Examples:
  graphfreeze freeze model.ckpt-1000 out --freeze 'bert/encoder/layer_{0..7}'
  graphfreeze freeze model.ckpt-1000 out --train-rows embedding=30000: --loss loss:0
  graphfreeze freeze model.ckpt-1000 out.meta --train-only classifier

\b
  # Domain words get the vectors of a file and keep them, the others learn:
  graphfreeze freeze model.ckpt-1000 out --vocab embedding=vocab.txt \\
      --freeze-words embedding=domain.txt --vectors embedding=domain.vec
  # The same for words that are not in the vocabulary yet:
  graphfreeze freeze model.ckpt-1000 out --vocab embedding=vocab.txt \\
      --add-words embedding=new.txt --freeze-words embedding=new.txt --vectors embedding=new.vec

\b
  # A new task for a model that has no loss: all that it knows stays.
  graphfreeze freeze frozen.pb out --head softmax --at pool --classes 5

\b
  # Thaw more of a bundle that was trained, and go on:
  graphfreeze freeze out out2 --train-only 'bert/encoder/layer_1[01]' --refreeze --keep-slots
"""


@click.command(
    cls=SectionedCommand,
    short_help="Freeze parts of a model, and write it ready to train.",
    epilog=EXAMPLES,
)
@options.model
@click.argument("out", metavar="OUT", required=False)
@scopes
@choice_option(
    scope_option,
    "--batch-norm",
    "In frozen scopes: moving averages stop ('statistics', default), and batch norms use them "
    "('inference'), or they go on and are not frozen ('keep').",
)
@choice_option(
    scope_option, "--dropout", "In frozen scopes: 'keep' it (default), or turn it 'off'."
)
@entries
@heads
@training_option(
    "--loss",
    metavar="TENSOR",
    multiple=True,
    help=f"What to minimize, several are summed; '{TOTAL}' is the sum of all losses of the graph. "
    "May be left out where the graph's 'losses' leave no doubt.",
)
@training_option(
    "--optimizer", metavar="NAME", help=f"{', '.join(OPTIMIZERS)}. Default: {DEFAULT}."
)
@training_option(
    "--learning-rate",
    type=float,
    metavar="X",
    help="Default: 0.001 for adam, adamw and adadelta; the others need one.",
)
@settings
@training_option(
    "--keep-slots",
    is_flag=True,
    help="Let the optimizer's slots go on from those that the checkpoint has; frozen rows' are "
    "reset.",
)
@training_option("--no-train-op", is_flag=True, help="Write a bundle without a train_op.")
@training_option(
    "--keep-training",
    is_flag=True,
    help="Leave the old training in the graph, beside the new one. It still writes what is frozen "
    "if somebody runs it.",
)
@values
@click.option(
    "--refreeze",
    is_flag=True,
    help="Undo what MODEL, a bundle, was frozen to, and freeze it anew, with the values of its "
    "latest trained checkpoint.",
)
@options.checkpoint
@options.tags
@options.clear_devices
@options.no_backprop
@options.also
@options.op_library
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
@click.option("--dry-run", is_flag=True, help="Do all but write; OUT may be left out.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    metavar="N",
    help="Draw new values, such as added rows, alike each time.",
)
@options.as_json
@click.option("-v", "--verbose", is_flag=True, help="Tell every variable, op and key.")
@click.pass_context
def freeze(context: click.Context, /, **_: object) -> None:
    """Freeze parts of MODEL, add a train_op for the rest, and write the bundle OUT.

    OUT is a new folder with model.meta, a checkpoint and graphfreeze.json, and what --also names.
    With the suffix .pb, .pbtxt or .meta it is that one file, without a train_op.

    P is a pattern of whole path segments: 'bert/encoder/layer_1' is that scope and not layer_10.
    '*' is any text within a segment, '**/' any scopes, '[0-3]' and '{8..11}' are choices, 're:'
    starts a regular expression. VAR names one variable; a partitioned one goes by the name of the
    whole, and its rows are those of the whole as it is saved, while words stand for ids.

    Options that take P, TENSOR or VAR=... may be repeated. What --train-only leaves out is frozen
    first, then what --freeze names; --except takes out again. Options for rows, columns, elements
    and words add up, and decide for their table whatever the others say.
    """
    chosen = msgspec.convert(context.params, FreezeOptions)
    plan = FreezePlan(**{name: context.params[name] for name in FreezePlan.__struct_fields__})
    value_plan = ValuePlan(**{name: context.params[name] for name in ValuePlan.__struct_fields__})
    check_options(chosen)
    check_plan(plan)
    check_values(chosen, value_plan)
    record = _run(chosen, plan, value_plan)
    for warning in _warnings(plan, record):
        warn(warning)
    if chosen.json:
        print_json(record)
    else:
        out = None if chosen.dry_run else chosen.place
        print_lines(freeze_lines(record, out, verbose=chosen.verbose))


def _warnings(plan: FreezePlan, record: FreezeRecord) -> Iterator[str]:
    """Yield what may not be what was meant."""
    is_alone = record.head is not None and len(record.variables) == len(record.head.variables)
    if not plan.asks_to_freeze and not is_alone:
        options = "--freeze, --train-only or --freeze-rows"
        yield f"nothing is frozen; name what to freeze with {options}"
    if record.optimizer is not None:
        yield from scaling_notes(record.variables, record.optimizer)
    for rows in record.rows_initialised:
        if rows.drawn:
            what = f"{rows.drawn:,} rows added to {rows.table} are frozen at random values"
            yield f"{what}, for they were given no vectors; give some with --vectors"
    if record.newer_ops:
        ops = ", ".join(record.newer_ops)
        yield f"TensorFlow 1.15 cannot run the train_op, it lacks these ops: {ops}"


def _run(chosen: FreezeOptions, plan: FreezePlan, value_plan: ValuePlan) -> FreezeRecord:
    """Call the stages; raises GraphfreezeError."""
    head = make_head(chosen)
    model = api.load(chosen.model, checkpoint=chosen.checkpoint, tags=chosen.tags)
    if chosen.place is not None:
        needs = value_plan.missing == "error"
        api.check_out(model, chosen.place, force=chosen.force, also=chosen.also, needs_values=needs)
    keep = [name for name in chosen.loss if name != TOTAL]
    frozen = api.freeze(
        model,
        plan,
        head=head,
        keep=keep,
        seed=chosen.seed,
        refreeze=chosen.refreeze,
        keep_training=chosen.keep_training,
        clear_devices=chosen.clear_devices,
        values=value_plan,
        no_backprop=chosen.no_backprop,
    )
    with nullcontext(sys.stderr) if chosen.is_graph_file else without_chatter() as stderr:
        if not (chosen.no_train_op or chosen.is_graph_file):
            with working("building the train_op with TensorFlow ...", stderr):
                api.add_train_op(
                    frozen,
                    loss=chosen.loss,
                    optimizer=DEFAULT if chosen.optimizer is None else chosen.optimizer,
                    learning_rate=chosen.learning_rate,
                    keep_slots=chosen.keep_slots,
                    arguments=chosen.optimizer_argument,
                    schedule=chosen.schedule,
                    clip_norm=chosen.clip_norm,
                    lr_scales=chosen.lr_scale,
                    no_decay=chosen.no_decay,
                    accumulate=chosen.accumulate or 1,
                    skip_nonfinite=chosen.skip_nonfinite,
                    target=chosen.target,
                    op_libraries=chosen.op_library,
                    gradients=chosen.gradient,
                    custom_gradients=chosen.custom_gradients or ERROR,
                )
        api.complete(frozen, chosen.place or "bundle")
        if chosen.place is not None and not chosen.dry_run:
            with working(f"writing {chosen.place} ...", stderr):
                api.save(
                    frozen,
                    chosen.place,
                    force=chosen.force,
                    also=chosen.also,
                    op_libraries=chosen.op_library,
                )
    return api.report(frozen, chosen.place, also=chosen.also)
