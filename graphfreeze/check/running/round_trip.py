"""Save with the bundle's own saver, restore into a fresh session, and compare."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from graphfreeze.check.running.importing import fresh_session
from graphfreeze.check.running.opened import Opened
from graphfreeze.check.same_bits import same_bits
from graphfreeze.errors.base import listed
from graphfreeze.model.saver import saved_entries
from graphfreeze.model.variables import Variable
from graphfreeze.model.verify_records import FAILED, PASSED, SectionRecord

NAME = "round trip"


def check_round_trip(trained: Opened) -> SectionRecord:
    """Compare every variable that lasts; raises CheckError where saving or restoring fails."""
    lasting = [v for v in trained.model.variables if not v.is_local]
    saved = saved_entries(trained.model.graph, trained.model.saver_ops)
    lost = [v.name for v in lasting if v.name not in saved]
    kept = [v for v in lasting if v.name in saved]
    with tempfile.TemporaryDirectory() as folder:
        prefix = trained.save(Path(folder, "model"))
        with fresh_session(trained) as fresh:
            fresh.restore(prefix)
            changed = list(_changed(trained, fresh, kept))
    failures = []
    if lost:
        failures.append(f"the saver does not keep {listed(lost)}")
    if changed:
        failures.append(f"not restored as saved: {listed(changed)}")
    return SectionRecord(NAME, FAILED if failures else PASSED, failures)


def _changed(trained: Opened, fresh: Opened, kept: list[Variable]) -> Iterator[str]:
    """Yield the variables with other bits in the fresh session."""
    names = [variable.name for variable in kept]
    pairs = zip(names, trained.values(names), fresh.values(names), strict=True)
    yield from (name for name, first, second in pairs if not same_bits(first, second))
