"""Thaw a model: let weights that were frozen to constants be variables again."""

from collections.abc import Sequence
from dataclasses import replace

from graphfreeze.errors import LoadError, SelectionError
from graphfreeze.frozen import FrozenModel
from graphfreeze.guard.rebuild_saver import RebuildSaver
from graphfreeze.model.calls import check_functions
from graphfreeze.model.model import Model
from graphfreeze.prepare.part_switches import PartSwitches
from graphfreeze.prepare.recover_collections import RecoverCollections
from graphfreeze.prepare.recover_contexts import RecoverContexts
from graphfreeze.prepare.restore_ends import RestoreEnds
from graphfreeze.prepare.thaw_constants import ThawConstants
from graphfreeze.read.mark import is_marked
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.run import run
from graphfreeze.selection.constants import KINDS, choose_constants
from graphfreeze.selection.plan import FreezePlan
from graphfreeze.selection.resolve import resolve


def thaw(
    model: Model,
    constants: Sequence[str] = (),
    variables: str = "ref",
    *,
    no_backprop: Sequence[str] = (),
) -> FrozenModel:
    """Let Consts be variables again, under their names and with their values.

    ``constants`` are patterns; without any, those that are taken as weights are: ``report`` tells
    which, by what op, and why the others stay. ``variables`` are ``ref`` or ``resource``. What
    computes with them computes the same to the bit. Loops and branches that no context describes
    get one; ``no_backprop`` are frames of such loops that no gradient is to pass.

    ``save`` writes a folder with graph, checkpoint and record; it is a model like any other, and
    not frozen. TensorFlow is not started. Raises ThawError, SelectionError, RewriteError, and
    LoadError for what graphfreeze wrote.
    """
    if is_marked(model):
        raise LoadError.already_frozen(model.source.path)
    check_functions(model.graph, model.source.path)
    if variables not in KINDS:
        raise SelectionError.unknown_choice("variables", variables, KINDS)
    chosen = choose_constants(model, constants, variables)
    if not model.variables:  # then no value of a checkpoint is wanted
        model = replace(model, source=replace(model.source, checkpoint=None))
    draft = Draft(model)
    thawing = ThawConstants(chosen.weights, chosen.kind)
    contexts = RecoverContexts(tuple(no_backprop))
    run(
        draft,
        [RecoverCollections(), thawing, PartSwitches(), RestoreEnds(), contexts, RebuildSaver()],
    )
    selection = resolve(FreezePlan(), draft.variables, draft.graph, saver=draft.saver_ops)
    return FrozenModel(draft, selection, thaw=chosen, contexts=contexts.recovered)
