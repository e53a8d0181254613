"""Which passes a stage runs, in their order."""

from collections.abc import Mapping

from graphfreeze.forward.batch_norm import InferBatchNorms
from graphfreeze.forward.dropout import DropoutOff
from graphfreeze.forward.freeze_functions import FreezeFunctions
from graphfreeze.forward.hold_masks import HoldMasks
from graphfreeze.forward.mask_rows import MaskRows
from graphfreeze.forward.overlay_rows import OverlayRows
from graphfreeze.forward.stop_gradient import StopGradient
from graphfreeze.guard.filter_updates import FilterUpdates
from graphfreeze.guard.gate_writers import GateWriters
from graphfreeze.guard.prune_collections import PruneCollections
from graphfreeze.prepare.recover_collections import RecoverCollections
from graphfreeze.rewrite.mask_kernels import Kernel
from graphfreeze.rewrite.run import Pass
from graphfreeze.rewrite.steps import Step
from graphfreeze.selection.resolve import Selection


def forward_passes(selection: Selection, kernels: Mapping[str, Kernel], step: Step) -> list[Pass]:
    """Return what changes the way that values and gradients take, and what a step runs."""
    hold, overlay = HoldMasks(selection), OverlayRows(selection, step)
    # New variables are listed in collections, which a bare GraphDef does not have.
    described: list[Pass] = [RecoverCollections()] if hold.is_needed or selection.overlaid else []
    masks: list[Pass] = [
        InferBatchNorms(selection),
        DropoutOff(selection),
        FreezeFunctions(selection, kernels),
        StopGradient(selection),
        MaskRows(selection, kernels),
        PruneCollections(selection),
    ]
    return [*described, hold, overlay, *masks]


def guard_passes(selection: Selection, step: Step) -> list[Pass]:
    """Return what keeps a step from writing what is frozen."""
    return [GateWriters(selection, step), FilterUpdates(selection, step)]
