"""What to know of the devices that nodes are bound to."""

from collections import Counter
from collections.abc import Iterator

from graphfreeze.errors.base import listed
from graphfreeze.frozen import FrozenModel
from graphfreeze.report.columns import count_text

_RARE = ("GPU", "TPU")


def device_notes(frozen: FrozenModel) -> Iterator[str]:
    """Yield which devices were cleared, or that nodes are bound to one that may not be there."""
    if frozen.devices:
        told = [f"{device} ({count:,})" for device, count in sorted(frozen.devices.items())]
        count = count_text(sum(frozen.devices.values()), "node")
        yield f"--clear-devices: {count} no longer bound to a device: {listed(told)}"
    nodes = frozen.draft.graph.nodes.values()
    bound = Counter(str(node.device) for node in nodes if _is_rare(str(node.device)))
    if bound:
        count = count_text(sum(bound.values()), "node")
        yield (
            f"bound to {listed(sorted(bound))}: {count}; where there is none a session needs "
            "allow_soft_placement=True, or take it off with --clear-devices"
        )


def _is_rare(device: str) -> bool:
    return any(kind in device.upper() for kind in _RARE)
