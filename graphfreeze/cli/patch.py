"""graphfreeze patch: stop what trains chosen parts of a model in its own training graph."""

import click
import msgspec

from graphfreeze import api
from graphfreeze.cli import options
from graphfreeze.cli.console import print_json, print_lines
from graphfreeze.cli.entry_options import choice_option, entries, scopes
from graphfreeze.cli.freeze_options import check_plan
from graphfreeze.cli.sections import SectionedCommand, scope_option, training_option
from graphfreeze.model.records import FreezeRecord
from graphfreeze.report.patch_text import patch_lines
from graphfreeze.rewrite.patch_limits import UNFIT
from graphfreeze.selection.plan import FreezePlan

EXAMPLES = """\b
Examples:
  graphfreeze patch model.ckpt-1000.meta patched.meta --freeze 'bert/encoder/layer_{0..7}'
  graphfreeze patch model.ckpt-1000 patched --freeze-rows embedding=0:3000
  graphfreeze patch gan.meta patched.meta --freeze shared --train-op generator/train
"""


class PatchOptions(options.OutOptions, frozen=True):
    """The command line of ``patch``, but for what is to stop learning."""

    model: str
    train_op: tuple[str, ...]
    clip_counts_frozen: bool
    refreeze: bool
    checkpoint: str | None
    tags: str | None
    clear_devices: bool
    force: bool
    json: bool
    verbose: bool


@click.command(
    cls=SectionedCommand,
    short_help="Let a model's own train_op leave parts of it alone.",
    epilog=EXAMPLES,
)
@options.model
@click.argument("out", metavar="OUT", required=False)
@scopes
@choice_option(
    scope_option,
    "--batch-norm",
    "In frozen scopes: moving averages stop ('statistics', default), or they go on and are not "
    "frozen ('keep').",
)
@choice_option(scope_option, "--dropout", "In frozen scopes: 'keep' it, or turn it 'off'.")
@entries
@training_option(
    "--train-op",
    metavar="NAME",
    multiple=True,
    help="Patch the steps of these ops alone. Default: all that train.",
)
@training_option(
    "--clip-counts-frozen",
    is_flag=True,
    help="Let a clip by the global norm go on to count frozen gradients.",
)
@click.option(
    "--refreeze",
    is_flag=True,
    help="MODEL is a patch or a bundle: undo that, and patch what it was made of.",
)
@options.checkpoint
@options.tags
@options.clear_devices
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
@click.option("--dry-run", is_flag=True, help="Do all but write; OUT may be left out.")
@options.as_json
@click.option("-v", "--verbose", is_flag=True, help="Tell every variable, writer and slot.")
@click.pass_context
def patch(context: click.Context, /, **_: object) -> None:
    """Patch the training graph of MODEL so that its own train_op keeps what is frozen.

    The graph keeps every name: scripts that run 'train_op' need not change, and checkpoints of
    MODEL restore as before. Whatever writes a frozen variable in a step stops writing;
    initializers, restore ops and savers go on. Ops that this TensorFlow does not have are no
    obstacle.

    OUT is a file with the suffix .meta, .pb or .pbtxt, or a new folder with graph, checkpoint and
    graphfreeze.json.

    P, VAR=... and what they mean: see 'graphfreeze freeze --help'. What a patch cannot do, such as
    an overlay, which is a new variable, is refused with the reason.
    """
    chosen = msgspec.convert(context.params, PatchOptions)
    plan = FreezePlan(**{name: context.params[name] for name in FreezePlan.__struct_fields__})
    check_plan(plan)
    chosen.check_place()
    record = _run(chosen, plan)
    if chosen.json:
        print_json(record)
    else:
        out = None if chosen.dry_run else chosen.place
        print_lines(patch_lines(record, out, verbose=chosen.verbose))


for each in patch.params:
    if each.name in UNFIT and isinstance(each, click.Option):
        each.hidden = True  # taken, to be refused with the reason


def _run(chosen: PatchOptions, plan: FreezePlan) -> FreezeRecord:
    """Call the stages; raises GraphfreezeError."""
    model = api.load(chosen.model, checkpoint=chosen.checkpoint, tags=chosen.tags)
    if chosen.place is not None:
        api.check_out(model, chosen.place, force=chosen.force)
    patched = api.patch(
        model,
        plan,
        train_op=chosen.train_op,
        clip_counts_frozen=chosen.clip_counts_frozen,
        refreeze=chosen.refreeze,
        clear_devices=chosen.clear_devices,
    )
    api.complete(patched, chosen.place or "dry.meta")
    if chosen.place is not None and not chosen.dry_run:
        api.save(patched, chosen.place, force=chosen.force)
    return api.report(patched, chosen.place)
