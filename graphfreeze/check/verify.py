"""Check a bundle against the model that it was made from: statically, and by running both."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import structs

from graphfreeze.check.feeds.chosen_feeds import ChosenFeeds
from graphfreeze.check.feeds.feed_values import feed_records
from graphfreeze.check.feeds.inferred_feeds import placeholders
from graphfreeze.check.moved import check_values
from graphfreeze.check.proof.static_check import check_static
from graphfreeze.check.record import read_record
from graphfreeze.check.running.forward_check import Forward, begin, check_forward
from graphfreeze.check.running.importing import opened
from graphfreeze.check.running.intended import as_intended
from graphfreeze.check.running.needed_nodes import Running
from graphfreeze.check.running.outputs import Outputs, find_outputs
from graphfreeze.check.running.round_trip import check_round_trip
from graphfreeze.check.running.steps_check import NAME as STEPS
from graphfreeze.check.running.steps_check import Steps
from graphfreeze.check.running.what_runs import WhatRuns
from graphfreeze.emit.libraries import load_libraries
from graphfreeze.emit.place import RECORD
from graphfreeze.errors import CheckError, PathLike
from graphfreeze.model.calls import check_functions
from graphfreeze.model.model import Model
from graphfreeze.model.records import FreezeRecord
from graphfreeze.model.verify_records import (
    FAILED,
    SKIPPED,
    ChangeRecord,
    FeedRecord,
    SectionRecord,
    VerifyRecord,
)
from graphfreeze.rewrite.builder import MARK

Sections = tuple[SectionRecord, SectionRecord, list[ChangeRecord]]
OnStep = Callable[[int], None]


def verify(
    original: Model,
    out: Model,
    *,
    steps: int = 5,
    batch: int = 8,
    feeds: Sequence[str] = (),
    seed: int = 0,
    allow_unsafe_ops: bool = False,
    op_libraries: Sequence[PathLike] = (),
    on_step: OnStep = lambda _: None,
) -> VerifyRecord:
    """Check a loaded bundle: what its files show, its outputs, its steps, its saver.

    Open dimensions of placeholders are ``batch`` long; what they are fed with is inferred, or given
    as ``NAME=int:0:30522``, ``NAME=@file.npy`` and the like in ``feeds``. ``seed`` is that of feeds
    and random ops. ``allow_unsafe_ops`` lets ops run that reach files, the network or Python.
    ``op_libraries`` are files of ops that TensorFlow does not have; these may run.
    ``on_step`` is told how many steps are done. Starts TensorFlow. Raises CheckError where the
    check cannot be made, LoadError.
    """
    for each in (original, out):
        check_functions(each.graph, each.source.path)
    load_libraries(op_libraries)
    unsafe = (allow_unsafe_ops, bool(op_libraries))
    settings = _Settings(steps, batch, feeds, seed, *unsafe, on_step)
    return _verify(original, out, settings)


def verify_checkpoints(record: str | Path, before: str | Path, after: str | Path) -> VerifyRecord:
    """Tell which frozen entries differ between two checkpoints of a training that is over.

    ``record`` is the ``graphfreeze.json`` of the bundle, or the bundle. Nothing is run. Raises
    CheckError, LoadError."""
    section, changes = check_values(read_record(Path(record)), Path(before), Path(after))
    return VerifyRecord(
        original=str(before),
        out=str(after),
        passed=section.status != FAILED,
        sections=[section],
        changes=changes,
    )


@dataclass(frozen=True)
class _Settings:
    steps: int
    batch: int
    feeds: Sequence[str]
    seed: int
    allows_unsafe: bool
    has_libraries: bool
    on_step: OnStep


def _verify(original: Model, out: Model, settings: _Settings) -> VerifyRecord:
    record = _record_of(original, out)
    _check_pair(original, out, record)
    original, left, told = as_intended(original, record)
    feeds = ChosenFeeds((original, out), settings.feeds, settings.batch, settings.seed)
    known = settings.has_libraries
    what = WhatRuns(original, out, record, settings.allows_unsafe, known, frozenset(feeds.given))
    outputs = find_outputs(original, out, record)
    _check_fed(outputs, feeds)
    needed = what.find(outputs.losses)
    what.check(needed)
    feeds = feeds.infer(what.to_feed(needed))
    others, runs, feeds, notes = what.with_others(outputs, feeds)
    static = check_static(out, record)
    asked = Forward(original, out, record, outputs.losses, others, runs, feeds, settings.seed, left)
    forward, compared = check_forward(asked, [*told, *notes])
    # Rows that were added are in the bundle's range of ids alone.
    wider = replace(feeds, models=(out, original), inferred=())
    wider = wider.infer(placeholders(out.graph, needed.out.nodes))
    steps, trip, changes = _train(out, record, needed.out, wider, settings)
    sections = [static, forward, steps, trip]
    return VerifyRecord(
        original=str(original.source.path),
        out=str(out.source.path.parent),
        passed=all(each.status != FAILED for each in sections),
        sections=sections,
        feeds=_told(feed_records(feeds.specs), feed_records(wider.specs)),
        outputs=compared,
        steps=settings.steps if steps.status != SKIPPED else 0,
        seed=settings.seed,
        changes=changes,
    )


def _record_of(original: Model, out: Model) -> FreezeRecord:
    """Return the record of a bundle; raises CheckError where it is none."""
    file = out.source.path.with_name(RECORD)
    if not file.is_file():
        if MARK in original.collections and MARK not in out.collections:
            raise CheckError.swapped(original.source.path, out.source.path)
        raise CheckError.no_record(out.source.path)
    return read_record(file)


def _told(feeds: list[FeedRecord], wider: list[FeedRecord]) -> list[FeedRecord]:
    """Return all feeds, and those of steps where they are others."""
    known = {(each.name, each.values) for each in feeds}
    more = [each for each in wider if (each.name, each.values) not in known]
    return feeds + [structs.replace(each, source=f"{each.source}, in steps") for each in more]


def _check_pair(original: Model, out: Model, record: FreezeRecord) -> None:
    """Refuse a bundle of another model, and one without values; raises CheckError."""
    if hashlib.sha256(original.raw).hexdigest() != record.source_sha256:
        raise CheckError.other_model(out.source.path.parent, record.source, original.source.path)
    if out.source.checkpoint is None:
        raise CheckError.no_bundle(out.source.path.parent)


def _check_fed(outputs: Outputs, feeds: ChosenFeeds) -> None:
    for ref in outputs.losses:
        if ref in feeds.given:
            reason = "it is the loss, which is compared; feed what it is made of"
            raise CheckError.bad_feed(ref.tensor_name, reason)


def _train(
    out: Model, record: FreezeRecord, running: Running, feeds: ChosenFeeds, settings: _Settings
) -> Sections:
    """Run steps, then save and restore what they made of the variables."""
    with opened(out, running.nodes, settings.seed) as model:
        begin(model, running)
        model.start(running.starts, feeds.arrays(out.graph))
        if not record.run_ops:
            steps = SectionRecord(STEPS, SKIPPED, notes=["the bundle has no train_op"])
            return steps, check_round_trip(model), []
        run = Steps(
            opened=model,
            record=record,
            nodes=running.nodes,
            feeds_of=lambda step: feeds.arrays(out.graph, step=step),
            count=settings.steps,
            on_step=settings.on_step,
        )
        steps, changes = run.run()
        return steps, check_round_trip(model), changes
