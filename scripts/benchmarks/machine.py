"""What figures were measured on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path


def facts() -> dict[str, object]:
    """Return cores, memory, versions, and how busy the machine is."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _line(Path("/proc/cpuinfo"), "model name"),
        "memory": _line(Path("/proc/meminfo"), "MemTotal"),
        "python": platform.python_version(),
        "tensorflow": version("tensorflow"),
        "load_at_start": load(),
    }


def load() -> float:
    """Return the mean number of processes that ran or waited in the last minute."""
    return round(os.getloadavg()[0], 1)


def _line(path: Path, key: str) -> str:
    lines = path.read_text().splitlines() if path.is_file() else []
    values = [line.partition(":")[2].strip() for line in lines if line.startswith(key)]
    return values[0] if values else "unknown"
