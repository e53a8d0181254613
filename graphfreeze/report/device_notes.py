"""What to know of the devices that nodes are bound to."""

from collections import Counter
from collections.abc import Iterable, Iterator

from graphfreeze.errors.base import listed
from graphfreeze.frozen import FrozenModel
from graphfreeze.report.columns import count_text
from graphfreeze.schema import NodeDef

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


def export_device_notes(nodes: Iterable[NodeDef]) -> Iterator[str]:
    """Yield that nodes of an export are bound to what whoever loads it may not have."""
    devices = (str(node.device) for node in nodes)
    bound = Counter(d for d in devices if _is_rare(d) or _is_of_cluster(d))
    if bound:
        count = count_text(sum(bound.values()), "node")
        yield (
            f"bound to {listed(sorted(bound))}: {count}, which cannot be loaded where there is no "
            "such device; take it off with --clear-devices"
        )


def _is_of_cluster(device: str) -> bool:
    """Tell whether a device belongs to a job that only a cluster has."""
    return "/job:" in device and "/job:localhost" not in device


def _is_rare(device: str) -> bool:
    return any(kind in device.upper() for kind in _RARE)
